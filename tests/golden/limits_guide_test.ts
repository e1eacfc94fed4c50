// docs/limits.md, held to the server: its examples are sent and must be answered as it says, `…`
// standing for anything and RECEIPT for the last receipt; its programs are run.

import { assert, assertEquals } from "@std/assert";
import { Client } from "../support/client.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const text = Deno.readTextFileSync(new URL("../../docs/limits.md", import.meta.url));

/** The program in the first block of a language. */
function program(language: string): string {
  const match = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "ms").exec(text);
  assert(match !== null, `There is no program in ${language}`);
  return match[1];
}

Deno.test("limits.md: every example is answered as it says", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  const lines = text.split("\n");
  let receipt = "";
  let examples = 0;
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith("→ ")) continue;
    const answered = lines[index + 1].slice(2);
    const found = await client.ask(line.slice(2).replace("RECEIPT", receipt));
    receipt = /"receipt":"([^"]+)"/.exec(found)?.[1] ?? receipt;
    const parts = answered.replace("RECEIPT", receipt).split("…").map(RegExp.escape);
    const isRight = new RegExp(`^${parts.join("[^,{}]+")}$`).test(found);
    assert(isRight, `line ${index + 1}: ${line}\n  says ${answered}\n  is   ${found}`);
    examples++;
  }
  assert(examples > 10);
});

async function run(server: Server, command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { KARMA_PORT: String(server.port), NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stderr));
  return decoder.decode(stdout);
}

Deno.test("limits.md: the program in TypeScript", async () => {
  await using server = await Server.start();
  using directory = new TemporaryDirectory();
  const file = directory.join("limits.ts");
  Deno.writeTextFileSync(file, `import process from "node:process";\n${program("ts")}`);
  const told = await run(server, Deno.execPath(), "run", "-A", "--no-lock", "--no-check", file);
  assertEquals(told, "go on, 1 left\ngo on, 0 left\n429, limit 0\n");
});

function hasRuby(): boolean {
  try {
    return new Deno.Command("ruby", { args: ["--version"] }).outputSync().success;
  } catch {
    console.log("Skipped the program in Ruby: no ruby here; apt-get install ruby");
    return false;
  }
}

Deno.test({
  name: "limits.md: the program in Ruby",
  ignore: !hasRuby(),
  async fn() {
    await using server = await Server.start();
    assertEquals(await run(server, "ruby", "-e", program("ruby")), "go on, 999 left\n");
  },
});
