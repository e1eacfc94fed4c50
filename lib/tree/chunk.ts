// A chunk: some adjacent cells of a long run (long_run.ts), in the form of a run (run.ts).
//
// Invariant: `lows` and `highs` are the sums of the lanes of its cells, which doubles hold exactly.
// Trade-off: a chunk has the width that its widest cell needs, and room for a full chunk from the start.

import { cellAt, cellDay, cellHi, cellLo, WIDE, widthFor, writeCell } from "./run.ts";

/** Cells of a full chunk. */
export const CHUNK_CELLS = 1024;

export class Chunk {
  words: Uint32Array<ArrayBuffer>;
  width: number;
  count = 0;
  /** The sum of the cells: lanes that were not carried. */
  lows = 0;
  highs = 0;

  constructor(width: number) {
    this.width = width;
    this.words = new Uint32Array(wordsFor(width));
  }

  /** What it takes in memory. */
  get bytes(): number {
    return 4 * this.words.length + CHUNK_BYTES;
  }

  get firstDay(): number {
    return cellDay(this.words, this.at(0), this.width);
  }

  /** Where a cell is in the words. */
  at(index: number): number {
    return cellAt(0, this.width, index);
  }

  widen(width: number): void {
    if (width <= this.width) return;
    const wider = new Uint32Array(wordsFor(width));
    for (let index = 0; index < this.count; index++) {
      const from = this.at(index);
      const day = cellDay(this.words, from, this.width);
      const lo = cellLo(this.words, from, this.width);
      const hi = cellHi(this.words, from, this.width);
      writeCell(wider, cellAt(0, width, index), width, day, lo, hi);
    }
    this.words = wider;
    this.width = width;
  }

  /** Puts a cell before the one at an index; there must be room. */
  insert(index: number, day: number, lo: number, hi: number): void {
    this.widen(widthFor(day, lo, hi));
    const at = this.at(index);
    this.words.copyWithin(at + this.width, at, this.at(this.count));
    writeCell(this.words, at, this.width, day, lo, hi);
    this.count++;
    this.lows += lo;
    this.highs += hi;
  }

  /** Gives a cell another value. */
  store(index: number, lo: number, hi: number): void {
    this.#add(index, index + 1, -1);
    const day = cellDay(this.words, this.at(index), this.width);
    this.widen(widthFor(day, lo, hi));
    writeCell(this.words, this.at(index), this.width, day, lo, hi);
    this.lows += lo;
    this.highs += hi;
  }

  /** Finds the sum anew. */
  addUp(): void {
    this.lows = this.highs = 0;
    this.#add(0, this.count, 1);
  }

  /** Takes away the cells from an index up to, not including, another. */
  remove(from: number, to: number): void {
    this.#add(from, to, -1);
    this.words.copyWithin(this.at(from), this.at(to), this.at(this.count));
    this.count -= to - from;
  }

  /** Moves the cells from an index on into a new chunk. */
  split(index: number): Chunk {
    const rest = new Chunk(this.width);
    rest.words.set(this.words.subarray(this.at(index), this.at(this.count)), rest.at(0));
    rest.count = this.count - index;
    rest.addUp();
    this.lows -= rest.lows;
    this.highs -= rest.highs;
    this.count = index;
    return rest;
  }

  /** Adds the cells from an index up to another to the sum of the chunk, or takes them from it. */
  #add(from: number, to: number, sign: number): void {
    for (let index = from; index < to; index++) {
      this.lows += sign * cellLo(this.words, this.at(index), this.width);
      this.highs += sign * cellHi(this.words, this.at(index), this.width);
    }
  }
}

/** What the engine keeps about a chunk and its array, and what its cells take again while they are dumped. */
const CHUNK_BYTES = 256 + 20 * CHUNK_CELLS;

/** The most that a cell more may take: its chunk becomes as wide as can be, and another one begins. */
export const GROWTH_BYTES = 2 * (4 * wordsFor(WIDE) + CHUNK_BYTES);

function wordsFor(width: number): number {
  return cellAt(0, width, CHUNK_CELLS);
}
