// Fairness: sessions work in turns of the event loop, for a few milliseconds in each, and whoever has used
// least comes first.
//
// A read or write that can be done at once is, without a turn of the event loop, so a client that
// always has more to send, or to receive, would never let another one be served. All sessions
// together have a few milliseconds in each turn. Who comes when they are used up joins one queue. In the
// next turn the queue is served, one slice after the other, and what a slice has cost is counted before the
// next one begins. So a turn takes as long however many wait.
//
// The order is that of start-time fair queueing (Goyal, Vin and Cheng, 1996): the tag of a session is the work
// that it has had, and the lowest tag comes first. So those that always have more to do get as much as each
// other, whatever the size of their requests, and a client that has used little comes before all of them. It
// does not even wait for the next turn, unless too many such clients come at once.
//
// That few sessions don't keep the runtime from looking at the others is another matter: round_robin.ts.
//
// Invariant: between two turns of the loop sessions work for TURN_MS, for EXTRA_WORK, and for the slice that was
// begun last. Tags that wait differ by CREDIT_WORK and a slice at most, so nobody waits for ever.
// Trade-off: work is counted in bytes, and by lib/bytes/effort.ts where bytes don't tell. The clock is looked at only once
// for each STEP_WORK of it, since a look takes 0.1 µs. While sessions are busy a timer tells that the loop
// has turned. It must be a timer, because nothing else makes the runtime look at its sockets: while
// immediates of half a millisecond each kept the loop turning, a byte waited for 15 ms and more.

import { effort } from "../bytes/mod.ts";
import { afterMillisecond } from "../host/mod.ts";
import type { Statistics } from "../metrics/mod.ts";
import { RoundRobin } from "./round_robin.ts";
import { WaitingQueue } from "./waiting_queue.ts";

/** Longer than the timer takes to fire (0.5 to 2 ms), so that a busy server never sleeps. */
const TURN_MS = 3;

/** After so much work, about 0.2 ms, the clock is looked at. */
const STEP_WORK = 32768;

/** So much, about half a millisecond, is done beyond that for those who have used less than all that wait. */
const EXTRA_WORK = 65536;

/**
 * How much of what others had meanwhile a session may catch up with. It is not zero, because those that
 * always have more to do are away as well, while they write and read.
 */
const CREDIT_WORK = 262144;

/**
 * How much all sessions together may catch up with, some 60 ms: whoever has worked up to now comes behind
 * all of it. A thousand newcomers who had the whole credit each made a ping wait for 2 s.
 */
const ALL_CREDIT_WORK = 8_388_608;

/** A slice that has touched so much beyond its bytes is over: some 0.8 ms. */
const SLICE_WORK = 131072;

/** What the calls of one read and one write cost, in bytes' worth of work. */
export const CALL_WORK = 512;

/** What is done in slices: the requests of a session. */
export interface Job {
  /** The work that it has had, in bytes' worth. */
  tag: number;
  /** Does the next slice, without awaiting anything, and tells by `spend` what it cost. */
  work(): void;
}

/** What a turn needs of the host. */
export interface Loop {
  now(): number;
  /** Calls a function in a later turn of the loop, one in which sockets have been looked at. */
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
  /** The highest tag that was served. */
  #level = 0;
  /** Of this turn: the work so far, at how much the clock is looked at, since when, and whether it is enough. */
  #spent = 0;
  #lookAt = 0;
  #sliceEnd = 0;
  /** Work that is left in this turn for those who have used less than all that wait. */
  #extra = EXTRA_WORK;
  #began = 0;
  #isUsedUp = false;
  #isArmed = false;
  /** Whether requests are being answered that were read together; since when, and how many were. */
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

  /**
   * Does a job's next slice: at once (null), or when its turn has come; then the promise resolves when it
   * has been done.
   */
  run(job: Job): Promise<void> | null {
    const isBehind = job.tag < this.#level;
    if (isBehind) job.tag = Math.max(job.tag, this.#level - this.#credit());
    if (!this.#isUsedUp) { // and so nobody waits
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

  /** Adds what was done to this turn's work, in bytes' worth, and so to that of the job that does it. */
  spend(work: number): void {
    this.#spent += work;
    if (this.#spent >= this.#lookAt) this.#look();
  }

  /** Whether the slice that a job is doing has cost more than a slice should, beyond the bytes of its requests. */
  get isSliceOver(): boolean {
    return this.#spent + effort.work > this.#sliceEnd;
  }

  /** What to await where work is no job's slice, and is counted after it was done. null: go on. */
  giveWay(): Promise<void> | null {
    return this.#isUsedUp ? this.run({ tag: this.#level, work: () => {} }) : null;
  }

  /**
   * To be called before requests are answered. True: they are the first of those that were read together, and
   * the time is to be looked at, once for all of them: on some machines that takes as long as a request.
   */
  begin(): boolean {
    if (this.#isBatch) return false;
    this.#isBatch = true;
    this.#batchBegan = this.#loop.now();
    // Behind all reads that the turn has brought, and before any of their replies is written.
    queueMicrotask(() => this.#endBatch());
    return true;
  }

  /** Counts requests that were answered at once. */
  answered(requests: number): void {
    this.#answered += requests;
  }

  /** Counts a read that brought something. */
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

  /** The loop has turned: those that wait are served, as far as the time goes. */
  #turn(): void {
    this.#isArmed = this.#isUsedUp = false;
    this.#extra = EXTRA_WORK;
    this.#spent = this.#lookAt = 0; // so that the first work begins another
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
    // Without reads, what had been waiting for something else went on.
    if (this.#reads > 0) this.roundRobin.turned(this.#reads);
    this.#reads = this.#answered = 0;
  }
}
