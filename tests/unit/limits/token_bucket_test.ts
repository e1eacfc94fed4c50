// Token buckets beside GCRA in BigInt, with the moment at which a bucket is full as a fraction.

import { assert, assertEquals } from "@std/assert";
import { highLane, lowLane } from "../../../lib/bytes/u64.ts";
import { REFILL_SECONDS_MAX, tokenBucket, TOKENS_MAX } from "../../../lib/command/fine_window.ts";
import {
  cellOf,
  msOf,
  tokensMissing,
  unitsAhead,
  unitsIn,
  unitsMax,
  unitsWith,
} from "../../../lib/limits/token_bucket.ts";
import { Random } from "../../support/random.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const U64_MAX = (1n << 64n) - 1n;

Deno.test("token bucket: as redis-cell counts, to the unit", () => {
  const random = new Random(7);
  for (let round = 0; round < 300; round++) {
    const refill = random.pick([1, 7, 30, 999, TOKENS_MAX]);
    const perSeconds = random.pick([1, 60, 86_400, REFILL_SECONDS_MAX]);
    const burst = random.pick([0, 1, 15, TOKENS_MAX - 1]);
    const { bucket, cellMs } = tokenBucket(refill, perSeconds, burst);
    const [rate, per] = [BigInt(refill), 1000n * BigInt(perSeconds)];
    let now = NOW;
    let fullAt = 0n; // in 1/refill of a millisecond
    let [cell, units] = [0, 0];
    for (let step = 0; step < 30; step++) {
      now += random.pick([0, 1, 13, 999, 60_000, 4_194_304, 86_400_000]);
      const nowUnits = BigInt(now) * rate;
      const ahead = cell === 0 ? 0 : unitsAhead(bucket!, cellMs, cell, units, now);
      const expected = fullAt > nowUnits ? fullAt - nowUnits : 0n;
      assertEquals(BigInt(ahead), expected);
      assertEquals(BigInt(tokensMissing(bucket!, ahead)), (expected + per - 1n) / per);
      assertEquals(BigInt(msOf(bucket!, ahead)), (expected + rate - 1n) / rate);
      const cost = BigInt(1 + random.below(Math.min(burst + 1, 20)));
      const next = unitsWith(bucket!, ahead, lowLane(cost), highLane(cost));
      const isAllowed = expected + cost * per <= BigInt(burst + 1) * per;
      assertEquals(next <= unitsMax(bucket!), isAllowed);
      if (!isAllowed) continue;
      fullAt = nowUnits + expected + cost * per;
      cell = cellOf(bucket!, cellMs, next, now);
      units = unitsIn(bucket!, cellMs, cell, next, now);
      assert(units > 0 && units <= cellMs * refill, "a cell holds the moment, or ends with it");
    }
  }
});

Deno.test("token bucket: debts and wrong clocks have an end, and all stays exact", () => {
  const { bucket, cellMs } = tokenBucket(TOKENS_MAX, REFILL_SECONDS_MAX, TOKENS_MAX - 1);
  const most = unitsWith(bucket!, 0, lowLane(U64_MAX), highLane(U64_MAX));
  assert(Number.isSafeInteger(most) && most > unitsMax(bucket!));
  assertEquals(unitsWith(bucket!, most, 1, 0), most);
  const cell = cellOf(bucket!, cellMs, most, NOW);
  assertEquals(
    unitsAhead(bucket!, cellMs, cell, unitsIn(bucket!, cellMs, cell, most, NOW), NOW),
    most,
  );
  assertEquals(unitsAhead(bucket!, cellMs, 0xffffffff, 1, NOW), most);
  assertEquals(unitsAhead(bucket!, cellMs, 1, 1, NOW), 0);
});

Deno.test("token bucket: a moment between two cells ends the first, so that no cell is empty", () => {
  const { bucket, cellMs } = tokenBucket(7, 1, 9);
  const cell = Math.floor(NOW / cellMs);
  const end = (cell + 1) * cellMs;
  for (
    const [ahead, expected] of [[7 * 5000 - 1, cell], [7 * 5000, cell], [7 * 5000 + 1, cell + 1]]
  ) {
    const now = end - 5000;
    const found = cellOf(bucket!, cellMs, ahead, now);
    assertEquals(found, expected);
    assert(unitsIn(bucket!, cellMs, found, ahead, now) > 0);
    assertEquals(
      unitsAhead(bucket!, cellMs, found, unitsIn(bucket!, cellMs, found, ahead, now), now),
      ahead,
    );
  }
});
