// Batches: the operations on many counters of a tree, or of several, in one request.
//
// Invariant: each function is synchronous, but for readings, and either makes the whole change or none, and then says
// why. Keys that are names are looked up one by one; those that are numbers never pay for that.

import { u64ToBigInt } from "../bytes/mod.ts";
import {
  COUNTER_WORDS,
  type Data,
  ITEM_WORDS,
  KEY_WORDS,
  readBatch,
  type Reply,
  type Request,
  SUM_WORDS,
} from "../command/mod.ts";
import { emptyWindows, windowCount } from "../limits/mod.ts";
import type { Statistics } from "../metrics/mod.ts";
import {
  batchRecords,
  isApplied,
  type Outcome,
  overflow,
  type StateWriter,
  type TreeResolver,
} from "../state/mod.ts";
import type { Forest, Tree } from "../tree/mod.ts";

const decoder = new TextDecoder();

/** Sums between two looks at the clock: of counters with millions of days they take 0.3 ms. */
const STRIDE = 32;

export class Batches {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;
  readonly #treeResolver: TreeResolver;
  readonly #statistics: Statistics;
  readonly #sum = new Uint32Array(2);
  readonly #id = new Uint32Array(2);
  /** The server's day; the engine sets it. */
  today = 0;

  constructor(
    forest: Forest,
    stateWriter: StateWriter,
    treeResolver: TreeResolver,
    statistics: Statistics,
  ) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
    this.#treeResolver = treeResolver;
    this.#statistics = statistics;
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
    const isRoom = this.#stateWriter.reserve(batchRecords(items), 0, items.count);
    if (!isApplied(isRoom ? "done" : "full", reply)) return false;
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return false;
    const { isNew } = this.#treeResolver;
    const outcome = this.#treeResolver.change(tree, request, reply, () => change(tree));
    if (outcome === "overflow") {
      const day = items.words[ITEM_WORDS * this.#stateWriter.overflowIndex + 2];
      overflow(reply, "in batch item ", this.#treeResolver.overflowKey, day);
    }
    if (outcome !== "done" && isNew) this.#stateWriter.drop(tree);
    this.#statistics.batchWrites++;
    this.#statistics.batchWriteItems += items.count;
    return isApplied(outcome, reply);
  }

  sumAll(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return;
    const { dayFrom, dayTo } = request;
    const { items } = request;
    const { count, words } = items;
    reply.beginSums(count);
    const { sums } = reply;
    const sum = this.#sum;
    const read = (index: number) => {
      const lo = words[KEY_WORDS * index];
      const hi = words[KEY_WORDS * index + 1];
      if (items.isName(index)) {
        const part = this.#treeResolver.seek(tree, request, index, KEY_WORDS * index, this.#id);
        part.sum(this.#id[0], this.#id[1], dayFrom, dayTo, sum);
        (reply.sumNames ??= [])[index] = request.bytes.slice(lo, hi);
      } else {
        tree.sum(lo, hi, dayFrom, dayTo, sum);
      }
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
    const { bytes, dayFrom, dayTo, items } = request;
    const { count, words } = items;
    const sums: Data[] = [];
    const read = (index: number) => {
      const [nameStart, nameEnd, lo, hi] = words.subarray(COUNTER_WORDS * index);
      const tree = this.#forest.find(bytes, nameStart, nameEnd);
      if (tree === null) {
        reply.notFound("Tree", bytes.slice(nameStart, nameEnd));
        return false;
      }
      const part = this.#treeResolver.seek(
        tree,
        request,
        index,
        COUNTER_WORDS * index + 2,
        this.#id,
      );
      part.sum(this.#id[0], this.#id[1], dayFrom, dayTo, this.#sum);
      const key = items.isName(index)
        ? decoder.decode(bytes.subarray(lo, hi))
        : u64ToBigInt(lo, hi);
      const series = decoder.decode(bytes.subarray(nameStart, nameEnd));
      const value = u64ToBigInt(this.#sum[0], this.#sum[1]);
      sums.push({ series, key, value });
      return true;
    };
    readBatch(reply, count, STRIDE, read, () => {
      reply.object(sums);
      this.#countBatch(count);
    });
  }

  /** Takes all days of many counters away, or those of a range. */
  removeKeys(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return;
    const { hasRange, dayFrom, dayTo, items: { count } } = request;
    if (!this.#stateWriter.reserve(0, 0, count * (1 + windowCount(tree)))) {
      return void isApplied("full", reply);
    }
    let removed = 0;
    let missing = 0;
    for (let index = 0; index < count; index++) {
      const part = this.#treeResolver.seek(tree, request, index, KEY_WORDS * index, this.#id);
      const [lo, hi] = this.#id;
      if (part.count(lo, hi) <= 0) missing++;
      else if (part.countIn(lo, hi, dayFrom, dayTo) > 0) {
        this.#stateWriter.remove(part, lo, hi, dayFrom, dayTo);
        emptyWindows(this.#stateWriter, part, lo, hi, request, this.today);
        removed++;
      }
    }
    reply.object(hasRange ? { deleted: removed, missing } : { reset: removed, missing });
    this.#statistics.batchWrites++;
    this.#statistics.batchWriteItems += count;
  }
}
