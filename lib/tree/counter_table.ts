// The counters of a branch, for reading: where their cells are, and what they add up to.
//
// A counter's slot (slot_table.ts) holds its newest cell. The older ones are in its run (run.ts), or, if there are
// thousands, in a long run outside of the branch (long_run.ts).
//
// Invariant: the cells of a counter have the indexes from 0 on, ascending by day; the newest is the last.
// Trade-off: each call checks the width of the run again; readings of whole branches have a loop of their own
// (day_range.ts).

import { cellsWork, chunkedWork, effort, LANE_MAX } from "../bytes/mod.ts";
import type { LongRun } from "./long_run.ts";
import { cellAt, cellDay, cellHi, cellLo, LONG, runRoom, seekRun, sumRun, WIDE } from "./run.ts";
import { COUNT, DAY, INFO, RUN, SlotTable, VALUE, WIDTH, WIDTH_SHIFT } from "./slot_table.ts";

export class CounterTable extends SlotTable {
  /** After `seek`: whether the day is there. */
  found = false;

  /** How many cells a counter has. */
  count(slot: number): number {
    return this.words[slot + INFO] & COUNT;
  }

  /** The words of a cell in a counter's run. */
  width(slot: number): number {
    return (this.words[slot + INFO] & WIDTH) >>> WIDTH_SHIFT;
  }

  /** Where in `words` a counter's run is. */
  run(slot: number): number {
    return this.words[slot + RUN];
  }

  /** The words of a counter's run. */
  room(slot: number): number {
    return runRoom(this.count(slot), this.width(slot));
  }

  /** Whether values of the counter may be beyond 2^32-1: one is, or once was, or it has a long run. */
  isWide(slot: number): boolean {
    const width = this.width(slot);
    return width === WIDE || width === LONG;
  }

  /** The long run of a counter that has one (`LONG`). */
  long(slot: number): LongRun {
    return this.longs.at(this.words[this.words[slot + RUN] + 1]);
  }

  /** Where in `words` a cell of a run is. */
  protected cell(slot: number, index: number): number {
    return cellAt(this.words[slot + RUN], this.width(slot), index);
  }

  day(slot: number, index: number): number {
    if (index === this.count(slot) - 1) return this.words[slot + DAY];
    const width = this.width(slot);
    if (width === LONG) return this.long(slot).day(index);
    return cellDay(this.words, this.cell(slot, index), width);
  }

  valueLo(slot: number, index: number): number {
    if (index === this.count(slot) - 1) return this.words[slot + VALUE];
    const width = this.width(slot);
    if (width === LONG) return this.long(slot).valueLo(index);
    return cellLo(this.words, this.cell(slot, index), width);
  }

  valueHi(slot: number, index: number): number {
    if (!this.isWide(slot)) return 0;
    if (index === this.count(slot) - 1) return this.words[this.words[slot + RUN]];
    if (this.width(slot) === LONG) return this.long(slot).valueHi(index);
    return cellHi(this.words, this.cell(slot, index), WIDE);
  }

  /** The index of a counter's first cell on `day` or later; `found` tells whether it is that day. */
  seek(slot: number, day: number): number {
    const count = this.count(slot);
    const newest = this.words[slot + DAY];
    this.found = count > 0 && day === newest;
    if (this.found) return count - 1;
    if (count === 0 || day > newest) return count;
    if (count === 1) return 0; // most counters, and there is no run to search
    const width = this.width(slot);
    const index = width === LONG
      ? this.long(slot).seek(day)
      : seekRun(this.words, this.words[slot + RUN], width, count - 1, day);
    this.found = index < count - 1 && this.day(slot, index) === day;
    return index;
  }

  /** The index after a counter's last cell on `day` or earlier. */
  seekAfter(slot: number, day: number): number {
    const index = this.seek(slot, day);
    return this.found ? index + 1 : index;
  }

  /** Adds up the cells with index `from` up to, not including, `to`; the sum's lanes go to `sum`. */
  sum(slot: number, from: number, to: number, sum: Uint32Array): void {
    const older = this.count(slot) - 1;
    const runTo = Math.min(to, older);
    if (from >= runTo) sum[0] = sum[1] = 0;
    else if (this.width(slot) === LONG) {
      effort.work += chunkedWork(runTo - from);
      this.long(slot).sum(from, runTo, sum);
    } else {
      effort.work += cellsWork(runTo - from);
      sumRun(this.words, this.words[slot + RUN], this.width(slot), from, runTo, sum);
    }
    if (from >= to || to <= older) return;
    const lo = sum[0] + this.words[slot + VALUE];
    sum[0] = lo;
    sum[1] += this.valueHi(slot, older) + (lo > LANE_MAX ? 1 : 0);
  }
}
