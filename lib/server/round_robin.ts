// Round robin: when more connections are ready than the runtime polls in a turn, each gets its share of reads.
//
// The runtime polls at most 128 ready sockets in a turn (tokio's budget for a task) and starts with those that
// became ready last. Of a thousand busy connections it would serve the same hundred again and again, and the
// others would wait for seconds. So a full turn starts a round: each session may read a few times, and then
// waits until no other session has anything to read.
//
// Invariant: every round ends, when all sessions wait, when turns are no longer full, or when nothing has
// arrived for a while. In a round no session reads more than READS_MAX times, unless each read brings little
// work. So no session waits longer than all others need for that many reads.
// Trade-off: several reads for each session instead of one. The state of a hundred connections stays in the
// processor's caches and that of a thousand does not: one read each lowers the longest wait of a thousand
// clients from 200 to 40 ms and their throughput by a fifth. The loop does not sleep during a round.

import { afterTurn, holdLongWork } from "../host/mod.ts";
import type { Statistics } from "../metrics/mod.ts";

/** A turn with this many reads was full: tokio's budget of 128, less what timers and writes use of it. */
const FULL_READS = 120;

/** The most reads of one session in a round. */
const READS_MAX = 8;

/** The most reads of all sessions in a round, unless that is less than one each: more make the wait too long. */
const ALL_READS_MAX = 8192;

/**
 * After this much work of all sessions in a round, in bytes, about 0.1 s, each gets one read only. Reads that bring
 * many requests gain little from the caches, and with a thousand clients of a hundred requests in flight each a
 * round would take a second.
 */
const WORK_MAX = 16_777_216;

/** A round ends after this many timers without a full turn: sockets are polled before each timer. */
const CALM_TIMERS = 4;

/**
 * A round ends after this many turns without a read: tokio polls every ready socket once it has polled 61 tasks
 * (its event interval). The turns take 0.3 to 0.9 ms together.
 */
const QUIET_TURNS = 100;

/** What a session has used of the latest round that it took part in. */
export class Quota {
  round = 0;
  reads = 0;
  work = 0;
}

export class RoundRobin {
  readonly #statistics: Statistics;
  /** Resolves at the end of the round; null outside of rounds. */
  #end: PromiseWithResolvers<void> | null = null;
  #number = 0;
  /** How many sessions wait for the end. */
  #waiting = 0;
  #quietTurns = 0;
  #isWatching = false;
  /** How often a session may read in this round. */
  #readsMax = READS_MAX;
  /** The reads and the work of all sessions in this round. */
  #reads = 0;
  #work = 0;
  /** Timers since the last full turn. */
  #calmTimers = 0;

  constructor(statistics: Statistics) {
    this.#statistics = statistics;
  }

  /** Reports how many reads a turn has brought; a full turn starts a round. */
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

  /** Reports that a timer has fired; while sessions work, one does every millisecond or so. */
  timed(): void {
    if (++this.#calmTimers >= CALM_TIMERS) this.#endRound();
  }

  /** Counts the work of a session's read. Returns what to await before its next read; null: nothing. */
  wait(quota: Quota, work: number): Promise<void> | null {
    if (this.#end === null) return null;
    if (quota.round !== this.#number) {
      quota.round = this.#number;
      quota.reads = quota.work = 0;
    }
    quota.work += work;
    this.#work += work;
    this.#reads++;
    // A session with many small reads goes on until it has done half as much work as the average.
    const readsMax = this.#work < WORK_MAX ? this.#readsMax : 1;
    if (++quota.reads < readsMax) return null;
    if (quota.work * this.#reads < readsMax * this.#work / 2) return null;
    const { promise } = this.#end;
    if (++this.#waiting >= this.#statistics.connections) this.#endRound();
    return promise;
  }

  /** Ends the round once nothing has arrived for QUIET_TURNS turns. */
  #watch(): void {
    this.#isWatching = true;
    afterTurn(() => {
      if (++this.#quietTurns > QUIET_TURNS) this.#endRound();
      else if (this.#quietTurns > 1) holdLongWork(); // or a hundred turns of 3 ms would be waited for
      if (this.#end === null) this.#isWatching = false;
      else this.#watch();
    });
  }

  #endRound(): void {
    this.#end?.resolve();
    this.#end = null;
  }
}
