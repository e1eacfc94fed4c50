// A walk over the days of one counter, some thousands a step, while the tree may change.
//
// Invariant: a day that exists during the whole walk is met exactly once, in ascending order.
// Trade-off: each step looks the counter up again, since branches may have been laid out anew in between.

import type { Cells } from "./cells.ts";
import type { Tree } from "./tree.ts";

/** Days of a step: they are written in 0.2 ms. */
export const STEP_CELLS = 4096;

export class DayWalk {
  readonly #tree: Tree;
  readonly #keyLo: number;
  readonly #keyHi: number;
  readonly #to: number;
  #from: number;
  /** How many days were met. */
  met = 0;

  constructor(tree: Tree, keyLo: number, keyHi: number, from: number, to: number) {
    this.#tree = tree;
    this.#keyLo = keyLo;
    this.#keyHi = keyHi;
    this.#from = from;
    this.#to = to;
  }

  /** Collects the next days. False: there are no more after them. */
  next(cells: Cells): boolean {
    cells.clear();
    this.#tree.collect(this.#keyLo, this.#keyHi, this.#from, this.#to, cells, STEP_CELLS);
    this.met += cells.count;
    if (cells.count < STEP_CELLS) return false;
    this.#from = cells.words[3 * (cells.count - 1)] + 1;
    return this.#from <= this.#to;
  }
}
