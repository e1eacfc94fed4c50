// How responses look in JSON: the shapes that the dialects share.

import type { SendBuffer } from "../bytes/send_buffer.ts";
import type { Reply } from "../command/reply.ts";
import type { Branch } from "../tree/branch.ts";
import type { Cells } from "../tree/cells.ts";

const encoder = new TextEncoder();
const PONG = encoder.encode('"pong"');
const OK = encoder.encode('"OK"');
const TRUE = encoder.encode("true");

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

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
    case "names":
      return writeNames(reply.names, out);
    case "cells":
      return writeCells(reply.cells, out);
    case "counters":
      return out.byte(OPEN_BRACE);
  }
}

function writeNames(names: readonly string[], out: SendBuffer): void {
  out.text("[");
  names.forEach((name, index) => {
    if (index > 0) out.byte(COMMA);
    out.jsonString(encoder.encode(name));
  });
  out.text("]");
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
 * Writes the next branch of a walk: `"7":{"20260101":3},"8":{}`, a comma before all but the first
 * counter. Returns whether there may be more; the end of the walk writes the closing brace.
 */
export function writeCounters(
  reply: Reply,
  dayFrom: number,
  dayTo: number,
  out: SendBuffer,
): "more" | "end" {
  const walk = reply.walk!;
  const branch = walk.next();
  if (branch === null) {
    out.byte(CLOSE_BRACE);
    return "end";
  }
  const first = walk.met === 0;
  const keys = walk.keys(branch);
  for (let at = 0; at < keys.length; at += 2) {
    if (!first || at > 0) out.byte(COMMA);
    writeCounter(branch, keys[at], keys[at + 1], dayFrom, dayTo, out);
  }
  return "more";
}

function writeCounter(
  branch: Branch,
  keyLo: number,
  keyHi: number,
  dayFrom: number,
  dayTo: number,
  out: SendBuffer,
): void {
  const slot = branch.locate(keyLo, keyHi);
  out.byte(QUOTE);
  out.decimal(keyLo, keyHi);
  out.byte(QUOTE);
  out.byte(COLON);
  out.byte(OPEN_BRACE);
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
  out.byte(CLOSE_BRACE);
}
