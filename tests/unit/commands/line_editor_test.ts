// Keys → lines, as a person types them.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { LineEditor } from "../../../lib/commands/line_editor.ts";

const [UP, DOWN, RIGHT, LEFT] = ["\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"];
const [HOME, END, DELETE] = ["\x1b[H", "\x1b[F", "\x1b[3~"];
const WORDS = ["counter.increment", "counter.sum", "system.ping"];

function editor(): LineEditor {
  return new LineEditor("> ", (line) => WORDS.filter((word) => word.startsWith(line)));
}

const TYPED: [keys: string, ...entered: (string | "end")[]][] = [
  ["abc\r", "abc"],
  ["a\rb\n", "a", "b"],
  ["\x04", "end"],
  ["a\x04\r\x04", "a", "end"],
  ["\r", ""],
  [`ac${LEFT}b\r`, "abc"],
  [`bc${HOME}a${END}d\r`, "abcd"],
  [`${LEFT}a${LEFT}${LEFT}${RIGHT}${RIGHT}b\r`, "ab"],
  ["abx\x7f\r", "ab"],
  ["\x7fa\r", "a"],
  [`abx${LEFT}${DELETE}\r`, "ab"],
  ["one two\x17three\r", "one three"],
  ["wrong\x15right\r", "right"],
  ["wrong\x03right\r", "right"],
  ["\x1bxa\x1b[5~\r", "a"], // keys that are not known do nothing
  [`one\rtwo\r${UP}${UP}${UP}!\r`, "one", "two", "one!"],
  [`one\rdraft${UP}${DOWN}!\r`, "one", "draft!"],
  [`one\rone\rtwo\r${UP}${UP}${UP}\r`, "one", "one", "two", "one"], // a repetition is kept once
  ["sys\tx\r", "system.ping x"],
  ["c\ti\t\r", "counter.increment "],
  ["zzz\t\r", "zzz"],
  ["ü漢\r", "ü漢"],
];

Deno.test("line editor: keys become lines", () => {
  for (const [keys, ...entered] of TYPED) {
    const found = [...editor().take(keys)].map((each) => each === "end" ? each : each.line);
    assertEquals(found, entered, JSON.stringify(keys));
  }
});

Deno.test("line editor: it shows the line with the cursor in its place, and what completes it", () => {
  const shown = (keys: string) => {
    const line = editor();
    assertEquals([...line.take(keys)], []);
    return line.shown;
  };
  assertEquals(shown("ab"), "\r\x1b[K> ab");
  assertEquals(shown(`ab${LEFT}`), "\r\x1b[K> ab\x1b[1D");
  assertStringIncludes(shown("c\t\t"), "counter.increment  counter.sum\r\n");
  assertStringIncludes(shown("c\t"), "> counter.");
});
