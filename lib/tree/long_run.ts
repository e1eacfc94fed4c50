// A long run: the older cells of a counter with more days than a decade has, in chunks outside of its branch.
//
//   chunk    | cell | cell | ... |      up to CHUNK_CELLS, as a run has them (run.ts), with their sum
//
// A single run of three million cells took 18 ms to add up and 2 ms to insert a day into, so a request with a few
// hundred of either delayed all others for seconds. With chunks, a sum adds up parts of two of them and takes the
// sums of those between, and a new day moves the cells of one.
//
// Invariant: chunks are never empty, days ascend across them, `starts` are the indexes of their first cells, and each
// holds the sum of its cells. The newest cell of the counter is in its slot, not here.
// Trade-off: separate arrays, with V8's bookkeeping, take a tenth more than a run in a branch. So only counters of
// LONG_CELLS_MIN cells and more have a long run, and keep it until they have no cells.

import { assert } from "../assert.ts";
import { LANE } from "../bytes/mod.ts";
import type { CellColumns } from "./cells.ts";
import { Chunk, CHUNK_CELLS } from "./chunk.ts";
import { cellAt, cellDay, cellHi, cellLo, seekRun, SLIM, sumRun, widthFor } from "./run.ts";

/** Lanes are added in doubles, and carried from here on. */
const CARRIED_MIN = 2 ** 52;

/** Scratch: the lanes of a part of a chunk. */
const part = new Uint32Array(2);

/** Whoever counts what memory is taken. */
export interface RunMemory {
  count(bytes: number): void;
}

const NOBODY: RunMemory = { count: () => {} };

export class LongRun {
  readonly #memory: RunMemory;
  /** What its chunks take. */
  bytes = 0;
  #chunks: Chunk[] = [];
  /** The index of each chunk's first cell. */
  #starts: number[] = [];
  #count = 0;
  /** The chunk that was looked at last: the next cell is mostly in the same. */
  #last = 0;

  constructor(memory = NOBODY) {
    this.#memory = memory;
  }

  get count(): number {
    return this.#count;
  }

  /** How many chunks there are. */
  get chunks(): number {
    return this.#chunks.length;
  }

  /** The cells of a run in a branch. */
  static of(
    words: Uint32Array,
    run: number,
    width: number,
    cells: number,
    memory: RunMemory,
  ): LongRun {
    const long = new LongRun(memory);
    for (let index = 0; index < cells; index++) {
      const cell = cellAt(run, width, index);
      const lo = cellLo(words, cell, width);
      long.append(cellDay(words, cell, width), lo, cellHi(words, cell, width));
    }
    return long;
  }

  /** The cells of columns from `at` on. */
  static ofColumns(columns: CellColumns, at: number, cells: number, memory: RunMemory): LongRun {
    const long = new LongRun(memory);
    const { days, lows, highs, hasHighs } = columns;
    for (let index = at; index < at + cells; index++) {
      long.append(days[index], lows[index], hasHighs ? highs[index] : 0);
    }
    return long;
  }

