// docs/limits.md, held to the server: its requests are sent, in order, on one connection, and answered
// as it says, byte for byte but for times. RECEIPT is the receipt that was told last.
//
// Its programs are run by tests/integration/programs_test.ts.

import { assert, assertEquals } from "@std/assert";
import { Client } from "../support/client.ts";
import { Server } from "../support/server.ts";

const text = Deno.readTextFileSync(new URL("../../docs/limits.md", import.meta.url));

const MOMENT = '"20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{3})?Z"';
/** A day, or milliseconds. */
const NUMBER = "\\d+";

function patternOf(answer: string): RegExp {
  const moments = answer.split('"…"').map((part) =>
    part.split("…").map(RegExp.escape).join(NUMBER)
  );
  return new RegExp(`^${moments.join(MOMENT)}$`);
}

Deno.test("limits.md: every example is answered as it says", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  const lines = text.split("\n");
  const wrong: string[] = [];
  let receipt = "none yet";
  let examples = 0;
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith("→ ")) continue;
    assert(lines[index + 1].startsWith("← "), `line ${index + 1} has no answer`);
    const found = await client.ask(line.slice(2).replace("RECEIPT", receipt));
    receipt = /"receipt":"([^"]+)"/.exec(found)?.[1] ?? receipt;
    const answered = lines[index + 1].slice(2).replace("RECEIPT", receipt);
    if (!patternOf(answered).test(found)) {
      wrong.push(`line ${index + 1}: ${line}\n  says ${answered}\n  is   ${found}`);
    }
    examples++;
  }
  assertEquals(wrong.join("\n"), "");
  assert(examples > 10);
});

Deno.test("limits.md: every limit that stands alone in a text is one", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  const limits = Array.from(text.matchAll(/`(\{"series":[^`]*\})`/g), ([, limit]) => limit);
  assert(limits.length > 15);
  for (const limit of limits) {
    const found = await client.ask(`{"v":2,"op":"limit.check","key":1,"limits":[${limit}]}`);
    assert(found.includes('"allowed":true'), `${limit} ${found}`);
  }
});
