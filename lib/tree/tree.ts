// A tree: a named set of counters, as branches that each own a range of keys (ranges.ts).
//
// Invariant: no cell is zero; the sum of a counter's days fits 64 bits. An operation that would break
// the latter, or takes more memory than there is, is refused unchanged (`refusal` tells which).
// Trade-off: the total of a counter is not stored but added up: 8 bytes a key less, and it can't drift.

import { assert } from "../assert.ts";
import { type Budget, compareU64, LANE, LANE_MAX } from "../bytes/mod.ts";
import type { Branch } from "./branch.ts";
import type { CellColumns, Cells } from "./cells.ts";
import { Ranges } from "./ranges.ts";
import { runRoom } from "./run.ts";

const DAY_MAX = 0xffffffff;
const encoder = new TextEncoder();

/** One for all trees: it is good until the next change. */
const oldValue = new Uint32Array(2);

/** What a tree takes beside its name and its arrays, the forest's tables included (measured: 400). */
const TREE_BYTES = 448;

/** Why a change was refused: a sum would pass 2^64-1, or it takes more memory than there is. */
export type Refusal = "overflow" | "memory";

export class Tree extends Ranges {
  name: string;
  /** What the forest knows it by, given when it is put there. */
  number = -1;
  serial = 0;
  /** Whether anything may have changed it since it was marked. */
  isChanged = true;
  /** The last record of the log when it was marked; -1: it never was. */
  markLsn = -1;
  /** Its counters whose keys are names (named_tree.ts); null: there were none yet. */
  named: Tree | null = null;
  /** After `add`, `subtract`, `set` and `touch`: whether it created the counter. */
  created = false;
  /** Hidden trees that go with this one (beside_trees.ts), by their purpose; null: there was none yet. */
  beside: Map<string, Tree> | null = null;
  /** After `add`, `subtract`, `set` or `touch` was refused: why. */
  refusal: Refusal = "overflow";
  /** After `locate`: the branch that the slot is in. */
  located: Branch = this.branches[0];

  constructor(name: string, budget?: Budget) {
    super(budget);
    this.name = name;
    this.blocks.count(treeBytes(name));
  }

  /** The name as clients write it. */
  get nameBytes(): Uint8Array<ArrayBuffer> {
    return encoder.encode(this.name);
  }

  /** After `set`: the lanes of the value that the day had before, zero being none. */
  get old(): Uint32Array {
    return oldValue;
  }

  /** Gives it another name; for the forest, which finds it by that. */
  rename(name: string): void {
    this.blocks.count(treeBytes(name) - treeBytes(this.name));
    this.name = name;
  }

  /** Notes that it is unchanged since a record, until something changes it. */
  mark(lsn: number): void {
    this.isChanged = false;
    this.markLsn = lsn;
    this.named?.mark(lsn);
  }

