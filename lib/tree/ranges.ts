// Ranges: which branch of a tree owns which keys, and the laying out of branches when they change.
//
//   starts      0        812       20417            (first key of each branch, two lanes)
//   branches    [hash table] [hash table] [hash table]
//
// A key is found by a binary search over the few `starts` that its leading bits leave (radix_table.ts) and one
// probe into a small hash table. Ranges rather than hash prefixes, because a page of keys in order then
// costs what the page costs, a dump can go branch by branch while branches split, and ids that somebody
// chose to collide do so only within one small branch.
//
// Invariant: starts ascend from 0, and every key lies in the branch whose range holds it.
//
// A change of the whole tree (`sweep`, `compact`) is only noted (range_deletes.ts), at once and for every
// reader; each branch does the work before it is next touched (`branchAt`). Whoever sweeps walks over
// the tree afterwards, so that all branches have done it, and `settle` forgets it.

import { assert } from "../assert.ts";
import type { Budget } from "../bytes/mod.ts";
import { BLOCK_WORDS, BlockPool } from "./block_pool.ts";
import { Branch } from "./branch.ts";
import { Counts } from "./counts.ts";
import { RadixTable } from "./radix_table.ts";
import { LongRuns } from "./long_runs.ts";
import type { Names } from "./names.ts";
import {
  chooseWindow,
  compacted,
  cutOff,
  isLast,
  JOIN_WORDS_MAX,
  joined,
  largestAfter,
  type Placed,
  spread,
  WINDOW_BRANCHES_MAX,
  wordsNeeded,
} from "./layout.ts";
import { SLOT_WORDS } from "./slot_table.ts";
import { type Days, RangeDeletes } from "./range_deletes.ts";

/** Words of the first branch of a tree: a tree may well hold three counters. */
const FIRST_BRANCH_WORDS = 64;

/** How many counters there are in many trees. */
export interface KeyCount {
  keys: number;
}

/** That of trees that nobody counts. */
export const UNCOUNTED: KeyCount = { keys: 0 };

/**
 * What all trees have until their first counter comes. Nothing fits in, so that nothing is written to
 * it, and nothing is there to sweep. An empty tree so has nothing of its own but its name.
 */
const EMPTY = new Branch(
  {
    words: new Uint32Array(SLOT_WORDS),
    start: 0,
    size: SLOT_WORDS,
    longs: new LongRuns({ count: () => {}, fits: () => true }),
  },
  0,
  0,
);
const NO_BRANCHES: Branch[] = [EMPTY];
const NO_SWEEPS = new RangeDeletes();
const NO_GUIDE = new RadixTable();
const NO_COUNTS = new Counts();
const FIRST_START = new Uint32Array(1);

/** Fewer branches are searched without a guide, and small trees need no memory for one. */
const GUIDED_BRANCHES_MIN = 8;

export class Ranges {
  branches = NO_BRANCHES;
  #startsLo = FIRST_START;
  #startsHi = FIRST_START;
  #radixTable = NO_GUIDE;
  #sweeps = NO_SWEEPS;
  /** What branches hold. What a sweep or compact takes away counts until its branch has done it (`isSettled`). */
  counts = NO_COUNTS;
  /** Where the counters of all trees are counted that clients know of; the forest sets it. */
  tally = UNCOUNTED;
  /** What its keys are the ids of; null: they are numbers. */
  names: Names | null = null;
  /** The memory of the branches. */
  readonly blocks: BlockPool;
  /** Whether it was cleared. */
  isGone = false;

  constructor(budget?: Budget) {
    this.blocks = new BlockPool(budget);
  }

  /** The branches that are its own: none while it is empty. */
  get own(): readonly Branch[] {
    return this.branches === NO_BRANCHES ? [] : this.branches;
  }

  /** How many counters there are, those without cells included; see `counts`. */
  get keys(): number {
    return this.counts.keys;
  }

  startLo(index: number): number {
    return this.#startsLo[index];
  }

  startHi(index: number): number {
    return this.#startsHi[index];
  }

