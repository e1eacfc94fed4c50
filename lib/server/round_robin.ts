// Rounds: with more busy connections than the runtime looks at, none is passed over for long.
//
// Of all connections that have something to read the runtime looks at some 128 in a turn (tokio's budget
// for a task), and then at those first whose data came last: of a thousand busy ones a hundred would be
// served again and again, and the others wait for seconds. So when a turn was full a round begins, in which
// each session may read a few times and then waits until nobody else has anything to be read.
//
// Invariant: every round ends: when all sessions wait, when turns are no longer full, or when for a while nothing
// comes. In it no session reads more often than READS_MAX, unless it does little each time. So none waits longer
// than all others take for as many.
// Trade-off: a few reads for each and not one, because what belongs to a hundred connections stays in the
// processor's caches, and what belongs to a thousand does not: with one read each the longest wait of a thousand
// clients is 40 ms instead of 200, and together they get a fifth less. While a round lasts the loop
// turns without sleeping.

import { afterTurn } from "../host/mod.ts";
import type { Statistics } from "../metrics/mod.ts";

/** Reads in one turn that tell that there were more to do: the budget, but for what timers and writes use. */
const FULL_READS = 120;

/** Reads that a session may have in a round. */
const READS_MAX = 8;

/** Reads of all sessions in a round, if that leaves one for each: more would make single ones wait too long. */
const ALL_READS_MAX = 8192;

/**
 * When all sessions have done so much in a round, in bytes' worth, some 0.1 s, who has read once waits: reads of many
 * requests each gain little by the caches. Of a thousand clients with a hundred requests in flight a round would
 * take a second, and one that was passed over waited for all of it.
 */
const WORK_MAX = 16_777_216;

/** After so many timers without a full turn nobody is passed over: sockets are looked at before each. */
const CALM_TIMERS = 4;

/**
 * After so many turns that brought nothing nobody else is left. Connections that were passed over are looked
 * at when tokio has polled 61 tasks (its event interval), at the latest; these turns take 0.3 to 0.9 ms.
 */
const QUIET_TURNS = 100;

/** What a session has had of the latest round that it was in. */
export class Quota {
  round = 0;
  reads = 0;
  work = 0;
}

export class RoundRobin {
  readonly #statistics: Statistics;
  /** Resolves at the end of the round; null: there is none. */
  #end: PromiseWithResolvers<void> | null = null;
  #number = 0;
  /** Sessions that wait for the end. */
  #waiting = 0;
  #quietTurns = 0;
  #isWatching = false;
  /** How often a session may read in this round. */
  #readsMax = READS_MAX;
  /** What all sessions have read and done in this round. */
  #reads = 0;
  #work = 0;
  /** Timers since the last full turn. */
  #calmTimers = 0;

  constructor(statistics: Statistics) {
    this.#statistics = statistics;
  }

  /** Tells that a turn has brought so many reads. */
  turned(reads: number): void {
    this.#quietTurns = 0;
    if (reads < FULL_READS) return;
    this.#calmTimers = 0;
    if (this.#end !== null) return;
    this.#end = Promise.withResolvers();
    this.#number++;
    this.#waiting = this.#reads = this.#work = 0;
    const share = Math.floor(ALL_READS_MAX / this.#statistics.connections);
    this.#readsMax = Math.max(1, Math.min(READS_MAX, share));
    if (!this.#isWatching) this.#watch();
  }

  /** Tells that a timer has passed, as one does every millisecond or so while sessions work. */
  timed(): void {
    if (++this.#calmTimers >= CALM_TIMERS) this.#endRound();
  }

  /** Counts what a session did for a read. What it is to await before the next one; null: nothing. */
  wait(quota: Quota, work: number): Promise<void> | null {
    if (this.#end === null) return null;
    if (quota.round !== this.#number) {
      quota.round = this.#number;
      quota.reads = quota.work = 0;
    }
    quota.work += work;
    this.#work += work;
    this.#reads++;
    // Who reads often and does little goes on until it has done half as much as others.
    const readsMax = this.#work < WORK_MAX ? this.#readsMax : 1;
    if (++quota.reads < readsMax) return null;
    if (quota.work * this.#reads < readsMax * this.#work / 2) return null;
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
