// Counters: the operations on single counters, and on all counters of a tree.
//
// Invariant: each function is synchronous and either makes the whole change or none, and then says why. An operation
// on all counters of a tree takes effect at once for every reader; `swept` names the trees that must be swept
// before the reply leaves.

import { DAY_MAX, KEY, type Reply, type Request, VALUE } from "../command/mod.ts";
import { dropWindows, emptyWindows, windowCount } from "../limits/mod.ts";
import type { Statistics } from "../metrics/mod.ts";
import {
  compactEach,
  isApplied,
  type Outcome,
  overflow,
  type StateWriter,
  type TreeResolver,
} from "../state/mod.ts";
import { DayWalk, type Forest, partsOf, STEP_CELLS, type Tree, Walk } from "../tree/mod.ts";

export class Counters {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;
  readonly #treeResolver: TreeResolver;
  readonly #statistics: Statistics;
  readonly #queryTimeoutMs: number;
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
    const tree = this.#treeResolver.counter(request, reply, true);
    if (tree === null) return;
    const { lanes } = request;
    const day = this.#dayOf(request);
    const lo = lanes[VALUE];
    const hi = lanes[VALUE + 1];
    const outcome = this.#stateWriter.add(tree, lanes[KEY], lanes[KEY + 1], day, lo, hi);
    if (outcome === "done") return reply.number(lo, hi);
    if (outcome === "overflow") return overflow(reply, "", request.keyText, day);
    isApplied(outcome, reply);
  }

  decrement(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.counter(request, reply, true);
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

  sum(request: Request, reply: Reply): void {
    const { lanes, dayFrom, dayTo } = request;
    const tree = this.#treeResolver.counter(request, reply, false);
    reply.number(0, 0);
    tree?.sum(lanes[KEY], lanes[KEY + 1], dayFrom, dayTo, reply.lanes);
  }

  find(request: Request, reply: Reply): void {
    const { lanes, dayFrom, dayTo } = request;
    const tree = this.#treeResolver.counter(request, reply, false);
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
    reply.isNamedNext = tree !== null && tree.named !== null;
    reply.deadline = this.#deadline(request);
  }

  #deadline({ isBounded }: Request): number {
    const isTimed = isBounded && this.#queryTimeoutMs > 0;
    return isTimed ? performance.now() + this.#queryTimeoutMs : Infinity;
  }

  /** Takes days of one counter away: `reset` all, `delete` those of a range. */
  removeDays(request: Request, reply: Reply, shape: "ok" | "true"): void {
    const { lanes, dayFrom, dayTo, touches } = request;
    // For a tree too, if one is created: without room for all of it there is to be none.
    const present = this.#treeResolver.peek(request);
    const windows = windowCount(present);
    const isChange = request.missing === "create" || present !== null;
    if (isChange && !this.#stateWriter.reserve(3, 0, windows)) return void isApplied("full", reply);
    const tree = this.#treeResolver.counter(request, reply, touches);
    reply.shape = shape;
    if (tree === null || tree.number < 0) return; // a name that no counter has
    const [lo, hi] = [lanes[KEY], lanes[KEY + 1]];
    if (touches && !isApplied(this.#stateWriter.touch(tree, lo, hi), reply)) return;
    if (isApplied(this.#stateWriter.remove(tree, lo, hi, dayFrom, dayTo), reply)) {
      emptyWindows(this.#stateWriter, tree, lo, hi, request, this.today);
    }
  }

  /** Takes days of all counters of a tree away. */
  sweep(request: Request, reply: Reply, shape: "ok" | "true"): void {
    const tree = this.#treeResolver.find(request, reply);
    reply.shape = shape;
    if (tree === null) return;
    const { dayFrom, dayTo } = request;
    const isDone = this.#sweepParts(tree, windowCount(tree), reply, (part) => {
      return this.#stateWriter.sweep(part, dayFrom, dayTo);
    });
    if (isDone) dropWindows(this.#stateWriter, tree, request, this.today);
  }

  /**
   * Changes all counters of a tree, those with numbers and those with names as one, where there is room for `more`
   * records that belong to it. False: the reply says why not.
   */
  #sweepParts(tree: Tree, more: number, reply: Reply, sweep: (part: Tree) => Outcome): boolean {
    const isOne = tree.named === null && more === 0;
    const isRoom = isOne || this.#stateWriter.reserve(2 + more, 0, 0);
    if (!isApplied(isRoom ? "done" : "full", reply)) return false;
    for (const part of partsOf(tree)) {
      if (!isApplied(sweep(part), reply)) return false;
      this.swept.push(part);
    }
    return true;
  }

  deleteBefore(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    reply.shape = "ok";
    const records = 4 + windowCount(tree);
    if (tree === null || !this.#stateWriter.reserve(records, 0, 0) && !isApplied("full", reply)) {
      return;
    }
    const dayTo = Math.min(request.dayTo, DAY_MAX);
    if (dayTo >= 0) {
      this.#sweepParts(tree, 0, reply, (part) => this.#stateWriter.sweep(part, 0, dayTo));
    }
    dropWindows(this.#stateWriter, tree, request, this.today);
    this.#compact(tree, reply);
    this.#statistics.retentions++;
  }

  compact(request: Request, reply: Reply): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree !== null) this.#compact(tree, reply);
    if (tree !== null) this.#statistics.compactions++;
  }

  async compactAll(reply: Reply): Promise<void> {
    reply.shape = "ok";
    this.#statistics.compactions++;
    isApplied(await compactEach(this.#forest, this.#stateWriter), reply);
  }

  #compact(tree: Tree, reply: Reply): void {
    reply.shape = "ok";
    this.#sweepParts(tree, 0, reply, (part) => this.#stateWriter.compact(part));
  }
}
