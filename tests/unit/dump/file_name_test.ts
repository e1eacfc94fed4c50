// Names of dump files: to a name and back, and that no two trees ever share one.

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import {
  dumpableName,
  dumpedName,
  dumpFileName,
  isHiddenDump,
  parseDumpFileName,
} from "../../../lib/dump/file_name.ts";
import { Random } from "../../support/random.ts";

const encoder = new TextEncoder();

const NAMES: [tree: string, file: string][] = [
  ["t", "1700000000_t.tree"],
  ["a_b", "1700000000_a_b.tree"],
  ["_", "1700000000__.tree"],
  ["a.tree", "1700000000_a.tree.tree"],
  [" a b ", "1700000000_ a b .tree"],
  ["день 日 😀", "1700000000_день 日 😀.tree"],
  ["..", "1700000000_...tree"],
  ["a/b", "1700000000_a%2Fb.tree"],
  ["../x", "1700000000_..%2Fx.tree"],
  ["a\\b", "1700000000_a%5Cb.tree"],
  ['%:*?"<>|', "1700000000_%25%3A%2A%3F%22%3C%3E%7C.tree"],
  ["a%2Fb", "1700000000_a%252Fb.tree"],
  ["\u0001\u007f", "1700000000_%01%7F.tree"],
  ["%~0123456789abcdef", "1700000000_%25~0123456789abcdef.tree"],
  ["\u0000staged-12", "1700000000_%00staged-12.tree"],
  ["x".repeat(239), `1700000000_${"x".repeat(239)}.tree`],
];

Deno.test("file_name: the file's name has the tree's, unsafe characters encoded", () => {
  for (const [tree, file] of NAMES) {
    assertEquals(dumpFileName(1700000000, tree), file);
    assertEquals(parseDumpFileName(file), { file, seconds: 1700000000, tree, group: tree });
    assertEquals(dumpedName(file), tree);
  }
});

const LONG = [
  "x".repeat(240),
  "x".repeat(255),
  "я".repeat(127),
  "日".repeat(85),
  ...["", "x", "xx", "xxx"].map((start) => start + "😀".repeat(63)), // cut within a pair, or not
  "x".repeat(217) + "😀".repeat(9),
  "/".repeat(255),
  "%".repeat(100),
  "a".repeat(215) + "/".repeat(40),
];

