// Fingerprints: what a request asks for, in 32 bytes, independent of how it was written. Two requests under one
// idempotency key are the same request if their fingerprints are equal.
//
// A fingerprint is the SHA-256 of lines `name:type:value`, the same as in Karma 1.x, so clients can compute it and
// answers that 1.x kept are still found:
//
//   command:s:9:increment        a text, with its length in bytes
//   key:u:1                      a number
//   items_count:i:2              a count
//   key:n                        nothing

import { createHash } from "node:crypto";
import { highLane, lowLane, SendBuffer } from "../bytes/mod.ts";
import { COST, ITEM_WORDS, KEY, KEY_WORDS, type Request, SUBJECT, VALUE } from "../command/mod.ts";

const encoder = new TextEncoder();
const COLON = 0x3a;
const LINE_FEED = 0x0a;

const line = (name: string) => encoder.encode(name);
const COMMAND = line("command:s:");
const SERIES = line("series:s:");
const STREAM = line("stream_id:s:");
const KEY_LINE = line("key:u:");
const NAME_LINE = line("key:s:");
const NO_KEY = line("key:n\n");
const BUCKET = line("bucket:u:");
const VALUE_LINE = line("value:u:");
const FROM = line("range_from:u:");
const TO = line("range_to:u:");
const SEQUENCE = line("chunk_seq:u:");
const KEYS_COUNT = line("keys_count:i:");
const KEY_VALUE = line("key_value:u:");
const KEY_NAME = line("key_value:s:");
const ITEMS_COUNT = line("items_count:i:");
const ITEM_KEY = line("item_key:u:");
const ITEM_NAME = line("item_key:s:");
const ITEM_BUCKET = line("item_bucket:u:");
const ITEM_VALUE = line("item_value:u:");

const ZONE = line("timezone:s:");
const MODE = line("mode:s:");
const RECEIPT = line("receipt:s:");
const AMOUNT = line("amount:u:");
const NOTIFY = line("notify:s:");
const LIMITS_COUNT = line("limits_count:i:");
const MAXIMUM = line("max:u:");
const CARRY = line("carry:u:");
const WINDOW = line("window:s:");

/** What the buffer may keep between two requests. */
const KEPT_BYTES = 65536;

let lines = new SendBuffer(512);

/** The fingerprint of a request that is done once; `day` is that of a change which names none. */
export function fingerprintOf(request: Request, day: number): Uint8Array {
  begin(request);
  const { operation, lanes } = request;
  switch (operation.fingerprint) {
    case "change":
      key(request);
      number(BUCKET, request.day === 0 ? day : request.day, 0);
      number(VALUE_LINE, lanes[VALUE], lanes[VALUE + 1]);
      if (request.day === 0) zone(request);
      return end();
    case "items":
      items(request);
      return end();
    case "keys":
      keys(request);
      break;
    case "limits":
      limits(request);
      zone(request);
      return end();
    case "receipt":
      text(RECEIPT, encoder.encode(request.text("receipt")));
      amount(request);
      return end();
    default:
      if (operation.fields.includes("key")) key(request);
      else lines.raw(NO_KEY);
  }
  if (request.hasRange) {
    number(FROM, request.dayFrom, 0);
    number(TO, request.dayTo, 0);
  }
  return end();
}

/** The fingerprint of a chunk of an ingest stream. */
export function chunkFingerprintOf(request: Request): Uint8Array {
  lines.clear();
  text(COMMAND, encoder.encode(request.operation.v2!.label));
  text(STREAM, encoder.encode(request.text("stream")));
  text(SERIES, request.bytes.subarray(request.nameStart, request.nameEnd));
  number(SEQUENCE, request.details.get("sequence") as number, 0);
  items(request);
  return end();
}

/** How much of a receipt is refunded, where that is not all. */
function amount({ details }: Request): void {
  const amount = details.get("refund") as bigint | undefined;
  if (amount !== undefined) number(AMOUNT, lowLane(amount), highLane(amount));
}

function begin({ operation, bytes, nameStart, nameEnd }: Request): void {
  lines.clear();
  text(COMMAND, encoder.encode(operation.v2!.label));
  if (operation.fields.includes("tree")) text(SERIES, bytes.subarray(nameStart, nameEnd));
}

/** A name is a text, so it is never the same as a number. */
function key({ isNamed, bytes, keyStart, keyEnd, lanes }: Request): void {
  if (isNamed) text(NAME_LINE, bytes.subarray(keyStart, keyEnd));
  else number(KEY_LINE, lanes[KEY], lanes[KEY + 1]);
}

function items({ bytes, items }: Request): void {
  const { count, words } = items;
  number(ITEMS_COUNT, count, 0);
  for (let index = 0; index < count; index++) {
    const at = ITEM_WORDS * index;
    if (items.isName(index)) text(ITEM_NAME, bytes.subarray(words[at], words[at + 1]));
    else number(ITEM_KEY, words[at], words[at + 1]);
    number(ITEM_BUCKET, words[at + 2], 0);
    number(ITEM_VALUE, words[at + 3], words[at + 4]);
  }
}

function keys({ bytes, items }: Request): void {
  const { count, words } = items;
  number(KEYS_COUNT, count, 0);
  for (let index = 0; index < count; index++) {
    const at = KEY_WORDS * index;
    if (items.isName(index)) text(KEY_NAME, bytes.subarray(words[at], words[at + 1]));
    else number(KEY_VALUE, words[at], words[at + 1]);
  }
}

/** Not of Karma 1.x, which had no limits. */
function limits({ limits, mode, wantsReceipt, isBrief }: Request): void {
  const form = `${mode}${wantsReceipt ? " receipt" : ""}${isBrief ? " brief" : ""}`;
  text(MODE, encoder.encode(form));
  number(LIMITS_COUNT, limits.count, 0);
  for (let index = 0; index < limits.count; index++) {
    text(SERIES, limits.name(index));
    const name = limits.keyName(index);
    if (name !== null) text(NAME_LINE, name);
    else number(KEY_LINE, limits.lo(index, SUBJECT), limits.hi(index, SUBJECT));
    number(VALUE_LINE, limits.lo(index, COST), limits.hi(index, COST));
    const { max, carry, notify = null } = limits.set.limits[index];
    number(MAXIMUM, max[0], max[1]);
    if (carry !== null) number(CARRY, carry[0], carry[1]);
    if (notify !== null) {
      text(NOTIFY, encoder.encode(notify.map(({ text }) => text).join()));
    }
    text(WINDOW, encoder.encode(JSON.stringify(limits.window(index))));
  }
}

/** Not of Karma 1.x either: what days a request is about. The zone of the server is none that it names. */
function zone({ zone }: Request): void {
  if (zone !== null) text(ZONE, encoder.encode(zone.name));
}

function text(name: Uint8Array, value: Uint8Array): void {
  lines.raw(name);
  lines.decimal(value.length, 0);
  lines.byte(COLON);
  lines.raw(value);
  lines.byte(LINE_FEED);
}

function number(name: Uint8Array, lo: number, hi: number): void {
  lines.raw(name);
  lines.decimal(lo, hi);
  lines.byte(LINE_FEED);
}

function end(): Uint8Array {
  const digest = createHash("sha256").update(lines.bytes.subarray(0, lines.length)).digest();
  const print = new Uint8Array(digest); // digests are views of a pool of Node's
  if (lines.bytes.length > KEPT_BYTES) lines = new SendBuffer(512);
  return print;
}
