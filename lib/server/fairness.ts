// Fairness: sessions never keep the event loop from turning.
//
// A read or write that can be done at once is, without a turn of the event loop, so a client that
// always has more to send, or to receive, would never let another one be served. All sessions
// together have a share of work for each turn; who finds it used up waits for the next turn.
//
// Invariant: between two turns of the loop sessions do a share, some 3 to 5 ms, of work, and each
// what one read or 64 KiB of replies takes. Who waits goes on in the order of having begun to wait.
// Trade: while sessions are busy a timer of a millisecond tells that the loop has turned; it costs
// less than a clock read for every request, and nothing when all are idle.

import { nextTurn } from "../host/clock.ts";

/** Bytes read and written that make a share: some 5000 pipelined requests with their replies. */
const SHARE_BYTES = 524288;

/** What the calls of one read and one write cost, in bytes' worth of work. */
const CALL_BYTES = 512;

export class TurnCounter {
  #bytes = 0;
  #armed = false;

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

  /** Lets all others have their turn, until there is a share for this one. */
  async giveWay(): Promise<void> {
    do await nextTurn(); while (this.isUsedUp(0));
  }
}
