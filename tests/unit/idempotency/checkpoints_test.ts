// Checkpoints: the last of each source, in the order of the sources' bytes, and not too many.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { type Checkpoint, Checkpoints, SOURCES_MAX } from "../../../lib/idempotency/checkpoints.ts";
import { Random } from "../../support/random.ts";

function checkpoint(source: string, offset: string | null = "1", updated = 1000): Checkpoint {
  return { source, offset, event: null, updated };
}

Deno.test("checkpoints: a source has the last that was put, all of it", () => {
  const checkpoints = new Checkpoints();
  assertEquals([checkpoints.count, checkpoints.all(), checkpoints.find("a")], [0, [], null]);
  assertEquals(checkpoints.lastUpdated, 0);
  const first = { source: "a", offset: "41", event: "e", updated: 1000 };
  const second = { source: "a", offset: null, event: "f", updated: 900 };
  checkpoints.put(first);
  assertEquals(checkpoints.find("a"), first);
  checkpoints.put(second);
  assertEquals([checkpoints.find("a"), checkpoints.all()], [second, [second]]);
  assertEquals([checkpoints.count, checkpoints.lastUpdated], [1, 1000]);
  assertEquals([checkpoints.find(""), checkpoints.find("A")], [null, null]);
  checkpoints.check();
});

Deno.test("checkpoints: all come in the order of the bytes of their sources", () => {
  // By UTF-16 units, as texts are compared, the last two would be the other way round.
  const SORTED = ["", "A", "a", "a ", "aa", "b", "ä", "день", "\uffff", "😀"];
  const random = new Random(7);
  for (let round = 0; round < 20; round++) {
    const checkpoints = new Checkpoints();
    for (const source of SORTED.toSorted(() => random.chance(0.5) ? 1 : -1)) {
      checkpoints.put(checkpoint(source));
    }
    assertEquals(checkpoints.all().map(({ source }) => source), SORTED);
    checkpoints.check();
  }
});

Deno.test("checkpoints: names of members of objects are sources like others", () => {
  const checkpoints = new Checkpoints();
  for (const source of ["__proto__", "constructor", "toString"]) {
    assertEquals(checkpoints.find(source), null);
    checkpoints.put(checkpoint(source));
    assertEquals(checkpoints.find(source)?.source, source);
  }
});

Deno.test("checkpoints: there is room for so many sources, and for those that are there", () => {
  const checkpoints = new Checkpoints();
  for (let n = 0; n < SOURCES_MAX; n++) {
    assert(checkpoints.hasRoom(`source ${n}`));
    checkpoints.put(checkpoint(`source ${n}`));
  }
  assert(!checkpoints.hasRoom("new"));
  assert(checkpoints.hasRoom("source 0"));
  checkpoints.put(checkpoint("source 0", "2"));
  assertEquals(checkpoints.count, SOURCES_MAX);
  checkpoints.check();
  checkpoints.put(checkpoint("new"));
  assertThrows(() => checkpoints.check(), AssertionFailed);
});
