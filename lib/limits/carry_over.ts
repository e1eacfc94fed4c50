// Carry over: what the window before left unused of a limit's max, up to a bound, is added to the max of this window.
//
// Invariant: only the window before counts, and of it only what is unused of `max` itself: what had been carried into
// it is used up last and never carried on, so a limit is at most `max` plus the bound, however long nothing is used.

import { compareU64, LANE, LANE_MAX } from "../bytes/mod.ts";

type Lanes = readonly [lo: number, hi: number];

/**
 * Finds how much is carried over: `max` less what was used in the window before, at most `bound`, and no more than
 * keeps the sum of both below 2^64.
 *
 * @param used two lanes: what was used before; the result takes their place
 */
export function carryOver(max: Lanes, bound: Lanes, used: Uint32Array): void {
  if (compareU64(max[0], max[1], used[0], used[1]) <= 0) {
    used[0] = used[1] = 0;
    return;
  }
  const borrow = max[0] < used[0] ? 1 : 0;
  const lo = max[0] - used[0] + borrow * LANE;
  const hi = max[1] - used[1] - borrow;
  used[0] = lo;
  used[1] = hi;
  atMost(used, bound[0], bound[1]);
  atMost(used, LANE_MAX - max[0], LANE_MAX - max[1]);
}

function atMost(lanes: Uint32Array, lo: number, hi: number): void {
  if (compareU64(lanes[0], lanes[1], lo, hi) <= 0) return;
  lanes[0] = lo;
  lanes[1] = hi;
}
