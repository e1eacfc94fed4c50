// A verdict: what becomes of a cost under some limits, and how it is told.
//
//   {"allowed":true,"applied":1,"denied_by":null,"limits":[{"series":"api","max":1000,"used":5,
//    "remaining":995,"resets_at":"2026-11-24T00:00:00Z"}]}
//
// It is reused. Invariant: of each limit of the request it tells what is used, the day on which that
// changes, and, where the limit refused, the day from which the cost fits; 0 is no day.

import type { SendBuffer } from "../bytes/send_buffer.ts";
import { LANE } from "../bytes/u64.ts";
import { Limits, LIMITS_MAX, MAX } from "./limits.ts";

const encoder = new TextEncoder();
const ALLOWED = encoder.encode('{"allowed":true,"applied":');
const DENIED = encoder.encode('{"allowed":false,"applied":');
const DENIED_BY = encoder.encode(',"denied_by":');
const LIMITS = encoder.encode(',"limits":[');
const SERIES = encoder.encode('{"series":"');
const MAXIMUM = encoder.encode('","max":');
const USED = encoder.encode(',"used":');
const REMAINING = encoder.encode(',"remaining":');
const RESETS_AT = encoder.encode(',"resets_at":');
const RETRY_AT = encoder.encode(',"retry_at":');
const RECEIPT = encoder.encode(',"receipt":"');
const NULL = encoder.encode("null");
const COMMA = 0x2c;
const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;

export class Verdict {
  isAllowed = false;
  /** The lanes of what was applied, or would be. */
  readonly applied = new Uint32Array(2);
  /** The first limit that refused; -1: none did. */
  deniedBy = -1;
  /** Two lanes for each limit. */
  readonly used = new Uint32Array(2 * LIMITS_MAX);
  readonly hasRefused: boolean[] = [];
  readonly resetsDay: number[] = [];
  readonly retryDay: number[] = [];
  /** Empty: there is none. */
  receipt = "";
  readonly #momentOf: (day: number) => Uint8Array;
  #limits = new Limits();

  /** `momentOf` gives the text of the moment at which a day begins, with its quotes. */
  constructor(momentOf: (day: number) => Uint8Array) {
    this.#momentOf = momentOf;
  }

  /** Begins one under these limits, which must not change before it is written. */
  begin(limits: Limits): void {
    this.#limits = limits;
    this.receipt = "";
  }

  write(out: SendBuffer): void {
    const limits = this.#limits;
    out.raw(this.isAllowed ? ALLOWED : DENIED);
    out.decimal(this.applied[0], this.applied[1]);
    out.raw(DENIED_BY);
    if (this.deniedBy < 0) out.raw(NULL);
    else out.decimal(this.deniedBy, 0);
    out.raw(LIMITS);
    for (let index = 0; index < limits.count; index++) {
      if (index > 0) out.byte(COMMA);
      this.#writeLimit(index, limits, out);
    }
    out.byte(CLOSE_BRACKET);
    if (this.receipt !== "") {
      out.raw(RECEIPT);
      out.text(this.receipt);
      out.byte(QUOTE);
    }
    out.byte(CLOSE_BRACE);
  }

  #writeLimit(index: number, limits: Limits, out: SendBuffer): void {
    const maxLo = limits.lo(index, MAX);
    const maxHi = limits.hi(index, MAX);
    const usedLo = this.used[2 * index];
    const usedHi = this.used[2 * index + 1];
    out.raw(SERIES);
    out.jsonText(limits.name(index));
    out.raw(MAXIMUM);
    out.decimal(maxLo, maxHi);
    out.raw(USED);
    out.decimal(usedLo, usedHi);
    out.raw(REMAINING);
    const borrow = maxLo < usedLo ? 1 : 0;
    const restHi = maxHi - usedHi - borrow;
    if (restHi < 0) out.decimal(0, 0);
    else out.decimal(maxLo - usedLo + borrow * LANE, restHi);
    out.raw(RESETS_AT);
    out.raw(this.resetsDay[index] === 0 ? NULL : this.#momentOf(this.resetsDay[index]));
    if (this.hasRefused[index]) {
      out.raw(RETRY_AT);
      out.raw(this.retryDay[index] === 0 ? NULL : this.#momentOf(this.retryDay[index]));
    }
    out.byte(CLOSE_BRACE);
  }
}
