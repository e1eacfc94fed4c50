// The coverage of a dump: for each branch, the LSN of the last record that the dump holds.
//
//   starts   0         k1        k2        first key of each branch, ascending
//   lsns     100       100       130       never descending: branches are dumped one after the other
//
// Invariant: of a record with a given LSN, the dump holds the effect on the keys from `limit` on, and not that on the
// keys below. Records are looked up in the order of their LSNs, so the search for the limit rarely takes a step.

import { DamagedError } from "../errors.ts";

export class Coverage {
  readonly #startsLo: number[] = [];
  readonly #startsHi: number[] = [];
  readonly #lsns: number[] = [];
  #at = 0;

  /** The lowest LSN that a branch was dumped at. */
  get least(): number {
    return this.#lsns[0] ?? 0;
  }

  /** The highest LSN that a branch was dumped at. */
  get most(): number {
    return this.#lsns[this.#lsns.length - 1] ?? 0;
  }

  /** Whether the whole dump is older than this record and all after it: nothing is held any more. */
  isPassed(lsn: number): boolean {
    return lsn > this.most;
  }

  /** Appends a branch. */
  push(startLo: number, startHi: number, lsn: number): void {
    if (lsn < this.most) throw new DamagedError("the LSNs of its branches descend");
    this.#startsLo.push(startLo);
    this.#startsHi.push(startHi);
    this.#lsns.push(lsn);
  }

  /**
   * The first key of which the dump holds what the record did; it goes to `limit`, as two lanes.
   * None (all keys are below it) is zero, as is the first key: ask `isPassed` before.
   */
  limit(lsn: number, limit: Uint32Array): void {
    while (this.#lsns[this.#at] < lsn) this.#at++;
    limit[0] = this.#startsLo[this.#at];
    limit[1] = this.#startsHi[this.#at];
  }
}
