// Ages: the numbers of trees in the order of their serials, oldest first, for walks with pauses while trees are
// created and dropped.
//
// Invariant: serials ascend; the number of a dropped tree is NONE.
// Trade-off: each step is a binary search, 0.1 µs, and places of dropped trees stay until they are half of all. The
// cursor of a walk is a serial, which stays valid whatever changes, and after a restart.

import { assert } from "../assert.ts";

const NONE = -1;

/** Fewer places of trees that are gone are not worth closing. */
const GONE_MIN = 1024;

export class Ages {
  #serials = new Float64Array(16);
  #numbers = new Int32Array(16);
  #length = 0;
  #gone = 0;

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#serials.byteLength + this.#numbers.byteLength;
  }

  get count(): number {
    return this.#length - this.#gone;
  }

  add(serial: number, number: number): void {
    if (this.#length === this.#serials.length) this.#grow();
    // Nearly always the youngest: one that was long on its way may be older than others.
    const at = this.#after(serial);
    this.#serials.copyWithin(at + 1, at, this.#length);
    this.#numbers.copyWithin(at + 1, at, this.#length);
    this.#serials[at] = serial;
    this.#numbers[at] = number;
    this.#length++;
  }

  remove(serial: number): void {
    const at = this.#after(serial) - 1;
    assert(
      this.#serials[at] === serial && this.#numbers[at] !== NONE,
      "a serial that goes is there",
    );
    this.#numbers[at] = NONE;
    this.#gone++;
    if (this.#gone > Math.max(GONE_MIN, this.#length / 2)) this.#close();
  }

  /** The number of the oldest tree with a serial above one; NONE (-1) when there is none. */
  next(serial: number): number {
    for (let at = this.#after(serial); at < this.#length; at++) {
      if (this.#numbers[at] !== NONE) return this.#numbers[at];
    }
    return NONE;
  }

  /** The place of the first serial above one. */
  #after(serial: number): number {
    let low = 0;
    let high = this.#length;
    if (high > 0 && this.#serials[high - 1] <= serial) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#serials[middle] <= serial) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const [serials, numbers] = [this.#serials, this.#numbers];
    this.#serials = new Float64Array(2 * serials.length);
    this.#numbers = new Int32Array(2 * numbers.length);
    this.#serials.set(serials);
    this.#numbers.set(numbers);
  }

  #close(): void {
    let kept = 0;
    for (let at = 0; at < this.#length; at++) {
      if (this.#numbers[at] === NONE) continue;
      this.#serials[kept] = this.#serials[at];
      this.#numbers[kept] = this.#numbers[at];
      kept++;
    }
    this.#length = kept;
    this.#gone = 0;
  }
}
