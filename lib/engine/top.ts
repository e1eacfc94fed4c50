// The top: selects the counters with the highest values from all that are offered, one after the other.
//
// Invariant: rows are in descending order of value; rows of equal value are in ascending order of key.
// Trade-off: a heap holds the rows that are asked for and no more, however many are offered.

import { compareU64 } from "../bytes/mod.ts";
import { ROW_WORDS } from "../command/mod.ts";

/**
 * The first rows of all that are offered, in the order of descending values and ascending keys.
 *
 * They are a heap: each row comes behind those at 2n + 1 and 2n + 2, so the last of them is at 0.
 */
export class Top {
  readonly #rows: Uint32Array;
  readonly #limit: number;
  #count = 0;

  constructor(limit: number) {
    this.#rows = new Uint32Array(ROW_WORDS * limit);
    this.#limit = limit;
  }

  offer(lo: number, hi: number, keyLo: number, keyHi: number): void {
    if (this.#count < this.#limit) return this.#rise(this.#count++, lo, hi, keyLo, keyHi);
    if (this.#isBehind(0, lo, hi, keyLo, keyHi)) this.#sink(0, this.#count, lo, hi, keyLo, keyHi);
  }

  /** All rows, the first first. Nothing can be offered afterwards. */
  descending(): Uint32Array {
    const rows = this.#rows;
    for (let end = this.#count - 1; end > 0; end--) {
      const [lo, hi, keyLo, keyHi] = rows.subarray(ROW_WORDS * end);
      this.#move(0, end);
      this.#sink(0, end, lo, hi, keyLo, keyHi);
    }
    return rows.subarray(0, ROW_WORDS * this.#count);
  }

  /** Whether the row at an index comes behind another. */
  #isBehind(index: number, lo: number, hi: number, keyLo: number, keyHi: number): boolean {
    const rows = this.#rows;
    const at = ROW_WORDS * index;
    const order = compareU64(rows[at], rows[at + 1], lo, hi);
    return order < 0 || order === 0 && compareU64(rows[at + 2], rows[at + 3], keyLo, keyHi) > 0;
  }

  /** Puts a row at an index, or higher where it comes behind what is there. */
  #rise(index: number, lo: number, hi: number, keyLo: number, keyHi: number): void {
    while (index > 0) {
      const parent = (index - 1) >>> 1;
      if (this.#isBehind(parent, lo, hi, keyLo, keyHi)) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#put(index, lo, hi, keyLo, keyHi);
  }

  /** Puts a row at an index of the first `end`, or lower where what is there comes behind it. */
  #sink(index: number, end: number, lo: number, hi: number, keyLo: number, keyHi: number): void {
    for (let child = 2 * index + 1; child < end; child = 2 * index + 1) {
      if (child + 1 < end && this.#isRowBehind(child + 1, child)) child++;
      if (!this.#isBehind(child, lo, hi, keyLo, keyHi)) break;
      this.#move(child, index);
      index = child;
    }
    this.#put(index, lo, hi, keyLo, keyHi);
  }

  #isRowBehind(index: number, other: number): boolean {
    const rows = this.#rows;
    const at = ROW_WORDS * other;
    return this.#isBehind(index, rows[at], rows[at + 1], rows[at + 2], rows[at + 3]);
  }

  #move(from: number, to: number): void {
    this.#rows.copyWithin(ROW_WORDS * to, ROW_WORDS * from, ROW_WORDS * (from + 1));
  }

  #put(index: number, lo: number, hi: number, keyLo: number, keyHi: number): void {
    const rows = this.#rows;
    const at = ROW_WORDS * index;
    rows[at] = lo;
    rows[at + 1] = hi;
    rows[at + 2] = keyLo;
    rows[at + 3] = keyHi;
  }
}
