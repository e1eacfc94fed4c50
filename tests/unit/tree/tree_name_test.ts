// What may be the name of a tree and what may not, as bytes.

import { assertEquals, assertMatch } from "@std/assert";
import { HIDDEN, isHidden, TREE_NAME_RULE, treeName } from "../../../lib/tree/tree_name.ts";

const NAMES = [
  ...["t", "0", " ", "a b", "a/b", "../x", "a\\b", ".", '"', "%41", "день", "日", "😀", "\u00a0"],
  ...["\u2028", "\ufeff", "\ufeffa", "a\ufeff", "\ufffd", "\uffff", "\u{10ffff}", "e\u0301", "_"],
  ...["x".repeat(255), "я".repeat(127), "я".repeat(127) + "x", "😀".repeat(63) + "xyz"],
];

Deno.test("tree_name: names of 1 to 255 bytes come back as they are", () => {
  for (const name of NAMES) {
    const bytes = new TextEncoder().encode(`\0${name}\0`); // what lies around it does not count
    assertEquals(treeName(bytes, 1, bytes.length - 1), name, JSON.stringify(name));
  }
});

const REFUSED: [what: string, bytes: number[]][] = [
  ["nothing", []],
  ["256 bytes", new Array(256).fill(0x78)],
  ["256 bytes of 128 letters", new Array(128).fill([0xd1, 0x8f]).flat()],
  ["NUL", [0x61, 0x00]],
  ["a line feed", [0x0a]],
  ["0x1f", [0x61, 0x1f, 0x61]],
  ["DEL", [0x7f]],
  ["U+0080", [0xc2, 0x80]],
  ["U+009F", [0x61, 0xc2, 0x9f]],
  ["a lone byte", [0x80]],
  ["0xff", [0x61, 0xff]],
  ["a letter cut short", [0x61, 0xd1]],
  ["an overlong slash", [0xc0, 0xaf]],
  ["an overlong NUL", [0xc0, 0x80]],
  ["half of a surrogate pair", [0xed, 0xa0, 0x80]],
  ["a code point beyond the last", [0xf4, 0x90, 0x80, 0x80]],
];

Deno.test("tree_name: no other bytes are a name", () => {
  for (const [what, bytes] of REFUSED) {
    assertEquals(
      treeName(Uint8Array.from([0x61, ...bytes, 0x61]), 1, 1 + bytes.length),
      null,
      what,
    );
  }
});

Deno.test("tree_name: the rule is told in words that follow the name of a field", () => {
  assertMatch(TREE_NAME_RULE, /^must be 1 to 255 bytes of UTF-8/);
});

Deno.test("tree_name: what is hidden is what no client can name", () => {
  for (const name of NAMES) {
    assertEquals(isHidden(name), false, JSON.stringify(name));
    const hidden = HIDDEN + name;
    assertEquals(isHidden(hidden), true, JSON.stringify(hidden));
    const bytes = new TextEncoder().encode(hidden);
    assertEquals(treeName(bytes, 0, bytes.length), null, JSON.stringify(hidden));
  }
  assertEquals([isHidden(""), isHidden(HIDDEN), isHidden(`a${HIDDEN}`)], [false, true, false]);
});
