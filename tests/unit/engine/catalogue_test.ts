import { assertEquals, assertThrows } from "@std/assert";
import { decodeCatalogue, encodeCatalogue } from "../../../lib/engine/catalogue.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { Forest } from "../../../lib/tree/forest.ts";

Deno.test("catalogue: says which trees there are, with their numbers and serials", () => {
  const forest = new Forest();
  assertEquals(decodeCatalogue(encodeCatalogue(forest)), { nextSerial: 1, trees: [] });
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

Deno.test("catalogue: one that is cut is damage", () => {
  const forest = new Forest();
  for (const name of ["first", "second"]) forest.create(name);
  const bytes = encodeCatalogue(forest);
  for (let words = 3; words < bytes.length / 4 - 2; words++) {
    const cut = bytes.subarray(0, 4 * words);
    if (decodes(cut)) continue; // only the last name is shorter then, and a checksum knows that
    assertThrows(() => decodeCatalogue(cut), DamagedError, "incomplete");
  }
  assertEquals(decodes(bytes.subarray(0, 12)), false);
});

function decodes(bytes: Uint8Array): boolean {
  try {
    decodeCatalogue(bytes);
    return true;
  } catch {
    return false;
  }
}
