// How responses look in JSON: the shapes that all protocols share, and that answers are kept in.

import { highLane, LANE, lowLane, type SendBuffer } from "../bytes/mod.ts";
import { type Branch, type Cells, DayWalk, STEP_CELLS } from "../tree/mod.ts";
import { type Json, Real, Written } from "./json.ts";
import { type Reply, SUM_WORDS } from "./reply.ts";

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

/** Writes the response of a reply without an error; of one with a walk only the opening brace. */
export function writeResponse(reply: Reply, out: SendBuffer): void {
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
      return reply.verdict!.write(out);
    case "json":
      return writeJson(reply.json, out);
    case "stored":
      return out.raw(reply.stored);
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
function writeSums({ sums, count }: Reply, out: SendBuffer): void {
  out.byte(OPEN_BRACKET);
  for (let at = 0; at < SUM_WORDS * count; at += SUM_WORDS) {
    if (at > 0) out.byte(COMMA);
    out.raw(KEY);
    out.decimal(sums[at], sums[at + 1]);
    out.raw(VALUE);
    out.decimal(sums[at + 2], sums[at + 3]);
    out.byte(CLOSE_BRACE);
  }
  out.byte(CLOSE_BRACKET);
}

/** Names of members as they are written, with their quotes and colon: there are a few hundred. */
const MEMBER_NAMES = new Map<string, Uint8Array>();

/** Names beyond are not kept: some objects are named by their keys. */
const MEMBER_NAMES_MAX = 1000;

/** Writes any JSON value, without spaces. */
export function writeJson(json: Json, out: SendBuffer): void {
  if (typeof json === "string") return out.jsonString(encoder.encode(json));
  if (typeof json === "number" && Number.isSafeInteger(json) && json >= 0) {
    return out.decimal(json % LANE, Math.floor(json / LANE));
  }
  if (typeof json === "bigint" && json >= 0n && json < 1n << 64n) {
    return out.decimal(lowLane(json), highLane(json));
  }
  if (json === null || typeof json !== "object" || json instanceof Real) {
    return out.text(String(json));
  }
  if (json instanceof Written) return out.raw(json.bytes);
  let isFirst = true;
  if (Array.isArray(json)) {
    out.byte(OPEN_BRACKET);
    for (const element of json) {
      if (!isFirst) out.byte(COMMA);
      isFirst = false;
      writeJson(element, out);
    }
    return out.byte(CLOSE_BRACKET);
  }
  const members = json as { readonly [name: string]: Json };
  out.byte(OPEN_BRACE);
  for (const name in members) {
    if (!isFirst) out.byte(COMMA);
    isFirst = false;
    writeMemberName(name, out);
    writeJson(members[name], out);
  }
  out.byte(CLOSE_BRACE);
}

function writeMemberName(name: string, out: SendBuffer): void {
  const known = MEMBER_NAMES.get(name);
  if (known !== undefined) return out.raw(known);
  const start = out.length;
  out.jsonString(encoder.encode(name));
  out.byte(COLON);
  if (MEMBER_NAMES.size < MEMBER_NAMES_MAX) {
    MEMBER_NAMES.set(name, out.bytes.slice(start, out.length));
  }
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
export function writeCounters(
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
    out.byte(CLOSE_BRACE);
    return "end";
  }
  const first = walk!.met === 0;
  const keys = walk!.keys(branch);
  for (let at = 0; at < keys.length; at += 2) {
    if (!first || at > 0) out.byte(COMMA);
    const [lo, hi] = [keys[at], keys[at + 1]];
    const slot = branch.locate(lo, hi);
    out.byte(QUOTE);
    out.decimal(lo, hi);
    out.byte(QUOTE);
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
