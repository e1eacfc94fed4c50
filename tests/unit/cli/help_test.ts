// The texts of help. Those of commands are compared with tests/golden/help/, a file each; KARMA_WRITE_GOLDEN=1 writes them.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { COMMANDS } from "../../../lib/cli/commands.ts";
import { helpOf, usage } from "../../../lib/cli/help.ts";
import { filesBelow, ROOT } from "../../support/project.ts";

/** Commands whose options are the server's; what they tell is in its table. */
const SERVERS = ["serve", "check", "repair"];

Deno.test("help: of each command as it was agreed", () => {
  const told = Object.keys(COMMANDS).filter((name) => !SERVERS.includes(name));
  for (const name of told) {
    const path = join(ROOT, `tests/golden/help/${name}.txt`);
    if (Deno.env.get("KARMA_WRITE_GOLDEN") === "1") Deno.writeTextFileSync(path, helpOf(name));
    assertEquals(helpOf(name), Deno.readTextFileSync(path), name);
  }
  const files = filesBelow("tests/golden/help").map((path) => path.split("/").at(-1)).sort();
  assertEquals(files, told.map((name) => `${name}.txt`).sort());
});

Deno.test("help: every command has a summary in the usage, and lines that fit", () => {
  for (const [name, { summary }] of Object.entries(COMMANDS)) {
    assertStringIncludes(usage(), `    ${`karma ${name}`.padEnd(32)} ${summary}\n`);
    for (const line of helpOf(name).split("\n")) assert(line.length <= 100, line);
  }
  for (const name of SERVERS) assertStringIncludes(helpOf(name), "--directory=path");
  assertStringIncludes(helpOf("repair"), "\n        --yes ");
});
