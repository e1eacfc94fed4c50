// Responses as JSON: every shape of a reply, for both protocols and for answers that are kept.
//
// Invariant: a whole tree, many days or a long list is written piece by piece, with other work in between: `write`
// begins, and `more` continues until it returns "end".

import { SendBuffer } from "../../bytes/mod.ts";
import {
  type Data,
  type Limits,
  type Reply,
  type ReplyWriter,
  type Request,
  SUM_WORDS,
} from "../../command/mod.ts";
import { type Branch, type Cells, DayWalk, STEP_CELLS } from "../../tree/mod.ts";
import { writeData, writePieces } from "./data.ts";
import { writeKey, writeKeyName } from "./key.ts";
import { VerdictWriter } from "./verdict.ts";

const encoder = new TextEncoder();
const PONG = encoder.encode('"pong"');
const OK = encoder.encode('"OK"');
const TRUE = encoder.encode("true");
const APPLIED = encoder.encode('{"applied":');
const TOTAL = encoder.encode(',"total":');
const KEY = encoder.encode('{"key":');
const VALUE = encoder.encode(',"value":');

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** What stands around a response in protocol v2; v1 has less. */
const ENVELOPE = '{"protocol_version":2,"success":true,"response":,"error_code":null}';

/** Verdicts of a piece: with sixteen limits each they are written in some 0.1 ms. */
const PIECE_VERDICTS = 16;

export class JsonReplyWriter implements ReplyWriter {
  readonly envelopeBytes = ENVELOPE.length;
  readonly #verdicts = new VerdictWriter();
  readonly #scratch = new SendBuffer(256);
  /** What is left of a long list; null: nothing. */
  #pieces: Iterator<void> | null = null;

  /** Writes the response of a reply without an error; of a walked one only the beginning. */
  write(reply: Reply, out: SendBuffer): void {
    switch (reply.shape) {
      case "number":
        return out.decimal(reply.lanes[0], reply.lanes[1]);
      case "pong":
        return out.raw(PONG);
      case "ok":
        return out.raw(OK);
      case "true":
        return out.raw(TRUE);
      case "text":
      case "status":
      case "echo":
        return out.jsonString(encoder.encode(reply.text));
      case "cells":
        return writeCells(reply.cells, out);
      case "counters":
        return out.byte(OPEN_BRACE);
      case "applied":
      case "tally":
        return writeTally(reply, out);
      case "sums":
        return writeSums(reply, out);
      case "verdict":
        return this.#verdicts.write(reply.verdict!, out);
      case "verdicts":
      case "data":
        return this.#writeLong(reply, out);
      case "stored":
        return out.raw(reply.stored);
    }
  }

  /** Writes the next piece of a walked reply to a request. "end": it was the last one. */
  more(request: Request, reply: Reply, out: SendBuffer): "more" | "end" {
    if (this.#pieces === null) return writeCounters(reply, request.dayFrom, request.dayTo, out);
    if (!this.#pieces.next().done) return "more";
    this.#pieces = null;
    return "end";
  }

  bytesOf(data: Data, bytesMax = Infinity): number {
    const out = this.#scratch;
    out.clear();
    const pieces = writePieces(data, out);
    while (!pieces.next().done && out.length <= bytesMax);
    return out.length;
  }

  verdictBytesMax(limits: Limits): number {
    return this.#verdicts.bytesMax(limits);
  }

  #writeLong(reply: Reply, out: SendBuffer): void {
    const { shape, data, verdicts } = reply;
    if (shape === "data" && !reply.isLong) return writeData(data, out);
    const pieces = shape === "data" ? writePieces(data, out) : this.#writeVerdicts(verdicts, out);
    if (reply.isLong) this.#pieces = pieces;
    else while (!pieces.next().done);
  }

  /** `{"results":[{"allowed":true, ...}, ...]}` */
  *#writeVerdicts(verdicts: Reply["verdicts"], out: SendBuffer): Generator<void> {
    out.text('{"results":[');
    for (const [index, verdict] of verdicts.entries()) {
      if (index > 0) out.byte(COMMA);
      this.#verdicts.write(verdict, out);
      if (index % PIECE_VERDICTS === PIECE_VERDICTS - 1) yield;
    }
    out.text("]}");
  }
}

