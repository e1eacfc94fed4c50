// The buffer pool: byte arrays that are reused by the next connection that needs one.
//
// Invariant: `held` is the length of all arrays that are taken or spare.
// Trade-off: a reused array is not cleared, which would cost as much as filling it; its owner reads only what it has
// written. Without a pool, each doubling of a buffer leaves garbage of its size: after a thousand requests of a
// mebibyte, V8 still held 650 MB a minute later.

import { assert } from "../assert.ts";
import { Budget } from "./budget.ts";

/** Spare arrays are kept up to here. */
const SPARE_BYTES_MAX = 16 << 20;

/** From here on sizes are multiples of this, no longer powers of two: twice as much would be a waste. */
const LINEAR_BYTES = 1 << 20;

type Bytes = Uint8Array<ArrayBuffer>;

export class BufferPool {
  readonly #budget: Budget;
  /** Bytes of arrays that were let go, since `takeDropped`. */
  #dropped = 0;
  /** Spare arrays by length. */
  readonly #spare = new Map<number, Bytes[]>();
  #spareBytes = 0;

  /** `budget`: where what is held counts, as `buffers` and nobody else's. */
  constructor(budget = new Budget()) {
    this.#budget = budget;
  }

  /** Bytes of all arrays that are in use or spare. */
  get held(): number {
    return this.#budget.buffers;
  }

  /** An array of that length, whatever is in it. */
  acquire(length: number): Bytes {
    const spare = this.#spare.get(length)?.pop();
    if (spare !== undefined) {
      this.#spareBytes -= length;
      return spare;
    }
    this.#budget.buffers += length;
    return new Uint8Array(length);
  }

  /** How much more would be held after `take`. */
  cost(length: number): number {
    return (this.#spare.get(length)?.length ?? 0) > 0 ? 0 : length;
  }

  /** Takes an array back that nobody looks at any more. */
  release(bytes: Bytes): void {
    const { length } = bytes;
    if (this.#spareBytes + length > SPARE_BYTES_MAX) {
      this.#budget.buffers -= length;
      this.#dropped += length;
      return;
    }
    const spare = this.#spare.get(length);
    if (spare === undefined) this.#spare.set(length, [bytes]);
    else spare.push(bytes);
    this.#spareBytes += length;
  }

  /** Lets all spare arrays go. */
  trim(): void {
    this.#budget.buffers -= this.#spareBytes;
    this.#dropped += this.#spareBytes;
    this.#spareBytes = 0;
    this.#spare.clear();
  }

  /** How many bytes were let go since the last call: memory that waits to be collected. */
  acquireDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  check(): void {
    let bytes = 0;
    for (const [length, arrays] of this.#spare) {
      bytes += length * arrays.length;
      assert(
        arrays.every((array) => array.length === length),
        "spares lie with those of their length",
      );
    }
    assert(bytes === this.#spareBytes, "spare arrays are counted");
    assert(
      bytes <= SPARE_BYTES_MAX && bytes <= this.#budget.buffers,
      "spare arrays are some of those held",
    );
  }
}

/** The length for a buffer of at least `bytes`: few lengths, so that arrays can be used again. */
export function roundedLength(bytes: number): number {
  if (bytes >= LINEAR_BYTES) return Math.ceil(bytes / LINEAR_BYTES) * LINEAR_BYTES;
  return 2 ** Math.ceil(Math.log2(bytes));
}
