// Counts: how many counters and cells a tree has, and the sum of all its cells, kept up to date.
//
// Invariant: the sum is exact: its lanes are integers in doubles (below 2^53), and what exceeds that is carried. A lane
// may be negative in between.
// Trade-off: an increment adds two doubles and does not carry at once; a carry happens once in 2^20 additions or less
// often.

import { LANE } from "../bytes/mod.ts";
import type { Branch } from "./branch.ts";
import { DayRange } from "./day_range.ts";

const ALL_DAYS = new DayRange(0, 0xffffffff);

/** Scratch: the lanes of what is taken away. */
const sum = new Uint32Array(2);

/** A lane is carried from here on: adding one more number below 2^32 is exact by far. */
const CARRIED_MIN = 2 ** 52;

export class Counts {
  keys = 0;
  cells = 0;
  #lows = 0;
  #highs = 0;
  /** In units of 2^64: a billion counters may have nearly 2^64 each. */
  #tops = 0;

  /** Notes that a value was added to some cell; the lanes of one taken away are negative. */
  add(lo: number, hi: number): void {
    const lows = this.#lows += lo;
    const highs = this.#highs += hi;
    if (lows >= CARRIED_MIN || lows <= -CARRIED_MIN) this.#carry();
    if (highs >= CARRIED_MIN || highs <= -CARRIED_MIN) this.#carry();
  }

  /** What all cells add up to. */
  get total(): bigint {
    return (BigInt(this.#tops) << 64n) + (BigInt(this.#highs) << 32n) + BigInt(this.#lows);
  }

  /** Counts all that a branch holds. */
  include(branch: Branch): void {
    this.keys += branch.keys;
    this.cells += branch.cells;
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      ALL_DAYS.sum(branch, slot);
      this.add(ALL_DAYS.lo, ALL_DAYS.hi);
    }
  }

  /** Takes a counter's cells with days in [dayFrom, dayTo] out of its branch, and counts them no more. */
  remove(branch: Branch, slot: number, dayFrom: number, dayTo: number): void {
    const from = branch.seek(slot, dayFrom);
    const to = branch.seekAfter(slot, dayTo);
    if (from >= to) return;
    branch.sum(slot, from, to, sum);
    this.add(-sum[0], -sum[1]);
    this.cells -= to - from;
    branch.remove(slot, from, to);
  }

  #carry(): void {
    const fromLows = Math.floor(this.#lows / LANE);
    this.#lows -= fromLows * LANE;
    this.#highs += fromLows;
    const fromHighs = Math.floor(this.#highs / LANE);
    this.#highs -= fromHighs * LANE;
    this.#tops += fromHighs;
  }
}
