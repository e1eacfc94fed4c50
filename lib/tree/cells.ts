// Cells that are copied out of a tree: days and their values, in an array of the caller, which is reused.

export class Cells {
  count = 0;
  /** Three words a cell: day, value lo, value hi. */
  words = new Uint32Array(3 * 32);

  clear(): void {
    this.count = 0;
  }

  push(day: number, lo: number, hi: number): void {
    const at = 3 * this.count++;
    if (at === this.words.length) {
      const larger = new Uint32Array(2 * at);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[at] = day;
    this.words[at + 1] = lo;
    this.words[at + 2] = hi;
  }
}

/** Cells as arrays of their fields (columns.ts). */
export interface CellColumns {
  readonly days: Uint32Array;
  readonly lows: Uint32Array;
  readonly highs: Uint32Array;
  readonly hasHighs: boolean;
}
