// Items beside bigints: what was pushed, its sum, and how the array grows and goes back.

import { assert, assertEquals } from "@std/assert";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { COUNTER_WORDS, ITEM_WORDS, Items, KEY_WORDS } from "../../../lib/command/items.ts";
import { Random } from "../../support/random.ts";

const U64_MAX = 2n ** 64n - 1n;

type Item = [key: bigint, day: number, value: bigint];

function push(items: Items, [key, day, value]: Item): void {
  items.pushItem(lowLane(key), highLane(key), day, lowLane(value), highLane(value));
}

/** Everything that is in there. */
function itemsOf({ count, words }: Items): Item[] {
  return Array.from({ length: count }, (_, index) => {
    const [keyLo, keyHi, day, lo, hi] = words.subarray(ITEM_WORDS * index);
    return [u64ToBigInt(keyLo, keyHi), day, u64ToBigInt(lo, hi)];
  });
}

function check(items: Items, model: Item[]): void {
  assertEquals(itemsOf(items), model);
  const sum = model.reduce((sum, [, , value]) => sum + value, 0n);
  assertEquals(items.isBeyond, sum > U64_MAX);
  assertEquals(items.hasZero, model.some(([, , value]) => value === 0n));
  if (sum <= U64_MAX) assertEquals(u64ToBigInt(items.total[0], items.total[1]), sum);
}

Deno.test("items: sums, around every edge of a lane", () => {
  const edges = [
    0n,
    1n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 32n + 1n,
    2n ** 63n,
    U64_MAX - 1n,
    U64_MAX,
  ];
  const items = new Items();
  for (const a of edges) {
    for (const b of edges) {
      for (const c of [0n, 1n, U64_MAX]) {
        items.clear();
        const model: Item[] = [[1n, 20260101, a], [U64_MAX, 20260102, b], [2n ** 32n, 0, c]];
        for (const item of model) push(items, item);
        check(items, model);
      }
    }
  }
});

Deno.test("items: a sum that went beyond stays beyond", () => {
  const items = new Items();
  for (const value of [U64_MAX, 1n, 0n, U64_MAX, 5n]) push(items, [1n, 1, value]);
  assert(items.isBeyond);
});

Deno.test("items: random batches, one after the other", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const items = new Items();
    for (let batch = 0; batch < 5; batch++) {
      items.clear();
      const model = Array.from({ length: random.below(300) }, (): Item => {
        const value = random.u64() >> BigInt(random.below(64));
        return [random.u64(), random.below(2 ** 32), random.chance(0.01) ? 0n : value];
      });
      for (const item of model) push(items, item);
      check(items, model);
    }
  }
});

Deno.test("items: keys and counters", () => {
  const items = new Items();
  for (let key = 0; key < 1000; key++) items.pushKey(key, 7 * key);
  assertEquals(items.count, 1000);
  for (let key = 0; key < 1000; key++) {
    assertEquals([...items.words.subarray(KEY_WORDS * key, KEY_WORDS * (key + 1))], [key, 7 * key]);
  }
  items.clear();
  for (let key = 0; key < 1000; key++) items.pushCounter(key, key + 1, key + 2, key + 3);
  assertEquals(items.count, 1000);
  for (let key = 0; key < 1000; key++) {
    const counter = items.words.subarray(COUNTER_WORDS * key, COUNTER_WORDS * (key + 1));
    assertEquals([...counter], [key, key + 1, key + 2, key + 3]);
  }
});

Deno.test("items: the array grows as needed, is kept, and goes back when it was long", () => {
  const items = new Items();
  const begin = items.words.length;
  for (let key = 0; key < 10_000; key++) items.pushKey(key, 0);
  const grown = items.words.length;
  assert(grown >= 20_000 && grown < 40_000 + begin);
  items.clear();
  assertEquals([items.count, items.words.length], [0, grown]);
  for (let key = 0; key < 50_000; key++) items.pushKey(key, 0);
  assert(items.words.length >= 100_000);
  items.clear();
  assertEquals([items.count, items.words.length], [0, begin]);
  check(items, []);
});
