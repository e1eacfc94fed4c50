// Fine counters: what was charged below a day, beside the days of a tree.
//
// For each window that a tree was ever charged under (by its id), a hidden tree goes with it. Its "days" are the cells
// of command/fine_window.ts, or of token_bucket.ts, so that log, dumps and sweeps are those of all trees.
//
// Invariant: charges are records of a cell and a value, never of the moment at which they were made, so that replay
// gives the same. A counter of a token bucket has one cell at most.
// Trade-off: windows of different lengths have trees of their own, though one could be read from the other: what a
// window holds must not depend on which others a client has asked for.

import { LANE, u64ToBigInt } from "../bytes/mod.ts";
import {
  DAY_MAX,
  type FineWindow,
  firstCell,
  lastCell,
  leavesAt,
  NEVER,
  type TokenBucket,
} from "../command/mod.ts";
import type { Outcome, StateWriter } from "../state/mod.ts";
import { besideName, Cells, sumDays, type Tree } from "../tree/mod.ts";
import {
  cellOf,
  msOf,
  tokensMissing,
  unitsAhead,
  unitsIn,
  unitsMax,
  unitsWith,
} from "./token_bucket.ts";

/** The most windows below a day of one tree: each takes memory until all that it holds has left. */
export const FINE_WINDOWS_MAX = 64;

/** More cells than any window sees, unless the clock was wrong for long. */
const CELLS_MAX = 4096;

export class FineCounters {
  readonly #stateWriter: StateWriter;
  readonly #cells = new Cells();
  /** The moment of the turn, in ms since 1970. */
  nowMs = 0;

  constructor(stateWriter: StateWriter) {
    this.#stateWriter = stateWriter;
  }

  /** What a window holds of a counter of `owner`, which need not be there; the lanes go to `sum`. */
  used(
    window: FineWindow,
    owner: Tree | null,
    keyLo: number,
    keyHi: number,
    sum: Uint32Array,
  ): void {
    sum[0] = sum[1] = 0;
    const tree = treeOf(window, owner);
    if (tree === null) return;
    if (window.bucket !== null) {
      const missing = tokensMissing(
        window.bucket,
        this.#ahead(window, window.bucket, tree, keyLo, keyHi),
      );
      sum[0] = missing % LANE;
      sum[1] = Math.floor(missing / LANE);
      return;
    }
    const slot = tree.locate(keyLo, keyHi);
    if (slot < 0) return;
    sumDays(tree.located, slot, firstCell(window, this.nowMs), lastCell(window, this.nowMs), sum);
  }

  /** Whether a charge under a window needs one hidden tree more than `owner` may have. */
  isCrowded(window: FineWindow, owner: Tree | null): boolean {
    const beside = owner?.beside ?? null;
    return beside !== null && beside.size >= FINE_WINDOWS_MAX && !beside.has(window.id);
  }

  /** Charges a counter under a window; what is done is noted for undoing. */
  charge(
    window: FineWindow,
    owner: Tree,
    keyLo: number,
    keyHi: number,
    lo: number,
    hi: number,
  ): Outcome {
    const { undo } = this.#stateWriter;
    let tree = treeOf(window, owner);
    if (tree === null) {
      const made = this.#stateWriter.create(besideName(owner.serial, window.id));
      if (made !== "done") return made;
      tree = owner.beside!.get(window.id)!;
      undo.made(tree);
    }
    if (window.bucket !== null) {
      const ahead = this.#ahead(window, window.bucket, tree, keyLo, keyHi);
      const units = unitsWith(window.bucket, ahead, lo, hi);
      return this.#put(window, window.bucket, tree, keyLo, keyHi, units);
    }
    const cell = this.cellOf(window, owner, keyLo, keyHi);
    const outcome = this.#stateWriter.add(tree, keyLo, keyHi, cell, lo, hi);
    if (outcome === "done") undo.added(tree, keyLo, keyHi, cell, lo, hi);
    return outcome;
  }

  /** The cell that a charge goes to, or went to in this turn. */
  cellOf(window: FineWindow, owner: Tree, keyLo: number, keyHi: number): number {
    const tree = treeOf(window, owner);
    if (window.shape === "first" && tree !== null) {
      const begun = tree.firstDay(keyLo, keyHi, firstCell(window, this.nowMs));
      if (begun > 0 && begun <= lastCell(window, this.nowMs)) return begun;
    }
    return Math.floor(this.nowMs / window.cellMs);
  }

  /** Gives back what was charged to a cell, at most what it holds; to a bucket, until it is full. */
  refund(
    window: FineWindow,
    owner: Tree,
    keyLo: number,
    keyHi: number,
    cell: number,
    lo: number,
    hi: number,
  ): void {
    const tree = treeOf(window, owner);
    if (tree === null || tree.count(keyLo, keyHi) <= 0) return;
    const { bucket } = window;
    if (bucket === null) {
      if (tree.countIn(keyLo, keyHi, cell, cell) === 0) return;
      this.#stateWriter.subtract(tree, keyLo, keyHi, cell, lo, hi);
      return;
    }
    const ahead = this.#ahead(window, bucket, tree, keyLo, keyHi);
    const back = unitsWith(bucket, 0, lo, hi);
    this.#put(window, bucket, tree, keyLo, keyHi, Math.max(0, ahead - back));
  }

