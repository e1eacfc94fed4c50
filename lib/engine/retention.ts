// Retention: days that are older than `--retention-days` go by themselves.
//
// Invariant: today and as many days before it as the option says are never touched, so that a window of that many days
// is whole in every time zone. What goes is deleted by records of the WAL, as a client's delete is, and only in
// trees that have such days, so that no other tree is dumped again for it.
// A clock that is set ahead while Karma runs deletes nothing (lib/idempotency/age_clock.ts).
// Trade-off: every counter is looked at once a day, 50 ns each, in the slices of long work.

import { dayOf, ordinal } from "../command/mod.ts";
import { type Calendar, pace } from "../host/mod.ts";
import type { AgeClock } from "../idempotency/mod.ts";
import { applyRangeDeletes, type StateWriter, type SweepOrder } from "../state/mod.ts";
import { DayRange, type Forest, partsOf, type Tree, Walk } from "../tree/mod.ts";

export class Retention {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;
  readonly #sweeps: SweepOrder;
  readonly #ages: AgeClock;
  readonly #calendar: Calendar;
  readonly #days: number;
  /** The first day that was kept by the last run that went to the end. */
  #kept = 0;
  #isRunning = false;

  /** `days`: how many days before today are kept; 0: all. */
  constructor(
    forest: Forest,
    stateWriter: StateWriter,
    sweeps: SweepOrder,
    ages: AgeClock,
    calendar: Calendar,
    days: number,
  ) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
    this.#sweeps = sweeps;
    this.#ages = ages;
    this.#calendar = calendar;
    this.#days = days;
  }

  /**
   * Deletes what is too old today, unless that has been done or is under way; to be called now and then. Resolves with
   * the number of trees in which something was, and the first day that is kept. Where the disk is full the next call
   * tries again.
   */
  async run(): Promise<{ readonly trees: number; readonly kept: number }> {
    if (this.#days === 0) return { trees: 0, kept: 0 };
    const today = this.#calendar.dayAt(1000 * this.#ages.seconds());
    const kept = dayOf(ordinal(today) - this.#days);
    if (kept <= this.#kept || this.#isRunning) return { trees: 0, kept: this.#kept };
    this.#isRunning = true;
    let trees = 0;
    let isDone = true;
    try {
      for (
        let tree = this.#forest.visibleAfter(0);
        tree !== null;
        tree = this.#forest.visibleAfter(tree.serial)
      ) {
        if (!await hasDaysBefore(tree, kept)) continue;
        if (await this.#delete(tree, kept)) trees++;
        else isDone = false;
      }
      if (isDone) this.#kept = kept;
    } finally {
      this.#isRunning = false;
    }
    return { trees, kept };
  }

  /** Deletes the days before one, and the counters that have none left. False: the disk is full. */
  async #delete(tree: Tree, day: number): Promise<boolean> {
    let isApplied = true;
    await this.#sweeps.run(tree.name, async () => {
      if (this.#forest.named(tree.name) !== tree) return; // it was dropped or replaced meanwhile
      isApplied = this.#stateWriter.reserve(4, 0, 0);
      if (!isApplied) return;
      const parts = partsOf(tree);
      for (const part of parts) {
        this.#stateWriter.sweep(part, 0, day - 1);
        this.#stateWriter.compact(part);
      }
      for (const part of parts) await applyRangeDeletes(part);
    });
    return isApplied;
  }
}

/** Whether a tree has a counter with a day before one. */
async function hasDaysBefore(tree: Tree, day: number): Promise<boolean> {
  const range = new DayRange(0, day - 1);
  const rest = pace();
  for (const part of partsOf(tree)) {
    const walk = new Walk(part);
    for (let branch = walk.next(); branch !== null; branch = walk.next()) {
      for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
        if (range.sum(branch, slot) > 0) return true;
      }
      await rest();
    }
  }
  return false;
}
