// The completions of shells: what bash completes is tried in bash; the scripts of zsh and fish are checked by these shells
// where they are there.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS, SHELLS } from "../../../lib/cli/commands.ts";
import { completions } from "../../../lib/cli/completions.ts";

function run(command: string, args: string[]) {
  const { code, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** What bash offers for the last of these words. */
function offered(...words: string[]): string[] {
  const list = ["karma", ...words].map((word) => `'${word}'`).join(" ");
  const script = `${completions("bash")}
COMP_WORDS=(${list}); COMP_CWORD=${words.length}; _karma; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { code, stdout, stderr } = run("bash", ["-c", script]);
  assertEquals([code, stderr], [0, ""]);
  return stdout.split("\n").filter((line) => line !== "");
}

Deno.test("completions: bash completes commands, options, shells and files", () => {
  assertEquals(offered("as"), ["ask"]);
  assertEquals(offered("ask", "--tok"), ["--token", "--token-file"]);
  assertEquals(offered("help", "che"), ["check"]);
  assertEquals(offered("completions", "").slice(0, 3), [...SHELLS]);
  assertEquals(offered("--dump-ret"), ["--dump-retention-per-tree"]);
  assertEquals(offered("check", "--direc"), ["--directory"]);
  assertEquals(offered("check", "--directory", "/et"), ["/etc"]);
});

Deno.test("completions: each shell is told of all commands and options", () => {
  for (const shell of SHELLS) {
    const script = completions(shell)!;
    for (const [name, { options }] of Object.entries(COMMANDS)) {
      assertStringIncludes(script, name);
      for (const { flag } of Object.values(options)) assertStringIncludes(script, flag);
    }
  }
  assertEquals(completions("sh"), null);
});

for (const shell of ["zsh", "fish"]) {
  const isThere = run("sh", ["-c", `command -v ${shell}`]).code === 0;
  if (!isThere) {
    console.log(`${shell} is not there (apt-get install ${shell}): its completions are not tried`);
  }
  Deno.test({
    name: `completions: ${shell} understands its script`,
    ignore: !isThere,
    fn: () => {
      const path = Deno.makeTempFileSync({ prefix: "karma-test-" });
      Deno.writeTextFileSync(path, completions(shell)!);
      const { code, stderr } = run(shell, ["-n", path]);
      Deno.removeSync(path);
      assertEquals([code, stderr], [0, ""]);
    },
  });
}
