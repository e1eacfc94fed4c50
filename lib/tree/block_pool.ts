// The memory of branches: blocks of one size, so that a block given back fits whoever asks next.
//
// Growing arrays by copying them into larger ones left a third of the process's memory in holes that
// nothing fitted into. With one size there are no holes, and nothing for the garbage collector to do.
// Only the first branch of a small tree and a counter with decades of days have arrays of other sizes.

/** Words of a block: 64 KiB hold some 1100 counters of a week, and are copied in some 80 µs. */
export const BLOCK_WORDS = 16384;

/** Spare blocks kept for the next who asks (4 MiB); more are given back to the system. */
const SPARE_BLOCKS_MAX = 64;

export class BlockPool {
  readonly #spare: Uint32Array<ArrayBuffer>[] = [];

  /** An array of at least `words` words, a whole block unless `words` is the size of no block. */
  take(words: number): Uint32Array<ArrayBuffer> {
    if (words !== BLOCK_WORDS) return new Uint32Array(words);
    return this.#spare.pop() ?? new Uint32Array(BLOCK_WORDS);
  }

  /** Takes back an array that its branch no longer needs; it must not be touched afterwards. */
  give(words: Uint32Array<ArrayBuffer>): void {
    if (words.length === BLOCK_WORDS && this.#spare.length < SPARE_BLOCKS_MAX) {
      this.#spare.push(words);
    } else {
      words.buffer.transfer(0); // frees now; a dropped reference would wait for the collector
    }
  }
}
