// Lines given to a codec, and what they are understood as, in one line of text.

import { lineOf } from "../../lib/bytes/line.ts";
import { assert } from "@std/assert";
import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import { Access } from "../../lib/command/access.ts";
import { COUNTER_WORDS, ITEM_WORDS, KEY_WORDS } from "../../lib/command/items.ts";
import { COST, MAX, SUBJECT } from "../../lib/command/limits.ts";
import type { Field } from "../../lib/command/operation.ts";
import { Reply } from "../../lib/command/reply.ts";
import { KEY, Request, VALUE } from "../../lib/command/request.ts";
import type { Codec } from "../../lib/protocol/codec.ts";
import { codecOf } from "./codec.ts";

const encoder = new TextEncoder();

const GUARD = 0x22;
const GUARDS = 3;

export class Asker {
  readonly codec: Codec;
  /** One for all lines, as a connection has. */
  readonly request = new Request();
  reply = new Reply();

  constructor(access = new Access(null, null), itemsMax = 10_000) {
    this.codec = codecOf({ access, itemsMax });
  }

  /** What a line is understood as: `increment "t" key=1 day=0 value=1`, or `code sentence`. */
  ask(line: string | Uint8Array, spoken: string = "v2"): string {
    const { request } = this;
    const text = typeof line === "string" ? encoder.encode(line) : line;
    const bytes = new Uint8Array(text.length + 2 * GUARDS).fill(GUARD);
    bytes.set(text, GUARDS);
    this.reply = new Reply();
    const { reply, codec } = this;
    const end = GUARDS + text.length;
    const isGood = codec.decode(lineOf(bytes, GUARDS, end), spoken, request, reply);
    const around = [...bytes.subarray(0, GUARDS), ...bytes.subarray(end)];
    assert(around.every((byte) => byte === GUARD), "nothing around the line is written");
    if (isGood) {
      assert(reply.code === null, "what is understood is not refused");
      return textOf(request);
    }
    assert(reply.code !== null, "a refusal has a code");
    return `${reply.code} ${reply.text}${latin1(reply.subject)}`;
  }
}

/** Bytes as characters, one for one. */
export function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** A decoded request: its operation, each of its fields, and its idempotency key. */
export function textOf(request: Request): string {
  const {
    operation,
    idempotencyKeyStart,
    idempotencyKeyEnd,
    fingerprintStart,
    fingerprintEnd,
    hasIdempotencyKey,
  } = request;
  const parts: string[] = operation.fields.map((field) => fieldOf(field, request));
  if (hasIdempotencyKey) {
    parts.push(`once=${spanOf(request, idempotencyKeyStart, idempotencyKeyEnd)}`);
  }
  if (fingerprintEnd > fingerprintStart) {
    parts.push(`print=${spanOf(request, fingerprintStart, fingerprintEnd)}`);
  }
  return [operation.id, ...parts.filter((part) => part !== "")].join(" ");
}

function fieldOf(field: Field, request: Request): string {
  const { hasRange, dayFrom, dayTo, pageSize: limit, items, details } = request;
  switch (field) {
    case "tree":
    case "file":
      return spanOf(request, request.nameStart, request.nameEnd);
    case "key":
    case "key?":
      if (request.isNamed) return `key=${spanOf(request, request.keyStart, request.keyEnd)}`;
      return `key=${lanesOf(request, KEY)}`;
    case "day?":
      return `day=${request.day}`;
    case "value?":
      return `value=${lanesOf(request, VALUE)}`;
    case "cost?":
      return `cost=${lanesOf(request, VALUE)}`;
    case "range":
    case "range?":
      return hasRange ? `${dayFrom}-${dayTo}` : "";
    case "items":
    case "amounts": {
      const { total: [lo, hi], isBeyond } = items;
      const total = isBeyond ? "beyond" : u64ToBigInt(lo, hi);
      return `${listOf(request, ITEM_WORDS)}=${total}`;
    }
    case "keys":
      return listOf(request, KEY_WORDS);
    case "subject":
      return request.hasKeys ? listOf(request, KEY_WORDS) : fieldOf("key", request);
    case "counters":
      return listOf(request, COUNTER_WORDS);
    case "limit?":
      return `limit=${limit}`;
    case "before":
      return `to=${dayTo}`;
    case "limits":
      return limitsOf(request);
    case "limitMode?":
      return request.mode;
    case "wantsReceipt?":
      return request.wantsReceipt ? "receipt" : "";
    case "progress":
      return `${detailOf(details, "offset")} ${detailOf(details, "event")}`;
    case "report":
      return ["checked_points", "mismatch_count", "absolute_drift", "max_abs_delta"]
        .map((name) => detailOf(details, name)).join(" ");
    default: {
      const name = field.replace("?", "");
      return details.has(name) ? detailOf(details, name) : "";
    }
  }
}

function spanOf({ bytes }: Request, start: number, end: number): string {
  return JSON.stringify(latin1(bytes.subarray(start, end)));
}

function lanesOf({ lanes }: Request, at: number): bigint {
  return u64ToBigInt(lanes[at], lanes[at + 1]);
}

function detailOf(details: Request["details"], name: string): string {
  const detail = details.get(name);
  return `${name}=${typeof detail === "string" ? JSON.stringify(detail) : detail}`;
}

/** `[1/20260101/5,2/20260101/1]` */
function listOf(request: Request, words: number): string {
  const { items } = request;
  const of = (at: number) => u64ToBigInt(items.words[at], items.words[at + 1]);
  const list = Array.from({ length: items.count }, (_, index) => {
    const at = words * index;
    const keyOf = (at: number) => {
      return items.isName(index) ? spanOf(request, items.words[at], items.words[at + 1]) : of(at);
    };
    if (words === KEY_WORDS) return keyOf(at);
    if (words === ITEM_WORDS) return `${keyOf(at)}/${items.words[at + 2]}/${of(at + 3)}`;
    return `${spanOf(request, items.words[at], items.words[at + 1])}/${keyOf(at + 2)}`;
  });
  return `[${list.join(",")}]`;
}

/** `["api"/1000/cost 1/key 7/{"kind":"day"}]` */
function limitsOf({ limits }: Request): string {
  const of = (index: number, field: number) =>
    u64ToBigInt(limits.lo(index, field), limits.hi(index, field));
  const list = Array.from({ length: limits.count }, (_, index) => {
    const name = JSON.stringify(latin1(limits.name(index)));
    const [max, cost, key] = [MAX, COST, SUBJECT].map((field) => of(index, field));
    return `${name}/${max}/cost ${cost}/key ${key}/${JSON.stringify(limits.window(index))}`;
  });
  return `[${list.join(",")}]`;
}