Deno.test("file_name: names too long for a file are cut and marked, at most 255 bytes of them", () => {
  for (const seconds of [1000000000, 4294967296, 999999999999999]) {
    for (const tree of LONG) {
      const file = dumpFileName(seconds, tree);
      assert(encoder.encode(file).length <= 255, `${file} is ${encoder.encode(file).length} bytes`);
      assert(encoder.encode(file).length > 240, "no more is cut than must be");
      assertMatch(file, /^\d+_.+%~[0-9a-f]{16}\.tree$/u);
      assertEquals(file.toWellFormed(), file);
      // deno-lint-ignore no-control-regex
      assert(!/[\u0000-\u001f\u007f/\\:*?"<>|]/.test(file), file);
      assertEquals(parseDumpFileName(file), {
        file,
        seconds,
        tree: null,
        group: file.slice(-23, -5),
      });
    }
  }
});

Deno.test("file_name: the mark of a cut name never changes", () => {
  const file = dumpFileName(1700000000, "x".repeat(255));
  assertEquals(file, `1700000000_${"x".repeat(221)}%~dff658324c99c7bf.tree`);
});

/** Names that differ little, in what is encoded or cut. */
function nearNames(random: Random): string[] {
  const parts = ["a", "A", "/", "%", "%2F", "%2f", "%25", "_", ".tree", "%~", "я", "😀", "\u0001"];
  const ends = ["", "0123456789abcdef", "%~0123456789abcdef", "x", "y", "/"];
  const names: string[] = [];
  for (let round = 0; round < 3000; round++) {
    const length = random.pick([1, 2, 3, 60, 200, 250]);
    const part = random.pick(parts);
    const name = part.repeat(Math.ceil(length / part.length)) + random.pick(parts) +
      random.pick(ends);
    if (encoder.encode(name).length <= 255) names.push(name);
  }
  return names;
}

Deno.test("file_name: two trees never share a file name, and seconds keep dumps apart", () => {
  const random = new Random(14);
  const owners = new Map<string, string>();
  for (const name of new Set([...nearNames(random), ...LONG, ...NAMES.map(([tree]) => tree)])) {
    const file = dumpFileName(1700000000, name);
    assertEquals(owners.get(file), undefined, `${JSON.stringify(name)} shares ${file}`);
    owners.set(file, name);
    const parsed = parseDumpFileName(file);
    assert(parsed !== null, file);
    assertEquals(parsed.tree, file.includes("%~") ? null : name);
    assertNotEquals(dumpFileName(1700000001, name), file);
  }
  assert(owners.size > 500, `${owners.size} names`);
});

const PARSED: [file: string, seconds: number, tree: string | null][] = [
  ["0_t.tree", 0, "t"],
  ["007_t.tree", 7, "t"],
  ["4294967296_t.tree", 4294967296, "t"],
  ["999999999999999_t.tree", 999999999999999, "t"],
  // Of the original, which encoded nothing: what is no code stays.
  ["1_50%.tree", 1, "50%"],
  ["1_50%2.tree", 1, "50%2"],
  ["1_50%zz.tree", 1, "50%zz"],
  ["1_50%41.tree", 1, "50%41"],
  ["1_a%2fb.tree", 1, "a/b"],
  ["1_a:b.tree", 1, "a:b"],
  ["1_a\nb.tree", 1, "a\nb"],
  ["1_.tree.tree", 1, ".tree"],
  ["1_~0123456789abcdef.tree", 1, "~0123456789abcdef"],
  ["1_a%~0123456789abcdef.tree", 1, null],
  ["1_a%~0123456789abcde.tree", 1, "a%~0123456789abcde"],
  ["1_a%~0123456789ABCDEF.tree", 1, "a%~0123456789ABCDEF"],
];

Deno.test("file_name: names of dumps are understood", () => {
  for (const [file, seconds, tree] of PARSED) {
    const group = tree ?? file.slice(-23, -5);
    assertEquals(parseDumpFileName(file), { file, seconds, tree, group });
  }
});

const NONE = [
  ...["", "t", "t.tree", "_t.tree", "1_.tree", "1_t", "1_t.tre", "1t.tree", "1-t.tree", "x_t.tree"],
  ...["1_t.tree ", "1_t.TREE", " 1_t.tree", "+1_t.tree", "-1_t.tree", "1.5_t.tree", "1e3_t.tree"],
  ...["1000000000000000_t.tree", "1_t.tree.meta.json", ".karma-dump.tmp", "١_t.tree", "1_t.tree\n"],
];

Deno.test("file_name: other names are none of dumps", () => {
  for (const file of NONE) assertEquals(parseDumpFileName(file), null, file);
});

const ABOUT: [file: string, name: string][] = [
  ["1_a_b.tree", "a_b"],
  ["1_.tree", ""],
  ["t.tree", "t"],
  ["t", "t"],
  ["", ""],
  ["../1_t.tree", "t"],
  ["a_b/1_t.tree", "t"],
  ["1_a%2Fb.tree", "a/b"],
  ["1_t.tree.bak", "t.tree.bak"],
];

Deno.test("file_name: what a file name is about, dump or not", () => {
  for (const [file, name] of ABOUT) assertEquals(dumpedName(file), name, file);
});

Deno.test("file_name: a hidden tree has a name like others, behind one NUL", () => {
  const BYTES: [name: string, isName: boolean][] = [
    ["t", true],
    ["\0staged-12", true],
    ["\0" + "x".repeat(255), true],
    ["x".repeat(256), false],
    ["\0", false],
    ["\0\0t", false],
    ["t\0", false],
    ["\u0001t", false],
    ["", false],
  ];
  for (const [name, isName] of BYTES) {
    assertEquals(dumpableName(encoder.encode(name)), isName ? name : null, JSON.stringify(name));
  }
  const isHidden = (file: string) => isHiddenDump(parseDumpFileName(file)!);
  assertEquals(["1_%00a.tree", "1_a%00.tree", "1_a.tree", "1_%2500a.tree"].map(isHidden), [
    ...[true, false, false, false],
  ]);
  assert(!isHidden(dumpFileName(1, "x".repeat(255))));
});
