// What Karma relies on of @std/cli; it passes with the real package and with lib/npm/cli.ts.

import { assertEquals } from "@std/assert";
import { parseArgs } from "@std/cli";

// lib/cli/config.ts writes only these forms: `--name=value` with a value, `--switch`, nothing else.
const TABLE: [args: string[], port: unknown, path: unknown, help: unknown][] = [
  [[], undefined, undefined, false],
  [["--port=1"], "1", undefined, false],
  [["--port=-1"], "-1", undefined, false],
  [["--port=0x10"], "0x10", undefined, false],
  [["--port=1e3"], "1e3", undefined, false],
  [["--port=007"], "007", undefined, false],
  [["--port=true"], "true", undefined, false],
  [["--port=1", "--port=2", "--port=3"], "3", undefined, false],
  [["--the-path=/a=b"], undefined, "/a=b", false],
  [["--the-path==b"], undefined, "=b", false],
  [["--the-path=a b\nc"], undefined, "a b\nc", false],
  [["--the-path=--help"], undefined, "--help", false],
  [["--the-path=--"], undefined, "--", false],
  [["--help"], undefined, undefined, true],
  [["--help", "--help", "--port=1"], "1", undefined, true],
];

Deno.test("cli: parseArgs() keeps strings as they are, and the last one wins", () => {
  for (const [args, port, path, help] of TABLE) {
    const parsed: Record<string, unknown> = parseArgs(args, {
      string: ["port", "the-path"],
      boolean: ["help", "version"],
    });
    assertEquals(parsed.port, port, args.join(" "));
    assertEquals(parsed["the-path"], path, args.join(" "));
    assertEquals(parsed.help, help, args.join(" "));
    assertEquals(parsed.version, false, args.join(" "));
    assertEquals(parsed._, [], args.join(" "));
  }
});

Deno.test("cli: parseArgs() leaves what follows -- alone", () => {
  const parsed: Record<string, unknown> = parseArgs(["--port=1", "--", "--port=2", "3"], {
    string: ["port"],
  });
  assertEquals(parsed.port, "1");
  assertEquals(parsed._, ["--port=2", "3"]);
});
