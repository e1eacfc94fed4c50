// A tree: a named set of counters, as branches that each own a range of keys, in ascending order.
//
//   starts      0        812       20417            (first key of each branch, two lanes)
//   branches    [hash table] [hash table] [hash table]
//
// A key is found by a binary search over `starts` and one probe into a small hash table. Ranges
// rather than hash prefixes, because a page of keys in order then costs what the page costs, a dump
// can go branch by branch while branches split, and ids that somebody chose to collide do so only
// within one small branch.
//
// Invariant: every key lies in the branch whose range holds it; no cell is zero; the sum of a
// counter's days fits 64 bits. An operation that would break the last one is refused unchanged.
// Trade: the total of a counter is not stored but added up: 8 bytes a key less, and it can't drift.
//
// A change of the whole tree (`sweep`) is only noted, at once and for every reader; each branch does
// the work before it is next touched (`branchAt`). Whoever sweeps walks over the tree afterwards, so
// that all branches have done it, and `settle` forgets it.

import { assert } from "../assert.ts";
import { compareU64, LANE, LANE_MAX } from "../bytes/u64.ts";
import { BLOCK_WORDS, BlockPool } from "./block_pool.ts";
import { Branch } from "./branch.ts";
import type { Cells } from "./cells.ts";
import { chooseWindow, compacted, cutOff, isLast, type Placed, spread } from "./layout.ts";

/** Words of the first branch of a tree: a tree may well hold three counters. */
const FIRST_BRANCH_WORDS = 64;

interface Sweep {
  readonly serial: number;
  readonly dayFrom: number;
  readonly dayTo: number;
  /** The first key that it leaves alone; zero: none. */
  readonly endLo: number;
  readonly endHi: number;
}

export class Tree {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  /** What the forest knows it by, given when it is put there. */
  number = -1;
  serial = 0;
  branches: Branch[];
  #startsLo = new Uint32Array(8);
  #startsHi = new Uint32Array(8);
  #sweeps: Sweep[] = [];
  #serial = 0;
  readonly #sum = new Uint32Array(2);

  readonly #pool: BlockPool;

  constructor(name: string, pool = new BlockPool()) {
    this.name = name;
    this.nameBytes = new TextEncoder().encode(name);
    this.#pool = pool;
    this.branches = [new Branch(pool.take(FIRST_BRANCH_WORDS), 0, 0)];
  }

