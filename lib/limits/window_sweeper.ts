// The window sweeper: forgets what no window below a day sees any more.
//
// Now and then it takes the cells that have left off all counters of a hidden tree, and the counters without cells
// with them; a tree in which nothing is left, or whose own tree is gone, it drops. All of that is logged as every
// change is, so that a replay forgets the same.
//
// Invariant: a cell goes when it has left its window, and a minute more: a clock that is set back by less finds all.
// The caller's time is that of the age clock: a clock that is set ahead by mistake forgets nothing.
// Trade-off: a tree is swept once in the length of its window, between a minute and an hour. So it holds up to twice
// what the window sees, and sweeping costs a walk for as many charges as that takes.

import { type FineWindow, fineWindowOf, firstCell } from "../command/mod.ts";
import { applyRangeDeletes, type StateWriter } from "../state/mod.ts";
import { besideOf, type Forest, type Tree } from "../tree/mod.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** So many trees are looked at in one go, which is once a second. */
const AT_ONCE = 256;

export class WindowSweeper {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;
  /** When each tree was swept last, or seen first. */
  readonly #sweptMs = new WeakMap<Tree, number>();
  #walk: Iterator<Tree>;
  #isBusy = false;

  constructor(forest: Forest, stateWriter: StateWriter) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
    this.#walk = forest.beside.trees.values();
  }

  /** Looks at some of the trees, and sweeps those whose time has come. Returns whether anything was logged. */
  async look(nowMs: number): Promise<boolean> {
    if (this.#isBusy) return false;
    this.#isBusy = true;
    let isLogged = false;
    try {
      for (let count = 0; count < AT_ONCE; count++) {
        const { value: tree, done } = this.#walk.next();
        if (done) {
          this.#walk = this.#forest.beside.trees.values();
          break;
        }
        if (await this.#forget(tree, nowMs)) isLogged = true;
      }
    } finally {
      this.#isBusy = false;
    }
    return isLogged;
  }

  async #forget(tree: Tree, nowMs: number): Promise<boolean> {
    const window = fineWindowOf(besideOf(tree.name)!.purpose);
    const isNeeded = window !== null && this.#forest.beside.ownerOf(tree) !== null;
    if (!isNeeded) return this.#stateWriter.drop(tree) === "done";
    const sweptMs = this.#sweptMs.get(tree);
    const isDue = sweptMs !== undefined && Math.abs(nowMs - sweptMs) >= periodMs(window);
    if (sweptMs === undefined || isDue) this.#sweptMs.set(tree, nowMs);
    if (!isDue) return false;
    const first = firstCell(window, nowMs - MINUTE_MS);
    if (first === 0 || !this.#stateWriter.reserve(2, 0, 0)) return false;
    this.#stateWriter.sweep(tree, 0, first - 1);
    this.#stateWriter.compact(tree);
    await applyRangeDeletes(tree);
    if (tree.keys === 0 && this.#forest.has(tree)) this.#stateWriter.drop(tree);
    return true;
  }
}

function periodMs({ cellMs, reachMs }: FineWindow): number {
  return Math.min(Math.max(cellMs + reachMs, MINUTE_MS), HOUR_MS);
}
