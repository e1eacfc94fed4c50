// The fields of an operation as arguments of a command, in the habit of Redis: what must be there comes first, in the
// order of the table of operations, with the range behind it; then a value, or a list; then options, which are words.
//
//   KARMA.ADD tree key [amount] [DAY day] [TIMEZONE zone] [IDEMPOTENCY key]
//   KARMA.MSUM tree key [key ...] [RANGE from to]
//
// Invariant: `read` fills in the fields of the request, or returns what is wrong. The rules for values are those of
// protocol v2.

import { NameTable, parseU64, u64ToBigInt } from "../../bytes/mod.ts";
import {
  type Field,
  FINGERPRINT_BYTES_MAX,
  IDEMPOTENCY_KEY_BYTES_MAX,
  isDay,
  KEY,
  type Operation,
  ordinal,
  RANGE_DAYS_MAX,
  type Request,
  type TimeZones,
  VALUE,
} from "../../command/mod.ts";
import type { Arguments } from "./arguments.ts";

export const SYNTAX = "syntax error";
const NO_INTEGER = "value is not an integer or out of range";
const NO_DAY = "Invalid bucket date";

const OPTIONS = [
  "DAY",
  "RANGE",
  "COUNT",
  "CURSOR",
  "TIMEZONE",
  "IDEMPOTENCY",
  "FINGERPRINT",
] as const;
type Option = (typeof OPTIONS)[number];
const OPTION_TABLE = new NameTable(OPTIONS);

/** A word of a command that is longer is none. */
const WORD_BYTES_MAX = 32;

/** Fields that arguments without a word are, if they must be there. */
const PLACED: readonly Field[] = ["tree", "key"];

/** How the arguments of an operation follow one another. */
interface Plan {
  readonly placed: readonly Field[];
  /** Whether the days come behind, and must. */
  readonly range: "must" | "may" | "no";
  readonly hasAmount: boolean;
  readonly list: "items" | "keys" | null;
  readonly options: ReadonlySet<Option>;
}

/** Which words an operation takes, and what comes before them. */
export function planOf({ fields, fingerprint }: Operation): Plan {
  const has = (field: Field) => fields.includes(field);
  const list = has("items") || has("amounts") ? "items" : has("keys") ? "keys" : null;
  const options = new Set<Option>();
  if (has("day?")) options.add("DAY").add("TIMEZONE");
  if (list !== null && (has("range") || has("range?"))) options.add("RANGE");
  if (has("limit?")) options.add("COUNT");
  if (has("cursor?")) options.add("CURSOR");
  if (fingerprint !== undefined) options.add("IDEMPOTENCY").add("FINGERPRINT");
  return {
    placed: fields.filter((field) => PLACED.includes(field)),
    range: list !== null ? "no" : has("range") ? "must" : has("range?") ? "may" : "no",
    hasAmount: has("value?"),
    list,
    options,
  };
}

/** The fewest arguments of a command, with its name. */
export function leastOf({ placed, range, list }: Plan): number {
  const ofList = list === "items" ? 3 : list === "keys" ? 1 : 0;
  return 1 + placed.length + (range === "must" ? 2 : 0) + ofList;
}

/** Copies a word in capitals; its length, or -1: it is no word of ours. */
export function capitals(
  bytes: Uint8Array,
  start: number,
  end: number,
  word: Uint8Array,
): number {
  if (end - start > word.length) return -1;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    word[at - start] = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
  }
  return end - start;
}

export class Fields {
  readonly #args: Arguments;
  readonly #itemsMax: number;
  readonly #zones: TimeZones;
  readonly #word = new Uint8Array(WORD_BYTES_MAX);
  readonly #lanes = new Uint32Array(2);
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** `itemsMax`: how long a list may be. */
  constructor(args: Arguments, itemsMax: number, zones: TimeZones) {
    this.#zones = zones;
    this.#args = args;
    this.#itemsMax = itemsMax;
  }

  /** Reads the arguments behind a command's name, of which there are enough; null, or what is wrong. */
  read(plan: Plan, request: Request): string | null {
    this.#bytes = request.bytes;
    this.#at = 1;
    for (let index = 0; index < plan.placed.length; index++) {
      const fault = this.#placed(plan.placed[index], request);
      if (fault !== null) return fault;
    }
    const { page } = request.operation;
    if (page !== undefined) request.pageSize = page.fallback;
    const fault = this.#days(plan, request) ?? this.#amount(plan, request) ??
      this.#list(plan, request);
    if (fault !== null) return fault;
    while (this.#at < this.#args.count) {
      const fault = this.#option(plan, request);
      if (fault !== null) return fault;
    }
    const isRangeMissing = plan.options.has("RANGE") && !request.hasRange &&
      request.operation.fields.includes("range");
    return isRangeMissing ? "RANGE from to is required" : null;
  }

