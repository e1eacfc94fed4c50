// Responses in RESP 2 and 3: every shape of a reply.
//
//   :3 CR LF              a number; beyond 63 bits a string of its digits, in both versions, because redis-cli 7.0 does
//                         not read the big numbers of RESP 3
//   *2 CR LF / %1 CR LF   a map: an array of names and values in RESP 2
//
// Invariant: lists and maps tell how many elements they have. Of a walk that is known only at its end, so its head is put
// in front of what was written: such replies are held until they are complete (`isBounded`).

import { type SendBuffer, u64ToBigInt } from "../../bytes/mod.ts";
import { type Data, Real, type Reply, type Request, SUM_WORDS } from "../../command/mod.ts";
import { type Branch, type Cells, DayWalk, STEP_CELLS } from "../../tree/mod.ts";
import { writeData, writeHead, writeNumber, writePieces, writeString } from "./values.ts";
import { writeThrottle, writeVerdict } from "./verdict.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const OK = encoder.encode("+OK\r\n");
const RESULTS = encoder.encode("results");
const PONG = encoder.encode("+PONG\r\n");

/** Verdicts of a piece, as in JSON. */
const PIECE_VERDICTS = 16;

export class RespReplyWriter {
  /** What is left of a long list; null: nothing. */
  #pieces: Iterator<void> | null = null;
  /** Where a walked reply begins in its buffer, and the counters in it so far. */
  #start = 0;
  #counters = 0;
  /** Likewise of a counter with many days. */
  #daysStart = 0;
  #days = 0;

  /** Writes the response of a reply without an error; of a walked one only the beginning. */
  write(request: Request, reply: Reply, out: SendBuffer): void {
    const version = versionOf(request);
    switch (reply.shape) {
      case "number":
        return writeNumber(reply.lanes[0], reply.lanes[1], version, out);
      case "pong":
        return out.raw(PONG);
      case "ok":
        return out.raw(OK);
      case "true":
        return writeData(true, version, out);
      case "text":
        return writeData(reply.text, version, out);
      case "status":
        return out.text(`+${reply.text}\r\n`);
      case "echo":
        return writeString(reply.subject, out);
      case "cells":
        return writeCells(reply.cells, version, out);
      case "counters":
        return this.#begin(reply, out);
      case "applied":
      case "tally":
        return writeTally(reply, version, out);
      case "sums":
        return writeSums(reply, version, out);
      case "data":
        return this.#writeData(request, reply, version, out);
      case "stored":
        return writeStored(dataOf(reply.stored), version, out);
      case "verdict":
        if (request.form === "throttle") return writeThrottle(reply.verdict!, version, out);
        return writeVerdict(reply.verdict!, version, out);
      case "verdicts":
        return this.#writeLong(writeVerdicts(reply.verdicts, version, out), reply);
    }
  }

  /** Writes the next piece of a walked reply. "end": it was the last one. */
  more(request: Request, reply: Reply, out: SendBuffer): "more" | "end" {
    if (this.#pieces === null) return this.#writeCounters(request, reply, out);
    if (!this.#pieces.next().done) return "more";
    this.#pieces = null;
    return "end";
  }

  #writeData(request: Request, reply: Reply, version: number, out: SendBuffer): void {
    if (request.form === "size") return writeData(memberOf(reply.data, "keys"), version, out);
    if (request.form === "info") return writeData(infoOf(reply.data), version, out);
    this.#writeLong(writePieces(reply.data, version, out), reply);
  }

  #writeLong(pieces: Iterator<void>, { isLong }: Reply): void {
    if (isLong) this.#pieces = pieces;
    else while (!pieces.next().done);
  }

  #begin(reply: Reply, out: SendBuffer): void {
    this.#start = out.length;
    this.#counters = this.#days = 0;
    this.#daysStart = reply.walk === null ? out.length : -1;
  }

  /** Writes a branch, or some days of a counter that has many. */
  #writeCounters(request: Request, reply: Reply, out: SendBuffer): "more" | "end" {
    const version = versionOf(request);
    const { walk } = reply;
    if (reply.days !== null) {
      const isMore = reply.days.next(reply.cells);
      writeDays(reply.cells, version, out);
      this.#days += reply.cells.count;
      if (isMore) return "more";
      reply.days = null;
      insertHead(this.#days, version, out, this.#daysStart);
      return walk === null ? "end" : "more";
    }
    const branch = walk!.next();
    if (branch === null) {
      if (reply.goOn()) return "more";
      insertHead(this.#counters, version, out, this.#start);
      return "end";
    }
    const keys = walk!.keys(branch);
    for (let at = 0; at < keys.length; at += 2) {
      const [lo, hi] = [keys[at], keys[at + 1]];
      const slot = branch.locate(lo, hi);
      this.#counters++;
      const { names } = walk!.tree;
      if (names === null) writeNumber(lo, hi, version, out);
      else writeString(names.nameOf(lo, hi), out);
      if (branch.count(slot) > STEP_CELLS) {
        reply.days = new DayWalk(walk!.tree, lo, hi, request.dayFrom, request.dayTo);
        this.#days = 0;
        this.#daysStart = out.length;
        walk!.goOnBehind(lo, hi);
        return "more";
      }
      writeCounter(branch, slot, request, version, out);
    }
    return "more";
  }
}

