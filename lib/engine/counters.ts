// Counters: the operations on single counters, on batches of them, and on all counters of a tree.
//
// Invariant: each function is synchronous and either makes the whole change or none, and then says why. An operation
// on all counters of a tree takes effect at once for every reader; `swept` names the trees that must be swept
// before the reply leaves.

import { u64ToBigInt } from "../bytes/mod.ts";
import {
  COUNTER_WORDS,
  type Data,
  DAY_MAX,
  ITEM_WORDS,
  KEY,
  KEY_WORDS,
  readBatch,
  type Reply,
  type Request,
  SUM_WORDS,
  VALUE,
} from "../command/mod.ts";
import { pace } from "../host/mod.ts";
import type { Statistics } from "../metrics/mod.ts";
import {
  applyRangeDeletes,
  isApplied,
  type Outcome,
  overflow,
  type StateWriter,
  type TreeResolver,
} from "../state/mod.ts";
import { DayWalk, type Forest, STEP_CELLS, type Tree, Walk } from "../tree/mod.ts";

const decoder = new TextDecoder();

/** Sums between two looks at the clock: of counters with millions of days they take 0.3 ms. */
const STRIDE = 32;

export class Counters {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;
  readonly #treeResolver: TreeResolver;
  readonly #statistics: Statistics;
  readonly #queryTimeoutMs: number;
  readonly #sum = new Uint32Array(2);
  /** The day and the moment of the turn, in ms since 1970; the engine sets both. */
  today = 0;
  nowMs = 0;
  /** Trees of which all counters were changed. */
  swept: Tree[] = [];

