// Verdicts in RESP: the maps that they are in JSON, or the five numbers of redis-cell.
//
// Invariant: a map tells how many members it has before them, so that is found out first.
// Trade-off: the constant parts of a list of limits, and the moments at which days begin, are kept as bytes, since
// clients send the same limits again and again.

import { LANE, SendBuffer } from "../../bytes/mod.ts";
import { type LimitSet, NEVER, type Threshold, type Verdict } from "../../command/mod.ts";
import { Moments } from "../moments.ts";
import { writeHead, writeNumber, writeString } from "./values.ts";

const encoder = new TextEncoder();
const nameOf = (name: string) => encoder.encode(stringOf(name));
const ALLOWED = nameOf("allowed");
const APPLIED = nameOf("applied");
const DENIED_BY = nameOf("denied_by");
const LIMITS = nameOf("limits");
const REMAINING = nameOf("remaining");
const USED = nameOf("used");
const RETRY_AFTER = nameOf("retry_after_ms");
const CROSSED = nameOf("crossed");
const RECEIPT = nameOf("receipt");

/** Members that each limit has: its series, its max, what is used and remains, two for when that falls. */
const LIMIT_MEMBERS = 6;

const SECOND_MS = 1000;

/** What differs between the versions of the protocol. */
interface Words {
  readonly yes: Uint8Array;
  readonly no: Uint8Array;
  readonly none: Uint8Array;
  readonly resets: Moments;
  readonly retries: Moments;
}

const WORDS: readonly Words[] = [
  wordsOf("$-1\r\n", ":1\r\n", ":0\r\n"),
  wordsOf("_\r\n", "#t\r\n", "#f\r\n"),
];

/** Each limit from its series up to what is used, or carried over. */
const HEADS = new WeakMap<LimitSet, readonly Uint8Array[]>();

/** Writes a verdict as a map. */
export function writeVerdict(verdict: Verdict, version: number, out: SendBuffer): void {
  if (verdict.isBrief) writeBrief(verdict, version, out);
  else writeFull(verdict, version, out);
}

/** Limited or not, the limit, what remains, seconds until it fits or -1, and until the bucket is full. */
export function writeThrottle(verdict: Verdict, version: number, out: SendBuffer): void {
  const { limits, isAllowed, nowMs, resetsAtMs, retryAtMs } = verdict;
  const [lo, hi] = limits.set.limits[0].max;
  const rest = verdict.remaining(0);
  const isNever = isAllowed || retryAtMs[0] === NEVER;
  out.text(`*5\r\n:${isAllowed ? 0 : 1}\r\n`);
  writeNumber(lo, hi, version, out);
  writeNumber(rest[0], rest[1], version, out);
  out.text(`:${isNever ? -1 : secondsUntil(retryAtMs[0], nowMs)}\r\n`);
  out.text(`:${resetsAtMs[0] === NEVER ? 0 : secondsUntil(resetsAtMs[0], nowMs)}\r\n`);
}

/** Rounded up, so that nobody comes back too early. */
function secondsUntil(ms: number, nowMs: number): number {
  return Math.max(0, Math.ceil((ms - nowMs) / SECOND_MS));
}

function writeBrief(verdict: Verdict, version: number, out: SendBuffer): void {
  const { applied, isPart, deniedBy, receipt } = verdict;
  const crossed = verdict.crossed.flatMap((some) => some ?? []);
  const members = 3 + (isPart ? 1 : 0) + (deniedBy >= 0 ? 1 : 0) + (crossed.length > 0 ? 1 : 0);
  writeHead("%", members + (receipt === "" ? 0 : 1), version, out);
  writeAllowed(verdict, version, out);
  if (isPart) {
    out.raw(APPLIED);
    writeNumber(applied[0], applied[1], version, out);
  }
  writeDeniedBy(verdict, version, out);
  const least = verdict.leastRemaining();
  out.raw(REMAINING);
  writeNumber(least[0], least[1], version, out);
  if (deniedBy >= 0) writeRetryAfter(verdict, version, out);
  if (crossed.length > 0) writeCrossed(crossed, version, out);
  writeReceipt(receipt, out);
}