  /** Adds a value to a day of a counter, which it creates. False: refused, no change. */
  add(keyLo: number, keyHi: number, day: number, lo: number, hi: number): boolean {
    this.created = false;
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
        if (newHi > LANE_MAX || !fits(branch, slot, lo, hi)) return this.#refuse("overflow");
        if (newLo === 0 && newHi === 0) return true;
        const done = found
          ? branch.store(slot, cell, newLo, newHi)
          : branch.insert(slot, cell, day, newLo, newHi);
        if (done) {
          if (!found) this.counts.cells++;
          this.counts.add(lo, hi);
          return true;
        }
      }
      if (!branch.longs.takeRefusal() && this.makeRoom(index, keyLo, keyHi)) continue;
      if (this.created) this.forget(keyLo, keyHi);
      return this.#refuse("memory");
    }
  }

  /**
   * Takes a value, or what there is if that is less, from a day of a counter, which it creates. False: refused,
   * no change.
   */
  subtract(keyLo: number, keyHi: number, day: number, lo: number, hi: number): boolean {
    const branch = this.#create(keyLo, keyHi);
    if (branch === null) return false;
    const slot = branch.locate(keyLo, keyHi);
    const cell = branch.seek(slot, day);
    if (!branch.found) return true;
    const oldLo = branch.valueLo(slot, cell);
    const oldHi = branch.valueHi(slot, cell);
    if (compareU64(oldLo, oldHi, lo, hi) <= 0) {
      this.counts.add(-oldLo, -oldHi);
      this.counts.cells--;
      branch.remove(slot, cell, cell + 1);
      return true;
    }
    this.counts.add(-lo, -hi);
    const borrow = oldLo < lo ? 1 : 0;
    const done = branch.store(slot, cell, oldLo - lo + borrow * LANE, oldHi - hi - borrow);
    assert(done, "a smaller value needs no room");
    return true;
  }

  /**
   * Gives a day of a counter, which it creates, exactly this value; zero takes the day away. `old`
   * tells what it was. False: refused, no change.
   */
  set(keyLo: number, keyHi: number, day: number, lo: number, hi: number): boolean {
    const branch = this.#create(keyLo, keyHi);
    if (branch === null) return false;
    const { created, old } = this;
    const slot = branch.locate(keyLo, keyHi);
    const cell = branch.seek(slot, day);
    old[0] = branch.found ? branch.valueLo(slot, cell) : 0;
    old[1] = branch.found ? branch.valueHi(slot, cell) : 0;
    const [oldLo, oldHi] = old;
    let done = true;
    if (compareU64(lo, hi, oldLo, oldHi) < 0) {
      const borrow = oldLo < lo ? 1 : 0;
      this.subtract(keyLo, keyHi, day, oldLo - lo + borrow * LANE, oldHi - hi - borrow);
    } else {
      const borrow = lo < oldLo ? 1 : 0;
      done = this.add(keyLo, keyHi, day, lo - oldLo + borrow * LANE, hi - oldHi - borrow);
    }
    if (!done && created) this.forget(keyLo, keyHi);
    this.created = done && created;
    return done;
  }

  /** Creates a counter without cells, unless there is one. False: refused, no change. */
  touch(keyLo: number, keyHi: number): boolean {
    return this.#create(keyLo, keyHi) !== null;
  }

  /**
   * Gives a counter, which it creates, exactly these cells, in a run of that width. False: there is no room
   * for them without laying out anything anew, no change.
   */
  fill(keyLo: number, keyHi: number, width: number, cells: CellColumns, count: number): boolean {
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    if (runRoom(count, width) > branch.freeWords) return false;
    const slot = this.#slotOf(branch, keyLo, keyHi);
    if (slot < 0) return false;
    this.counts.remove(branch, slot, 0, DAY_MAX);
    branch.fill(slot, width, cells, 0, count);
    branch.sum(slot, 0, count, total);
    this.counts.add(total[0], total[1]);
    this.counts.cells += count;
    return true;
  }

  /** Takes a counter without cells out of the tree, as if it had never been there: what `created` undone is. */
  forget(keyLo: number, keyHi: number): void {
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    if (slot < 0) return;
    assert(branch.count(slot) === 0, "a counter that is forgotten has no cells");
    branch.give(slot);
    this.counts.keys--;
    this.tally.keys--;
  }

  /** How many days a counter has; -1 when there is no such counter. */
  count(keyLo: number, keyHi: number): number {
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    return slot < 0 ? -1 : branch.count(slot);
  }

  /** How many of a counter's days are in [dayFrom, dayTo]. */
  countIn(keyLo: number, keyHi: number, dayFrom: number, dayTo: number): number {
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    if (slot < 0) return 0;
    return Math.max(0, branch.seekAfter(slot, dayTo) - branch.seek(slot, dayFrom));
  }

  /** The first day of a counter that is not before a day; 0: it has none. */
  firstDay(keyLo: number, keyHi: number, dayFrom: number): number {
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    if (slot < 0) return 0;
    const cell = branch.seek(slot, dayFrom);
    return cell < branch.count(slot) ? branch.day(slot, cell) : 0;
  }

  /**
   * The slot of a counter in its branch, `located`; negative when there is no such counter. For several
   * questions about one counter: good until the tree changes.
   */
  locate(keyLo: number, keyHi: number): number {
    this.located = this.branchAt(this.indexOf(keyLo, keyHi));
    return this.located.locate(keyLo, keyHi);
  }

  /** Adds up a counter's days in [dayFrom, dayTo]; the sum's lanes go to `sum`. */
  sum(keyLo: number, keyHi: number, dayFrom: number, dayTo: number, sum: Uint32Array): void {
    sum[0] = sum[1] = 0;
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    if (slot >= 0) sumDays(branch, slot, dayFrom, dayTo, sum);
  }

  /** Appends a counter's days in [dayFrom, dayTo], at most so many, and their values to `cells`. */
  collect(
    keyLo: number,
    keyHi: number,
    dayFrom: number,
    dayTo: number,
    cells: Cells,
    countMax = Infinity,
  ): void {
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    if (slot < 0) return;
    const end = branch.seekAfter(slot, dayTo);
    const from = branch.seek(slot, dayFrom);
    const to = Math.min(end, from + countMax);
    for (let index = from; index < to; index++) {
      const lo = branch.valueLo(slot, index);
      cells.push(branch.day(slot, index), lo, branch.valueHi(slot, index));
    }
  }

  /** Takes away a counter's days in [dayFrom, dayTo]. The counter stays. */
  removeDays(keyLo: number, keyHi: number, dayFrom: number, dayTo: number): void {
    const branch = this.branchAt(this.indexOf(keyLo, keyHi));
    const slot = branch.locate(keyLo, keyHi);
    if (slot >= 0) this.counts.remove(branch, slot, dayFrom, dayTo);
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
    this.counts.keys++;
    this.tally.keys++;
    this.created = true;
    return ~slot;
  }

  /** The branch of a counter, which it creates; null: refused. */
  #create(keyLo: number, keyHi: number): Branch | null {
    this.created = false;
    for (;;) {
      const index = this.indexOf(keyLo, keyHi);
      const branch = this.branchAt(index);
      if (this.#slotOf(branch, keyLo, keyHi) >= 0) return branch;
      if (this.makeRoom(index, keyLo, keyHi)) continue;
      this.#refuse("memory");
      return null;
    }
  }

  #refuse(refusal: Refusal): false {
    this.created = false;
    this.refusal = refusal;
    return false;
  }
}

/** What an empty tree takes, with its name, which is there as a string, and as bytes between gaps. */
export function treeBytes(name: string): number {
  return TREE_BYTES + 4 * name.length;
}

/** Scratch: the lanes of a counter's total. */
const total = new Uint32Array(2);

/** Adds up the days in [dayFrom, dayTo] of a counter in a branch; the sum's lanes go to `sum`. */
export function sumDays(
  branch: Branch,
  slot: number,
  dayFrom: number,
  dayTo: number,
  sum: Uint32Array,
): void {
  const from = branch.seek(slot, dayFrom);
  branch.sum(slot, from, Math.max(from, branch.seekAfter(slot, dayTo)), sum);
}

/** Whether the total of a counter in a branch stays below 2^64 with so much more. */
export function fits(branch: Branch, slot: number, lo: number, hi: number): boolean {
  // Fewer than 2^30 values below 2^32 are below 2^62 together: only wide counters need adding up.
  if (hi < 0x80000000 && !branch.isWide(slot)) return true;
  branch.sum(slot, 0, branch.count(slot), total);
  const carry = total[0] + lo > LANE_MAX ? 1 : 0;
  return total[1] + hi + carry <= LANE_MAX;
}
