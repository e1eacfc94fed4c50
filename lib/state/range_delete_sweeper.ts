// The sweeper of range deletes: a range delete takes effect at once for every reader; the sweep then carries it
// out branch by branch, which frees the memory.
//
// Invariant: sweeps of one tree run one after the other, in order of arrival, because a branch carries out all
// pending range deletes when it is next touched. Sweeps of different trees do not wait for each other. A sweep of
// all trees waits for those before it, and later ones wait for it.
// Trade-off: sweeps are ordered by the tree's name, because the tree is looked up only when its turn comes.

import { pace } from "../host/mod.ts";
import { type Forest, partsOf, type Tree, Walk } from "../tree/mod.ts";
import type { Outcome, StateWriter } from "./state_writer.ts";

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

/** Compacts each tree that clients know of, one after the other: all at once, fifty thousand would be one long turn. */
export async function compactEach(forest: Forest, stateWriter: StateWriter): Promise<Outcome> {
  const rest = pace();
  for (let tree = forest.visibleAfter(0); tree !== null; tree = forest.visibleAfter(tree.serial)) {
    await rest();
    if (!forest.has(tree)) continue;
    for (const part of partsOf(tree)) {
      if (part.keys === 0 || part.isGone) continue;
      const outcome = stateWriter.compact(part);
      if (outcome !== "done") return outcome;
      await applyRangeDeletes(part);
    }
  }
  return "done";
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
