// Records: the table says of every kind how long it is and what it concerns.

import { assert, assertEquals } from "@std/assert";
import * as records from "../../../lib/state/record.ts";

const { recordWords, writeRecord, nameAt, serialAt, hasKey, isOfAll, isOfTrees } = records;

const COUNTER: [kind: number, words: number][] = [
  [records.ADD, 6],
  [records.SUBTRACT, 6],
  [records.SET, 6],
  [records.TOUCH, 3],
  [records.REMOVE, 5],
];
const TREE: [kind: number, words: number][] = [[records.SWEEP, 3], [records.COMPACT, 1]];
const FOREST = [records.CREATE, records.STAGE, records.ROWS, records.PUT, records.ADOPT];

Deno.test("record: kinds of a fixed length, and what they concern", () => {
  for (const [kinds, scope] of [[COUNTER, hasKey], [TREE, isOfAll]] as const) {
    for (const [kind, words] of kinds) {
      const record = Uint32Array.of(kind | 0xabcdef << 8, 1, 2, 3, 4, 5);
      assertEquals(recordWords(record, 0), words);
      assertEquals([hasKey, isOfAll, isOfTrees].filter((is) => is(record, 0)), [scope]);
    }
  }
  const drop = Uint32Array.of(records.DROP | 7 << 8);
  assertEquals([recordWords(drop, 0), isOfTrees(drop, 0), hasKey(drop, 0)], [1, true, false]);
});

Deno.test("record: kinds that end in bytes give back what was written, at any place", () => {
  for (const kind of [...FOREST, records.NOTE]) {
    for (const name of ["", "a", "abcd", "naïve", "x".repeat(255)]) {
      const words = new Uint32Array(100).fill(0xffffffff);
      const bytes = new TextEncoder().encode(name);
      const length = writeRecord(words, 3, kind, 2 ** 40 + 5, bytes);
      assertEquals([recordWords(words, 3), serialAt(words, 3)], [length, 2 ** 40 + 5]);
      assertEquals(nameAt(words, 3), name);
      assertEquals([words[2], words[3 + length]], [0xffffffff, 0xffffffff]);
      assertEquals(isOfTrees(words, 3), kind !== records.NOTE);
      assert(length <= records.RECORD_WORDS_MAX);
    }
  }
});

Deno.test("record: what is no record has no length, and concerns nothing", () => {
  for (const kind of [0, 16, 255]) {
    const record = Uint32Array.of(kind, 1, 2, 3);
    assertEquals(recordWords(record, 0), 0);
    assertEquals([hasKey, isOfAll, isOfTrees].some((is) => is(record, 0)), false);
  }
});
