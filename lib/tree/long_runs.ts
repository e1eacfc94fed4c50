// The long runs of a tree, by the numbers under which its branches refer to them.
//
// Invariant: a number belongs to one counter, from `add` to `remove`; the memory of the runs is counted.
// Trade-off: a full chunk must fit into the budget even if less is needed, so the size need not be computed exactly.

import { assert } from "../assert.ts";
import { CHUNK_CELLS, GROWTH_BYTES } from "./chunk.ts";
import type { LongRun, RunMemory } from "./long_run.ts";
import { LONG_CELLS_MIN } from "./run.ts";

/** The most that the first chunks of a long run take. */
const NEW_BYTES = (LONG_CELLS_MIN / CHUNK_CELLS + 1) * GROWTH_BYTES;

export class LongRuns {
  /** Who counts what they take, and knows whether there is more. */
  readonly memory: RunMemory & { fits(bytes: number): boolean };
  readonly #runs: (LongRun | null)[] = [];
  readonly #free: number[] = [];
  #isRefused = false;

  constructor(memory: RunMemory & { fits(bytes: number): boolean }) {
    this.memory = memory;
  }

  /** Whether a cell more may be put into a long run, or a run made one; if not, `takeRefusal` tells so once. */
  hasRoom(isNew: boolean): boolean {
    const isThere = this.memory.fits(isNew ? NEW_BYTES : GROWTH_BYTES);
    if (!isThere) this.#isRefused = true;
    return isThere;
  }

  /** Whether something was refused since the last call. */
  takeRefusal(): boolean {
    const isRefused = this.#isRefused;
    this.#isRefused = false;
    return isRefused;
  }

  /** What all of them take. */
  get bytes(): number {
    return this.#runs.reduce((sum, run) => sum + (run?.bytes ?? 0), 0);
  }

  at(number: number): LongRun {
    const run = this.#runs[number];
    assert(run !== null && run !== undefined, "a long run belongs to a counter");
    return run;
  }

  add(run: LongRun): number {
    const number = this.#free.pop() ?? this.#runs.length;
    this.#runs[number] = run;
    return number;
  }

  remove(number: number): void {
    this.at(number).discard();
    this.#runs[number] = null;
    this.#free.push(number);
  }

  /** How many there are. */
  get count(): number {
    return this.#runs.length - this.#free.length;
  }
}
