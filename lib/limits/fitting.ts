// Fitting: whether a cost fits under a limit beside what is used, and how much of it does.
//
// Invariant: numbers are two lanes, and sums beyond 64 bits are found out. Nothing is allocated.

import { LANE, LANE_MAX } from "../bytes/mod.ts";
import {
  COST,
  crossedOf,
  type LimitMode,
  type Limits,
  MAX,
  type Request,
  type Verdict,
} from "../command/mod.ts";
import type { Tree } from "../tree/mod.ts";

/** Whether what is used and the cost fit under a limit together. */
export function fitsUnder(limits: Limits, index: number, usedLo: number, usedHi: number): boolean {
  const sumLo = usedLo + limits.lo(index, COST);
  const carry = sumLo > LANE_MAX ? 1 : 0;
  const sumHi = usedHi + limits.hi(index, COST) + carry;
  const maxHi = limits.hi(index, MAX);
  return sumHi < maxHi || sumHi === maxHi && sumLo - carry * LANE <= limits.lo(index, MAX);
}

/** Lowers what is applied to what a limit leaves. */
export function reduce(
  applied: Uint32Array,
  limits: Limits,
  index: number,
  usedLo: number,
  usedHi: number,
): void {
  const [maxLo, maxHi] = [limits.lo(index, MAX), limits.hi(index, MAX)];
  const borrow = maxLo < usedLo ? 1 : 0;
  const restHi = maxHi - usedHi - borrow;
  const restLo = maxLo - usedLo + borrow * LANE;
  if (restHi < 0) applied[0] = applied[1] = 0;
  else if (restHi < applied[1] || restHi === applied[1] && restLo < applied[0]) {
    applied[0] = restLo;
    applied[1] = restHi;
  }
}

/** Whether any counter is charged. */
export function isCharged({ limits, mode }: Request, { isAllowed, applied }: Verdict): boolean {
  if (!isAllowed) return false;
  if (mode === "saturate") return applied[0] !== 0 || applied[1] !== 0;
  for (let index = 0; index < limits.count; index++) {
    if (limits.lo(index, COST) !== 0 || limits.hi(index, COST) !== 0) return true;
  }
  return false;
}

/** Adds what was applied to what is used of each limit. */
export function addApplied(
  used: Uint32Array,
  applied: Uint32Array,
  limits: Limits,
  mode: LimitMode,
): void {
  const isPart = mode === "saturate";
  for (let index = 0; index < limits.count; index++) {
    const sumLo = used[2 * index] + (isPart ? applied[0] : limits.lo(index, COST));
    const hi = isPart ? applied[1] : limits.hi(index, COST);
    used[2 * index] = sumLo;
    used[2 * index + 1] += hi + (sumLo > LANE_MAX ? 1 : 0);
  }
}

/** Notes which thresholds were crossed by what is used now, where it was `before`. */
export function noteCrossed({ limits, used, crossed }: Verdict, before: Uint32Array): void {
  for (let index = 0; index < limits.count; index++) {
    const { notify = null } = limits.set.limits[index];
    if (notify === null) continue;
    const max = [limits.lo(index, MAX), limits.hi(index, MAX)] as const;
    const [lo, hi] = [2 * index, 2 * index + 1];
    crossed[index] = crossedOf(notify, max, [before[lo], before[hi]], [used[lo], used[hi]]);
  }
}

/** How many trees are missing, where several counters may share one; each is that of a limit's first. */
export function countNew(limits: Limits, trees: readonly (Tree | null)[]): number {
  const { firsts } = limits.set;
  return new Set(firsts.filter((_, index) => trees[limits.first(index)] === null)).size;
}