  /** When what a window holds of a counter becomes less by itself, in ms since 1970, or NEVER. */
  resetsAtMs(window: FineWindow, owner: Tree | null, keyLo: number, keyHi: number): number {
    if (window.shape === "clock") return leavesAt(window, Math.floor(this.nowMs / window.cellMs));
    const tree = treeOf(window, owner);
    if (tree === null) return NEVER;
    if (window.bucket !== null) {
      const ahead = this.#ahead(window, window.bucket, tree, keyLo, keyHi);
      return ahead === 0 ? NEVER : this.nowMs + msOf(window.bucket, ahead);
    }
    const oldest = tree.firstDay(keyLo, keyHi, firstCell(window, this.nowMs));
    const isSeen = oldest > 0 && oldest <= lastCell(window, this.nowMs);
    return isSeen ? leavesAt(window, oldest) : NEVER;
  }

  /** The first moment at which a window has room for a cost that was refused, in ms since 1970, or NEVER. */
  retryAtMs(
    window: FineWindow,
    owner: Tree | null,
    keyLo: number,
    keyHi: number,
    max: bigint,
    cost: bigint,
  ): number {
    const tree = treeOf(window, owner);
    if (cost > max) return NEVER;
    if (tree === null) return this.nowMs;
    const { bucket } = window;
    if (bucket !== null) {
      const ahead = this.#ahead(window, bucket, tree, keyLo, keyHi);
      const over = ahead + Number(cost) * bucket.perMs - unitsMax(bucket);
      return this.nowMs + msOf(bucket, Math.max(0, over));
    }
    const cells = this.#cells;
    cells.clear();
    tree.collect(keyLo, keyHi, firstCell(window, this.nowMs), DAY_MAX, cells, CELLS_MAX);
    return roomAtMs(window, cells, max - cost, this.nowMs);
  }

  /** The units that lie ahead of a counter of a token bucket. */
  #ahead(
    { cellMs }: FineWindow,
    bucket: TokenBucket,
    tree: Tree,
    keyLo: number,
    keyHi: number,
  ): number {
    const slot = tree.locate(keyLo, keyHi);
    const branch = tree.located;
    if (slot < 0 || branch.count(slot) === 0) return 0;
    const newest = branch.count(slot) - 1;
    const units = branch.valueHi(slot, newest) * LANE + branch.valueLo(slot, newest);
    return unitsAhead(bucket, cellMs, branch.day(slot, newest), units, this.nowMs);
  }

  /** Keeps what lies ahead of a counter of a token bucket, in its one cell. */
  #put(
    { cellMs }: FineWindow,
    bucket: TokenBucket,
    tree: Tree,
    keyLo: number,
    keyHi: number,
    ahead: number,
  ): Outcome {
    const { undo } = this.#stateWriter;
    const old = tree.firstDay(keyLo, keyHi, 0);
    const cell = ahead === 0 ? 0 : cellOf(bucket, cellMs, ahead, this.nowMs);
    if (old > 0 && old !== cell) {
      const outcome = this.#stateWriter.set(tree, keyLo, keyHi, old, 0, 0);
      if (outcome !== "done") return outcome;
      undo.replaced(tree, keyLo, keyHi, old);
    }
    if (ahead === 0) return "done";
    const units = unitsIn(bucket, cellMs, cell, ahead, this.nowMs);
    const [lo, hi] = [units % LANE, Math.floor(units / LANE)];
    const outcome = this.#stateWriter.set(tree, keyLo, keyHi, cell, lo, hi);
    if (outcome === "done") undo.replaced(tree, keyLo, keyHi, cell);
    return outcome;
  }
}

function treeOf(window: FineWindow, owner: Tree | null): Tree | null {
  if (owner === null || owner.beside === null) return null;
  return owner.beside.get(window.id) ?? null;
}

/** The first moment after `nowMs` at which a cell leaves and no more than `room` is left of the others. */
function roomAtMs(
  window: FineWindow,
  { words, count }: Cells,
  room: bigint,
  nowMs: number,
): number {
  let used = 0n;
  let next = 0;
  for (let index = 0; index < count; index++) {
    const leavesMs = leavesAt(window, words[3 * index]);
    const seen = lastCell(window, leavesMs);
    for (; next < count && words[3 * next] <= seen; next++) used += valueOf(words, next);
    used -= valueOf(words, index);
    if (leavesMs > nowMs && used <= room) return leavesMs;
  }
  return count === 0 ? nowMs : NEVER;
}

function valueOf(words: Uint32Array, index: number): bigint {
  return u64ToBigInt(words[3 * index + 1], words[3 * index + 2]);
}
