// One reply, as data, before a protocol writes it: the record that the engine fills.
//
// It is reused. Invariant: either `code` is an error, or `shape` says which of the other fields hold the
// response. A reply that takes time is `pending` first; a long one has a `walk`.

import type { ErrorCode } from "../errors.ts";
import { Cells, type DayWalk, Walk } from "../tree/mod.ts";
import type { Data } from "./data.ts";
import type { Verdict } from "./verdict.ts";

const NONE = new Uint8Array(0);
const NO_VERDICTS: readonly Verdict[] = [];

type Shape =
  | "pong"
  | "ok"
  | "true"
  | "number" // in `lanes`
  | "text" // in `text`
  | "status" // likewise: a word about the connection
  | "echo" // in `subject`: what the client sent
  | "cells" // in `cells`: a counter's days
  | "counters" // of a whole tree, in `walk`, or one with very many days, in `days`
  | "applied" // how many changes, in `count`
  | "tally" // likewise, and their sum in `lanes`
  | "sums" // of counters, in `sums`
  | "verdict" // in `verdict`
  | "verdicts" // in `verdicts`, one for each key
  | "data" // in `data`
  | "stored"; // in `stored`: the bytes of an answer that was given before

/** Words of a sum: key lo, key hi, value lo, value hi. */
export const SUM_WORDS = 4;

export class Reply {
  code: ErrorCode | null = null;
  shape: Shape = "ok";
  readonly lanes = new Uint32Array(2);
  /** A text response, or the sentence of an error. */
  text = "";
  /** With some errors, the name that `text` is about, as the client sent it. */
  subject: Uint8Array = NONE;
  readonly cells = new Cells();
  walk: Walk | null = null;
  /** Of a walk: whether the named counters of its tree come behind it. */
  isNamedNext = false;
  /** Of a walk, or instead of one: the counter whose days are being written, as they are many. */
  days: DayWalk | null = null;
  /** When a walk must end, in milliseconds of performance.now(). */
  deadline = Infinity;
  count = 0;
  /** `count` sums. */
  sums = new Uint32Array(0);
  /** The keys of sums that are names, each at the index of its sum; null: all are numbers. */
  sumNames: Uint8Array[] | null = null;
  /** The engine's: to be written before the next request. */
  verdict: Verdict | null = null;
  verdicts = NO_VERDICTS;
  data: Data = null;
  /** Whether `data` or `verdicts` may be so long that they are written piece by piece. */
  isLong = false;
  stored: Uint8Array = NONE;
  /** Under an idempotency key: whether this is the answer of an earlier request. */
  isRepeated: boolean | null = null;
  /** Under an idempotency key: whether the answer is kept; that of a request that changed nothing need not be. */
  isKept = true;
  /** Bytes of the reply that no bound counts: its id, and quotes around numbers. */
  uncountedBytes = 0;
  /** Whether the connection ends with it. */
  isLast = false;
  /** Resolves when the reply is complete; null: it is. */
  pending: Promise<void> | null = null;

  /** Whether the rest of it is to be written piece by piece. */
  get isWalked(): boolean {
    return this.walk !== null || this.days !== null || this.isLong;
  }

  /** Clears the reply for the next request. */
  clear(): void {
    this.code = null;
    this.subject = NONE;
    this.walk = null;
    this.isNamedNext = false;
    this.days = null;
    this.isRepeated = null;
    this.isKept = true;
    this.pending = null;
    this.uncountedBytes = 0;
    this.isLast = false;
    this.isLong = false;
    this.sumNames = null;
    this.data = null; // large data is not kept after it has been written
    this.verdicts = NO_VERDICTS;
    this.stored = NONE;
  }

  number(lo: number, hi: number): void {
    this.shape = "number";
    this.lanes[0] = lo;
    this.lanes[1] = hi;
  }

  /** At the end of its walk: goes on with the named counters of its tree. False: that was all. */
  goOn(): boolean {
    const named = this.isNamedNext ? this.walk!.tree.named : null;
    this.isNamedNext = false;
    if (named === null) return false;
    this.walk = new Walk(named, 0, 0, this.walk!.met);
    return true;
  }

  /** Makes room for a number of sums. */
  beginSums(count: number): void {
    this.shape = "sums";
    this.count = count;
    if (this.sums.length < SUM_WORDS * count) this.sums = new Uint32Array(SUM_WORDS * count);
  }

  /** Responds with an object or a short list. */
  object(data: Data): void {
    this.shape = "data";
    this.data = data;
  }

  /** Responds with data that may be long: it is written piece by piece and must be done by `deadline`. */
  list(data: Data, deadline = Infinity): void {
    this.object(data);
    this.isLong = true;
    this.deadline = deadline;
  }

  fail(code: ErrorCode, sentence: string): void {
    this.code = code;
    this.text = sentence;
  }

  /** Responds that there is no tree or dump of that name; each protocol has its own sentence for it. */
  notFound(
    kind: "Tree" | "Dump" | "Snapshot" | "Ingest stream" | "Receipt",
    name: Uint8Array,
  ): void {
    this.code = "not_found";
    this.text = kind;
    this.subject = name;
  }
}
