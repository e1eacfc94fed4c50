// The turn budget: all sessions share a few milliseconds of each turn of the event loop, and the session that has
// used least comes first.
//
// The runtime completes a read or write that needs no waiting without a turn of the event loop, so a client that
// always has more to send or to receive would keep all others from being served. A session that arrives when
// the budget of the turn is used up joins a queue. The next turn serves the queue, one slice after the other,
// and counts the cost of each slice before it begins another. So the length of a turn does not depend on how
// many sessions wait.
//
// The order is that of start-time fair queueing (Goyal, Vin and Cheng, 1996): the tag of a session is the work
// that it has had, and the lowest tag comes first. Sessions that always have more to do get equal shares,
// whatever the size of their requests, and a session that has used little comes before all of them. It is
// served in the same turn, unless too many such sessions arrive at once.
//
// round_robin.ts sees to it that the runtime polls every connection.
//
// Invariant: between two turns of the loop, sessions work for TURN_MS, for EXTRA_WORK, and for the slice that was
// begun last. Tags in the queue differ by at most CREDIT_WORK and a slice, so no session waits for ever.
// Trade-off: work is counted in bytes, and by lib/bytes/effort.ts where bytes do not measure it. The clock is
// read once for each STEP_WORK, since reading it takes 0.1 µs. While sessions are busy, a timer marks the turns
// of the loop. It must be a timer, because the runtime polls its sockets for nothing else: with immediates of
// half a millisecond each, a byte waited for 15 ms and more.

import { effort } from "../bytes/mod.ts";
import { afterMillisecond } from "../host/mod.ts";
import type { Statistics } from "../metrics/mod.ts";
import { RoundRobin } from "./round_robin.ts";
import { WaitingQueue } from "./waiting_queue.ts";

/** The budget of a turn. It is longer than the timer takes to fire (0.5 to 2 ms), so a busy server never sleeps. */
const TURN_MS = 3;

/** The clock is read after this much work, about 0.2 ms. */
const STEP_WORK = 32768;

/** Work beyond the budget, about 0.5 ms, for sessions that have used less than all in the queue. */
const EXTRA_WORK = 65536;

/**
 * How far behind the others the tag of a returning session may lie. It is not zero, because sessions that always
 * have more to do are away too, while they read and write.
 */
const CREDIT_WORK = 262144;

/**
 * How far behind all sessions together may lie, some 60 ms: a session that has worked until now comes after all
 * of it. With CREDIT_WORK for each, a thousand newcomers made a ping wait for 2 s.
 */
const ALL_CREDIT_WORK = 8_388_608;

/** A slice ends after this much work beyond the bytes of its requests: some 0.8 ms. */
const SLICE_WORK = 131072;

/** The work of the system calls of one read and one write, in bytes. */
export const CALL_WORK = 512;

/** Work that is done in slices: the requests of a session. */
export interface Job {
  /** The work that it has had, in bytes. */
  tag: number;
  /** Does the next slice synchronously, and reports its cost to `spend`. */
  work(): void;
}

/** What the turn budget needs of the host. */
export interface Loop {
  now(): number;
  /** Calls a function in a later turn of the loop, after sockets have been polled. */
  later(call: () => void): void;
}

const HOST_LOOP: Loop = { now: () => performance.now(), later: afterMillisecond };