  day(index: number): number {
    const at = this.#chunkOf(index);
    const chunk = this.#chunks[at];
    return cellDay(chunk.words, chunk.at(index - this.#starts[at]), chunk.width);
  }

  valueLo(index: number): number {
    const at = this.#chunkOf(index);
    const chunk = this.#chunks[at];
    return cellLo(chunk.words, chunk.at(index - this.#starts[at]), chunk.width);
  }

  valueHi(index: number): number {
    const at = this.#chunkOf(index);
    const chunk = this.#chunks[at];
    return cellHi(chunk.words, chunk.at(index - this.#starts[at]), chunk.width);
  }

  /** The index of the first cell on `day` or later. */
  seek(day: number): number {
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (chunks[middle].firstDay <= day) low = middle;
      else high = middle;
    }
    if (low === chunks.length) return 0;
    this.#last = low;
    const { words, width, count } = chunks[low];
    return this.#starts[low] + seekRun(words, 0, width, count, day);
  }

  /** Adds up the cells with index `from` up to, not including, `to`; the sum's lanes go to `sum`. */
  sum(from: number, to: number, sum: Uint32Array): void {
    let lows = 0;
    let highs = 0;
    const starts = this.#starts;
    for (let at = from < to ? this.#chunkOf(from) : 0; from < to; at++) {
      const chunk = this.#chunks[at];
      const end = starts[at] + chunk.count;
      if (from === starts[at] && end <= to) {
        lows += chunk.lows;
        highs += chunk.highs;
      } else {
        const stop = Math.min(end, to);
        sumRun(chunk.words, 0, chunk.width, from - starts[at], stop - starts[at], part);
        lows += part[0];
        highs += part[1];
      }
      from = end;
      if (lows < CARRIED_MIN) continue;
      const carry = Math.floor(lows / LANE);
      lows -= carry * LANE;
      highs += carry;
    }
    const carry = Math.floor(lows / LANE);
    sum[0] = lows - carry * LANE;
    sum[1] = highs + carry;
  }

  /** Gives a cell another value, other than zero. */
  store(index: number, lo: number, hi: number): void {
    const at = this.#chunkOf(index);
    const chunk = this.#chunks[at];
    const { bytes } = chunk;
    chunk.store(index - this.#starts[at], lo, hi);
    this.#grow(chunk.bytes - bytes);
  }

  /** Whether another value of a cell takes a wider chunk. */
  isWider(index: number, lo: number, hi: number): boolean {
    const { width } = this.#chunks[this.#chunkOf(index)];
    return widthFor(this.day(index), lo, hi) > width;
  }

  #grow(bytes: number): void {
    if (bytes === 0) return;
    this.bytes += bytes;
    this.#memory.count(bytes);
  }

  /** Takes all chunks away: it is needed no more. */
  discard(): void {
    this.#chunks = [];
    this.#starts = [];
    this.#count = 0;
    this.#grow(-this.bytes);
  }

  /** Puts a cell behind all others. */
  append(day: number, lo: number, hi: number): void {
    this.insert(this.#count, day, lo, hi);
  }

  /** Puts a cell before the one at an index. */
  insert(index: number, day: number, lo: number, hi: number): void {
    let at = index === this.#count ? this.#chunks.length - 1 : this.#chunkOf(index);
    if (at < 0 || this.#chunks[at].count === CHUNK_CELLS) at = this.#split(Math.max(0, at), index);
    const chunk = this.#chunks[at];
    const { bytes } = chunk;
    chunk.insert(index - this.#starts[at], day, lo, hi);
    this.#grow(chunk.bytes - bytes);
    this.#count++;
    for (let next = at + 1; next < this.#starts.length; next++) this.#starts[next]++;
  }

  /** Makes room before an index in a chunk that is full; returns the chunk that has it. */
  #split(at: number, index: number): number {
    const start = this.#starts[at] ?? 0;
    // Days that come in their order, or against it, leave full chunks behind.
    const isEnd = index === this.#count;
    if (isEnd || index === 0) {
      const place = isEnd ? this.#chunks.length : 0;
      const chunk = new Chunk(SLIM);
      this.#grow(chunk.bytes);
      this.#chunks.splice(place, 0, chunk);
      this.#starts.splice(place, 0, index);
      return place;
    }
    const half = CHUNK_CELLS / 2;
    const rest = this.#chunks[at].split(half);
    this.#grow(rest.bytes);
    this.#chunks.splice(at + 1, 0, rest);
    this.#starts.splice(at + 1, 0, start + half);
    return index - start <= half ? at : at + 1;
  }

  /** Takes away the cells with index `from` up to, not including, `to`. */
  remove(from: number, to: number): void {
    if (from >= to) return;
    const first = this.#chunkOf(from);
    let at = first;
    for (let index = from; index < to; at++) {
      const chunk = this.#chunks[at];
      const start = this.#starts[at];
      const end = start + chunk.count;
      if (index > start || to < end) chunk.remove(index - start, Math.min(to, end) - start);
      else chunk.count = 0;
      index = end;
    }
    for (const { count, bytes } of this.#chunks.slice(first, at)) {
      if (count === 0) this.#grow(-bytes);
    }
    this.#chunks = this.#chunks.filter(({ count }) => count > 0);
    this.#starts.length = this.#chunks.length;
    let start = 0;
    this.#chunks.forEach((chunk, index) => {
      this.#starts[index] = start;
      start += chunk.count;
    });
    this.#count = start;
    this.#last = 0;
  }

  /** The chunk of a cell. */
  #chunkOf(index: number): number {
    const starts = this.#starts;
    const last = this.#last;
    if (index >= starts[last] && index < starts[last] + this.#chunks[last].count) return last;
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (starts[middle] <= index) low = middle;
      else high = middle;
    }
    return this.#last = low;
  }

  /** Throws when anything is not as it must be; that days ascend and values are, is its counter's to check. */
  check(): void {
    let start = 0;
    let bytes = 0;
    this.#chunks.forEach((chunk, at) => {
      bytes += chunk.bytes;
      assert(this.#starts[at] === start, "starts are the indexes of first cells");
      assert(chunk.count > 0 && chunk.count <= CHUNK_CELLS, "no chunk is empty, or too full");
      const { lows, highs } = chunk;
      chunk.addUp();
      assert(lows === chunk.lows && highs === chunk.highs, "a chunk knows the sum of its cells");
      start += chunk.count;
    });
    assert(bytes === this.bytes, "memory is counted");
    assert(
      start === this.#count && this.#starts.length === this.#chunks.length,
      "cells are counted",
    );
  }
}
