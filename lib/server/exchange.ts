// An exchange: the records and the buffer that serve one read's requests, handed from session to
// session, so that ten thousand idle connections hold none.
//
// Invariant: an exchange belongs to one session at a time, from a read to the write of its replies.

import { SendBuffer } from "../bytes/send_buffer.ts";
import { Reply } from "../command/reply.ts";
import { Request } from "../command/request.ts";
import type { Interpreter } from "../dialect/interpreter.ts";

/** Replies leave at the latest when so many bytes are together: a write of that size costs little. */
export const SEND_BYTES = 65536;

/** What a buffer begins with: the replies to a few dozen requests. */
const BEGIN_BYTES = 4096;

/** A buffer that one long reply made larger than this is not kept. */
const KEPT_BYTES = 4 * SEND_BYTES;

/**
 * Exchanges kept for the next turn: each session that a turn wakes needs one until it has written. A
 * thousand small ones are some 8 MiB; of larger ones sixty-four, at most 16 MiB.
 */
const SPARES_MAX = 1024;
const LARGE_SPARES_MAX = 64;

export class Exchange {
  readonly request = new Request();
  readonly reply = new Reply();
  readonly interpreter: Interpreter;
  readonly out = new SendBuffer(BEGIN_BYTES);
  /** How many requests this read has brought so far. */
  requests = 0;

  constructor(interpreter: Interpreter) {
    this.interpreter = interpreter;
  }
}

export class ExchangePool {
  readonly #spare: Exchange[] = [];
  readonly #interpreter: () => Interpreter;

  /** `interpreter` makes one for each new exchange. */
  constructor(interpreter: () => Interpreter) {
    this.#interpreter = interpreter;
  }

  take(): Exchange {
    return this.#spare.pop() ?? new Exchange(this.#interpreter());
  }

  give(exchange: Exchange): void {
    exchange.out.clear();
    exchange.reply.clear();
    exchange.requests = 0;
    const { length } = exchange.out.bytes;
    const sparesMax = length > BEGIN_BYTES ? LARGE_SPARES_MAX : SPARES_MAX;
    if (length <= KEPT_BYTES && this.#spare.length < sparesMax) this.#spare.push(exchange);
  }
}