/** The version that the client wants replies in. */
function versionOf({ peer }: Request): number {
  return peer === null ? 2 : peer.version;
}

/** The sums alone, in the order of the keys that were asked for. */
function writeSums({ sums, count }: Reply, version: number, out: SendBuffer): void {
  writeHead("*", count, version, out);
  for (let at = 0; at < SUM_WORDS * count; at += SUM_WORDS) {
    writeNumber(sums[at + 2], sums[at + 3], version, out);
  }
}

/** How many changes there were, and what they are together where that is told. */
function writeTally(reply: Reply, version: number, out: SendBuffer): void {
  const { lanes } = reply;
  const applied = { applied: reply.count };
  const hasTotal = reply.shape === "tally";
  writeData(
    hasTotal ? { ...applied, total: u64ToBigInt(lanes[0], lanes[1]) } : applied,
    version,
    out,
  );
}

function writeCells(cells: Cells, version: number, out: SendBuffer): void {
  writeHead("%", cells.count, version, out);
  writeDays(cells, version, out);
}

function writeDays({ words, count }: Cells, version: number, out: SendBuffer): void {
  for (let at = 0; at < 3 * count; at += 3) {
    writeNumber(words[at], 0, version, out);
    writeNumber(words[at + 1], words[at + 2], version, out);
  }
}

function writeCounter(
  branch: Branch,
  slot: number,
  { dayFrom, dayTo }: Request,
  version: number,
  out: SendBuffer,
): void {
  const from = branch.seek(slot, dayFrom);
  let to = from;
  while (to < branch.count(slot) && branch.day(slot, to) <= dayTo) to++;
  writeHead("%", to - from, version, out);
  for (let index = from; index < to; index++) {
    writeNumber(branch.day(slot, index), 0, version, out);
    writeNumber(branch.valueLo(slot, index), branch.valueHi(slot, index), version, out);
  }
}

/** Puts the head of a map in front of what was written from `start` on. */
function insertHead(count: number, version: number, out: SendBuffer, start: number): void {
  const end = out.length;
  writeHead("%", count, version, out);
  const head = out.bytes.slice(end, out.length);
  out.bytes.copyWithin(start + head.length, start, end);
  out.bytes.set(head, start);
}

function memberOf(data: Data, name: string): Data {
  return (data as { readonly [name: string]: Data })[name];
}

/** `{"results": [verdict, ...]}` */
function* writeVerdicts(
  verdicts: Reply["verdicts"],
  version: number,
  out: SendBuffer,
): Generator<void> {
  writeHead("%", 1, version, out);
  writeString(RESULTS, out);
  writeHead("*", verdicts.length, version, out);
  for (const [index, verdict] of verdicts.entries()) {
    writeVerdict(verdict, version, out);
    if (index % PIECE_VERDICTS === PIECE_VERDICTS - 1) yield;
  }
}

/** Statistics as lines of `name:value`. */
function infoOf(data: Data): string {
  const members = Object.entries(data as { readonly [name: string]: Data });
  const lines = members.map(([name, value]) => `${name}:${value ?? ""}`);
  return ["# Server", "server_name:karma", "redis_mode:standalone", "loading:0", ...lines, ""]
    .join("\r\n");
}

/** Writes a repeated answer as the first one was written: the word OK, or sums as they are alone. */
function writeStored(data: Data, version: number, out: SendBuffer): void {
  if (data === "OK") return out.raw(OK);
  const isOfSums = Array.isArray(data);
  writeData(isOfSums ? data.map((sum) => memberOf(sum, "value")) : data, version, out);
}

/** What an answer says that was kept as JSON. */
function dataOf(stored: Uint8Array): Data {
  return JSON.parse(decoder.decode(stored), exact) as Data;
}

/** Numbers beyond 2^53 as they were written, and those with a point as such. */
function exact(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isExact = typeof value !== "number" || Number.isSafeInteger(value);
  if (isExact || context?.source === undefined) return value;
  return /^-?\d+$/.test(context.source) ? BigInt(context.source) : new Real(value);
}
