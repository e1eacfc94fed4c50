// Words of a command line, for tables that the server's is not: switches, and words that are no options. How options with
// values are written is tested in cli/config_test.ts.

import { assertEquals } from "@std/assert";
import { readWords } from "../../../lib/cli/words.ts";

const OPTIONS = [{ flag: "tree", short: "t" }, { flag: "json", isSwitch: true }];

function read(args: string[], othersMax: number) {
  const { values, others, complaint } = readWords(args, OPTIONS, othersMax);
  return { tree: values.tree, json: values.json, others, complaint };
}

Deno.test("words: switches, and words that are no options", () => {
  const nothing = { tree: undefined, json: false, others: [], complaint: undefined };
  const table: [args: string[], othersMax: number, found: Partial<ReturnType<typeof read>>][] = [
    [[], 1, {}],
    [["--json", "file"], 1, { json: true, others: ["file"] }],
    [["file", "-tx"], 1, { tree: "x", others: ["file"] }],
    [["-"], 1, { others: ["-"] }],
    [["--", "--json"], 1, { others: ["--json"] }],
    [["a", "b"], 1, { others: ["a"], complaint: 'Unexpected argument: "b"' }],
    [["a", "--json", "b"], Infinity, { json: true, others: ["a", "b"] }],
    [["--json", "a"], Infinity, { json: true, others: ["a"] }],
    [["--json=1"], 0, { complaint: "Option --json takes no value" }],
    [["-x"], Infinity, { complaint: 'Unknown option: "-x"' }],
    [["--tree"], 0, { complaint: "Option --tree needs a value" }],
  ];
  for (const [args, othersMax, found] of table) {
    assertEquals(read(args, othersMax), { ...nothing, ...found }, args.join(" "));
  }
});

Deno.test("words: help and version are told beside all else", () => {
  const { isHelp, isVersion } = readWords(["--json", "-h", "--version", "--what"], OPTIONS);
  assertEquals([isHelp, isVersion], [true, true]);
});
