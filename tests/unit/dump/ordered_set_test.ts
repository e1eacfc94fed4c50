// The order beside an array that is sorted anew each time.

import { assertEquals } from "@std/assert";
import { firstBehind, OrderedSet } from "../../../lib/dump/ordered_set.ts";
import { Random } from "../../support/random.ts";

interface Item {
  readonly rank: number;
}

const byRank = (a: Item, b: Item) => a.rank - b.rank;

Deno.test("order: what comes and goes is in order whenever somebody asks", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const order = new OrderedSet<Item>(byRank);
    const model = new Set<Item>();
    for (let round = 0; round < 12; round++) {
      for (let left = random.below(1500); left > 0; left--) {
        const item = { rank: random.below(2 ** 32) };
        order.add(item);
        model.add(item);
      }
      for (const item of [...model]) {
        if (!random.chance(0.2)) continue;
        order.remove(item);
        model.delete(item);
      }
      const expected = [...model].sort(byRank);
      const before = await order.all();
      assertEquals(
        before.map(({ rank }) => rank),
        expected.map(({ rank }) => rank),
        `seed ${seed}`,
      );
      const cursor = { rank: random.below(2 ** 32) };
      const from = firstBehind(before, (item) => item.rank > cursor.rank);
      assertEquals(before.slice(from), before.filter(({ rank }) => rank > cursor.rank));
    }
  }
});

Deno.test("order: an array that was given out does not change, and is the same until something does", async () => {
  const order = new OrderedSet<Item>(byRank);
  const items = [3, 1, 2].map((rank) => ({ rank }));
  for (const item of items) order.add(item);
  const first = await order.all();
  assertEquals(await order.all() === first, true);
  order.remove(items[0]);
  order.add({ rank: 0 });
  const [second, third] = await Promise.all([order.all(), order.all()]);
  assertEquals(first.map(({ rank }) => rank), [1, 2, 3]);
  assertEquals([second, third].map((all) => all.map(({ rank }) => rank)), [[0, 1, 2], [0, 1, 2]]);
});
