// A branch: the counters of one range of keys, in one block of 32-bit words.
//
//   words  | slot 0 | slot 1 | ... | slot S-1 | run | run | dead | run | ... | free          |
//          '- hash table, open addressing ----'- runs, in the order they were placed -'- top
//
// How its counters are read is in counter_table.ts.
//
// Invariant: `words` below `top` is slots, runs and `dead` words, and nothing else. The newest cell
// is in the slot, so that a run holds one cell less than its counter has.
// Trade-off: a run that outgrows its room moves to `top` and leaves dead words behind. There are no free
// lists: when a branch is full its tree lays it out anew (layout.ts), which compacts, grows and
// splits in one operation. A branch is small: this takes microseconds.

import { assert } from "../assert.ts";
import { compareU64 } from "../bytes/mod.ts";
import type { Block } from "./block_pool.ts";
import type { CellColumns } from "./cells.ts";
import { CounterTable } from "./counter_table.ts";
import { LongRun } from "./long_run.ts";
import {
  cellAt,
  LONG,
  LONG_CELLS_MIN,
  rewidenRun,
  runRoom,
  SLIM,
  WIDE,
  widthFor,
  writeCell,
} from "./run.ts";
import {
  DAY,
  INFO,
  NO_CELLS,
  RUN,
  SLOT_WORDS,
  TAKEN,
  VALUE,
  WIDTH,
  WIDTH_SHIFT,
  wordsFor,
} from "./slot_table.ts";

export class Branch extends CounterTable {
  /** The first word after the runs. */
  top: number;
  /** Words below `top` that belong to no run. */
  dead = 0;
  /** Cells of all counters. */
  cells = 0;
  /** The last of its tree's sweeps that this branch has gone through. */
  swept = 0;
  /** After an operation that found no room: the words it was short of. */
  wanted = 0;

  /** A branch in a block, for so many counters and words of runs; what is left over serves both. */
  constructor(block: Block, keys: number, runWords: number) {
    const least = wordsFor(keys, runWords);
    assert(least <= block.size, "a branch has room for its counters");
    super(block, Math.floor((least - runWords) / SLOT_WORDS * (block.size / least)));
    this.top = this.runsStart;
  }

  /** Words behind the runs, where another can be placed. */
  get freeWords(): number {
    return this.start + this.size - this.top;
  }

  /** Words of the runs. */
  get runWords(): number {
    return this.top - this.runsStart - this.dead;
  }

