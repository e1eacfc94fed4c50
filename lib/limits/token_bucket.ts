// Token buckets, by the generic cell rate algorithm (GCRA), as redis-cell and Dragonfly count.
//
// A bucket is known by the moment at which it is full again. A token puts that off by `perMs / refill`, and is there
// if the moment then lies no further ahead than `burst + 1` tokens do. What lies ahead is counted in units of
// 1/refill of a millisecond, so that a token is `perMs` units: a whole number.
//
// The moment is kept as a cell: the number of the cell that it lies in or ends, and the units since that began, at
// least one. A bucket that is full has none.
//
// Invariant: all numbers are integers below 2^53 (TOKENS_MAX, REFILL_SECONDS_MAX and DEBT_MS see to that), so
// nothing is rounded but the moments that are told, which are rounded up.

import { LANE } from "../bytes/mod.ts";
import type { TokenBucket } from "../command/mod.ts";

/** What is charged by force puts a bucket in debt for a month at most. */
const DEBT_MS = 2_678_400_000;

/** How many units lie ahead of a moment at most, without debt. */
export function unitsMax({ perMs, burst }: TokenBucket): number {
  return perMs * (burst + 1);
}

/** What lies ahead at a moment of a bucket that is full when so many units of a cell have passed. */
export function unitsAhead(
  bucket: TokenBucket,
  cellMs: number,
  cell: number,
  units: number,
  nowMs: number,
): number {
  const most = unitsMax(bucket) + DEBT_MS * bucket.refill;
  const cellAheadMs = cell * cellMs - nowMs;
  if (cellAheadMs * bucket.refill > most) return most; // under a clock that was ahead
  return Math.min(Math.max(cellAheadMs * bucket.refill + units, 0), most);
}

/** What lies ahead when so many tokens more are taken. */
export function unitsWith(
  bucket: TokenBucket,
  ahead: number,
  costLo: number,
  costHi: number,
): number {
  const most = unitsMax(bucket) + DEBT_MS * bucket.refill;
  const cost = costHi * LANE + costLo; // may be rounded where it is beyond `most` by far
  return cost > most ? most : Math.min(ahead + cost * bucket.perMs, most);
}

/** The cell of the moment that so many units, at least one, lie ahead. */
export function cellOf(bucket: TokenBucket, cellMs: number, ahead: number, nowMs: number): number {
  const part = ahead % bucket.refill;
  const wholeMs = nowMs + (ahead - part) / bucket.refill;
  return part > 0 ? Math.floor(wholeMs / cellMs) : Math.ceil(wholeMs / cellMs) - 1;
}

/** The units of a cell at which the bucket is full. */
export function unitsIn(
  bucket: TokenBucket,
  cellMs: number,
  cell: number,
  ahead: number,
  nowMs: number,
): number {
  return ahead - (cell * cellMs - nowMs) * bucket.refill;
}

/** How many tokens are missing, one that is on its way included. */
export function tokensMissing({ perMs }: TokenBucket, ahead: number): number {
  return divideUp(ahead, perMs);
}

/** After how many milliseconds so many units have passed. */
export function msOf({ refill }: TokenBucket, units: number): number {
  return divideUp(units, refill);
}

/** The quotient of two integers, rounded up; `%` of integers below 2^53 is exact. */
function divideUp(number: number, divisor: number): number {
  const rest = number % divisor;
  return (number - rest) / divisor + (rest > 0 ? 1 : 0);
}
