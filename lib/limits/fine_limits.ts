// Fine limits: the limits of a request that have windows below a day, or token buckets.
//
// Invariant: limits on one counter whose windows have one id are charged once, whatever their `max`.

import { u64ToBigInt } from "../bytes/mod.ts";
import { COST, type FineWindow, type Limits, MAX, type Reply, SUBJECT } from "../command/mod.ts";
import { isApplied, overflow } from "../state/mod.ts";
import type { Tree } from "../tree/mod.ts";
import { FINE_WINDOWS_MAX, type FineCounters } from "./fine_counters.ts";

const CROWDED = `A series has at most ${FINE_WINDOWS_MAX} windows below a day at a time`;

export class FineLimits {
  readonly #counters: FineCounters;

  constructor(counters: FineCounters) {
    this.#counters = counters;
  }

  /** Adds up what the window of a limit on `tree`, which need not be there, holds; the lanes go to `sum`. */
  used(
    window: FineWindow,
    limits: Limits,
    index: number,
    tree: Tree | null,
    sum: Uint32Array,
  ): void {
    const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
    this.#counters.used(window, tree, keyLo, keyHi, sum);
  }

  /** When what the window of a limit holds becomes less by itself, in ms since 1970, or NEVER. */
  resetsAtMs(window: FineWindow, limits: Limits, index: number, tree: Tree | null): number {
    const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
    return this.#counters.resetsAtMs(window, tree, keyLo, keyHi);
  }

  /** When the cost that a limit refused will fit, in ms since 1970, or NEVER. */
  retryAtMs(window: FineWindow, limits: Limits, index: number, tree: Tree | null): number {
    const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
    const max = u64ToBigInt(limits.lo(index, MAX), limits.hi(index, MAX));
    const cost = u64ToBigInt(limits.lo(index, COST), limits.hi(index, COST));
    return this.#counters.retryAtMs(window, tree, keyLo, keyHi, max, cost);
  }

  /** Whether the tree that the counter of each limit is in may have its window; if not, the reply says so. */
  areAllowed(limits: Limits, treeOf: (index: number) => Tree | null, reply: Reply): boolean {
    for (let index = 0; index < limits.count && limits.fineCount > 0; index++) {
      const window = limits.fine(index);
      if (window === null || !this.#counters.isCrowded(window, treeOf(index))) continue;
      reply.fail("validation_error", CROWDED);
      return false;
    }
    return true;
  }

  /** Charges the window of a limit, unless an earlier limit has. False: the reply says why not. */
  charge(
    window: FineWindow,
    limits: Limits,
    index: number,
    tree: Tree,
    lo: number,
    hi: number,
    reply: Reply,
  ): boolean {
    if (limits.isFineCharged(index)) return true;
    const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
    const outcome = this.#counters.charge(window, tree, keyLo, keyHi, lo, hi);
    if (outcome === "overflow") {
      overflow(reply, "", limits.keyText(index), this.#counters.cellOf(window, tree, keyLo, keyHi));
    }
    return isApplied(outcome, reply);
  }
}