  /** How many counters there are, those without cells included. */
  get keys(): number {
    return this.branches.reduce((keys, branch) => keys + branch.keys, 0);
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
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const startHi = startsHi[middle];
      if (startHi < hi || (startHi === hi && startsLo[middle] <= lo)) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The branch at an index, with every sweep done. All ways to a branch's counters lead through here. */
  branchAt(index: number): Branch {
    const branch = this.branches[index];
    if (branch.swept !== this.#serial) this.#catchUp(branch);
    return branch;
  }

  /** Adds a value to a day of a counter, which it creates. False: a sum would pass 2^64-1, no change. */
  add(keyLo: number, keyHi: number, day: number, lo: number, hi: number): boolean {
    for (;;) {
      const index = this.indexOf(keyLo, keyHi);
      const branch = this.branchAt(index);
      const slot = this.#slotOf(branch, keyLo, keyHi);
      if (slot >= 0) {
        const cell = branch.seek(slot, day);
        const found = branch.found;
        const sumLo = lo + (found ? branch.valueLo(slot, cell) : 0);
        const newLo = sumLo > LANE_MAX ? sumLo - LANE : sumLo;
        const newHi = hi + (found ? branch.valueHi(slot, cell) : 0) + (sumLo > LANE_MAX ? 1 : 0);
        if (newHi > LANE_MAX || !this.#fits(branch, slot, lo, hi)) return false;
        if (newLo === 0 && newHi === 0) return true;
        const done = found
          ? branch.store(slot, cell, newLo, newHi)
          : branch.insert(slot, cell, day, newLo, newHi);
        if (done) return true;
      }
      this.#makeRoom(index, keyLo, keyHi);
    }
  }

  /** Takes a value, or what there is if that is less, from a day of a counter, which it creates. */
  subtract(keyLo: number, keyHi: number, day: number, lo: number, hi: number): void {
    const branch = this.#create(keyLo, keyHi);
    const slot = branch.locate(keyLo, keyHi);
    const cell = branch.seek(slot, day);
    if (!branch.found) return;
    const oldLo = branch.valueLo(slot, cell);
    const oldHi = branch.valueHi(slot, cell);
    if (compareU64(oldLo, oldHi, lo, hi) <= 0) return branch.remove(slot, cell, cell + 1);
    const borrow = oldLo < lo ? 1 : 0;
    const done = branch.store(slot, cell, oldLo - lo + borrow * LANE, oldHi - hi - borrow);
    assert(done, "a smaller value needs no room");
  }

  /** Creates a counter without cells, unless there is one. */
  touch(keyLo: number, keyHi: number): void {
    this.#create(keyLo, keyHi);
  }

  /** Adds up a counter's days in [dayFrom, dayTo]; the sum's lanes go to `sum`. */
  sum(keyLo: number, keyHi: number, dayFrom: number, dayTo: number, sum: Uint32Array): void {
    sum[0] = sum[1] = 0;
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    if (slot < 0) return;
    const from = branch.seek(slot, dayFrom);
    branch.sum(slot, from, Math.max(from, seekAfter(branch, slot, dayTo)), sum);
  }

  /** Appends a counter's days in [dayFrom, dayTo] and their values to `cells`. */
  collect(keyLo: number, keyHi: number, dayFrom: number, dayTo: number, cells: Cells): void {
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    if (slot < 0) return;
    const to = seekAfter(branch, slot, dayTo);
    for (let index = branch.seek(slot, dayFrom); index < to; index++) {
      const lo = branch.valueLo(slot, index);
      cells.push(branch.day(slot, index), lo, branch.valueHi(slot, index));
    }
  }

  /** Takes away a counter's days in [dayFrom, dayTo]. The counter stays. */
  removeDays(keyLo: number, keyHi: number, dayFrom: number, dayTo: number): void {
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    if (slot >= 0) removeDays(branch, slot, dayFrom, dayTo);
  }

  /**
   * Takes away the days in [dayFrom, dayTo] of every counter with a key below `end`, zero being none.
   * At once for all who look; walk afterwards, then `settle`.
   */
  sweep(dayFrom: number, dayTo: number, endLo = 0, endHi = 0): void {
    const toEnd = endLo === 0 && endHi === 0;
    const covers = (older: Sweep) => toEnd && dayFrom <= older.dayFrom && older.dayTo <= dayTo;
    this.#sweeps = this.#sweeps.filter((older) => !covers(older));
    this.#sweeps.push({ serial: ++this.#serial, dayFrom, dayTo, endLo, endHi });
  }

  /** Forgets the sweeps that all branches have gone through. */
  settle(): void {
    const done = this.branches.reduce((least, branch) => Math.min(least, branch.swept), Infinity);
    this.#sweeps = this.#sweeps.filter((sweep) => sweep.serial > done);
  }

  /** Appends a branch that was filled elsewhere: a restored dump. It owns the keys from `start` on. */
  append(placed: Placed): void {
    const first = placed.startLo === 0 && placed.startHi === 0;
    assert(!first || this.keys === 0, "the first branch comes into an empty tree");
    if (first) this.#replace(0, this.branches.length, [placed]);
    else this.#replace(this.branches.length, 0, [placed]);
    placed.branch.swept = this.#serial;
  }

  #catchUp(branch: Branch): void {
    for (const { serial, dayFrom, dayTo, endLo, endHi } of this.#sweeps) {
      if (serial <= branch.swept) continue;
      const toEnd = endLo === 0 && endHi === 0;
      for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
        const isBelow = compareU64(branch.keyLo(slot), branch.keyHi(slot), endLo, endHi) < 0;
        if (toEnd || isBelow) removeDays(branch, slot, dayFrom, dayTo);
      }
    }
    branch.swept = this.#serial;
  }

  /** The slot of a key, taken now if it is new; -1 when the table is full. */
  #slotOf(branch: Branch, keyLo: number, keyHi: number): number {
    const slot = branch.locate(keyLo, keyHi);
    if (slot >= 0) return slot;
    if (!branch.hasSlot) {
      branch.wanted = 0;
      return -1;
    }
    branch.take(~slot, keyLo, keyHi);
    return ~slot;
  }

