// Verdicts as JSON:
//
//   {"allowed":true,"applied":1,"denied_by":null,"limits":[{"series":"api","max":1000,"used":5,
//    "remaining":995,"resets_at":"2026-11-24T00:00:00Z","resets_in_ms":43200000}]}
//
// or, where only what a caller acts on is wanted:
//
//   {"allowed":true,"denied_by":null,"remaining":995}
//
// Each moment is told twice, as a date and as milliseconds from now, so that no client subtracts its own clock from
// the server's.
//
// Trade-off: the constant parts of a list of limits, and the moments at which days begin, are kept as bytes, since
// clients send the same limits again and again.

import { LANE, SendBuffer } from "../../bytes/mod.ts";
import {
  type Limits,
  type LimitSet,
  NEVER,
  type Threshold,
  THRESHOLDS_MAX,
  type Verdict,
} from "../../command/mod.ts";
import { Moments } from "../moments.ts";

const encoder = new TextEncoder();
const ALLOWED = encoder.encode('{"allowed":true');
const DENIED = encoder.encode('{"allowed":false');
const APPLIED = encoder.encode(',"applied":');
const BY_NONE = encoder.encode(',"denied_by":null');
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
const CROSSED = encoder.encode(',"crossed":[');
const CLOSE_BRACKET = 0x5d;
const RECEIPT = encoder.encode(',"receipt":"');
const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;

/** The most bytes of a reply beside what it tells of each limit, and of that behind its head. */
const ENVELOPE_BYTES_MAX = 300;
const LIMIT_BYTES_MAX = 280;
const CROSSED_BYTES_MAX = 12 + 9 * THRESHOLDS_MAX; // each has eight bytes at most, and a comma

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
  readonly #resets = new Moments(momentText(RESETS));
  readonly #retries = new Moments(momentText(RETRY));

  /** The most bytes of a reply with a verdict on these limits. */
  bytesMax(limits: Limits): number {
    this.#use(limits.set);
    const bytes = LIMIT_BYTES_MAX + (limits.set.hasNotify ? CROSSED_BYTES_MAX : 0);
    return ENVELOPE_BYTES_MAX + this.#heads.bytes + limits.count * bytes;
  }

  write(verdict: Verdict, out: SendBuffer): void {
    if (verdict.isBrief) this.#brief(verdict, out);
    else this.#full(verdict, out);
    if (verdict.receipt !== "") {
      out.raw(RECEIPT);
      out.text(verdict.receipt);
      out.byte(QUOTE);
    }
    out.byte(CLOSE_BRACE);
  }

  /** What a caller acts on, of all limits together. */
  #brief(verdict: Verdict, out: SendBuffer): void {
    const { applied, deniedBy, crossed } = verdict;
    out.raw(verdict.isAllowed ? ALLOWED : DENIED);
    if (verdict.isPart) {
      out.raw(APPLIED);
      out.decimal(applied[0], applied[1]);
    }
    this.#deniedBy(deniedBy, out);
    const least = verdict.leastRemaining();
    out.raw(REMAINING);
    out.decimal(least[0], least[1]);
    if (deniedBy >= 0) this.#retryAfter(verdict, out);
    if (crossed.length > 0) writeCrossed(crossed.flatMap((some) => some ?? []), out);
  }

  #full(verdict: Verdict, out: SendBuffer): void {
    const { limits, applied, deniedBy } = verdict;
    this.#use(limits.set);
    out.raw(verdict.isAllowed ? ALLOWED : DENIED);
    out.raw(APPLIED);
    out.decimal(applied[0], applied[1]);
    this.#deniedBy(deniedBy, out);
    out.raw(LIMITS);
    for (let index = 0; index < limits.count; index++) this.#limit(index, limits, verdict, out);
    out.raw(limits.count === 0 ? NO_LIMITS : END_LIMITS);
    if (deniedBy >= 0) this.#retryAfter(verdict, out);
  }

  #deniedBy(deniedBy: number, out: SendBuffer): void {
    if (deniedBy < 0) return out.raw(BY_NONE);
    out.raw(BY);
    out.decimal(deniedBy, 0);
  }

  #limit(index: number, limits: Limits, verdict: Verdict, out: SendBuffer): void {
    const { used, carried, crossed } = verdict;
    out.raw(this.#heads.heads[index]);
    if (limits.set.limits[index].carry !== null) {
      out.decimal(carried[2 * index], carried[2 * index + 1]);
      out.raw(USED);
    }
    out.decimal(used[2 * index], used[2 * index + 1]);
    out.raw(REMAINING);
    const rest = verdict.remaining(index);
    out.decimal(rest[0], rest[1]);
    out.raw(this.#resets.text(verdict.resetsAtMs[index], verdict.nowMs));
    if (verdict.hasRefused[index]) {
      out.raw(this.#retries.text(verdict.retryAtMs[index], verdict.nowMs));
    }
    if (crossed.length > 0) writeCrossed(crossed[index] ?? [], out);
  }

  /** When all limits that refused have room. */
  #retryAfter(verdict: Verdict, out: SendBuffer): void {
    const afterMs = verdict.retryAfterMs();
    out.raw(RETRY_AFTER);
    if (afterMs === NEVER) out.raw(NULL);
    else out.decimal(afterMs % LANE, Math.floor(afterMs / LANE));
  }

  #use(set: LimitSet): void {
    if (set === this.#set) return;
    this.#set = set;
    let heads = HEADS.get(set);
    if (heads === undefined) HEADS.set(set, heads = headsOf(set));
    this.#heads = heads;
  }
}

/** The two members of a moment with those names: its date, and the milliseconds until then. */
export function momentText(names: { readonly at: string; readonly in: string }) {
  return (date: string | null, afterMs: number | null) => {
    return `${names.at}${date === null ? "null" : `"${date}"`}${names.in}${afterMs}`;
  };
}

/** The thresholds that were crossed, each once; nothing if there are none. */
function writeCrossed(crossed: readonly Threshold[], out: SendBuffer): void {
  if (crossed.length === 0) return;
  out.raw(CROSSED);
  out.text([...new Set(crossed.map(({ text }) => text))].join());
  out.byte(CLOSE_BRACKET);
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