  /** The index of the branch that owns a key. */
  indexOf(lo: number, hi: number): number {
    const startsLo = this.#startsLo;
    const startsHi = this.#startsHi;
    let low = 0;
    let high = this.branches.length;
    if (high >= GUIDED_BRANCHES_MIN) {
      let radixTable = this.#radixTable;
      if (radixTable.isStale) radixTable = this.#learn();
      const bucket = radixTable.bucketOf(lo, hi);
      low = radixTable.first(bucket);
      high = radixTable.first(bucket + 1) + 1;
    }
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const startHi = startsHi[middle];
      if (startHi < hi || (startHi === hi && startsLo[middle] <= lo)) low = middle;
      else high = middle;
    }
    return low;
  }

  #learn(): RadixTable {
    if (this.#radixTable === NO_GUIDE) this.#radixTable = new RadixTable();
    this.#radixTable.learn(this.#startsLo, this.#startsHi, this.branches.length);
    return this.#radixTable;
  }

  /** The branch at an index, with every sweep done. All ways to a branch's counters lead through here. */
  branchAt(index: number): Branch {
    const branch = this.branches[index];
    if (branch.swept !== this.#sweeps.serial) this.#catchUp(branch);
    return branch;
  }

  #catchUp(branch: Branch): void {
    const { keys } = this.counts;
    this.#sweeps.catchUp(branch, this.counts, this.names);
    this.tally.keys += this.counts.keys - keys;
  }

  /**
   * Takes away the days in [dayFrom, dayTo] of every counter with a key below `end`, zero being none.
   * At once for all who look; walk afterwards, then `settle`.
   */
  sweep(dayFrom: number, dayTo: number, endLo = 0, endHi = 0): void {
    this.#note({ from: dayFrom, to: dayTo }, endLo, endHi);
  }

  /** Takes away every counter without cells whose key is below `end`, zero being none; as `sweep`. */
  compact(endLo = 0, endHi = 0): void {
    this.#note(null, endLo, endHi);
  }

  #note(days: Days | null, endLo: number, endHi: number): void {
    if (this.branches === NO_BRANCHES) return;
    if (this.#sweeps === NO_SWEEPS) this.#sweeps = new RangeDeletes();
    this.#sweeps.note(days, endLo, endHi);
  }

  /** Forgets the sweeps that all branches have gone through. */
  settle(): void {
    this.#sweeps.settle(
      this.branches.reduce((least, branch) => Math.min(least, branch.swept), Infinity),
    );
  }

  /** Whether all branches have gone through all sweeps, which are then forgotten. */
  isSettled(): boolean {
    if (this.#sweeps.isNone) return true;
    this.settle();
    return this.#sweeps.isNone;
  }

  /** Appends a branch that was filled elsewhere: a restored dump. It owns the keys from `start` on. */
  append(placed: Placed): void {
    const first = placed.startLo === 0 && placed.startHi === 0;
    assert(!first || this.keys === 0, "the first branch comes into an empty tree");
    if (first) this.#replace(0, this.branches.length, [placed]);
    else this.#replace(this.branches.length, 0, [placed]);
    placed.branch.swept = this.#sweeps.serial;
    this.counts.include(placed.branch);
    this.tally.keys += placed.branch.keys;
  }

  /**
   * Joins a branch with those after it that have become so empty that half a block holds them all.
   * Every step of a walk does: a tree that is compacted again and again would otherwise keep a branch
   * for each range that ever had keys.
   */
  join(index: number): void {
    let words = wordsNeeded(this.branchAt(index));
    let after = index + 1;
    if (words > JOIN_WORDS_MAX) return;
    while (after < this.branches.length && after - index < WINDOW_BRANCHES_MAX) {
      words += wordsNeeded(this.branchAt(after));
      if (words > JOIN_WORDS_MAX) break;
      after++;
    }
    if (after - index === 1) return;
    const branch = joined(this.branches.slice(index, after), this.blocks);
    const [startLo, startHi] = [this.startLo(index), this.startHi(index)];
    this.#replace(index, after - index, [{ branch, startLo, startHi }]);
  }

  /**
   * Empties the tree at once, for whoever still walks over it, because it is gone. Returns what is to be freed.
   */
  clear(): Uint32Array<ArrayBuffer>[] {
    const gone = this.blocks.abandon(this.own);
    this.branches = NO_BRANCHES;
    this.#startsLo = this.#startsHi = FIRST_START;
    this.#radixTable = NO_GUIDE;
    this.#sweeps = NO_SWEEPS;
    this.counts = NO_COUNTS;
    this.isGone = true;
    return gone;
  }

  /**
   * Lays out a full branch anew, with its neighbours where it must, so that a change can be tried again.
   * False: that takes more memory than there is, and nothing was done.
   */
  protected makeRoom(index: number, keyLo: number, keyHi: number): boolean {
    const branch = this.branches[index];
    if (!this.blocks.hasRoom(largestAfter(branch))) return false;
    if (branch === EMPTY) {
      this.branches = [new Branch(this.blocks.acquire(FIRST_BRANCH_WORDS), 0, 0)];
      this.counts = new Counts();
      return true;
    }
    const copy = compacted(branch, this.blocks);
    if (copy !== null) {
      this.branches[index] = copy;
      this.blocks.release(branch);
    } else if (this.#isFullLast(index) && isLast(branch, keyLo, keyHi)) {
      // Ids are often given out in order: what is full then stays full instead of being halved.
      this.#replace(index, 1, cutOff(this.#placed(index), keyLo, keyHi, this.blocks));
    } else {
      const [first, after] = chooseWindow(this.branches, index);
      const window: Placed[] = [];
      for (let at = first; at < after; at++) window.push(this.#placed(at));
      const endLo = after < this.branches.length ? this.#startsLo[after] : 0;
      const endHi = after < this.branches.length ? this.#startsHi[after] : 0;
      const growing = { keyLo, keyHi, words: branch.wanted };
      this.#replace(first, after - first, spread(window, endLo, endHi, this.blocks, growing));
    }
    return true;
  }

  #isFullLast(index: number): boolean {
    return index === this.branches.length - 1 && this.branches[index].size >= BLOCK_WORDS;
  }

  #placed(index: number): Placed {
    const branch = this.branchAt(index);
    return { branch, startLo: this.#startsLo[index], startHi: this.#startsHi[index] };
  }

  #replace(index: number, count: number, placed: readonly Placed[]): void {
    if (this.branches === NO_BRANCHES) {
      this.branches = [EMPTY];
      this.counts = new Counts();
    }
    for (const gone of this.branches.slice(index, index + count)) {
      if (gone !== EMPTY && !placed.some(({ branch }) => branch === gone)) {
        this.blocks.release(gone);
      }
    }
    const old = this.branches.length;
    const length = old + placed.length - count;
    while (length > this.#startsLo.length) {
      this.#startsLo = doubled(this.#startsLo);
      this.#startsHi = doubled(this.#startsHi);
    }
    this.#startsLo.copyWithin(index + placed.length, index + count, old);
    this.#startsHi.copyWithin(index + placed.length, index + count, old);
    placed.forEach(({ startLo, startHi }, at) => {
      this.#startsLo[index + at] = startLo;
      this.#startsHi[index + at] = startHi;
    });
    this.branches.splice(index, count, ...placed.map(({ branch }) => branch));
    this.#radixTable.isStale = true;
  }
}

function doubled(lanes: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * lanes.length);
  larger.set(lanes);
  return larger;
}