/** `{"applied":3,"total":19}`, or the first of them. */
function writeTally(reply: Reply, out: SendBuffer): void {
  out.raw(APPLIED);
  out.decimal(reply.count, 0);
  if (reply.shape === "tally") {
    out.raw(TOTAL);
    out.decimal(reply.lanes[0], reply.lanes[1]);
  }
  out.byte(CLOSE_BRACE);
}

/** `[{"key":42,"value":12},{"key":43,"value":0}]` */
function writeSums({ sums, count, sumNames }: Reply, out: SendBuffer): void {
  out.byte(OPEN_BRACKET);
  for (let at = 0; at < SUM_WORDS * count; at += SUM_WORDS) {
    if (at > 0) out.byte(COMMA);
    out.raw(KEY);
    writeKey(sumNames?.[at / SUM_WORDS] ?? null, sums[at], sums[at + 1], out);
    out.raw(VALUE);
    out.decimal(sums[at + 2], sums[at + 3]);
    out.byte(CLOSE_BRACE);
  }
  out.byte(CLOSE_BRACKET);
}

/** `{"20260101":3,"20260102":5}` */
function writeCells(cells: Cells, out: SendBuffer): void {
  out.byte(OPEN_BRACE);
  for (let at = 0; at < 3 * cells.count; at += 3) {
    if (at > 0) out.byte(COMMA);
    writeCell(cells.words[at], cells.words[at + 1], cells.words[at + 2], out);
  }
  out.byte(CLOSE_BRACE);
}

function writeCell(day: number, lo: number, hi: number, out: SendBuffer): void {
  out.byte(QUOTE);
  out.decimal(day, 0);
  out.byte(QUOTE);
  out.byte(COLON);
  out.decimal(lo, hi);
}

/**
 * Writes the next piece of a walked reply, a branch or some days of a counter: `"7":{"20260101":3},"8":{}`, a
 * comma before all but the first counter. Returns whether there may be more; the end of the walk writes
 * the closing brace.
 */
function writeCounters(
  reply: Reply,
  dayFrom: number,
  dayTo: number,
  out: SendBuffer,
): "more" | "end" {
  const { walk } = reply;
  if (reply.days !== null) {
    if (writeDays(reply.days, reply.cells, out)) return "more";
    reply.days = null;
    out.byte(CLOSE_BRACE);
    return walk === null ? "end" : "more";
  }
  const branch = walk!.next();
  if (branch === null) {
    if (reply.goOn()) return "more";
    out.byte(CLOSE_BRACE);
    return "end";
  }
  const first = walk!.met === 0;
  const keys = walk!.keys(branch);
  for (let at = 0; at < keys.length; at += 2) {
    if (!first || at > 0) out.byte(COMMA);
    const [lo, hi] = [keys[at], keys[at + 1]];
    const slot = branch.locate(lo, hi);
    writeKeyName(walk!.tree, lo, hi, out);
    out.byte(COLON);
    out.byte(OPEN_BRACE);
    if (branch.count(slot) > STEP_CELLS) {
      reply.days = new DayWalk(walk!.tree, lo, hi, dayFrom, dayTo);
      walk!.goOnBehind(lo, hi);
      return "more";
    }
    writeCounter(branch, slot, dayFrom, dayTo, out);
    out.byte(CLOSE_BRACE);
  }
  return "more";
}

/** Writes some days, with commas between them and those before. False: there are no more. */
function writeDays(days: DayWalk, cells: Cells, out: SendBuffer): boolean {
  const isFirst = days.met === 0;
  const isMore = days.next(cells);
  for (let at = 0; at < 3 * cells.count; at += 3) {
    if (!isFirst || at > 0) out.byte(COMMA);
    writeCell(cells.words[at], cells.words[at + 1], cells.words[at + 2], out);
  }
  return isMore;
}

function writeCounter(
  branch: Branch,
  slot: number,
  dayFrom: number,
  dayTo: number,
  out: SendBuffer,
): void {
  const from = branch.seek(slot, dayFrom);
  for (let index = from; index < branch.count(slot) && branch.day(slot, index) <= dayTo; index++) {
    if (index > from) out.byte(COMMA);
    writeCell(
      branch.day(slot, index),
      branch.valueLo(slot, index),
      branch.valueHi(slot, index),
      out,
    );
  }
}
