// Counters as columns, the form in which dumps hold them: one array for each field of all the counters.
//
//   keys    | lo | hi | lo | hi | ...       one counter after the other, in no particular order
//   counts  | 2  | 1  | ...                 how many cells each has
//   days    | d  | d  | d  | ...            their cells, ascending by day
//   lows    | lo | lo | lo | ...
//   highs   | hi | hi | hi | ...            left out if all are zero
//
// Invariant: `branch` checks everything that a tree's invariants need, because the columns come from a file.
// Trade-off: the arrays are reused for one branch after the other.

import { compareU64, LANE, LANE_MAX } from "../bytes/mod.ts";
import { DamagedError } from "../errors.ts";
import type { BlockPool } from "./block_pool.ts";
import { Branch } from "./branch.ts";
import { sizeFor } from "./layout.ts";
import { LONG, LONG_CELLS_MIN, runRoom, SLIM, WIDE, widthFor } from "./run.ts";
import { BRANCH_KEYS_MAX } from "./slot_table.ts";
import type { Walk } from "./walk.ts";

/** Shared by all columns that have not been filled: at a start there may be ten thousand. */
const NONE = new Uint32Array(0);

/** Scratch: the width of each counter's run. */
const widths = new Uint8Array(BRANCH_KEYS_MAX);

export class Columns {
  keyCount = 0;
  cellCount = 0;
  keys = NONE;
  counts = NONE;
  days = NONE;
  lows = NONE;
  highs = NONE;
  /** Whether any of `highs` is not zero. */
  hasHighs = false;

  /** Takes the counters that the current step of a walk covers. */
  take(walk: Walk, branch: Branch): void {
    if (this.counts.length < branch.keys) {
      this.keys = new Uint32Array(2 * branch.keys);
      this.counts = new Uint32Array(branch.keys);
    }
    if (this.days.length < branch.cells) {
      this.days = new Uint32Array(branch.cells);
      this.lows = new Uint32Array(branch.cells);
      this.highs = new Uint32Array(branch.cells);
    }
    this.keyCount = this.cellCount = 0;
    this.hasHighs = false;
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      if (walk.covers(branch.keyLo(slot), branch.keyHi(slot))) this.#takeCounter(branch, slot);
    }
  }

  #takeCounter(branch: Branch, slot: number): void {
    const count = branch.count(slot);
    this.keys[2 * this.keyCount] = branch.keyLo(slot);
    this.keys[2 * this.keyCount + 1] = branch.keyHi(slot);
    this.counts[this.keyCount++] = count;
    for (let index = 0; index < count; index++) {
      const at = this.cellCount++;
      this.days[at] = branch.day(slot, index);
      this.lows[at] = branch.valueLo(slot, index);
      const hi = this.highs[at] = branch.valueHi(slot, index);
      if (hi !== 0) this.hasHighs = true;
    }
  }

  /** Builds a branch of these counters, whose keys must be in [start, end), an end of 0 being none. */
  branch(
    blocks: BlockPool,
    startLo: number,
    startHi: number,
    endLo: number,
    endHi: number,
  ): Branch {
    if (this.keyCount > BRANCH_KEYS_MAX) throw new DamagedError("too many counters in one branch");
    const runWords = this.#check();
    const branch = new Branch(
      blocks.acquire(sizeFor(this.keyCount, runWords)),
      this.keyCount,
      runWords,
    );
    const toEnd = endLo === 0 && endHi === 0;
    for (let index = 0, cell = 0; index < this.keyCount; index++) {
      const lo = this.keys[2 * index];
      const hi = this.keys[2 * index + 1];
      const low = compareU64(lo, hi, startLo, startHi) >= 0;
      if (!low || !toEnd && compareU64(lo, hi, endLo, endHi) >= 0) {
        throw new DamagedError("a key lies outside the range of its branch");
      }
      const slot = branch.locate(lo, hi);
      if (slot >= 0) throw new DamagedError("a key is there twice");
      branch.take(~slot, lo, hi);
      branch.fill(~slot, widths[index], this, cell, this.counts[index]);
      cell += this.counts[index];
    }
    return branch;
  }

  /** Checks all counters, and finds the `widths` of their runs; returns the words that those will take. */
  #check(): number {
    let words = 0;
    let cell = 0;
    for (let index = 0; index < this.keyCount; index++) {
      const end = cell + this.counts[index];
      if (end > this.cellCount) throw new DamagedError("counts and cells disagree");
      this.#checkCells(cell, end);
      widths[index] = this.#width(cell, end);
      words += runRoom(this.counts[index], widths[index]);
      cell = end;
    }
    if (cell !== this.cellCount) throw new DamagedError("counts and cells disagree");
    return words;
  }

  #checkCells(from: number, end: number): void {
    let lo = 0;
    let hi = 0;
    for (let at = from; at < end; at++) {
      if (at > from && this.days[at] <= this.days[at - 1]) {
        throw new DamagedError("the days of a counter do not ascend");
      }
      if (this.lows[at] === 0 && this.#high(at) === 0) throw new DamagedError("a value is zero");
      lo += this.lows[at];
      hi += this.#high(at);
      if (lo > LANE_MAX) {
        lo -= LANE;
        hi++;
      }
    }
    if (hi > LANE_MAX) {
      throw new DamagedError("the days of a counter add up beyond 2^64-1");
    }
  }

  #high(at: number): number {
    return this.hasHighs ? this.highs[at] : 0;
  }

  /** The width of a run for these cells, of which the last goes into the slot. */
  #width(from: number, end: number): number {
    if (end - from > LONG_CELLS_MIN) return LONG;
    let width = SLIM;
    for (let at = from; at < end - 1 && width < WIDE; at++) {
      width = Math.max(width, widthFor(this.days[at], this.lows[at], this.#high(at)));
    }
    return end > from && this.#high(end - 1) !== 0 ? WIDE : width;
  }
}
