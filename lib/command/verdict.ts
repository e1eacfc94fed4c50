// A verdict: what becomes of a cost under some limits, and how it is told.
//
//   {"allowed":true,"applied":1,"denied_by":null,"limits":[{"series":"api","max":1000,"used":5,
//    "remaining":995,"resets_at":"2026-11-24T00:00:00Z"}]}
//
// It is reused. Invariant: of each limit of the request it tells what is used, the moment at which that
// changes, and, where the limit refused, the moment from which the cost fits.

import { LANE, type SendBuffer } from "../bytes/mod.ts";
import { Limits, LIMITS_MAX, MAX } from "./limits.ts";

const encoder = new TextEncoder();
const ALLOWED = encoder.encode('{"allowed":true,"applied":');
const DENIED = encoder.encode('{"allowed":false,"applied":');
const BY_NONE = encoder.encode(',"denied_by":null,"limits":');
const BY = encoder.encode(',"denied_by":');
const LIMITS = encoder.encode(',"limits":');
const NO_LIMITS = encoder.encode("[]");
const END_LIMITS = encoder.encode("}]");
const REMAINING = encoder.encode(',"remaining":');
const RECEIPT = encoder.encode(',"receipt":"');
const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;

export class Verdict {
  isAllowed = false;
  /** The lanes of what was applied, or would be. */
  readonly applied = new Uint32Array(2);
  /** The first limit that refused; -1: none did. */
  deniedBy = -1;
  /** Two lanes for each limit. */
  readonly used = new Uint32Array(2 * LIMITS_MAX);
  readonly hasRefused: boolean[] = [];
  // As they are told: `,"resets_at":"2026-11-24T00:00:00Z"`, `,"retry_at":null`; the latter only of
  // limits that refused.
  readonly resetsAt: Uint8Array[] = [];
  readonly retryAt: Uint8Array[] = [];
  /** Empty: there is none. */
  receipt = "";
  #limits = new Limits();

  /** Begins one under these limits, which must not change before it is written. */
  begin(limits: Limits): void {
    this.#limits = limits;
    this.receipt = "";
  }

  write(out: SendBuffer): void {
    const limits = this.#limits;
    out.raw(this.isAllowed ? ALLOWED : DENIED);
    out.decimal(this.applied[0], this.applied[1]);
    if (this.deniedBy < 0) out.raw(BY_NONE);
    else {
      out.raw(BY);
      out.decimal(this.deniedBy, 0);
      out.raw(LIMITS);
    }
    for (let index = 0; index < limits.count; index++) this.#writeLimit(index, limits, out);
    out.raw(limits.count === 0 ? NO_LIMITS : END_LIMITS);
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
    out.raw(limits.head(index));
    out.decimal(usedLo, usedHi);
    out.raw(REMAINING);
    const borrow = maxLo < usedLo ? 1 : 0;
    const restHi = maxHi - usedHi - borrow;
    if (restHi < 0) out.decimal(0, 0);
    else out.decimal(maxLo - usedLo + borrow * LANE, restHi);
    out.raw(this.resetsAt[index]);
    if (this.hasRefused[index]) {
      out.raw(this.retryAt[index]);
    }
  }
}
