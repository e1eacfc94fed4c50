import { assertEquals, assertThrows } from "@std/assert";
import { decodeCatalog, encodeCatalog } from "../../../lib/state/catalog.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { DedupState } from "../../../lib/idempotency/dedup_state.ts";
import { Forest } from "../../../lib/tree/forest.ts";

const LIMITS = { idempotencyRecordsMax: 10, ageMaxSeconds: 0, streamsKeptMax: 10 };
const REGISTRY = new DedupState(LIMITS);

/** The words behind the names: flags, the mark of the registry, those of so many trees. */
const wordsBehind = (trees: number) => 3 + 2 * trees;

Deno.test("catalogue: says which trees there are, with their numbers and serials", () => {
  const forest = new Forest();
  assertEquals(decodeCatalog(encodeCatalog(forest, REGISTRY, 0)), {
    nextSerial: 1,
    trees: [],
    hasRegistry: true,
    registryMark: 0,
  });
  for (const name of ["t", "день", "\ufeffx", "x".repeat(255), "a"]) forest.create(name);
  forest.remove(forest.trees()[3]);
  forest.nextSerial = 2 ** 33 + 1;
  forest.create("late");
  const { nextSerial, trees } = decodeCatalog(encodeCatalog(forest, REGISTRY, 0));
  assertEquals(nextSerial, 2 ** 33 + 2);
  assertEquals(trees.map(({ name }) => name), ["t", "день", "\ufeffx", "a", "late"]);
  assertEquals(trees.map(({ number }) => number), [0, 1, 2, 4, 3], "a free number is used again");
  assertEquals(trees.map(({ serial }) => serial), [1, 2, 3, 5, 2 ** 33 + 1], "a serial never");
});

Deno.test("catalogue: one that is cut within what tells of a tree is damage", () => {
  const forest = new Forest();
  for (const name of ["first", "second"]) forest.create(name);
  const bytes = encodeCatalog(forest, REGISTRY, 0);
  const lastName = bytes.length / 4 - wordsBehind(2) - 2; // a checksum knows whether that is whole
  for (let words = 3; words < lastName; words++) {
    const cut = bytes.subarray(0, 4 * words);
    assertThrows(() => decodeCatalog(cut), DamagedError, "incomplete", `${words} words`);
  }
});

Deno.test("catalogue: names lie in whole words, filled up with zeros, and bytes anywhere", () => {
  for (let length = 1; length <= 9; length++) {
    const forest = new Forest();
    for (const letter of ["x", "y"]) forest.create(letter.repeat(length));
    const bytes = encodeCatalog(forest, REGISTRY, 0);
    const nameBytes = 4 * Math.ceil(length / 4);
    const behind = 4 * wordsBehind(2);
    assertEquals(bytes.length, 4 * 3 + 2 * (4 * 4 + nameBytes) + behind);
    const filling = bytes.subarray(bytes.length - behind - nameBytes + length, -behind);
    assertEquals(new Set(filling), new Set(filling.length > 0 ? [0] : []));
    for (let offset = 0; offset < 4; offset++) {
      const elsewhere = new Uint8Array(offset + bytes.length);
      elsewhere.set(bytes, offset);
      assertEquals(decodeCatalog(elsewhere.subarray(offset)), decodeCatalog(bytes));
    }
    assertEquals(decodeCatalog(bytes).trees.map(({ name }) => name.length), [length, length]);
  }
});

Deno.test("catalogue: says what has changed since which record, of trees and of the registry", () => {
  const forest = new Forest();
  const dedup = new DedupState(LIMITS);
  for (const name of ["t", "u", "v"]) forest.create(name);
  const [t, u, v] = forest.trees();
  t.mark(2 ** 40 + 5);
  u.mark(7);
  u.isChanged = true;
  const marks = () => {
    const { trees, registryMark } = decodeCatalog(encodeCatalog(forest, dedup, 2 ** 41));
    return [...trees.map(({ mark }) => mark), registryMark];
  };
  assertEquals(marks(), [2 ** 40 + 5, 2 ** 41, 2 ** 41, 2 ** 41]);
  v.mark(0);
  dedup.mark(2 ** 41 - 1);
  assertEquals(marks(), [2 ** 40 + 5, 2 ** 41, 0, 2 ** 41 - 1]);
});

Deno.test("catalogue: those of earlier versions have no marks, or end without a word of the registry", () => {
  const forest = new Forest();
  for (const name of ["t", "\u0000staged-2"]) {
    const bytes = encodeCatalog(forest, REGISTRY, 9);
    const now = decodeCatalog(bytes);
    const trees = now.trees.map((tree) => ({ ...tree, mark: null }));
    const flagsAt = bytes.length - 4 * wordsBehind(trees.length);
    const unmarked = bytes.slice(0, flagsAt + 4);
    new DataView(unmarked.buffer).setUint32(flagsAt, 1, true);
    const before = { ...now, trees, registryMark: null };
    assertEquals(decodeCatalog(unmarked), before);
    assertEquals(decodeCatalog(bytes.subarray(0, flagsAt)), { ...before, hasRegistry: false });
    assertThrows(() => decodeCatalog(bytes.subarray(0, -8)), DamagedError, "incomplete");
    forest.create(name);
  }
});