  #create(keyLo: number, keyHi: number): Branch {
    for (;;) {
      const index = this.indexOf(keyLo, keyHi);
      const branch = this.branchAt(index);
      if (this.#slotOf(branch, keyLo, keyHi) >= 0) return branch;
      this.#makeRoom(index, keyLo, keyHi);
    }
  }

  /** Whether a counter's total stays below 2^64 with so much more. */
  #fits(branch: Branch, slot: number, lo: number, hi: number): boolean {
    // Fewer than 2^30 values below 2^32 are below 2^62 together: only wide counters need adding up.
    if (hi < 0x80000000 && !branch.isWide(slot)) return true;
    branch.sum(slot, 0, branch.count(slot), this.#sum);
    const carry = this.#sum[0] + lo > LANE_MAX ? 1 : 0;
    return this.#sum[1] + hi + carry <= LANE_MAX;
  }

  /** Lays out a full branch anew, with its neighbours where it must, so that a change can be tried again. */
  #makeRoom(index: number, keyLo: number, keyHi: number): void {
    const branch = this.branches[index];
    const copy = compacted(branch, this.#pool);
    if (copy !== null) {
      this.branches[index] = copy;
      this.#pool.give(branch.words);
    } else if (this.#isFullLast(index) && isLast(branch, keyLo, keyHi)) {
      // Ids are often given out in order: what is full then stays full instead of being halved.
      this.#replace(index, 1, cutOff(this.#placed(index), keyLo, keyHi, this.#pool));
    } else {
      const [first, after] = chooseWindow(this.branches, index);
      const window: Placed[] = [];
      for (let at = first; at < after; at++) window.push(this.#placed(at));
      const endLo = after < this.branches.length ? this.#startsLo[after] : 0;
      const endHi = after < this.branches.length ? this.#startsHi[after] : 0;
      const growing = { keyLo, keyHi, words: branch.wanted };
      this.#replace(first, after - first, spread(window, endLo, endHi, this.#pool, growing));
    }
  }

  #isFullLast(index: number): boolean {
    return index === this.branches.length - 1 && this.branches[index].words.length >= BLOCK_WORDS;
  }

  #placed(index: number): Placed {
    const branch = this.branchAt(index);
    return { branch, startLo: this.#startsLo[index], startHi: this.#startsHi[index] };
  }

  #replace(index: number, count: number, placed: readonly Placed[]): void {
    for (const gone of this.branches.slice(index, index + count)) {
      if (!placed.some(({ branch }) => branch === gone)) this.#pool.give(gone.words);
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
  }
}

/** The index after a counter's last cell on `day` or earlier. */
export function seekAfter(branch: Branch, slot: number, day: number): number {
  const index = branch.seek(slot, day);
  return branch.found ? index + 1 : index;
}

function removeDays(branch: Branch, slot: number, dayFrom: number, dayTo: number): void {
  const from = branch.seek(slot, dayFrom);
  const to = seekAfter(branch, slot, dayTo);
  if (from < to) branch.remove(slot, from, to);
}

function doubled(lanes: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * lanes.length);
  larger.set(lanes);
  return larger;
}
