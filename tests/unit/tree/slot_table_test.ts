// The slots on their own: keys are taken and given back in every order, and all others are found.

import { assert, assertEquals } from "@std/assert";
import { SLOT_WORDS, SlotTable } from "../../../lib/tree/slot_table.ts";
import { blockOf, isAloneIn } from "../../support/block.ts";
import { Random } from "../../support/random.ts";

/** A table of so many slots. */
function newTable(slots: number): SlotTable {
  return new SlotTable(blockOf(slots * SLOT_WORDS), slots);
}

function checkKeys(table: SlotTable, keys: Iterable<number>, absent: Iterable<number>): void {
  let count = 0;
  for (const key of keys) {
    const slot = table.locate(key, key >>> 1);
    assert(slot >= 0 && table.keyLo(slot) === key && table.keyHi(slot) === key >>> 1, `key ${key}`);
    count++;
  }
  for (const key of absent) assert(table.locate(key, key >>> 1) < 0, `no key ${key}`);
  let taken = 0;
  for (let slot = table.next(0); slot >= 0; slot = table.next(table.after(slot))) taken++;
  assertEquals([table.keys, taken], [count, count]);
  assert(isAloneIn(table), "nothing beside its block is written");
}

/** Keys whose searches all begin in one slot of a table of so many. */
function colliding(slots: number, count: number, like: number): number[] {
  const table = newTable(slots);
  const first = ~table.locate(like, like >>> 1);
  const keys: number[] = [];
  for (let key = 1; keys.length < count; key++) {
    if (table.locate(key, key >>> 1) === ~first) keys.push(key);
  }
  return keys;
}

Deno.test("slot table: a key that is given back hides no other, in every order", () => {
  const SLOTS = 16;
  // From every slot of a small table, so that clusters lie over its end too.
  for (let like = 0; like < 200; like++) {
    const keys = colliding(SLOTS, 4, like).concat(colliding(SLOTS, 4, like + 1));
    const distinct = [...new Set(keys)].slice(0, 7);
    for (const gone of distinct) {
      for (const next of distinct) {
        const table = newTable(SLOTS);
        for (const key of distinct) table.take(~table.locate(key, key >>> 1), key, key >>> 1);
        table.give(table.locate(gone, gone >>> 1));
        checkKeys(table, distinct.filter((key) => key !== gone), [gone]);
        if (next === gone) continue;
        table.give(table.locate(next, next >>> 1));
        checkKeys(table, distinct.filter((key) => key !== gone && key !== next), [gone, next]);
      }
    }
  }
});

Deno.test("slot table: taken and given back at random, as full as it may be", () => {
  const random = new Random(23);
  for (const slots of [8, 9, 64, 1000]) {
    const table = newTable(slots);
    const keys = new Set<number>();
    const absent = new Set<number>();
    for (let round = 0; round < 6000; round++) {
      const key = random.below(2 * slots);
      const slot = table.locate(key, key >>> 1);
      assertEquals(slot >= 0, keys.has(key));
      if (slot >= 0 && random.chance(0.5)) {
        table.give(slot);
        keys.delete(key);
        absent.add(key);
      } else if (slot < 0 && table.hasSlot) {
        table.take(~slot, key, key >>> 1);
        keys.add(key);
        absent.delete(key);
      }
      if (round % (slots >> 2) === 0) checkKeys(table, keys, absent);
    }
    assert(keys.size > slots / 2, "the table is well filled");
    for (const key of [...keys]) {
      table.give(table.locate(key, key >>> 1));
      keys.delete(key);
    }
    checkKeys(table, [], absent);
    assert(
      table.words.subarray(table.start, table.runsStart).every((word) => word === 0),
      "as it was new",
    );
  }
});

Deno.test("slot table: sift gives back many slots, and only those it is told to", () => {
  const random = new Random(24);
  for (const slots of [8, 9, 64, 1000]) {
    for (let round = 0; round < 100; round++) {
      const table = newTable(slots);
      const like = colliding(slots, 3, random.below(1000));
      while (table.hasSlot) {
        const key = random.chance(0.2) ? random.pick(like) : random.below(100 * slots);
        const slot = table.locate(key, key >>> 1);
        if (slot < 0) table.take(~slot, key, key >>> 1);
      }
      const keys: number[] = [];
      for (let slot = table.next(0); slot >= 0; slot = table.next(table.after(slot))) {
        keys.push(table.keyLo(slot));
      }
      const share = random.pick([0, 0.1, 0.5, 0.9, 1]);
      const gone = new Set(keys.filter(() => random.chance(share)));
      const asked: number[] = [];
      table.sift((slot) => {
        asked.push(table.keyLo(slot));
        return gone.has(table.keyLo(slot));
      });
      assertEquals(asked.toSorted(), keys.toSorted(), "each is asked about once");
      checkKeys(table, keys.filter((key) => !gone.has(key)), gone);
    }
  }
});

Deno.test("slot table: keys that were chosen to collide lie apart, ids in order side by side", () => {
  const SLOTS = 2000;
  const COUNT = 1000;
  let inverse = 1; // of the multiplier that is known
  for (let step = 0; step < 5; step++) {
    inverse = Math.imul(inverse, 2 - Math.imul(0x9e3779b1, inverse));
  }
  const KEYS: [what: string, keyAt: (index: number) => [lo: number, hi: number]][] = [
    ["one product's upper half", (index) => [Math.imul(inverse, index) >>> 0, 0]],
    ["high lanes that low ones undo", (index) => [Math.imul(index, 0x85ebca6b) >>> 0, index]],
    ["in order", (index) => [1_000_000 + index, 0]],
  ];
  for (const [what, keyAt] of KEYS) {
    const table = newTable(SLOTS);
    for (let index = 0; index < COUNT; index++) {
      const [lo, hi] = keyAt(index);
      table.take(~table.locate(lo, hi), lo, hi);
    }
    let longest = 0;
    for (
      let slot = table.next(0), last = -1, length = 0;
      slot >= 0;
      slot = table.next(table.after(slot))
    ) {
      length = slot === last + SLOT_WORDS ? length + 1 : 1;
      longest = Math.max(longest, length);
      last = slot;
    }
    // Searches go along these: of keys that all collide there is one, of all of them.
    assert(longest < 300, `${what}: ${longest}`);
  }
});
