// Verdicts as JSON:
//
//   {"allowed":true,"applied":1,"denied_by":null,"limits":[{"series":"api","max":1000,"used":5,
//    "remaining":995,"resets_at":"2026-11-24T00:00:00Z"}]}
//
// Trade-off: the constant parts of a list of limits, and the moments at which days begin, are kept as bytes, since
// clients send the same limits again and again.

import { LANE, SendBuffer } from "../../bytes/mod.ts";
import { type Limits, type LimitSet, MAX, NEVER, type Verdict } from "../../command/mod.ts";

const encoder = new TextEncoder();
const ALLOWED = encoder.encode('{"allowed":true,"applied":');
const DENIED = encoder.encode('{"allowed":false,"applied":');
const BY_NONE = encoder.encode(',"denied_by":null,"limits":');
const BY = encoder.encode(',"denied_by":');
const LIMITS = encoder.encode(',"limits":');
const NO_LIMITS = encoder.encode("[]");
const END_LIMITS = encoder.encode("}]");
const REMAINING = encoder.encode(',"remaining":');
const RESETS_AT = ',"resets_at":';
const RESETS_NEVER = encoder.encode(`${RESETS_AT}null`);
const RETRY_AT = encoder.encode(',"retry_at":');
const RECEIPT = encoder.encode(',"receipt":"');
const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;

/** The most bytes of a reply beside what it tells of each limit, and of that behind its head. */
const ENVELOPE_BYTES_MAX = 256;
const LIMIT_BYTES_MAX = 160;

/** Moments kept, as a power of two: those at which days, weeks, months and years begin. */
const MOMENTS = 64;
const MOMENTS_SHIFT = 26;

/** Days begin at multiples of a quarter of an hour. */
const QUARTER_HOUR_MS = 900_000;

/** Each limit of a list up to what is used: `[{"series":"api","max":1000,"used":`, `},{"series": ...` */
interface Heads {
  readonly heads: readonly Uint8Array[];
  readonly bytes: number;
}

const HEADS = new WeakMap<LimitSet, Heads>();

export class VerdictWriter {
  /** The limits of the last verdict: the next one mostly has the same. */
  #set: LimitSet | null = null;
  #heads: Heads = { heads: [], bytes: 0 };
  /** Moments and their text, each in the place that its quarter of an hour is hashed to. */
  readonly #momentsMs = new Float64Array(MOMENTS).fill(NaN);
  readonly #moments: Uint8Array[] = Array(MOMENTS).fill(RESETS_NEVER);

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
    if (receipt !== "") {
      out.raw(RECEIPT);
      out.text(receipt);
      out.byte(QUOTE);
    }
    out.byte(CLOSE_BRACE);
  }

  #limit(index: number, limits: Limits, verdict: Verdict, out: SendBuffer): void {
    const maxLo = limits.lo(index, MAX);
    const maxHi = limits.hi(index, MAX);
    const usedLo = verdict.used[2 * index];
    const usedHi = verdict.used[2 * index + 1];
    out.raw(this.#heads.heads[index]);
    out.decimal(usedLo, usedHi);
    out.raw(REMAINING);
    const borrow = maxLo < usedLo ? 1 : 0;
    const restHi = maxHi - usedHi - borrow;
    if (restHi < 0) out.decimal(0, 0);
    else out.decimal(maxLo - usedLo + borrow * LANE, restHi);
    out.raw(this.#resetsAt(verdict.resetsAtMs[index]));
    if (verdict.hasRefused[index]) {
      out.raw(RETRY_AT);
      out.raw(this.#resetsAt(verdict.retryAtMs[index]).subarray(RESETS_AT.length));
    }
  }

  /** `,"resets_at":"2026-11-24T00:00:00Z"` or `,"resets_at":null` */
  #resetsAt(ms: number): Uint8Array {
    if (ms === NEVER) return RESETS_NEVER;
    const place = Math.imul(ms / QUARTER_HOUR_MS, 0x9e3779b1) >>> MOMENTS_SHIFT;
    if (this.#momentsMs[place] !== ms) {
      this.#momentsMs[place] = ms;
      const text = new Date(ms).toISOString().replace(".000Z", "Z");
      this.#moments[place] = encoder.encode(`${RESETS_AT}"${text}"`);
    }
    return this.#moments[place];
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
  const heads = limits.map(({ name, max }, index) => {
    const out = new SendBuffer(64);
    out.text(index === 0 ? '[{"series":' : '},{"series":');
    out.jsonString(name);
    out.text(',"max":');
    out.decimal(max[0], max[1]);
    out.text(',"used":');
    return out.view(0);
  });
  return { heads, bytes: heads.reduce((sum, head) => sum + head.length, 0) };
}