  /** Gives an existing cell a value other than zero. False: no room, nothing has changed. */
  store(slot: number, index: number, lo: number, hi: number): boolean {
    const words = this.words;
    const count = this.count(slot);
    if (index === count - 1) {
      if (hi !== 0 && !this.#move(slot, count, WIDE)) return false;
      words[slot + VALUE] = lo;
      if (this.isWide(slot)) words[words[slot + RUN]] = hi;
      return true;
    }
    if (this.width(slot) === LONG) {
      const long = this.long(slot);
      if (long.isWider(index, lo, hi) && !this.longs.hasRoom(false)) return false;
      long.store(index, lo, hi);
      return true;
    }
    const day = this.day(slot, index);
    if (!this.#move(slot, count, widthFor(day, lo, hi))) return false;
    writeCell(words, this.cell(slot, index), this.width(slot), day, lo, hi);
    return true;
  }

  /** Puts a new cell, of a value other than zero, before cell `index`. False: no room, no change. */
  insert(slot: number, index: number, day: number, lo: number, hi: number): boolean {
    const count = this.count(slot);
    if (count >= LONG_CELLS_MIN) {
      const isLong = this.width(slot) === LONG;
      if (!this.longs.hasRoom(!isLong)) return false;
      if (!isLong) this.#lengthen(slot, count);
    }
    const done = index === count
      ? this.#append(slot, count, day, lo, hi)
      : this.#insertOlder(slot, count, index, day, lo, hi);
    if (!done) return false;
    this.words[slot + INFO]++;
    this.cells++;
    return true;
  }

  /** Gives a counter a long run, which leaves dead words behind. */
  #lengthen(slot: number, count: number): void {
    const width = this.width(slot);
    const words = this.words;
    const run = words[slot + RUN];
    const long = LongRun.of(words, run, width, count - 1, this.longs.memory);
    this.dead += this.room(slot) - runRoom(count, LONG);
    words[run] = width === WIDE ? words[run] : 0;
    words[run + 1] = this.longs.add(long);
    words[slot + INFO] = TAKEN | LONG << WIDTH_SHIFT | count;
  }

  /** The new cell becomes the newest; the old newest becomes the last of the run. */
  #append(slot: number, count: number, day: number, lo: number, hi: number): boolean {
    const words = this.words;
    const oldDay = words[slot + DAY];
    const oldLo = words[slot + VALUE];
    const oldHi = count > 0 ? this.valueHi(slot, count - 1) : 0;
    const oldWidth = count > 0 ? widthFor(oldDay, oldLo, oldHi) : SLIM;
    if (!this.#move(slot, count + 1, hi !== 0 ? WIDE : oldWidth)) return false;
    if (this.width(slot) === LONG) this.long(slot).append(oldDay, oldLo, oldHi);
    else if (count > 0) {
      writeCell(words, this.cell(slot, count - 1), this.width(slot), oldDay, oldLo, oldHi);
    }
    words[slot + DAY] = day;
    words[slot + VALUE] = lo;
    if (this.isWide(slot)) words[words[slot + RUN]] = hi;
    return true;
  }

  #insertOlder(
    slot: number,
    count: number,
    index: number,
    day: number,
    lo: number,
    hi: number,
  ): boolean {
    if (this.width(slot) === LONG) {
      this.long(slot).insert(index, day, lo, hi);
      return true;
    }
    if (!this.#move(slot, count + 1, widthFor(day, lo, hi))) return false;
    const width = this.width(slot);
    const cell = this.cell(slot, index);
    this.words.copyWithin(cell + width, cell, this.cell(slot, count - 1));
    writeCell(this.words, cell, width, day, lo, hi);
    return true;
  }

  /** Gives a counter without cells those of `columns` from `at` on; a run of `width` must have room. */
  fill(slot: number, width: number, columns: CellColumns, at: number, count: number): void {
    if (count === 0) return;
    const words = this.words;
    const { days, lows, highs, hasHighs } = columns;
    const run = this.top;
    const last = at + count - 1;
    this.top += runRoom(count, width);
    assert(this.freeWords >= 0, "a branch has room for its columns");
    if (width === LONG) {
      words[run + 1] = this.longs.add(LongRun.ofColumns(columns, at, count - 1, this.longs.memory));
    }
    for (let index = 0; width !== LONG && index < count - 1; index++) {
      const from = at + index;
      const hi = hasHighs ? highs[from] : 0;
      writeCell(words, cellAt(run, width, index), width, days[from], lows[from], hi);
    }
    words[slot + INFO] = TAKEN | (width << WIDTH_SHIFT) | count;
    words[slot + RUN] = run;
    words[slot + DAY] = days[last];
    words[slot + VALUE] = lows[last];
    if (width === WIDE || width === LONG) words[run] = hasHighs ? highs[last] : 0;
    this.cells += count;
  }

  /** Takes away the cells with index `from` up to, not including, `to`. Always has room. */
  remove(slot: number, from: number, to: number): void {
    if (from === to) return;
    const words = this.words;
    const count = this.count(slot);
    const left = count - (to - from);
    this.dead += this.room(slot) - runRoom(left, this.width(slot));
    this.cells -= to - from;
    const long = this.width(slot) === LONG ? this.long(slot) : null;
    if (left === 0) {
      if (long !== null) this.longs.remove(words[words[slot + RUN] + 1]);
      words[slot + INFO] = NO_CELLS;
      words[slot + RUN] = words[slot + DAY] = words[slot + VALUE] = 0;
      return;
    }
    if (to < count) {
      if (long !== null) long.remove(from, to);
      else {words.copyWithin(
          this.cell(slot, from),
          this.cell(slot, to),
          this.cell(slot, count - 1),
        );}
    } else { // the newest goes: the last that stays moves from the run to the slot
      const hi = this.valueHi(slot, from - 1);
      words[slot + DAY] = this.day(slot, from - 1);
      words[slot + VALUE] = this.valueLo(slot, from - 1);
      if (this.isWide(slot)) words[words[slot + RUN]] = hi;
      long?.remove(from - 1, count - 1);
    }
    words[slot + INFO] -= to - from;
  }

  /** Moves a counter's run to where it has room for `count` cells of a width. False: no room, no change. */
  #move(slot: number, count: number, widthAsked: number): boolean {
    const words = this.words;
    const width = this.width(slot);
    if (width === LONG) return true;
    const newWidth = Math.max(width, widthAsked);
    const room = this.room(slot);
    const newRoom = runRoom(count, newWidth);
    if (newRoom === room && newWidth === width) return true;
    if (newRoom > this.freeWords) {
      this.wanted = newRoom;
      return false;
    }
    const run = words[slot + RUN];
    if (newWidth === width) words.copyWithin(this.top, run, run + room);
    else rewidenRun(words, run, width, Math.max(0, this.count(slot) - 1), this.top, newWidth);
    words[slot + RUN] = this.top;
    words[slot + INFO] = (words[slot + INFO] & ~WIDTH) | (newWidth << WIDTH_SHIFT);
    this.top += newRoom;
    this.dead += room;
    return true;
  }

  /** Copies the counters with keys in [from, to) into `target`, which must have room for them. */
  copyRange(target: Branch, fromLo: number, fromHi: number, toLo: number, toHi: number): void {
    const toEnd = toLo === 0 && toHi === 0; // the key after the last one is 2^64, which has no lanes
    for (let slot = this.next(0); slot >= 0; slot = this.next(this.after(slot))) {
      const lo = this.keyLo(slot);
      const hi = this.keyHi(slot);
      if (compareU64(lo, hi, fromLo, fromHi) < 0) continue;
      if (!toEnd && compareU64(lo, hi, toLo, toHi) >= 0) continue;
      this.#copy(slot, target);
    }
  }

  #copy(slot: number, target: Branch): void {
    const words = this.words;
    const copy = ~target.locate(this.keyLo(slot), this.keyHi(slot));
    const room = this.room(slot);
    const run = words[slot + RUN];
    for (let word = 0; word < SLOT_WORDS; word++) target.words[copy + word] = words[slot + word];
    // Runs are short: a loop beats the call of `set` with a subarray.
    for (let word = 0; word < room; word++) target.words[target.top + word] = words[run + word];
    target.words[copy + RUN] = target.top;
    target.top += room;
    target.keys++;
    target.cells += this.count(slot);
  }
}
