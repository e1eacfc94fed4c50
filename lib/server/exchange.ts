// An exchange: what serves one read's requests until their replies are written, handed from session to
// session, so that ten thousand idle connections hold none.
//
// Requests are answered one after the other, so one set of records serves all of them; only one that
// takes time keeps the records until it is answered, and the others get another set.
//
// Invariant: an exchange belongs to one session at a time, from a read to the write of its replies; no
// two requests that are not answered yet have the same records.
// Trade-off: with records for each session those of a turn's sessions filled the processor's caches.

import { BufferPool, SendBuffer } from "../bytes/mod.ts";
import { Reply, Request } from "../command/mod.ts";
import type { Codec } from "../protocol/mod.ts";

/** Replies leave at the latest when so many bytes are together: a write of that size costs little. */
export const SEND_BYTES = 65536;

/** So many bytes of requests are answered at once: a millisecond's work, and as many as a read mostly brings. */
export const SLICE_BYTES = 65536;

/** What a buffer begins with: the replies to a few dozen requests. */
const BEGIN_BYTES = 4096;

/**
 * Exchanges kept for the next turn: each session that a turn wakes needs one until it has written. A
 * thousand small ones are some 4 MiB; of larger ones sixty-four, at most 8 MiB.
 */
const SPARES_MAX = 1024;
const LARGE_SPARES_MAX = 64;

/** Records kept for requests that take time. */
const SPARE_RECORDS_MAX = 64;

export class CallContext {
  readonly request = new Request();
  readonly reply = new Reply();
  readonly codec: Codec;

  constructor(codec: Codec) {
    this.codec = codec;
  }
}

export class Exchange {
  readonly out: SendBuffer;
  /** How many requests this read has brought so far. */
  requests = 0;
  /** Those of a request that is not answered yet. */
  kept: CallContext | null = null;

  constructor(pool: BufferPool) {
    this.out = new SendBuffer(BEGIN_BYTES, pool);
  }
}

export class ExchangePool {
  readonly #spare: Exchange[] = [];
  readonly #spareRecords: CallContext[] = [];
  readonly #codec: () => Codec;
  readonly #buffers: BufferPool;
  /** Those for the next request. */
  records: CallContext;

  /** `codec` makes one for each new set of records. */
  constructor(codec: () => Codec, buffers = new BufferPool()) {
    this.#codec = codec;
    this.#buffers = buffers;
    this.records = new CallContext(codec());
  }

  take(): Exchange {
    return this.#spare.pop() ?? new Exchange(this.#buffers);
  }

  /** Lets an exchange keep the records until its request is answered. */
  keep(exchange: Exchange): void {
    exchange.kept = this.records;
    this.records = this.#spareRecords.pop() ?? new CallContext(this.#codec());
  }

  /** Takes the records back that were kept. */
  giveRecords(exchange: Exchange): void {
    const records = exchange.kept;
    if (records === null) return;
    exchange.kept = null;
    records.reply.clear();
    if (this.#spareRecords.length < SPARE_RECORDS_MAX) this.#spareRecords.push(records);
  }

  give(exchange: Exchange): void {
    this.giveRecords(exchange);
    exchange.out.clear();
    exchange.requests = 0;
    const { length } = exchange.out.bytes;
    const sparesMax = length > BEGIN_BYTES ? LARGE_SPARES_MAX : SPARES_MAX;
    if (this.#spare.length < sparesMax) this.#spare.push(exchange);
    else exchange.out.release();
  }

  /** Lets go what is kept for the next turn only. */
  trim(): void {
    for (const { out } of this.#spare.splice(0)) out.release();
  }
}
