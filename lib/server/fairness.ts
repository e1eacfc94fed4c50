// Fairness: no session keeps the event loop to itself.
//
// A read or write that can be done at once is, without a turn of the event loop, so a client that
// always has more to send, or to receive, would never let another one be served. Sessions count
// their work, and one that did a share of it without the loop having turned waits for its next turn.
//
// Invariant: between two turns of the loop a session does at most two shares, some 3 ms, of work.
// Trade: while sessions are busy a timer of a millisecond tells whether the loop turns; it costs
// less than a clock read for every request, and nothing when all are idle.

import { nextTurn } from "../host/clock.ts";

/** Bytes read and written that make a share: about 1500 requests with their replies. */
const SHARE_BYTES = 131072;

/** What the calls of one read and one write cost, in bytes' worth of work. */
const CALL_BYTES = 512;

/** Counts the turns of the event loop as far as it must: one a millisecond, after it was asked. */
export class TurnCounter {
  #turns = 0;
  #armed = false;

  get turns(): number {
    if (!this.#armed) {
      this.#armed = true;
      setTimeout(() => {
        this.#turns++;
        this.#armed = false;
      }, 0);
    }
    return this.#turns;
  }
}

/** The work of one session. */
export class Share {
  readonly #counter: TurnCounter;
  #bytes = 0;
  #turns = -1;

  constructor(counter: TurnCounter) {
    this.#counter = counter;
  }

  /** Counts a call that read or wrote so many bytes. True: now `giveWay`. */
  isUsedUp(bytes: number): boolean {
    this.#bytes += bytes + CALL_BYTES;
    if (this.#bytes < SHARE_BYTES) return false;
    this.#bytes = 0;
    const before = this.#turns;
    this.#turns = this.#counter.turns;
    return before === this.#turns;
  }

  /** Lets all others have their turn. */
  async giveWay(): Promise<void> {
    await nextTurn();
    this.#turns = this.#counter.turns;
  }
}
