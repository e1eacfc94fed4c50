// Rounds: with more busy connections than the runtime looks at, none is passed over for long.
//
// Of all connections that have something to read the runtime looks at some 128 in a turn (tokio's budget
// for a task), and then at those first whose data came last: of a thousand busy ones a hundred would be
// served again and again, and the others wait for seconds. So when a turn was full a round begins, in which
// each session may read a few times and then waits until nobody else has anything to be read.
//
// Invariant: every round ends: when all sessions wait, or when a while nothing comes; and in it no session
// reads more often than READS_MAX. So none waits longer than all others take for as many.
// Trade: a few reads for each and not one, because what belongs to a hundred connections stays in the
// processor's caches, and what belongs to a thousand does not: with one read each the longest wait of a thousand
// clients is 40 ms instead of 200, and together they get a fifth less. While a round lasts the loop
// turns without sleeping.

import type { Statistics } from "../engine/statistics.ts";
import { afterTurn } from "../host/clock.ts";

/** Reads in one turn that tell that there were more to do: the budget, but for what timers and writes use. */
const FULL_READS = 120;

/** Reads that a session may have in a round. */
const READS_MAX = 8;

/**
 * After so many turns that brought nothing nobody else is left. Connections that were passed over are looked
 * at when tokio has polled 61 tasks (its event interval), at the latest; these turns take 0.3 to 0.9 ms.
 */
const QUIET_TURNS = 100;

/** What a session has had of the latest round that it was in. */
export class Quota {
  round = 0;
  reads = 0;
}

export class Rounds {
  readonly #statistics: Statistics;
  /** Resolves at the end of the round; null: there is none. */
  #end: PromiseWithResolvers<void> | null = null;
  #number = 0;
  /** Sessions that wait for the end. */
  #waiting = 0;
  #quietTurns = 0;
  #isWatching = false;

  constructor(statistics: Statistics) {
    this.#statistics = statistics;
  }

  /** Tells that a turn has brought so many reads. */
  turned(reads: number): void {
    this.#quietTurns = 0;
    if (reads < FULL_READS || this.#end !== null) return;
    this.#end = Promise.withResolvers();
    this.#number++;
    this.#waiting = 0;
    if (!this.#isWatching) this.#watch();
  }

  /** Counts a read. What its session is to await before the next one; null: nothing. */
  wait(quota: Quota): Promise<void> | null {
    if (this.#end === null) return null;
    if (quota.round !== this.#number) {
      quota.round = this.#number;
      quota.reads = 0;
    }
    if (++quota.reads < READS_MAX) return null;
    const { promise } = this.#end;
    if (++this.#waiting >= this.#statistics.connections) this.#endRound();
    return promise;
  }

  /** Ends the round when nothing has come for a while. */
  #watch(): void {
    this.#isWatching = true;
    afterTurn(() => {
      if (++this.#quietTurns > QUIET_TURNS) this.#endRound();
      if (this.#end === null) this.#isWatching = false;
      else this.#watch();
    });
  }

  #endRound(): void {
    this.#end?.resolve();
    this.#end = null;
  }
}
