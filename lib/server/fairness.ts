// Fairness: sessions never keep the event loop from turning. And what is done once for all that a turn has
// brought to them: looking at the time.
//
// A read or write that can be done at once is, without a turn of the event loop, so a client that
// always has more to send, or to receive, would never let another one be served. All sessions
// together have a share of work for each turn; who finds it used up waits for the next turn.
//
// That few sessions don't keep the runtime from looking at the others is another matter: rounds.ts.
//
// Invariant: between two turns of the loop sessions do a share, some 3 to 5 ms, of work, and each
// what one read or 64 KiB of replies takes. Who waits goes on in the order of having begun to wait.
// Trade: while sessions are busy a timer of a millisecond tells that the loop has turned; it costs
// less than a clock read for every request, and nothing when all are idle.

import type { Statistics } from "../engine/statistics.ts";
import { nextTurn } from "../host/clock.ts";
import { Rounds } from "./rounds.ts";

/** Bytes read and written that make a share: some 5000 pipelined requests with their replies. */
const SHARE_BYTES = 524288;

/** What the calls of one read and one write cost, in bytes' worth of work. */
const CALL_BYTES = 512;

export class TurnCounter {
  readonly #statistics: Statistics;
  #bytes = 0;
  #armed = false;
  /** Whether requests are being answered that one turn has brought; since when, and how many were. */
  #isTurn = false;
  #began = 0;
  #answered = 0;
  #reads = 0;
  readonly rounds: Rounds;

  constructor(statistics: Statistics) {
    this.#statistics = statistics;
    this.rounds = new Rounds(statistics);
  }

  /**
   * To be called before requests are answered. True: they are the first of this turn, and the time is to
   * be looked at, once for all that it has brought: on some machines that takes as long as a request.
   */
  begin(): boolean {
    if (this.#isTurn) return false;
    this.#isTurn = true;
    this.#began = performance.now();
    // Behind all reads that the turn has brought, and before any of their replies is written.
    queueMicrotask(() => this.#endTurn());
    return true;
  }

  /** Counts requests that were answered at once. */
  answered(requests: number): void {
    this.#answered += requests;
  }

  /** Counts a call that read or wrote so many bytes. True: the share is used up, now `giveWay`. */
  isUsedUp(bytes: number): boolean {
    this.#bytes += bytes + CALL_BYTES;
    if (!this.#armed) {
      this.#armed = true;
      setTimeout(() => {
        this.#armed = false;
        this.#bytes = 0;
      }, 0);
    }
    return this.#bytes >= SHARE_BYTES;
  }

  /** Counts a read that brought something. */
  read(): void {
    this.#reads++;
  }

  #endTurn(): void {
    this.#statistics.turn(this.#answered, performance.now() - this.#began);
    // Without reads, what had been waiting for something else went on.
    if (this.#reads > 0) this.rounds.turned(this.#reads);
    this.#reads = this.#answered = 0;
    this.#isTurn = false;
  }

  /** Lets all others have their turn, until there is a share for this one. */
  async giveWay(): Promise<void> {
    do await nextTurn(); while (this.isUsedUp(0));
  }
}