function writeFull(verdict: Verdict, version: number, out: SendBuffer): void {
  const { limits, applied, deniedBy, receipt } = verdict;
  const members = 4 + (deniedBy >= 0 ? 1 : 0) + (receipt === "" ? 0 : 1);
  writeHead("%", members, version, out);
  writeAllowed(verdict, version, out);
  out.raw(APPLIED);
  writeNumber(applied[0], applied[1], version, out);
  writeDeniedBy(verdict, version, out);
  out.raw(LIMITS);
  writeHead("*", limits.count, version, out);
  const heads = headsOf(limits.set);
  for (let index = 0; index < limits.count; index++) {
    writeLimit(index, heads[index], verdict, version, out);
  }
  if (deniedBy >= 0) writeRetryAfter(verdict, version, out);
  writeReceipt(receipt, out);
}

function writeLimit(
  index: number,
  head: Uint8Array,
  verdict: Verdict,
  version: number,
  out: SendBuffer,
): void {
  const { limits, used, carried, nowMs, resetsAtMs, retryAtMs } = verdict;
  const hasCarry = limits.set.limits[index].carry !== null;
  const hasRefused = verdict.hasRefused[index];
  const crossed = verdict.crossed.length > 0 ? verdict.crossed[index] : null;
  const { resets, retries } = wordsIn(version);
  const members = LIMIT_MEMBERS + (hasCarry ? 1 : 0) + (hasRefused ? 2 : 0) + (crossed ? 1 : 0);
  writeHead("%", members, version, out);
  out.raw(head);
  if (hasCarry) {
    writeNumber(carried[2 * index], carried[2 * index + 1], version, out);
    out.raw(USED);
  }
  writeNumber(used[2 * index], used[2 * index + 1], version, out);
  const rest = verdict.remaining(index);
  out.raw(REMAINING);
  writeNumber(rest[0], rest[1], version, out);
  out.raw(resets.text(resetsAtMs[index], nowMs));
  if (hasRefused) out.raw(retries.text(retryAtMs[index], nowMs));
  if (crossed) writeCrossed(crossed, version, out);
}

function writeAllowed({ isAllowed }: Verdict, version: number, out: SendBuffer): void {
  const { yes, no } = wordsIn(version);
  out.raw(ALLOWED);
  out.raw(isAllowed ? yes : no);
}

function writeDeniedBy({ deniedBy }: Verdict, version: number, out: SendBuffer): void {
  out.raw(DENIED_BY);
  if (deniedBy < 0) out.raw(wordsIn(version).none);
  else writeNumber(deniedBy, 0, version, out);
}

function writeRetryAfter(verdict: Verdict, version: number, out: SendBuffer): void {
  const afterMs = verdict.retryAfterMs();
  out.raw(RETRY_AFTER);
  if (afterMs === NEVER) out.raw(wordsIn(version).none);
  else writeNumber(afterMs % LANE, Math.floor(afterMs / LANE), version, out);
}

/** The thresholds that were crossed, each once. */
function writeCrossed(crossed: readonly Threshold[], version: number, out: SendBuffer): void {
  const texts = [...new Set(crossed.map(({ text }) => text))];
  out.raw(CROSSED);
  writeHead("*", texts.length, version, out);
  for (const text of texts) out.text(version < 3 ? stringOf(text) : `,${text}\r\n`);
}

function writeReceipt(receipt: string, out: SendBuffer): void {
  if (receipt === "") return;
  out.raw(RECEIPT);
  writeString(encoder.encode(receipt), out);
}

function headsOf(set: LimitSet): readonly Uint8Array[] {
  const known = HEADS.get(set);
  if (known !== undefined) return known;
  const heads = set.limits.map(({ name, max, carry }) => {
    const out = new SendBuffer(64);
    out.raw(nameOf("series"));
    writeString(name, out);
    out.raw(nameOf("max"));
    writeNumber(max[0], max[1], 2, out);
    out.raw(carry === null ? USED : nameOf("carried"));
    return out.view(0).slice();
  });
  HEADS.set(set, heads);
  return heads;
}

function wordsIn(version: number): Words {
  return WORDS[version < 3 ? 0 : 1];
}

function wordsOf(none: string, yes: string, no: string): Words {
  const moment = (at: string, after: string) =>
    new Moments((date, afterMs) => {
      const text = date === null ? none : stringOf(date);
      return `${stringOf(at)}${text}${stringOf(after)}${
        afterMs === null ? none : `:${afterMs}\r\n`
      }`;
    });
  return {
    yes: encoder.encode(yes),
    no: encoder.encode(no),
    none: encoder.encode(none),
    resets: moment("resets_at", "resets_in_ms"),
    retries: moment("retry_at", "retry_after_ms"),
  };
}

/** A string of ASCII. */
function stringOf(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
