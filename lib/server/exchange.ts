// An exchange: the send buffer and state for one read's requests, from decoding to the write of the
// replies. Sessions borrow it, so that ten thousand idle connections hold none.
//
// Requests are answered one after the other, so one call context (request, reply, codec) serves all
// of them. A request that takes time keeps its context until it is answered; the others get another.
//
// Invariant: an exchange belongs to one session at a time, from a read to the write of its replies;
// no two unanswered requests share a context.
// Trade-off: a context for each session would be simpler, but the contexts of one turn's sessions
// filled the processor's caches.

import { BufferPool, SendBuffer } from "../bytes/mod.ts";
import { Reply, Request } from "../command/mod.ts";
import type { Codec } from "../protocol/mod.ts";

/** Replies are sent once they have this many bytes: a write of that size costs little. */
export const SEND_BYTES = 65536;

/** Bytes of requests answered in one slice: a millisecond's work, and as much as a read mostly brings. */
export const SLICE_BYTES = 65536;

/** Initial size of a send buffer: the replies to a few dozen requests. */
const BEGIN_BYTES = 4096;

/**
 * Spare exchanges kept for the next turn: each session that a turn wakes needs one until it has
 * written. A thousand small ones take some 4 MiB, sixty-four larger ones at most 8 MiB.
 */
const SPARES_MAX = 1024;
const LARGE_SPARES_MAX = 64;

/** Spare call contexts kept for requests that take time. */
const SPARE_RECORDS_MAX = 64;

/** The reused request, reply and codec of one call. */
export class CallContext {
  readonly request = new Request();
  readonly reply = new Reply();
  readonly codec: Codec;

  constructor(codec: Codec) {
    this.codec = codec;
  }
}

/** What serves the requests of one read. */
export class Exchange {
  readonly out: SendBuffer;
  /** Requests of this read so far. */
  requests = 0;
  /** The context of a request that is still in progress; null: there is none. */
  kept: CallContext | null = null;

  constructor(pool: BufferPool) {
    this.out = new SendBuffer(BEGIN_BYTES, pool);
  }
}

/** Exchanges and call contexts that all sessions share. */
export class ExchangePool {
  readonly #spare: Exchange[] = [];
  readonly #spareRecords: CallContext[] = [];
  readonly #codec: () => Codec;
  readonly #buffers: BufferPool;
  /** The context of the next request. */
  records: CallContext;

  /** `codec` makes a codec for each new context. */
  constructor(codec: () => Codec, buffers = new BufferPool()) {
    this.#codec = codec;
    this.#buffers = buffers;
    this.records = new CallContext(codec());
  }

  /** Borrows an exchange; return it with `give`. */
  take(): Exchange {
    return this.#spare.pop() ?? new Exchange(this.#buffers);
  }

  /** Reserves the current context for the exchange until its request is answered. */
  keep(exchange: Exchange): void {
    exchange.kept = this.records;
    this.records = this.#spareRecords.pop() ?? new CallContext(this.#codec());
  }

  /** Returns the context that the exchange kept, if any. */
  giveRecords(exchange: Exchange): void {
    const records = exchange.kept;
    if (records === null) return;
    exchange.kept = null;
    records.reply.clear();
    if (this.#spareRecords.length < SPARE_RECORDS_MAX) this.#spareRecords.push(records);
  }

  /** Returns an exchange. */
  give(exchange: Exchange): void {
    this.giveRecords(exchange);
    exchange.out.clear();
    exchange.requests = 0;
    const { length } = exchange.out.bytes;
    const sparesMax = length > BEGIN_BYTES ? LARGE_SPARES_MAX : SPARES_MAX;
    if (this.#spare.length < sparesMax) this.#spare.push(exchange);
    else exchange.out.release();
  }

  /** Releases the spare exchanges. */
  trim(): void {
    for (const { out } of this.#spare.splice(0)) out.release();
  }
}
