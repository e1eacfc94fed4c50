// Range deletes: changes of every counter of a tree, which are noted at once and carried out by each branch later.
//
// A range delete removes days or, without days, the counters that have no cells (a compact). It holds from the moment
// it is noted: a branch carries out all that are pending, in order, before it is next touched. So a compact sees
// the counters that earlier range deletes emptied, and none that was created later.
//
// Invariant: `swept` of a branch is the serial of the last range delete that it has carried out.
// Trade-off: a note stays until every branch has carried it out and `settle` was called.

import { compareU64 } from "../bytes/mod.ts";
import type { Branch } from "./branch.ts";
import type { Counts } from "./counts.ts";
import type { Names } from "./names.ts";

export interface Days {
  readonly from: number;
  readonly to: number;
}

interface Sweep {
  readonly serial: number;
  /** The days that it takes away; null: it takes away the counters without cells. */
  readonly days: Days | null;
  /** The first key that it leaves alone; zero: none. */
  readonly endLo: number;
  readonly endHi: number;
}

export class RangeDeletes {
  /** That of the last sweep. */
  serial = 0;
  #noted: Sweep[] = [];

  /** Notes a sweep of the counters with keys below `end`, zero being none. */
  note(days: Days | null, endLo: number, endHi: number): void {
    if (endLo === 0 && endHi === 0) this.#forgetCovered(days);
    this.#noted.push({ serial: ++this.serial, days, endLo, endHi });
  }

  /** Forgets what a sweep of all counters, that comes now, would do again. */
  #forgetCovered(days: Days | null): void {
    // Days from before a compact must be gone when it looks for counters without cells.
    const compact = days === null ? -1 : this.#noted.findLastIndex((older) => older.days === null);
    this.#noted = this.#noted.filter((older, index) => {
      return index < compact || !covers(days, older.days);
    });
  }

  /** Whether there is none that some branch may have before it. */
  get isNone(): boolean {
    return this.#noted.length === 0;
  }

  /** Does to a branch what is still before it; its keys are ids of `names`, null being none. */
  catchUp(branch: Branch, counts: Counts, names: Names | null): void {
    for (const sweep of this.#noted) {
      if (sweep.serial > branch.swept) carryOut(sweep, branch, counts, names);
    }
    branch.swept = this.serial;
  }

  /** Forgets the sweeps that all branches have gone through: those up to `serial`. */
  settle(serial: number): void {
    this.#noted = this.#noted.filter((sweep) => sweep.serial > serial);
  }
}

function covers(days: Days | null, older: Days | null): boolean {
  if (days === null || older === null) return days === older;
  return days.from <= older.from && older.to <= days.to;
}

function carryOut(
  { days, endLo, endHi }: Sweep,
  branch: Branch,
  counts: Counts,
  names: Names | null,
): void {
  const toEnd = endLo === 0 && endHi === 0;
  const isBelow = (slot: number) =>
    toEnd || compareU64(branch.keyLo(slot), branch.keyHi(slot), endLo, endHi) < 0;
  if (days === null) {
    counts.keys -= branch.keys;
    branch.sift((slot) => {
      const isGone = branch.count(slot) === 0 && isBelow(slot);
      if (isGone && names !== null) names.release(branch.keyLo(slot), branch.keyHi(slot));
      return isGone;
    });
    counts.keys += branch.keys;
    return;
  }
  for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
    if (isBelow(slot)) counts.remove(branch, slot, days.from, days.to);
  }
}
