// Verdicts as JSON:
//
//   {"allowed":true,"applied":1,"denied_by":null,"limits":[{"series":"api","max":1000,"used":5,
//    "remaining":995,"resets_at":"2026-11-24T00:00:00Z","resets_in_ms":43200000}]}
//
// Each moment is told twice, as a date and as milliseconds from now, so that no client subtracts its own clock from
// the server's.
//
// Trade-off: the constant parts of a list of limits, and the moments at which days begin, are kept as bytes, since
// clients send the same limits again and again.

import { LANE, SendBuffer } from "../../bytes/mod.ts";
import { type Limits, type LimitSet, MAX, NEVER, type Verdict } from "../../command/mod.ts";
import { Moments } from "./moments.ts";

const encoder = new TextEncoder();
const ALLOWED = encoder.encode('{"allowed":true,"applied":');
const DENIED = encoder.encode('{"allowed":false,"applied":');
const BY_NONE = encoder.encode(',"denied_by":null,"limits":');
const BY = encoder.encode(',"denied_by":');
const LIMITS = encoder.encode(',"limits":');
const NO_LIMITS = encoder.encode("[]");
const END_LIMITS = encoder.encode("}]");
const USED = encoder.encode(',"used":');
const REMAINING = encoder.encode(',"remaining":');
const RESETS = { at: ',"resets_at":', in: ',"resets_in_ms":' };
const RETRY = { at: ',"retry_at":', in: ',"retry_after_ms":' };
const RETRY_AFTER = encoder.encode(RETRY.in);
const NULL = encoder.encode("null");
const RECEIPT = encoder.encode(',"receipt":"');
const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;

/** The most bytes of a reply beside what it tells of each limit, and of that behind its head. */
const ENVELOPE_BYTES_MAX = 300;
const LIMIT_BYTES_MAX = 280;

/** Each limit of a list up to what is used, or carried over: `[{"series":"api","max":1000,"used":`, `},{"series": ...` */
interface Heads {
  readonly heads: readonly Uint8Array[];
  readonly bytes: number;
}

const HEADS = new WeakMap<LimitSet, Heads>();

export class VerdictWriter {
  /** The limits of the last verdict: the next one mostly has the same. */
  #set: LimitSet | null = null;
  #heads: Heads = { heads: [], bytes: 0 };
  readonly #resets = new Moments(RESETS);
  readonly #retries = new Moments(RETRY);

  /** The most bytes of a reply with a verdict on these limits. */
  bytesMax(limits: Limits): number {
    this.#use(limits.set);
    return ENVELOPE_BYTES_MAX + this.#heads.bytes + limits.count * LIMIT_BYTES_MAX;
  }

  write(verdict: Verdict, out: SendBuffer): void {
    const { limits, applied, deniedBy, receipt } = verdict;
    this.#use(limits.set);
    out.raw(verdict.isAllowed ? ALLOWED : DENIED);
    out.decimal(applied[0], applied[1]);
    if (deniedBy < 0) out.raw(BY_NONE);
    else {
      out.raw(BY);
      out.decimal(deniedBy, 0);
      out.raw(LIMITS);
    }
    for (let index = 0; index < limits.count; index++) this.#limit(index, limits, verdict, out);
    out.raw(limits.count === 0 ? NO_LIMITS : END_LIMITS);
    if (deniedBy >= 0) this.#retryAfter(verdict, out);
    if (receipt !== "") {
      out.raw(RECEIPT);
      out.text(receipt);
      out.byte(QUOTE);
    }
    out.byte(CLOSE_BRACE);
  }

  #limit(index: number, limits: Limits, verdict: Verdict, out: SendBuffer): void {
    let maxLo = limits.lo(index, MAX);
    let maxHi = limits.hi(index, MAX);
    const usedLo = verdict.used[2 * index];
    const usedHi = verdict.used[2 * index + 1];
    out.raw(this.#heads.heads[index]);
    const { max, carry } = limits.set.limits[index];
    if (carry !== null) { // of several verdicts on the same limits each has its own
      const [carriedLo, carriedHi] = verdict.carried.subarray(2 * index);
      const sumLo = max[0] + carriedLo;
      maxLo = sumLo % LANE;
      maxHi = max[1] + carriedHi + (sumLo >= LANE ? 1 : 0);
      out.decimal(carriedLo, carriedHi);
      out.raw(USED);
    }
    out.decimal(usedLo, usedHi);
    out.raw(REMAINING);
    const borrow = maxLo < usedLo ? 1 : 0;
    const restHi = maxHi - usedHi - borrow;
    if (restHi < 0) out.decimal(0, 0);
    else out.decimal(maxLo - usedLo + borrow * LANE, restHi);
    out.raw(this.#resets.text(verdict.resetsAtMs[index], verdict.nowMs));
    if (verdict.hasRefused[index]) {
      out.raw(this.#retries.text(verdict.retryAtMs[index], verdict.nowMs));
    }
  }

  /** When all limits that refused have room. */
  #retryAfter({ limits, hasRefused, retryAtMs, nowMs }: Verdict, out: SendBuffer): void {
    let last = nowMs;
    for (let index = 0; index < limits.count; index++) {
      if (hasRefused[index]) last = Math.max(last, retryAtMs[index]);
    }
    out.raw(RETRY_AFTER);
    if (last === NEVER) out.raw(NULL);
    else out.decimal((last - nowMs) % LANE, Math.floor((last - nowMs) / LANE));
  }

  #use(set: LimitSet): void {
    if (set === this.#set) return;
    this.#set = set;
    let heads = HEADS.get(set);
    if (heads === undefined) HEADS.set(set, heads = headsOf(set));
    this.#heads = heads;
  }
}

function headsOf({ limits }: LimitSet): Heads {
  const heads = limits.map(({ name, max, carry }, index) => {
    const out = new SendBuffer(64);
    out.text(index === 0 ? '[{"series":' : '},{"series":');
    out.jsonString(name);
    out.text(',"max":');
    out.decimal(max[0], max[1]);
    out.text(carry === null ? ',"used":' : ',"carried":');
    return out.view(0);
  });
  return { heads, bytes: heads.reduce((sum, head) => sum + head.length, 0) };
}