interface Place {
  readonly job: Job;
  readonly tag: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class TurnBudget {
  readonly #statistics: Statistics;
  readonly #loop: Loop;
  readonly #queue = new WaitingQueue<Place>();
  /** The highest tag that has been served. */
  #level = 0;
  /** Of this turn: the work so far, the work at which the clock is read next, and that at which the slice is over. */
  #spent = 0;
  #lookAt = 0;
  #sliceEnd = 0;
  /** What is left of EXTRA_WORK in this turn. */
  #extra = EXTRA_WORK;
  #began = 0;
  #isUsedUp = false;
  #isArmed = false;
  /** Whether requests that were read together are being answered, since when, and how many have been. */
  #isBatch = false;
  #batchBegan = 0;
  #answered = 0;
  #reads = 0;
  readonly roundRobin: RoundRobin;

  constructor(statistics: Statistics, loop: Loop = HOST_LOOP) {
    this.#statistics = statistics;
    this.#loop = loop;
    this.roundRobin = new RoundRobin(statistics);
  }

  /** Does a job's next slice: at once (null), or from the queue; then the promise resolves once it is done. */
  run(job: Job): Promise<void> | null {
    const isBehind = job.tag < this.#level;
    if (isBehind) job.tag = Math.max(job.tag, this.#level - this.#credit());
    if (!this.#isUsedUp) { // so the queue is empty
      this.#raise(job.tag);
      this.#do(job);
      return null;
    }
    if (isBehind && this.#extra > 0) {
      const before = this.#spent;
      this.#do(job);
      this.#extra -= this.#spent - before;
      return null;
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, tag: job.tag, resolve, reject });
    });
  }

  /** Adds work, in bytes, to that of this turn and of the job that is being done. */
  spend(work: number): void {
    this.#spent += work;
    if (this.#spent >= this.#lookAt) this.#look();
  }

  /** Whether the current slice has cost SLICE_WORK beyond the bytes of its requests. */
  get isSliceOver(): boolean {
    return this.#spent + effort.work > this.#sliceEnd;
  }

  /** What to await before work that is counted only after it is done, outside of any job; null: nothing. */
  giveWay(): Promise<void> | null {
    return this.#isUsedUp ? this.run({ tag: this.#level, work: () => {} }) : null;
  }

  /**
   * To be called before requests are answered. Returns whether they are the first of those that were read in
   * the same turn, so that the caller reads the clock once for all: on some machines that takes as long as a request.
   */
  begin(): boolean {
    if (this.#isBatch) return false;
    this.#isBatch = true;
    this.#batchBegan = this.#loop.now();
    // It runs after all reads of the turn have been answered and before any reply is written.
    queueMicrotask(() => this.#endBatch());
    return true;
  }

  /** Counts requests that have been answered. */
  answered(requests: number): void {
    this.#answered += requests;
  }

  /** Counts a read that brought bytes. */
  read(): void {
    this.#reads++;
  }

  #credit(): number {
    return Math.min(CREDIT_WORK, ALL_CREDIT_WORK / this.#statistics.connections);
  }

  #raise(tag: number): void {
    if (tag > this.#level) this.#level = tag;
  }

  #do(job: Job): void {
    const before = this.#spent;
    this.#sliceEnd = before + SLICE_WORK;
    effort.work = 0;
    this.spend(CALL_WORK);
    try {
      job.work();
    } finally {
      this.spend(effort.work);
      job.tag += this.#spent - before;
    }
  }

  #look(): void {
    this.#lookAt = this.#spent + STEP_WORK;
    const now = this.#loop.now();
    if (this.#isArmed) {
      this.#isUsedUp = now - this.#began >= TURN_MS;
      return;
    }
    this.#isArmed = true;
    this.#began = now;
    this.#loop.later(() => this.#turn());
  }

  /** Begins a new turn, and serves the queue until the budget is used up. */
  #turn(): void {
    this.#isArmed = this.#isUsedUp = false;
    this.#extra = EXTRA_WORK;
    this.#spent = this.#lookAt = 0; // so that the first work arms the next timer
    this.roundRobin.timed();
    while (this.#queue.length > 0 && !this.#isUsedUp) {
      const { job, tag, resolve, reject } = this.#queue.shift();
      this.#raise(tag);
      try {
        this.#do(job);
        resolve();
      } catch (error) {
        reject(error);
      }
    }
  }

  #endBatch(): void {
    this.#isBatch = false;
    this.#statistics.turn(this.#answered, this.#loop.now() - this.#batchBegan);
    // A batch without reads is work that had waited for something else.
    if (this.#reads > 0) this.roundRobin.turned(this.#reads);
    this.#reads = this.#answered = 0;
  }
}
