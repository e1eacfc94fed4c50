// The command lines of the commands beside the server's own.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/cli/config.ts";
import { helpOf, usage } from "../../../lib/cli/help.ts";
import { parseTool, ToolUsageError } from "../../../lib/cli/tools.ts";

function parse(args: string[], environment: Record<string, string> = {}) {
  return parseTool(args, (name) => environment[name]);
}

function options(args: string[], environment?: Record<string, string>): Record<string, unknown> {
  const line = parse(args, environment);
  assert(line !== null && "options" in line);
  return line.options;
}

const DEFAULTS = {
  server: { host: "127.0.0.1", port: 8080 },
  token: "",
  tokenFile: "",
  timeoutSeconds: 60,
  json: false,
};

Deno.test("tools: a line without a command, and those of the server, are for the server's own", () => {
  for (
    const args of [[], ["-p", "1"], ["stray"], ["serve"], ["check", "-d", "x"], ["repair", "--yes"]]
  ) {
    assertEquals(parse(args), null, args.join(" "));
  }
  assertEquals(parse(["check", "-d", "-h"]), null); // a directory of that name
});

Deno.test("tools: options, their variables and their defaults", () => {
  assertEquals(options(["ask"]), DEFAULTS);
  const given = [
    "ask",
    "-s",
    "[::1]:9",
    "--token-file=f",
    "--timeout",
    "5",
    "--json",
    "op",
    "x=1",
  ];
  assertEquals(options(given), {
    server: { host: "::1", port: 9 },
    token: "",
    tokenFile: "f",
    timeoutSeconds: 5,
    json: true,
  });
  const line = parse(given);
  assert(line !== null && "words" in line);
  assertEquals(line.words, ["op", "x=1"]);
  const env = { KARMA_SERVER: "db:1", KARMA_AUTH_TOKEN: "t" };
  assertEquals(options(["ask"], env), { ...DEFAULTS, server: { host: "db", port: 1 }, token: "t" });
  assertEquals(options(["ask", "--token-file=f"], env).token, ""); // a flag wins over both variables
  assertEquals(options(["ask", "-s", "h:2"], env).server, { host: "h", port: 2 });
  assertEquals(options(["ask"], { KARMA_SERVER: "" }), DEFAULTS);
});

Deno.test("tools: what cannot be used is told, with where there is more", () => {
  const table: [args: string[], env: Record<string, string>, sentence: string][] = [
    [["ask", "--server=x"], {}, 'Option --server must be HOST:PORT: "x"'],
    [["ask", "--server=x:0"], {}, 'Option --server must be HOST:PORT: "x:0"'],
    [["ask", "--server=a:b:1"], {}, 'Option --server must be HOST:PORT: "a:b:1"'],
    [["ask"], { KARMA_SERVER: "x" }, 'Environment variable KARMA_SERVER must be HOST:PORT: "x"'],
    [["ask", "--timeout=0"], {}, 'Option --timeout must be an integer from 1 to 86400: "0"'],
    [["ask", "--port=1"], {}, 'Unknown option: "--port=1"'],
    [["completions"], {}, "karma completions needs bash | zsh | fish"],
    [["completions", "sh"], {}, 'karma completions needs bash | zsh | fish: "sh"'],
    [["completions", "bash", "zsh"], {}, 'Unexpected argument: "zsh"'],
    [["help", "nothing"], {}, 'There is no command "nothing"'],
  ];
  for (const [args, env, sentence] of table) {
    const error = assertThrows(() => parse(args, env), ToolUsageError, "", args.join(" "));
    assert(error instanceof UsageError);
    assertEquals(error.message, `${sentence}\nkarma help ${args[0]} tells more`);
  }
});

Deno.test("tools: help of all, and of each", () => {
  assertEquals(parse(["help"]), { text: usage() });
  for (const name of ["serve", "check", "repair", "ask", "completions", "help"]) {
    assertEquals(parse(["help", name]), { text: helpOf(name) });
    assertEquals(parse([name, "--no-such", "-h"]), { text: helpOf(name) });
  }
});
