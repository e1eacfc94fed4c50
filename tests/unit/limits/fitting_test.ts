// Whether a cost fits, and how much of it does: beside bigints.

import { assertEquals } from "@std/assert";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { Limits, LimitSet } from "../../../lib/command/limits.ts";
import { fitsUnder, reduce } from "../../../lib/limits/fitting.ts";

const U64_MAX = (1n << 64n) - 1n;
const EDGES = [0n, 1n, 7n, (1n << 32n) - 1n, 1n << 32n, (1n << 32n) + 1n, 1n << 63n, U64_MAX];

const lanes = (value: bigint): [number, number] => [lowLane(value), highLane(value)];

Deno.test("fitting: whether a cost fits beside what is used, and how much of it would", () => {
  const limits = new Limits();
  const applied = new Uint32Array(2);
  for (const max of EDGES) {
    const window = { kind: "day" } as const;
    const limit = {
      name: new Uint8Array(1),
      window,
      max: lanes(max),
      cost: null,
      key: null,
      carry: null,
    };
    const set = new LimitSet([limit]);
    for (const used of EDGES) {
      for (const cost of EDGES) {
        limits.use(set, 1, 0, ...lanes(cost));
        const what = `${used} and ${cost} under ${max}`;
        assertEquals(fitsUnder(limits, 0, ...lanes(used)), used + cost <= max, what);
        applied.set(lanes(cost));
        reduce(applied, limits, 0, ...lanes(used));
        const room = max > used ? max - used : 0n;
        assertEquals(u64ToBigInt(applied[0], applied[1]), cost < room ? cost : room, what);
      }
    }
  }
});
