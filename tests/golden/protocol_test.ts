// docs/protocol.md, held to the server: every example in it is sent, in order, on one connection, and
// must be answered as it says; `…` stands for anything. And it leaves nothing out.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { OPERATIONS } from "../../lib/command/operation.ts";
import { Client } from "../support/client.ts";
import { printed, RespClient } from "../support/resp.ts";
import { Server } from "../support/server.ts";

const ROOT = new URL("../../", import.meta.url);
const text = Deno.readTextFileSync(new URL("docs/protocol.md", ROOT));

/** A request and the answer that follows it. */
function examples(): { line: number; sent: string; answered: string }[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    if (!line.startsWith("→ ")) return [];
    const next = lines[index + 1];
    assert(next.startsWith("← "), `line ${index + 1} has no answer`);
    return [{ line: index + 1, sent: line.slice(2), answered: next.slice(2) }];
  });
}

Deno.test("protocol.md: every example is answered as it says", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  const wrong: string[] = [];
  for (const { line, sent, answered } of examples()) {
    const found = await client.ask(sent);
    const pattern = answered.split("…").map(RegExp.escape).join("[^,{}]+");
    if (!new RegExp(`^${pattern}$`).test(found)) {
      wrong.push(`line ${line}: ${sent}\n  says ${answered}\n  is   ${found}`);
    }
  }
  assertEquals(wrong.join("\n"), "");
});

/** A call of curl and what it prints. */
function calls(text: string): { args: string[]; printed: string }[] {
  return [...text.matchAll(/^\$ curl (.*)\n(.*)$/gm)].map(([, args, printed]) => ({
    args: [...args.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word),
    printed,
  }));
}

/** What curl does with these arguments. */
async function curl(args: readonly string[], port: number): Promise<string> {
  const [header, body] = ["-H", "-d"].map((flag) => args[args.indexOf(flag) + 1]);
  const [name, value] = header.split(": ");
  const url = args.at(-1)!.replace(":8080", `:${port}`);
  const response = await fetch(url, { method: "POST", body, headers: { [name]: value } });
  return (await response.text()).trimEnd();
}

Deno.test("protocol.md and README.md: every call of curl prints what it says", async () => {
  const readme = Deno.readTextFileSync(new URL("README.md", ROOT));
  for (const [document, atLeast] of [[text, 4], [readme, 1]] as const) {
    await using server = await Server.start();
    const found = calls(document);
    assert(found.length >= atLeast);
    for (const { args, printed } of found) {
      const pattern = printed.split("…").map(RegExp.escape).join("[^,{}]+");
      assertMatch(await curl(args, server.port), new RegExp(`^${pattern}$`), args.join(" "));
    }
  }
});

Deno.test("protocol.md and README.md: every command of RESP is answered as it says", async () => {
  const readme = Deno.readTextFileSync(new URL("README.md", ROOT));
  for (const [document, atLeast] of [[text, 7], [readme, 1]] as const) {
    await using server = await Server.start();
    using client = await RespClient.connect(server.port);
    const found = [
      ...document.matchAll(/^(?:karma>|\$ redis-cli -p 8080) (.*)\n((?:[^k`$].*\n)+)/gm),
    ];
    assert(found.length >= atLeast);
    for (const [, command, answer] of found) {
      assertEquals(printed(await client.ask(...command.split(" "))) + "\n", answer, command);
    }
  }
});

Deno.test("protocol.md: every operation is there under all its names, every command, every code", () => {
  for (const { v1, v2, resp } of OPERATIONS) {
    if (resp) assertMatch(text, new RegExp(`^\\| .*\`${resp}[ \`]`, "m"));
    for (const op of v2?.ops ?? []) assert(text.includes(`\`${op}\``), `${op} is missing`);
    if (v1) assert(text.includes(`\`${v1.command}\``), `${v1.command} is missing`);
  }
  const codes = Deno.readTextFileSync(new URL("lib/errors.ts", ROOT)).match(/(?<=\| ")\w+(?=")/g)!;
  assert(codes.length > 10);
  for (const code of codes) assertMatch(text, new RegExp(`^\\| \`${code}\` +\\|`, "m"));
});

Deno.test("protocol.md: every operation but those that need files has an example", () => {
  const sent = examples().map(({ sent }) => sent).join("\n");
  const without = OPERATIONS.filter(({ v2 }) => !v2!.ops.some((op) => sent.includes(`"${op}"`)));
  // Their answers are all names, sizes and times; tests/unit/engine/snapshots_test.ts has them.
  const LEFT = ["stats", "metrics", "resetAll", "deleteAll", "compact", "compactAll"]
    .concat(["dumpAll", "snapshotInfo", "verify", "fetchChunk", "replication"]);
  assertEquals(without.map(({ id }) => id).sort(), LEFT.sort());
});
