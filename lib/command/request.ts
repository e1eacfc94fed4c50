// One request, decoded: the record that a protocol fills and the engine carries out.
//
// It is reused, so nothing is allocated for a request on the hot path. Invariant: what the operation
// needs is there and valid; spans are of `bytes`, the receive buffer, and so good until the next read.
// Trade-off: what only cold operations need is in `details`, by its field, as strings and bigints.

import { u64ToBigInt } from "../bytes/mod.ts";
import type { TimeZone } from "../host/mod.ts";
import { Items } from "./items.ts";
import { type LimitMode, Limits } from "./limits.ts";
import type { Peer } from "./peer.ts";
import { type Missing, type Operation, OPERATIONS } from "./operation.ts";

// Where the lanes of a field are in `lanes`.
export const KEY = 0;
export const VALUE = 2;

/** The last day that there is: days are unsigned 32-bit numbers, dates as YYYYMMDD among them. */
export const DAY_MAX = 0xffffffff;

/** The most days that a range may have, both ends included: a leap year and a day. */
export const RANGE_DAYS_MAX = 367;

/** Limits of Karma 1.x on what tells that two requests are one. */
export const IDEMPOTENCY_KEY_BYTES_MAX = 256;
export const FINGERPRINT_BYTES_MAX = 512;

/** The most bytes of a dump's file name: no system has names nearly as long. */
export const FILE_NAME_BYTES_MAX = 4096;

// What of a reply is text though it is a number: bits of `textForm`.
export const KEYS_AS_TEXT = 1; // keys and cursors
export const NUMBERS_AS_TEXT = 2; // what counters and limits hold

export type Detail = string | number | bigint | null;

export class Request {
  operation: Operation = OPERATIONS[0];
  /** The name of the protocol that it came in, and that its reply is written in. */
  protocol = "v2";
  /** Who asks, in protocols in which that outlasts a request. */
  peer: Peer | null = null;
  /** How the reply is to be written, in protocols that have several ways to write one. */
  form: "plain" | "info" | "size" | "throttle" = "plain";
  /** Whether bytes and time of the reply are bounded: by `--max-response-bytes` and `--query-timeout`. */
  isBounded = true;
  /** The span of the id that the reply is to have, and whether it is a string; empty: there is none. */
  hasId = false;
  idStart = 0;
  idEnd = 0;
  isIdString = false;
  /** Which numbers of the reply are to be text. */
  textForm = 0;
  /** Whether the reply tells how long work went; false: it leaves when that has begun. */
  isAwaited = true;
  missing: Missing = "refuse";
  /** Whether a counter is left behind where nothing is added. */
  touches = false;
  bytes: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  /** The span of the tree's name, or of the dump's file name. */
  nameStart = 0;
  nameEnd = 0;
  /** Whether the key is a name, and the span of that. */
  isNamed = false;
  keyStart = 0;
  keyEnd = 0;
  /** The low and high lane of each number: `lanes[KEY]`, `lanes[KEY + 1]`, where the key is one. */
  readonly lanes = new Uint32Array(4);
  /** The day of a change; 0: today. */
  day = 0;
  /** Where it is today; null: where the server is. */
  zone: TimeZone | null = null;
  /** The days asked for, both included; an empty range has `dayFrom` above `dayTo`. */
  hasRange = false;
  dayFrom = 0;
  dayTo = DAY_MAX;
  readonly items = new Items();
  /** How many are asked for at most; 0: all. */
  pageSize = 0;
  /** The span of the idempotency key; empty: there is none. */
  idempotencyKeyStart = 0;
  idempotencyKeyEnd = 0;
  /** The span of the fingerprint that the client made; empty: there is none. */
  fingerprintStart = 0;
  fingerprintEnd = 0;
  readonly limits = new Limits();
  mode: LimitMode = "reject";
  /** Whether one answer for each of the items, which are keys, is asked for. */
  hasKeys = false;
  wantsReceipt = false;
  /** Whether only what a caller acts on is told of a verdict. */
  isBrief = false;
  readonly details = new Map<string, Detail>();

  /** Begins anew. */
  clear(): void {
    this.idempotencyKeyStart =
      this.idempotencyKeyEnd =
      this.fingerprintStart =
      this.fingerprintEnd =
        0;
    this.hasId = false;
    this.isBrief = false;
    this.textForm = 0;
    this.isAwaited = true;
    this.day = 0;
    this.zone = null;
    this.isNamed = false;
    this.hasRange = false;
    this.dayFrom = 0;
    this.dayTo = DAY_MAX;
    if (this.details.size > 0) this.details.clear();
  }

  /** Today in its zone: at the moment `nowMs`, when it is `today` in the server's. */
  today(today: number, nowMs: number): number {
    return this.zone === null ? today : this.zone.today(nowMs);
  }

  get hasIdempotencyKey(): boolean {
    return this.idempotencyKeyEnd > this.idempotencyKeyStart;
  }

  /** The key as texts for people have it. */
  get keyText(): string {
    const { lanes, bytes, keyStart, keyEnd } = this;
    if (!this.isNamed) return String(u64ToBigInt(lanes[KEY], lanes[KEY + 1]));
    return JSON.stringify(new TextDecoder().decode(bytes.subarray(keyStart, keyEnd)));
  }

  /** A detail that is a text. */
  text(name: string): string {
    return this.details.get(name) as string;
  }
}