  #placed(field: Field, request: Request): string | null {
    if (field === "key") return this.#number(request.lanes, KEY);
    const { starts, ends } = this.#args;
    request.nameStart = starts[this.#at];
    request.nameEnd = ends[this.#at++];
    return request.nameStart === request.nameEnd ? "the name of a tree must not be empty" : null;
  }

  /** Reads the next argument as an unsigned number of 64 bits. */
  #number(lanes: Uint32Array, at: number): string | null {
    const { count, starts, ends } = this.#args;
    if (this.#at >= count) return SYNTAX;
    const start = starts[this.#at];
    const end = ends[this.#at++];
    const read = this.#lanes;
    if (!parseU64(this.#bytes, start, end, read)) return NO_INTEGER;
    lanes[at] = read[0];
    lanes[at + 1] = read[1];
    return null;
  }

  /** Whether the next argument is there and begins as a number does, so that it is no option. */
  #isNumber(): boolean {
    if (this.#at >= this.#args.count) return false;
    const byte = this.#bytes[this.#args.starts[this.#at]];
    return byte >= 0x30 && byte <= 0x39 || byte === 0x2d;
  }

  #days({ range }: Plan, request: Request): string | null {
    if (range === "no" || range === "may" && !this.#isNumber()) return null;
    return this.#range(request);
  }

  #range(request: Request): string | null {
    const from = this.#day();
    const to = this.#day();
    if (from < 0 || to < 0) return NO_DAY;
    if (from > to) return "Bucket range start must be less than or equal to range end";
    if (ordinal(to) - ordinal(from) >= RANGE_DAYS_MAX) return "Range exceeds max days";
    request.hasRange = true;
    request.dayFrom = from;
    request.dayTo = to;
    return null;
  }

  /** Reads the next argument as a day; -1: it is none. */
  #day(): number {
    if (this.#number(this.#lanes, 0) !== null || this.#lanes[1] !== 0) return -1;
    return isDay(this.#lanes[0]) ? this.#lanes[0] : -1;
  }

  #amount({ hasAmount }: Plan, { lanes }: Request): string | null {
    if (!hasAmount) return null;
    lanes[VALUE] = 1;
    lanes[VALUE + 1] = 0;
    if (!this.#isNumber()) return null;
    const fault = this.#number(lanes, VALUE);
    if (fault !== null || lanes[VALUE] !== 0 || lanes[VALUE + 1] !== 0) return fault;
    return "the amount must be greater than 0";
  }

  #list({ list }: Plan, request: Request): string | null {
    if (list === null) return null;
    const { items, operation } = request;
    items.clear();
    const lanes = request.lanes; // free: operations with lists have neither key nor value
    do {
      const fault = this.#number(lanes, KEY);
      if (fault !== null) return fault;
      if (list === "keys") items.pushKey(lanes[KEY], lanes[KEY + 1]);
      else {
        const day = this.#day();
        if (day < 0) return NO_DAY;
        const fault = this.#number(lanes, VALUE);
        if (fault !== null) return fault;
        items.pushItem(lanes[KEY], lanes[KEY + 1], day, lanes[VALUE], lanes[VALUE + 1]);
      }
      if (items.count > this.#itemsMax) return `lists have at most ${this.#itemsMax} items`;
    } while (this.#isNumber());
    const isZero = operation.fields.includes("amounts") && items.hasZero;
    return isZero ? "the amount must be greater than 0" : null;
  }

  #option({ options }: Plan, request: Request): string | null {
    const { count, starts, ends } = this.#args;
    const length = capitals(this.#bytes, starts[this.#at], ends[this.#at], this.#word);
    const index = length < 0 ? -1 : OPTION_TABLE.find(this.#word, 0, length);
    if (index < 0 || !options.has(OPTIONS[index]) || ++this.#at >= count) return SYNTAX;
    switch (OPTIONS[index]) {
      case "DAY":
        request.day = this.#day();
        return request.day < 0 ? NO_DAY : null;
      case "RANGE":
        return this.#range(request);
      case "COUNT":
        return this.#count(request);
      case "CURSOR":
        return this.#cursor(request);
      case "TIMEZONE": {
        const at = this.#at++;
        request.zone = this.#zones.find(this.#bytes, starts[at], ends[at]);
        return request.zone === null ? "TIMEZONE must be the name of a time zone" : null;
      }
      case "IDEMPOTENCY":
      case "FINGERPRINT":
        return this.#once(OPTIONS[index] === "IDEMPOTENCY", request);
    }
  }

  #once(isKey: boolean, request: Request): string | null {
    const start = this.#args.starts[this.#at];
    const end = this.#args.ends[this.#at++];
    const bytesMax = isKey ? IDEMPOTENCY_KEY_BYTES_MAX : FINGERPRINT_BYTES_MAX;
    const name = isKey ? "IDEMPOTENCY" : "FINGERPRINT";
    if (end === start || end - start > bytesMax) return `${name} must have 1 to ${bytesMax} bytes`;
    if (isKey) {
      request.idempotencyKeyStart = start;
      request.idempotencyKeyEnd = end;
    } else {
      request.fingerprintStart = start;
      request.fingerprintEnd = end;
    }
    return null;
  }

  #count(request: Request): string | null {
    const { max } = request.operation.page!;
    const fault = this.#number(this.#lanes, 0);
    if (fault !== null) return fault;
    const [lo, hi] = this.#lanes;
    if (hi !== 0 || lo === 0 || lo > max) return `COUNT must be 1 to ${max}`;
    request.pageSize = lo;
    return null;
  }

  /** A number goes on behind it; an empty argument begins, and the reply will tell where to go on. */
  #cursor(request: Request): string | null {
    const at = this.#at;
    if (this.#args.starts[at] === this.#args.ends[at]) {
      this.#at++;
      request.details.set("cursor", null);
      return null;
    }
    const fault = this.#number(this.#lanes, 0);
    if (fault === null) request.details.set("cursor", u64ToBigInt(this.#lanes[0], this.#lanes[1]));
    return fault;
  }
}
