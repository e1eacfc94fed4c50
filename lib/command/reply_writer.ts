// What the engine needs of a protocol: answers to requests with an idempotency key are kept as bytes, and a
// change is refused before it is made if its reply would be too long.
//
// Invariant: `fits` and `fitsBytes` either allow a reply or make it the error `response_too_large`.

import { SendBuffer } from "../bytes/mod.ts";
import type { Data } from "./data.ts";
import type { Limits } from "./limits.ts";
import type { Reply } from "./reply.ts";

/** Writes what answers are kept as, and measures what replies will be. */
export interface ReplyWriter {
  /** The bytes around the response of a reply to a request without an idempotency key. */
  readonly envelopeBytes: number;
  /** Writes the response of a reply that is no error, or the beginning of a walked one. */
  write(reply: Reply, out: SendBuffer): void;
  /** How many bytes a value takes in a response; some number above `bytesMax` if it takes more than that. */
  bytesOf(data: Data, bytesMax?: number): number;
  /** The most bytes of a reply with a verdict on these limits. */
  verdictBytesMax(limits: Limits): number;
}

/** More than a reply has beside that under an idempotency key. */
const REPEATED_BYTES_MAX = 61;

/** How long replies may be: the option `--max-response-bytes`. */
export class ReplyBound {
  readonly writer: ReplyWriter;
  /** Infinity: there is no limit. */
  readonly bytesMax: number;
  readonly #scratch = new SendBuffer(256);

  /** `bytesMax`: the most bytes of a reply; 0: there is no limit. */
  constructor(writer: ReplyWriter, bytesMax: number) {
    this.writer = writer;
    this.bytesMax = bytesMax === 0 ? Infinity : bytesMax;
  }

  /** Whether a reply that repeats what the client has named may be given. */
  fits(reply: Reply): boolean {
    if (this.bytesMax === Infinity) return true;
    this.#scratch.clear();
    this.writer.write(reply, this.#scratch);
    const { envelopeBytes } = this.writer;
    return this.fitsBytes(reply, envelopeBytes + REPEATED_BYTES_MAX + this.#scratch.length);
  }

  /** Whether a reply of so many bytes may be given. */
  fitsBytes(reply: Reply, bytes: number): boolean {
    if (bytes <= this.bytesMax) return true;
    this.refuse(reply);
    return false;
  }

  /** Says that a reply would be too long. */
  refuse(reply: Reply): void {
    reply.fail("response_too_large", `Response exceeds ${this.bytesMax} bytes`);
  }
}