  /** `queryTimeoutMs`: how long a reply about a whole tree may take in protocol v2; 0: as long as it takes. */
  constructor(
    forest: Forest,
    stateWriter: StateWriter,
    treeResolver: TreeResolver,
    statistics: Statistics,
    queryTimeoutMs: number,
  ) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
    this.#treeResolver = treeResolver;
    this.#statistics = statistics;
    this.#queryTimeoutMs = queryTimeoutMs;
  }

  drop(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return;
    reply.shape = "ok";
    isApplied(this.#stateWriter.drop(tree), reply);
  }

  increment(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return;
    const { lanes } = request;
    const day = this.#dayOf(request);
    const lo = lanes[VALUE];
    const hi = lanes[VALUE + 1];
    const outcome = this.#stateWriter.add(tree, lanes[KEY], lanes[KEY + 1], day, lo, hi);
    if (outcome === "done") return reply.number(lo, hi);
    if (outcome === "overflow") return overflow(reply, "", lanes[KEY], lanes[KEY + 1], day);
    isApplied(outcome, reply);
  }

  decrement(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return;
    const { lanes } = request;
    const day = this.#dayOf(request);
    const lo = lanes[VALUE];
    const hi = lanes[VALUE + 1];
    reply.number(lo, hi);
    isApplied(this.#stateWriter.subtract(tree, lanes[KEY], lanes[KEY + 1], day, lo, hi), reply);
  }

  /** The day of a change: that it names, or today. */
  #dayOf(request: Request): number {
    return request.day === 0 ? request.today(this.today, this.nowMs) : request.day;
  }

  addAll(request: Request, reply: Reply): void {
    const { items } = request;
    if (this.#changeAll(request, reply, (tree) => this.#stateWriter.addAll(tree, items))) {
      reply.shape = "tally";
      reply.count = items.count;
      reply.lanes.set(items.total);
    }
  }

  setAll(request: Request, reply: Reply): void {
    const { items } = request;
    reply.shape = "applied";
    reply.count = items.count;
    if (items.count === 0 && this.#treeResolver.peek(request) === null) return; // nothing, not even a tree
    this.#changeAll(request, reply, (tree) => this.#stateWriter.setAll(tree, items));
  }

  /** Does a batch to a tree. False: the reply says why not, and a tree created for it is gone again. */
  #changeAll(request: Request, reply: Reply, change: (tree: Tree) => Outcome): boolean {
    const { items } = request;
    if (items.isBeyond) {
      reply.fail("validation_error", "Batch total overflow");
      return false;
    }
    if (!isApplied(this.#stateWriter.reserve(1, 0, items.count) ? "done" : "full", reply)) {
      return false;
    }
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return false;
    const { isNew } = this.#treeResolver;
    const outcome = change(tree);
    if (outcome === "overflow") {
      const [keyLo, keyHi, day] = items.words.subarray(
        ITEM_WORDS * this.#stateWriter.overflowIndex,
      );
      overflow(reply, "in batch item ", keyLo, keyHi, day);
    }
    if (outcome !== "done" && isNew) this.#stateWriter.drop(tree);
    this.#statistics.batchWrites++;
    this.#statistics.batchWriteItems += items.count;
    return isApplied(outcome, reply);
  }

  sum(request: Request, reply: Reply): void {
    const { lanes, dayFrom, dayTo } = request;
    const tree = this.#treeResolver.find(request, reply);
    reply.number(0, 0);
    tree?.sum(lanes[KEY], lanes[KEY + 1], dayFrom, dayTo, reply.lanes);
  }

  sumAll(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return;
    const { dayFrom, dayTo } = request;
    const { count, words } = request.items;
    reply.beginSums(count);
    const { sums } = reply;
    const sum = this.#sum;
    const read = (index: number) => {
      const lo = words[KEY_WORDS * index];
      const hi = words[KEY_WORDS * index + 1];
      tree.sum(lo, hi, dayFrom, dayTo, sum);
      const to = SUM_WORDS * index;
      sums[to] = lo;
      sums[to + 1] = hi;
      sums[to + 2] = sum[0];
      sums[to + 3] = sum[1];
      return true;
    };
    readBatch(reply, count, STRIDE, read, () => this.#countBatch(count));
  }

  #countBatch(keys: number): void {
    this.#statistics.batchReads++;
    this.#statistics.batchReadKeys += keys;
  }

  sumAcross(request: Request, reply: Reply): void {
    const { bytes, dayFrom, dayTo, items: { count, words } } = request;
    const sums: Data[] = [];
    const read = (index: number) => {
      const [nameStart, nameEnd, lo, hi] = words.subarray(COUNTER_WORDS * index);
      const tree = this.#forest.find(bytes, nameStart, nameEnd);
      if (tree === null) {
        reply.notFound("Tree", bytes.slice(nameStart, nameEnd));
        return false;
      }
      tree.sum(lo, hi, dayFrom, dayTo, this.#sum);
      const series = decoder.decode(bytes.subarray(nameStart, nameEnd));
      const value = u64ToBigInt(this.#sum[0], this.#sum[1]);
      sums.push({ series, key: u64ToBigInt(lo, hi), value });
      return true;
    };
    readBatch(reply, count, STRIDE, read, () => {
      reply.object(sums);
      this.#countBatch(count);
    });
  }

  find(request: Request, reply: Reply): void {
    const { lanes, dayFrom, dayTo } = request;
    const tree = this.#treeResolver.find(request, reply);
    reply.shape = "cells";
    reply.cells.clear();
    if (tree === null) return;
    const [lo, hi] = [lanes[KEY], lanes[KEY + 1]];
    if (tree.countIn(lo, hi, dayFrom, dayTo) <= STEP_CELLS) {
      return tree.collect(lo, hi, dayFrom, dayTo, reply.cells);
    }
    reply.shape = "counters";
    reply.days = new DayWalk(tree, lo, hi, dayFrom, dayTo);
    reply.deadline = this.#deadline(request);
  }

  findAll(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    reply.cells.clear();
    reply.shape = tree === null ? "cells" : "counters";
    reply.walk = tree === null ? null : new Walk(tree);
    reply.deadline = this.#deadline(request);
  }

  #deadline({ isBounded }: Request): number {
    const isTimed = isBounded && this.#queryTimeoutMs > 0;
    return isTimed ? performance.now() + this.#queryTimeoutMs : Infinity;
  }

  /** Takes days of one counter away: `reset` all, `delete` those of a range. */
  removeDays(request: Request, reply: Reply, shape: "ok" | "true"): void {
    const { lanes, dayFrom, dayTo, touches } = request;
    const [lo, hi] = [lanes[KEY], lanes[KEY + 1]];
    // For a tree too, if one is created: without room for all of it there is to be none.
    const isChange = request.missing === "create" || this.#treeResolver.peek(request) !== null;
    if (isChange && !this.#stateWriter.reserve(3, 0, 0)) return void isApplied("full", reply);
    const tree = this.#treeResolver.find(request, reply);
    reply.shape = shape;
    if (tree === null) return;
    if (touches && !isApplied(this.#stateWriter.touch(tree, lo, hi), reply)) return;
    isApplied(this.#stateWriter.remove(tree, lo, hi, dayFrom, dayTo), reply);
  }

  /** Takes all days of many counters away, or those of a range. */
  removeKeys(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return;
    const { hasRange, dayFrom, dayTo, items: { count, words } } = request;
    if (!this.#stateWriter.reserve(0, 0, count)) return void isApplied("full", reply);
    let removed = 0;
    let missing = 0;
    for (let at = 0; at < KEY_WORDS * count; at += KEY_WORDS) {
      const [lo, hi] = [words[at], words[at + 1]];
      if (tree.count(lo, hi) <= 0) missing++;
      else if (tree.countIn(lo, hi, dayFrom, dayTo) > 0) {
        this.#stateWriter.remove(tree, lo, hi, dayFrom, dayTo);
        removed++;
      }
    }
    reply.object(hasRange ? { deleted: removed, missing } : { reset: removed, missing });
    this.#statistics.batchWrites++;
    this.#statistics.batchWriteItems += count;
  }

  /** Takes days of all counters of a tree away. */
  sweep(request: Request, reply: Reply, shape: "ok" | "true"): void {
    const tree = this.#treeResolver.find(request, reply);
    reply.shape = shape;
    if (tree === null) return;
    if (isApplied(this.#stateWriter.sweep(tree, request.dayFrom, request.dayTo), reply)) {
      this.swept.push(tree);
    }
  }

  deleteBefore(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    reply.shape = "ok";
    if (tree === null || !this.#stateWriter.reserve(2, 0, 0) && !isApplied("full", reply)) return;
    if (request.dayTo >= 0) this.#stateWriter.sweep(tree, 0, Math.min(request.dayTo, DAY_MAX));
    this.#compact(tree, reply);
    this.#statistics.retentions++;
  }

  compact(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree !== null) this.#compact(tree, reply);
    if (tree !== null) this.#statistics.compactions++;
  }

  /** Compacts each tree, one after the other: all at once, fifty thousand would be one long turn. */
  async compactAll(reply: Reply): Promise<void> {
    const forest = this.#forest;
    const pause = pace();
    reply.shape = "ok";
    this.#statistics.compactions++;
    for (
      let tree = forest.visibleAfter(0);
      tree !== null;
      tree = forest.visibleAfter(tree.serial)
    ) {
      await pause();
      if (!forest.has(tree) || tree.keys === 0) continue;
      if (!isApplied(this.#stateWriter.compact(tree), reply)) return;
      await applyRangeDeletes(tree);
    }
  }

  #compact(tree: Tree, reply: Reply): void {
    reply.shape = "ok";
    if (isApplied(this.#stateWriter.compact(tree), reply)) this.swept.push(tree);
  }
}
