import { assertEquals, assertThrows } from "@std/assert";
import { decodeCatalogue, encodeCatalogue } from "../../../lib/engine/catalogue.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { Forest } from "../../../lib/tree/forest.ts";

Deno.test("catalogue: says which trees there are, with their numbers and serials", () => {
  const forest = new Forest();
  assertEquals(decodeCatalogue(encodeCatalogue(forest)), {
    nextSerial: 1,
    trees: [],
    hasRegistry: true,
  });
  for (const name of ["t", "день", "\ufeffx", "x".repeat(255), "a"]) forest.create(name);
  forest.remove(forest.trees()[3]);
  forest.nextSerial = 2 ** 33 + 1;
  forest.create("late");
  const { nextSerial, trees } = decodeCatalogue(encodeCatalogue(forest));
  assertEquals(nextSerial, 2 ** 33 + 2);
  assertEquals(trees.map(({ name }) => name), ["t", "день", "\ufeffx", "a", "late"]);
  assertEquals(trees.map(({ number }) => number), [0, 1, 2, 4, 3], "a free number is used again");
  assertEquals(trees.map(({ serial }) => serial), [1, 2, 3, 5, 2 ** 33 + 1], "a serial never");
});

Deno.test("catalogue: one that is cut within what tells of a tree is damage", () => {
  const forest = new Forest();
  for (const name of ["first", "second"]) forest.create(name);
  const bytes = encodeCatalogue(forest);
  const lastName = bytes.length / 4 - 3; // a checksum knows whether that is whole
  for (let words = 3; words < lastName; words++) {
    const cut = bytes.subarray(0, 4 * words);
    assertThrows(() => decodeCatalogue(cut), DamagedError, "incomplete", `${words} words`);
  }
});

Deno.test("catalogue: names lie in whole words, filled up with zeros, and bytes anywhere", () => {
  for (let length = 1; length <= 9; length++) {
    const forest = new Forest();
    for (const letter of ["x", "y"]) forest.create(letter.repeat(length));
    const bytes = encodeCatalogue(forest);
    const nameBytes = 4 * Math.ceil(length / 4);
    assertEquals(bytes.length, 4 * 3 + 2 * (4 * 4 + nameBytes) + 4);
    const filling = bytes.subarray(bytes.length - 4 - nameBytes + length, -4);
    assertEquals(new Set(filling), new Set(filling.length > 0 ? [0] : []));
    for (let offset = 0; offset < 4; offset++) {
      const elsewhere = new Uint8Array(offset + bytes.length);
      elsewhere.set(bytes, offset);
      assertEquals(decodeCatalogue(elsewhere.subarray(offset)), decodeCatalogue(bytes));
    }
    assertEquals(decodeCatalogue(bytes).trees.map(({ name }) => name.length), [length, length]);
  }
});

Deno.test("catalogue: says that there is a dump of the registry; those of before end without a word", () => {
  const forest = new Forest();
  for (const name of ["t", "\u0000staged-2"]) {
    const bytes = encodeCatalogue(forest);
    assertEquals(decodeCatalogue(bytes).hasRegistry, true);
    const before = decodeCatalogue(bytes.subarray(0, -4));
    assertEquals(before, { ...decodeCatalogue(bytes), hasRegistry: false });
    forest.create(name);
  }
});
