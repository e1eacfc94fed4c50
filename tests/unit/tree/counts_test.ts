// Counts beside bigints: exact, however large and however often values come and go. That a tree keeps them
// through all that it does is checked by the fuzz test, with checkTree.

import { assertEquals } from "@std/assert";
import { highLane, lowLane } from "../../../lib/bytes/u64.ts";
import { Counts } from "../../../lib/tree/counts.ts";
import { Random } from "../../support/random.ts";

Deno.test("counts: a total is exact beyond every lane, and back", () => {
  const counts = new Counts();
  const most = (1n << 64n) - 1n;
  const times = (1 << 21) + 3; // the high lane passes 2^53
  for (let time = 0; time < times; time++) counts.add(0xffffffff, 0xffffffff);
  assertEquals(counts.total, most * BigInt(times));
  for (let time = 0; time < times - 1; time++) counts.add(-0xffffffff, -0xffffffff);
  assertEquals(counts.total, most);
  counts.add(-0xffffffff, -0xffffffff);
  assertEquals(counts.total, 0n);
});

Deno.test("counts: random values, beside a bigint", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const counts = new Counts();
    let total = 0n;
    for (let change = 0; change < 5000; change++) {
      const value = random.u64() >> BigInt(random.below(64));
      if (random.chance(0.5)) {
        counts.add(lowLane(value), highLane(value));
        total += value;
      } else {
        counts.add(-lowLane(value), -highLane(value));
        total -= value;
      }
    }
    assertEquals(counts.total, total, `seed ${seed}`);
  }
});
