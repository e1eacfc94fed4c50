// The guide to branches: whatever the starts are, the branch of a key is among those that it leaves.

import { assert, assertEquals } from "@std/assert";
import { positions } from "../../support/budget.ts";
import { highLane, lowLane } from "../../../lib/bytes/u64.ts";
import { RadixTable } from "../../../lib/tree/radix_table.ts";
import { Random } from "../../support/random.ts";

const U64_MAX = (1n << 64n) - 1n;

function guideTo(starts: readonly bigint[], radixTable = new RadixTable()): RadixTable {
  assert(radixTable.isStale);
  radixTable.learn(
    Uint32Array.from(starts, lowLane),
    Uint32Array.from(starts, highLane),
    starts.length,
  );
  assert(!radixTable.isStale);
  return radixTable;
}

/** The branches that are left to choose from for a key, after a look at whether its own is one of them. */
function left(radixTable: RadixTable, starts: readonly bigint[], key: bigint): number {
  const bucket = radixTable.bucketOf(lowLane(key), highLane(key));
  const [low, high] = [radixTable.first(bucket), radixTable.first(bucket + 1)];
  const own = starts.findLastIndex((start) => start <= key);
  assert(low <= own && own <= high, `${key} is of ${own}, not of ${low} to ${high}, of ${starts}`);
  return high - low + 1;
}

Deno.test("guide: the branch of a key is never left out", () => {
  const random = new Random(42);
  for (let round = 0; round < 300; round++) {
    const bits = BigInt(random.below(65));
    const count = 1 + random.below(100);
    const below = () => random.u64() & ((1n << bits) - 1n);
    const base = random.chance(0.5) ? 0n : below() & ~0xffffn;
    const chosen = Array.from(
      { length: count },
      () => random.chance(0.5) ? below() : base | below() & 0xffffn,
    );
    const starts = [...new Set([0n, ...chosen])].sort((a, b) => a < b ? -1 : 1);
    const radixTable = guideTo(starts);
    const edges = starts.flatMap((start) => [start, start - 1n, start + 1n]);
    const keys = [
      ...edges,
      U64_MAX,
      U64_MAX >> 1n,
      1n << 32n,
      (1n << 32n) - 1n,
      below(),
      random.u64(),
    ];
    for (const key of keys) if (key >= 0n && key <= U64_MAX) left(radixTable, starts, key);
  }
});

Deno.test("guide: of branches that lie evenly two or three are left, and of those behind the last one", () => {
  for (const distance of [1n, 2389n, 1n << 31n, (1n << 48n) + 1n]) {
    const starts = Array.from({ length: 5000 }, (_, index) => BigInt(index) * distance);
    const radixTable = guideTo(starts);
    for (const index of positions(0, starts.length - 1, 500)) {
      const start = starts[index];
      assert(left(radixTable, starts, start) <= 3, `${start} of ${distance}`);
    }
    assertEquals(left(radixTable, starts, U64_MAX), 1);
  }
});

Deno.test("guide: it can be learned anew, with more branches and with fewer", () => {
  const radixTable = new RadixTable();
  for (const count of [1, 1000, 3, 5000, 2]) {
    const starts = Array.from({ length: count }, (_, index) => BigInt(index) << 40n);
    radixTable.isStale = true;
    guideTo(starts, radixTable);
    for (const index of positions(0, count - 1, 200)) left(radixTable, starts, starts[index]);
  }
});
