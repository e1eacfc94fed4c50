// An exchange: the records and the buffer that serve one read's requests, handed from session to
// session, so that ten thousand idle connections hold none.
//
// Invariant: an exchange belongs to one session at a time, from a read to the write of its replies.

import { SendBuffer } from "../bytes/send_buffer.ts";
import { Reply } from "../command/reply.ts";
import { Request } from "../command/request.ts";
import { V1 } from "../dialect/v1.ts";

/** Replies leave at the latest when so many bytes are together: a write of that size costs little. */
export const SEND_BYTES = 65536;

/** A buffer that one long reply made larger than this is not kept. */
const SEND_BYTES_KEPT = 4 * SEND_BYTES;

/** Exchanges kept for the next read; more are in use only while clients are slow to read. */
const SPARE_EXCHANGES_MAX = 64;

export class Exchange {
  readonly request = new Request();
  readonly reply = new Reply();
  readonly dialect = new V1();
  readonly out = new SendBuffer(2 * SEND_BYTES);
}

export class ExchangePool {
  readonly #spare: Exchange[] = [];

  take(): Exchange {
    return this.#spare.pop() ?? new Exchange();
  }

  give(exchange: Exchange): void {
    exchange.out.clear();
    exchange.reply.clear();
    const kept = exchange.out.bytes.length <= SEND_BYTES_KEPT;
    if (kept && this.#spare.length < SPARE_EXCHANGES_MAX) this.#spare.push(exchange);
  }
}
