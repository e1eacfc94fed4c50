// The rule for keys: which texts are numbers, which are names, and which are neither.

import { assertEquals } from "@std/assert";
import { keyKind } from "../../../lib/protocol/key_rule.ts";

Deno.test("key rule: digits as a number is written are that number, all else is a name", () => {
  const TABLE: [text: string, kind: ReturnType<typeof keyKind>][] = [
    ["0", "number"],
    ["42", "number"],
    ["18446744073709551615", "number"],
    ["18446744073709551616", "name"],
    ["007", "name"],
    ["00", "name"],
    ["-1", "name"],
    ["1e3", "name"],
    ["user:9f2c", "name"],
    ["é", "name"],
    ["n".repeat(255), "name"],
    ["n".repeat(256), "fault"],
    ["", "fault"],
    ["a\tb", "fault"],
  ];
  const lanes = new Uint32Array(2);
  for (const [text, kind] of TABLE) {
    const bytes = new TextEncoder().encode(` ${text} `);
    assertEquals(keyKind(bytes, 1, bytes.length - 1, lanes), kind, text);
    if (kind === "name") assertEquals([...lanes], [1, bytes.length - 1], text);
  }
  keyKind(new TextEncoder().encode("4294967297"), 0, 10, lanes);
  assertEquals([...lanes], [1, 1]);
});
