// The cells of one counter of an original dump, as the columns that a branch is filled with.
//
// Invariant: after `tidy` days ascend and no value is zero, whatever was pushed.
// Trade-off: cells that did not come in the order of their days are copied; few ever do not.

import { LANE } from "../bytes/mod.ts";
import { LONG, LONG_CELLS_MIN, SLIM, WIDE, widthFor } from "../tree/mod.ts";

export class CounterCells {
  count = 0;
  days = new Uint32Array(64);
  lows = new Uint32Array(64);
  highs = new Uint32Array(64);
  readonly hasHighs = true;
  /** The sum of the values: `sumHi` is beyond a lane when the sum is beyond 64 bits. */
  sumLo = 0;
  sumHi = 0;
  #lastDay = -1;
  #ascends = true;

  clear(): void {
    this.count = 0;
    this.#lastDay = -1;
    this.#ascends = true;
  }

  push(day: number, lo: number, hi: number): void {
    if (day <= this.#lastDay) this.#ascends = false;
    this.#lastDay = day;
    // A zero may stand for an earlier value of its day, but not as long as days ascend.
    if (this.#ascends && lo === 0 && hi === 0) return;
    const at = this.count++;
    if (at === this.days.length) this.#grow();
    this.days[at] = day;
    this.lows[at] = lo;
    this.highs[at] = hi;
  }

  /** Brings the cells into the order of their days, keeps the last of each day, and drops zeros. */
  tidy(): void {
    if (this.#ascends) return;
    const count = this.count;
    const order = new BigUint64Array(count);
    const lanes = new Uint32Array(order.buffer); // of each cell: its place, its day
    for (let at = 0; at < count; at++) {
      lanes[2 * at] = at;
      lanes[2 * at + 1] = this.days[at];
    }
    order.sort(); // little-endian: by day, then by place
    const lows = this.lows.slice(0, count);
    const highs = this.highs.slice(0, count);
    this.clear();
    for (let at = 0; at < count; at++) {
      const day = lanes[2 * at + 1];
      const place = lanes[2 * at];
      const isLast = at + 1 === count || lanes[2 * at + 3] !== day;
      if (isLast) this.push(day, lows[place], highs[place]);
    }
  }

  addUp(): void {
    let lo = 0;
    let hi = 0;
    for (let at = 0; at < this.count; at++) {
      lo += this.lows[at];
      hi += this.highs[at];
    }
    const carry = Math.floor(lo / LANE);
    this.sumLo = lo - carry * LANE;
    this.sumHi = hi + carry;
  }

  /** The width of a run for these cells, of which the newest goes into the slot (branch.ts). */
  get width(): number {
    if (this.count > LONG_CELLS_MIN) return LONG;
    const last = this.count - 1;
    let width = last >= 0 && this.highs[last] !== 0 ? WIDE : SLIM;
    for (let at = 0; at < last && width < WIDE; at++) {
      width = Math.max(width, widthFor(this.days[at], this.lows[at], this.highs[at]));
    }
    return width;
  }

  #grow(): void {
    const { days, lows, highs } = this;
    this.days = new Uint32Array(2 * days.length);
    this.lows = new Uint32Array(2 * days.length);
    this.highs = new Uint32Array(2 * days.length);
    this.days.set(days);
    this.lows.set(lows);
    this.highs.set(highs);
  }
}
