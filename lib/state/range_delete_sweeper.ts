// Sweeping: a change of all of a tree's counters holds at once for everybody who looks; here the
// work behind it is done, branch by branch, so that the memory of what was swept is free again.
//
// Invariant: sweeps of one tree are begun and finished one after the other, in the order of their
// arrival, since many at once would make each branch do all of them when it is next touched. Sweeps of
// different trees don't wait for each other; one of all trees waits for all before it, and those behind
// it wait for it.
// Trade-off: what is swept is told apart by name, because the tree of a name is found only when its turn comes.

import { pace } from "../host/mod.ts";
import { type Forest, type Tree, Walk } from "../tree/mod.ts";

/** Walks a swept tree to the end, giving way to others. False: the deadline passed before. */
export async function applyRangeDeletes(tree: Tree, deadline = Infinity): Promise<boolean> {
  const walk = new Walk(tree);
  const rest = pace();
  do {
    await rest();
    if (performance.now() > deadline) return false;
  } while (walk.next() !== null);
  tree.settle();
  return true;
}

/** Frees the memory of trees that are gone, giving way to others. */
export async function reclaim(forest: Forest): Promise<void> {
  const rest = pace();
  while (forest.reclaim()) await rest();
}

/** As `settle`, where nobody waits. */
export function applyRangeDeletesNow(tree: Tree): void {
  const walk = new Walk(tree);
  while (walk.next() !== null);
  tree.settle();
}

/** The order of sweeps. */
export class SweepOrder {
  /** The last sweep of each tree that is not finished, and the last one of all trees. */
  readonly #last = new Map<string, Promise<void>>();
  #lastOfAll: Promise<void> = Promise.resolve();

  /** Sweeps the tree of a name, or all trees (`null`), when those before it are done. */
  run(name: string | null, sweep: () => Promise<void>): Promise<void> {
    const before = name === null ? [...this.#last.values()] : [this.#last.get(name)];
    const swept = Promise.all([this.#lastOfAll, ...before]).then(sweep);
    const ended = swept.catch(() => {}).then(() => {
      if (name !== null && this.#last.get(name) === ended) this.#last.delete(name);
    });
    if (name === null) this.#lastOfAll = ended;
    else this.#last.set(name, ended);
    return swept;
  }
}
