// The decoder of protocol v2 beside JSON.parse and the rules, on lines of every operation.
//
// The model is written from the description of the protocol, over JavaScript's values; numbers keep
// their digits (JSON.parse tells a reviver the source), so that nothing is rounded. Lines that are not
// UTF-8 are only decoded, to see that nothing breaks.

import { assert, assertEquals } from "@std/assert";
import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import { Access } from "../../lib/command/access.ts";
import { COST, MAX, SUBJECT } from "../../lib/command/limits.ts";
import { type Field, type Operation, OPERATIONS } from "../../lib/command/operation.ts";
import { Reply } from "../../lib/command/reply.ts";
import { DAY_MAX, KEY, Request, VALUE } from "../../lib/command/request.ts";
import { Interpreter } from "../../lib/dialect/interpreter.ts";
import { Random } from "../support/random.ts";

const U64_MAX = (1n << 64n) - 1n;
const ITEMS_MAX = 20;

// --- The model ---------------------------------------------------------------------------------

/** A number as it was written. */
class Num {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  get integer(): bigint | null {
    return /^-?\d+$/.test(this.source) ? BigInt(this.source) : null;
  }
}

type Value = null | boolean | string | Num | Value[] | { [name: string]: Value };

/** A refusal: with its code, and, where the protocol gives it, its sentence. */
class Refusal {
  readonly told: string;

  constructor(code: string, sentence = "*") {
    this.told = `${code} ${sentence}`;
  }
}

const shape = (sentence?: string) => new Refusal("validation_error", sentence);

const BY_NAME = new Map(OPERATIONS.flatMap((operation) => {
  return (operation.v2?.ops ?? []).map((op) => [op, operation] as const);
}));

/** What the members of a request say, and what of it is no good though of the right shape. */
class Reading {
  readonly told: string[] = [];
  readonly members: { [name: string]: Value };
  readonly operation: Operation;
  later: Refusal | null = null;

  constructor(members: { [name: string]: Value }, operation: Operation) {
    this.members = members;
    this.operation = operation;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.members, name);
  }

  wrong(sentence: string): void {
    this.later ??= shape(sentence);
  }

  u64(value: Value, name: string, isText: boolean): bigint {
    if (value instanceof Num && value.integer !== null) {
      if (value.integer >= 0n) return value.integer;
      throw shape(`Field ${name} must be greater than or equal to 0`);
    }
    const isDigits = isText && typeof value === "string" && /^\d{1,20}$/.test(value);
    if (isDigits && BigInt(value as string) <= U64_MAX) return BigInt(value as string);
    throw shape();
  }

  day(value: Value, name: string): number {
    let digits: string;
    if (typeof value === "string") {
      if (value.startsWith("-")) {
        throw shape(`Field ${name} must be greater than or equal to 0`);
      }
      digits = value.replaceAll("-", "");
      if (!/^[0-9]+$/.test(digits)) throw shape(`Field ${name} must be a bucket date`);
    } else {
      digits = String(this.u64(value, name, false));
    }
    if (!isDate(digits)) this.wrong("Invalid bucket date");
    // What can be no day at all comes before all days.
    const isText = typeof value === "string";
    return digits.length > 8 && (isText || BigInt(digits) > BigInt(DAY_MAX)) ? 0 : Number(digits);
  }

  textOrInteger(value: Value, name: string): string {
    if (typeof value === "string") return value;
    // An idempotency key is its digits as they stand there.
    const isKey = name === "idempotency_key";
    if (value instanceof Num && value.integer !== null) {
      return isKey ? value.source : String(value.integer);
    }
    throw shape(`Field ${name} must be a string or integer`);
  }
}

function isDate(digits: string): boolean {
  const canonical = digits.replace(/^0+(?=\d)/, "");
  if (!/^\d{8}$/.test(canonical) || digits.length > 8) return false;
  const [year, month, day] = [canonical.slice(0, 4), canonical.slice(4, 6), canonical.slice(6)];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  return Number(year) >= 1000 && !Number.isNaN(date.getTime()) && date.getUTCDate() === Number(day);
}

const daysBetween = (from: number, to: number) => {
  const at = (day: number) =>
    Date.UTC(Math.floor(day / 1e4), Math.floor(day / 100) % 100 - 1, day % 100);
  return (at(to) - at(from)) / 86_400_000;
};

const READERS: Record<Field, (reading: Reading) => void> = {
  "tree": (r) => {
    const name = [r.members.tree, r.members.series].find((name) => typeof name === "string");
    if (name === undefined) throw shape("Field tree or series is required");
    if (name === "") r.wrong("Field tree_name is required");
    r.told.push(`tree ${JSON.stringify(name)}`);
  },
  "key": (r) => {
    if (!r.has("key")) throw shape("Field key is required");
    r.told.push(`key ${r.u64(r.members.key, "key", true)}`);
  },
  "day?": (r) => {
    const name = r.has("date") ? "date" : "bucket";
    r.told.push(`day ${r.has(name) ? r.day(r.members[name], name) : 0}`);
  },
  "value?": (r) => {
    const value = r.has("value") ? r.u64(r.members.value, "value", true) : 1n;
    if (value === 0n) r.wrong("Field value must be greater than 0");
    r.told.push(`value ${value}`);
  },
  "range": (r) => {
    if (!r.has("range")) throw shape("Field range is required");
    range(r);
  },
  "range?": (r) => {
    if (r.has("range")) range(r);
    else r.told.push(`range 0 ${DAY_MAX}`);
  },
  "items": (r) => items(r, false),
  "amounts": (r) => items(r, true),
  "keys": (r) => {
    const keys = list(r, "keys").map((key) => r.u64(key, "keys[]", true));
    if (keys.length > ITEMS_MAX) r.wrong("Field keys exceeds max size");
    r.told.push(`keys ${keys}`);
  },
  "counters": (r) => {
    let isUnnamed = false;
    const counters = list(r, "items").map((item) => {
      if (!isObject(item)) throw shape();
      if (typeof item.series !== "string") throw shape("Field items[].series is required");
      if (item.series === "") isUnnamed = true;
      if (!Object.hasOwn(item, "key")) throw shape("Field items[].key is required");
      return `${JSON.stringify(item.series)}:${r.u64(item.key, "items[].key", true)}`;
    });
    if (counters.length > ITEMS_MAX) r.wrong("Field items exceeds max size");
    if (isUnnamed) r.wrong("Field items[].series must not be empty");
    r.told.push(`counters ${counters}`);
  },
  "cursor?": (r) => {
    const { cursor = null } = r.members;
    r.told.push(`cursor ${cursor === null ? null : r.u64(cursor, "cursor", true)}`);
  },
  "limit?": (r) => {
    const { max, fallback } = r.operation.limit!;
    if (!r.has("limit")) return void r.told.push(`limit ${fallback}`);
    const { limit } = r.members;
    if (!(limit instanceof Num) || limit.integer === null) throw shape();
    const size = limit.integer;
    if (size < -(2n ** 31n) || size >= 2n ** 31n) {
      throw new Refusal("internal_error", "Arithmetic overflow");
    }
    if (size <= 0n) r.wrong("Field limit must be greater than 0");
    if (size > BigInt(max)) r.wrong("Field limit exceeds max size");
    r.told.push(`limit ${size}`);
  },
  "before": (r) => {
    const name = r.has("before") ? "before" : "date";
    if (!r.has(name)) throw shape("Field before is required");
    const { later } = r;
    const value = r.members[name];
    const day = r.day(value, name);
    r.later = later; // any number is good
    const isLate = value instanceof Num && value.integer! > BigInt(DAY_MAX);
    r.told.push(`before ${isLate ? DAY_MAX : day}`);
  },
  "file": (r) => {
    const { file } = r.members;
    if (typeof file !== "string") throw shape("Field file is required");
    if (file === "") r.wrong("Field file must not be empty");
    else if (/[/\0]/.test(file)) r.wrong("Field file must be a snapshot basename");
    else if (!file.endsWith(".tree")) r.wrong("Field file must end with .tree");
    r.told.push(`tree ${JSON.stringify(file)}`);
  },
  "offset?": (r) => r.told.push(`offset ${Number(integer(r, "offset") ?? 0n)}`),
  "sequence": (r) => {
    const sequence = integer(r, "chunk_seq");
    if (sequence === null) throw shape("Field chunk_seq is required");
    if (sequence === 0n) r.wrong("Field chunk_seq must be greater than 0");
    r.told.push(`sequence ${Number(sequence)}`);
  },
  "stream": (r) => text(r, "stream", "stream_id"),
  "source": (r) => text(r, "source", "source"),
  "source?": (r) => {
    const { source } = r.members;
    if (typeof source === "string") r.told.push(`source ${JSON.stringify(source)}`);
  },
  "mode": (r) => {
    text(r, "mode", "mode");
    const mode = r.members.mode as string;
    if (!/^(add|set|replace_series)$/.test(mode)) r.wrong(`Unsupported ingest mode ${mode}`);
  },
  "granularity?": (r) => {
    const { granularity } = r.members;
    const told = typeof granularity === "string" ? JSON.stringify(granularity) : "null";
    r.told.push(`granularity ${told}`);
  },
  "time": (r) => {
    const { before } = r.members;
    if (before === undefined) throw shape("Field before is required");
    if (typeof before === "string") {
      const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;
      const ms = form.test(before) ? Date.parse(before.toUpperCase()) : NaN;
      const isReal = isDate(before.slice(0, 10).replaceAll("-", ""));
      if (Number.isNaN(ms) || !isReal) r.wrong("Field before must be an ISO8601 timestamp");
      return void r.told.push(`time ${ms / 1000}`);
    }
    if (!(before instanceof Num) || before.integer === null) {
      throw shape("Field before must be an integer or ISO8601 timestamp");
    }
    if (before.integer < 0n) r.wrong("Field before must be greater than or equal to 0");
    r.told.push(`time ${Number(before.integer)}`);
  },
  "progress": (r) => {
    const name = r.has("source_offset") ? "source_offset" : "offset";
    const offset = r.has(name) ? r.textOrInteger(r.members[name], name) : null;
    const event = r.has("event_id") ? r.textOrInteger(r.members.event_id, "event_id") : null;
    if (offset === "") r.wrong("Field offset must not be empty");
    else if (event === "") r.wrong("Field event_id must not be empty");
    else if (offset === null && event === null) r.wrong("Field offset or event_id is required");
    r.told.push(`offset ${JSON.stringify(offset)}`, `event ${JSON.stringify(event)}`);
  },
  "report": (r) => {
    const count = (name: string, isRequired: boolean) => {
      const count = integer(r, name);
      if (count === null && isRequired) throw shape(`Field ${name} is required`);
      if ((count ?? 0n) >= 2n ** 63n) throw shape(`Field ${name} exceeds max size`);
      r.told.push(`${name} ${count ?? 0n}`);
      return count ?? 0n;
    };
    const checked = count("checked_points", true);
    const mismatches = count("mismatch_count", true);
    count("absolute_drift", false);
    count("max_abs_delta", false);
    if (mismatches > checked) {
      r.wrong("Field mismatch_count must be less than or equal to checked_points");
    }
  },
  "key?": (r) => r.told.push(`key ${r.has("key") ? r.u64(r.members.key, "key", true) : 0n}`),
  "subject": (r) => {
    if (!r.has("keys") && !r.has("key")) throw shape("Field key or keys is required");
    if (!r.has("keys")) return void r.told.push(`key ${r.u64(r.members.key, "key", true)}`);
    if (r.has("key")) throw shape("Field key or keys is required, and not both");
    const keys = list(r, "keys").map((key) => r.u64(key, "keys[]", true));
    if (keys.length > 1000) r.wrong("Field keys exceeds max size");
    r.told.push(`key 0`, `keys ${keys}`);
  },
  "cost?": (r) => r.told.push(`value ${r.has("cost") ? r.u64(r.members.cost, "cost", true) : 1n}`),
  "limits": (r) => limits(r),
  "limitMode?": (r) => {
    const { mode = "reject" } = r.members;
    const form = "Field mode must be reject, saturate or force";
    if (typeof mode !== "string") throw shape(form);
    if (!/^(reject|saturate|force)$/.test(mode)) return r.wrong(form);
    const costs = (r.members.limits as { [name: string]: Value }[]).map((limit) =>
      costOf(r, limit)
    );
    if (mode === "saturate" && new Set(costs).size > 1) {
      r.wrong("Field limits[].cost must be one for all limits in mode saturate");
    }
    r.told.push(`mode ${mode}`);
  },
  "wantsReceipt?": (r) => {
    const { receipt = false } = r.members;
    if (typeof receipt !== "boolean") throw shape("Field receipt must be true or false");
    r.told.push(`receipt ${receipt}`);
  },
  "receipt": (r) => {
    const { receipt } = r.members;
    if (typeof receipt !== "string" || receipt === "") throw shape("Field receipt is required");
    r.told.push(`receipt ${JSON.stringify(receipt)}`);
  },
};

function isObject(value: Value): value is { [name: string]: Value } {
  return value !== null && typeof value === "object" && !Array.isArray(value) &&
    !(value instanceof Num);
}

function list(r: Reading, name: string): Value[] {
  if (!r.has(name)) throw shape(`Field ${name} is required`);
  const value = r.members[name];
  if (!Array.isArray(value)) throw shape();
  return value;
}

function items(r: Reading, isPositive: boolean): void {
  const before = r.later;
  let hasZero = false;
  const told = list(r, "items").map((item) => {
    if (!Array.isArray(item)) throw shape();
    // One thing after the other, as it stands there.
    if (item.length < 1) throw shape("Each item must be [key, bucket, value]");
    const key = r.u64(item[0], "items[][0]", true);
    if (item.length < 2) throw shape("Each item must be [key, bucket, value]");
    const day = r.day(item[1], "items[][1]");
    if (item.length < 3) throw shape("Each item must be [key, bucket, value]");
    const value = r.u64(item[2], "items[][2]", true);
    if (item.length > 3) throw shape("Each item must be [key, bucket, value]");
    hasZero ||= value === 0n;
    return `${key}:${day}:${value}`;
  });
  const dates = r.later;
  r.later = before;
  if (told.length > ITEMS_MAX) r.wrong("Field items exceeds max size");
  r.later ??= dates;
  if (isPositive && hasZero) r.wrong("Batch item value must be greater than 0");
  r.told.push(`items ${told}`);
}

function range(r: Reading): void {
  const { range } = r.members;
  if (!isObject(range)) throw shape();
  const before = r.later;
  const faults: (Refusal | null)[] = [];
  const ends = ["from", "to"].map((end) => {
    try {
      if (!Object.hasOwn(range, end)) throw shape(`Field range.${end} is required`);
      return r.day(range[end], `range.${end}`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      faults.push(error);
      return 0;
    }
  });
  if (faults.length > 0) throw faults[0];
  const [from, to] = ends;
  const isBad = r.later !== before;
  if (from > to) throw shape("Bucket range start must be less than or equal to range end");
  if (!isBad && daysBetween(from, to) > 366) r.wrong("Range exceeds max days");
  r.told.push(`range ${from} ${to}`);
}

function integer(r: Reading, name: string): bigint | null {
  return r.has(name) ? r.u64(r.members[name], name, false) : null;
}

function text(r: Reading, field: string, name: string): void {
  const value = r.members[name];
  if (typeof value !== "string" || value === "") throw shape(`Field ${name} is required`);
  r.told.push(`${field} ${JSON.stringify(value)}`);
}

function costOf(r: Reading, limit: { [name: string]: Value }): bigint {
  if (Object.hasOwn(limit, "cost")) return r.u64(limit.cost, "limits[].cost", true);
  return r.has("cost") ? r.u64(r.members.cost, "cost", true) : 1n;
}

function limits(r: Reading): void {
  const given = list(r, "limits");
  const told = given.map((limit) => {
    if (!isObject(limit)) throw shape();
    const name = [limit.tree, limit.series].find((name) => typeof name === "string");
    if (name === undefined) throw shape("Field limits[].series is required");
    const read = <T>(member: string, read: (value: Value) => T): T | null => {
      return Object.hasOwn(limit, member) ? read(limit[member]) : null;
    };
    const max = read("max", (value) => r.u64(value, "limits[].max", true));
    const window = read("window", windowOf);
    const cost = costOf(r, limit);
    const key = read("key", (value) => r.u64(value, "limits[].key", true));
    if (max === null) throw shape("Field limits[].max is required");
    if (window === null) throw shape("Field limits[].window is required");
    return { name: name as string, max, cost, key, window };
  });
  const isKeyed = r.has("key") || r.has("keys") && r.operation.id === "checkLimits";
  if (!isKeyed && told.some(({ key }) => key === null)) throw shape("Field key is required");
  if (told.length === 0) r.wrong("Field limits must not be empty");
  if (told.length > 16) r.wrong("Field limits exceeds max size");
  const subject = r.has("key") ? r.u64(r.members.key, "key", true) : 0n;
  const kept = told.slice(0, 16);
  const keys = r.operation.id === "checkLimits" && r.has("keys") ? r.members.keys as Value[] : [];
  const subjects = keys.map((key) => r.u64(key, "keys[]", true));
  for (const asked of subjects.length > 0 ? subjects : [subject]) {
    const costs = new Map<string, bigint>();
    for (const { name, key, cost } of kept) {
      const counter = `${key ?? asked} ${name}`;
      if ((costs.get(counter) ?? cost) !== cost) {
        r.wrong("Field limits[].cost must be one for each series and key");
      }
      if (!costs.has(counter)) costs.set(counter, cost);
    }
  }
  const texts = kept.map(({ name, max, cost, key, window }) => {
    return `${JSON.stringify(name)}:${max}:${cost}:${key ?? subject}:${window}`;
  });
  r.told.push(`limits ${texts}`);
}

function windowOf(value: Value): string {
  if (typeof value === "string" && /^(day|week|month|year|total)$/.test(value)) return value;
  if (!isObject(value)) throw shape();
  const names = Object.keys(value).filter((name) => name === "days" || name === "month_from");
  if (names.length !== 1) throw shape();
  const number = value[names[0]];
  const most = names[0] === "days" ? 36_525n : 31n;
  const isGood = number instanceof Num && number.integer !== null && number.integer >= 1n &&
    number.integer <= most;
  if (!isGood) throw shape();
  return `${names[0]} ${(number as Num).integer}`;
}

function once(r: Reading): void {
  if (!r.has("idempotency_key")) return;
  const limited = (name: string, most: number) => {
    const value = r.textOrInteger(r.members[name], name);
    if (value === "") r.wrong(`Field ${name} must not be empty`);
    if (new TextEncoder().encode(value).length > most) r.wrong(`Field ${name} exceeds max size`);
    return value;
  };
  const key = limited("idempotency_key", 256);
  if (r.operation.once) r.told.push(`once ${JSON.stringify(key)}`);
  if (r.has("fingerprint")) limited("fingerprint", 512);
  if (!r.has("idempotency_created_at_unix")) return;
  const created = r.members.idempotency_created_at_unix;
  if (!(created instanceof Num) || created.integer === null) {
    throw shape("Field idempotency_created_at_unix must be an integer");
  }
  if (created.integer < 0n) {
    throw shape("Field idempotency_created_at_unix must be greater than or equal to 0");
  }
}

function isBeyond(source: string): boolean {
  const { integer } = new Num(source);
  if (integer === null) return !Number.isFinite(Number(source));
  return (integer < 0n ? -integer : integer) > U64_MAX;
}

/** What a line asks for, or why it is refused. */
function expected(line: string): string {
  let value: Value;
  try {
    value = JSON.parse(line, (_, value, context?: { source?: string }) => {
      return typeof value === "number" ? new Num(context!.source!) : value;
    });
  } catch {
    return "invalid_json *";
  }
  const strings = line.match(/"(?:[^"\\]|\\.)*"/g) ?? [];
  if (!strings.every((token) => JSON.parse(token).isWellFormed())) return "invalid_json *";
  if (!isObject(value)) return "validation_error *";
  const numbers = line.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d[-+.\deE]*/g) ?? [];
  if (numbers.some(isBeyond)) return "invalid_json *";
  const { v, op } = value;
  if (!(v instanceof Num) || v.integer !== 2n) {
    return "unsupported_protocol Karma 1.0 accepts only protocol v2 requests with field v=2";
  }
  if (typeof op !== "string") return "validation_error Field op is required";
  const operation = BY_NAME.get(op);
  if (operation === undefined) return "unknown_command Unknown op ";
  const reading = new Reading(value, operation);
  try {
    for (const field of operation.fields) READERS[field](reading);
    once(reading);
    if (reading.later !== null) throw reading.later;
  } catch (error) {
    if (error instanceof Refusal) return error.told;
    throw error;
  }
  return [operation.id, ...reading.told].join(" | ");
}

// --- The real one ------------------------------------------------------------------------------

const interpreter = new Interpreter(new Access(null, null), ITEMS_MAX, 0);
const request = new Request();
const GUARD = 0x22;

function decoded(line: Uint8Array): string {
  const bytes = new Uint8Array(line.length + 6).fill(GUARD);
  bytes.set(line, 3);
  const reply = new Reply();
  const done = interpreter.decode(bytes, 3, bytes.length - 3, "v2", request, reply);
  const around = [...bytes.subarray(0, 3), ...bytes.subarray(-3)];
  assert(around.every((byte) => byte === GUARD), "nothing around the line is written");
  if (!done) return `${reply.code} ${reply.text}`;
  const told = request.operation.fields.flatMap((field) => tell(field, bytes));
  const { onceStart, onceEnd, hasOnce } = request;
  if (hasOnce) told.push(`once ${quoted(bytes, onceStart, onceEnd)}`);
  return [request.operation.id, ...told].join(" | ");
}

function quoted(bytes: Uint8Array, start: number, end: number): string {
  return JSON.stringify(
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(start, end)),
  );
}

function tell(field: Field, bytes: Uint8Array): string[] {
  const { lanes, items: { count, words }, details, limits } = request;
  const number = (at: number) => u64ToBigInt(lanes[at], lanes[at + 1]);
  const at = (index: number) => u64ToBigInt(words[index], words[index + 1]);
  const listed = (size: number, text: (at: number) => string) => {
    return Array.from({ length: count }, (_, index) => text(size * index));
  };
  const detail = (name: string) => {
    const value = details.get(name);
    return `${name} ${typeof value === "string" ? JSON.stringify(value) : value}`;
  };
  switch (field) {
    case "tree":
    case "file":
      return [`tree ${quoted(bytes, request.nameStart, request.nameEnd)}`];
    case "key":
    case "key?":
      return [`key ${number(KEY)}`];
    case "day?":
      return [`day ${request.day}`];
    case "value?":
    case "cost?":
      return [`value ${number(VALUE)}`];
    case "range":
    case "range?":
      return [`range ${request.dayFrom} ${request.dayTo}`];
    case "items":
    case "amounts":
      return [`items ${listed(5, (i) => `${at(i)}:${words[i + 2]}:${at(i + 3)}`)}`];
    case "keys":
      return [`keys ${listed(2, (i) => String(at(i)))}`];
    case "subject":
      if (!request.hasKeys) return [`key ${number(KEY)}`];
      return [`key ${number(KEY)}`, `keys ${listed(2, (i) => String(at(i)))}`];
    case "counters":
      return [
        `counters ${listed(4, (i) => `${quoted(bytes, words[i], words[i + 1])}:${at(i + 2)}`)}`,
      ];
    case "limit?":
      return [`limit ${request.limit}`];
    case "before":
      return [`before ${request.dayTo + 1}`];
    case "cursor?":
      return [detail("cursor")];
    case "offset?":
      return [detail("offset")];
    case "source?":
      return details.has("source") ? [detail("source")] : [];
    case "progress":
      return [detail("offset"), detail("event")];
    case "report":
      return ["checked_points", "mismatch_count", "absolute_drift", "max_abs_delta"].map(detail);
    case "limits": {
      const texts = Array.from({ length: limits.count }, (_, index) => {
        const lanes = (field: number) =>
          u64ToBigInt(limits.lo(index, field), limits.hi(index, field));
        const window = limits.window(index);
        const span = window.kind === "days"
          ? `days ${window.days}`
          : window.kind === "monthFrom"
          ? `month_from ${window.day}`
          : window.kind;
        const name = limits.name(index);
        return `${quoted(name, 0, name.length)}:${lanes(MAX)}:${lanes(COST)}:${
          lanes(SUBJECT)
        }:${span}`;
      });
      return [`limits ${texts}`];
    }
    case "limitMode?":
      return [`mode ${request.mode}`];
    case "wantsReceipt?":
      return [`receipt ${request.wantsReceipt}`];
    case "receipt":
    case "stream":
    case "mode":
    case "sequence":
    case "source":
    case "time":
      return [detail(field)];
    case "granularity?":
      return [detail("granularity")];
  }
}

// --- Lines -------------------------------------------------------------------------------------

const NUMBERS = ["0", "1", "7", "-1", "-0", "1.0", "1e3", "1e999", "4294967296", "2147483648"]
  .concat([String(U64_MAX), String(U64_MAX + 1n), "9223372036854775808", "-2147483649"]);
const DAYS = ["20260105", '"2026-01-05"', '"20260229"', "20240229", '"2026-0-3-1-"', "20260132"]
  .concat(['"-1"', '"x"', '""', "0", '"020260105"', "99991231", '"2026-02-30"', "20260101"]);
const TEXTS = ['"a"', '""', '"день"', '"\\u0441\\ud83d\\ude00"', '"a/b.tree"', '"1_t.tree"', '"12"']
  .concat(['"add"', '"set"', '"replace_series"', '"saturate"', '"force"', '"2026-01-01T00:00:00Z"'])
  .concat(['"18446744073709551616"', '"2026-01-01T00:00:00.5+03:00"', '"\\ud800"', '"a\\tb"']);
const OTHERS = ["null", "true", "false", "[]", "{}", '[1,"2"]', '{"a":{"b":[null]}}'];

function anything(random: Random): string {
  return random.pick([...NUMBERS, ...DAYS, ...TEXTS, ...OTHERS]);
}

function listOf(random: Random, most: number, element: () => string): string {
  return `[${Array.from({ length: random.below(most) }, element).join()}]`;
}

/** A value for a member, mostly of the kind that it should have. */
function valueOf(name: string, random: Random): string {
  if (random.chance(0.12)) return anything(random);
  const number = () =>
    random.chance(0.8) ? String(random.below(1000)) : random.pick([...NUMBERS, '"5"']);
  const day = () => random.chance(0.7) ? String(20260101 + random.below(28)) : random.pick(DAYS);
  const object = (members: [string, () => string][]) => {
    const chosen = members.filter(() => random.chance(0.93));
    if (random.chance(0.1)) chosen.push(random.pick(members));
    return `{${chosen.map(([name, value]) => `"${name}":${value()}`).join()}}`;
  };
  switch (name) {
    case "key":
    case "value":
    case "cost":
    case "cursor":
    case "limit":
    case "chunk_seq":
    case "offset":
    case "checked_points":
    case "mismatch_count":
    case "absolute_drift":
    case "max_abs_delta":
      return number();
    case "date":
    case "bucket":
      return day();
    case "before":
      return random.chance(0.5) ? day() : random.pick([number(), ...TEXTS]);
    case "range":
      return object([["from", day], ["to", day], ["x", () => anything(random)]]);
    case "keys":
      return listOf(random, 23, number);
    case "items": {
      if (random.chance(0.3)) {
        return listOf(
          random,
          4,
          () => object([["series", () => random.pick(TEXTS)], ["key", number]]),
        );
      }
      return listOf(random, random.chance(0.1) ? 24 : 4, () => {
        const item = [number(), day(), number()];
        if (random.chance(0.03)) item.pop();
        if (random.chance(0.03)) item.push("1");
        return `[${item}]`;
      });
    }
    case "limits": {
      const window = () =>
        random.pick(['"day"', '"week"', '"month"', '"year"', '"total"', '{"days":30}'].concat([
          '{"month_from":15}',
          '{"days":0}',
          '{"days":1,"month_from":2}',
          '"fortnight"',
          "5",
        ]));
      return listOf(random, random.chance(0.05) ? 19 : 4, () =>
        object([
          ["series", () => random.pick(['"a"', '"b"', '"\\u0061"', '""'])],
          ["max", number],
          ["window", window],
          ...(random.chance(0.3) ? [["cost", number] as [string, () => string]] : []),
          ...(random.chance(0.3) ? [["key", number] as [string, () => string]] : []),
        ]));
    }
    case "receipt":
      return random.pick(["true", "false", '"abc"', '"abc"']);
    default:
      return random.pick(TEXTS);
  }
}

/** The members that a field is read from. */
const MEMBERS: Partial<Record<Field, string[]>> = {
  "tree": ["series", "tree"],
  "day?": ["bucket", "date"],
  "amounts": ["items"],
  "counters": ["items"],
  "time": ["before"],
  "sequence": ["chunk_seq"],
  "stream": ["stream_id"],
  "progress": ["offset", "source_offset", "event_id"],
  "report": ["checked_points", "mismatch_count", "absolute_drift", "max_abs_delta"],
  "subject": ["key", "keys"],
  "limitMode?": ["mode"],
  "wantsReceipt?": ["receipt"],
};

function lineOf(random: Random): string {
  const [op, operation] = random.pick([...BY_NAME]);
  const names = operation.fields.flatMap((field) => MEMBERS[field] ?? [field.replace("?", "")]);
  const members = names.filter(() => random.chance(0.8)).map((
    name,
  ) => [name, valueOf(name, random)]);
  if (random.chance(0.3)) members.push(["idempotency_key", random.pick([...TEXTS, "5", "1.5"])]);
  if (random.chance(0.1)) members.push(["fingerprint", anything(random)]);
  if (random.chance(0.1)) members.push(["idempotency_created_at_unix", anything(random)]);
  if (random.chance(0.1)) members.push(["unknown", anything(random)]);
  members.push(["v", random.chance(0.97) ? "2" : anything(random)]);
  members.push(["op", random.chance(0.97) ? JSON.stringify(op) : anything(random)]);
  const space = () => random.chance(0.05) ? random.pick([" ", "\t", "  ", "\r"]) : "";
  for (let at = members.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [members[at], members[other]] = [members[other], members[at]];
  }
  const text = members.map(([name, value]) => `${space()}"${name}"${space()}:${space()}${value}`);
  return `${space()}{${text.join()}${space()}}${space()}`;
}

function mutated(line: Uint8Array, random: Random): Uint8Array {
  const bytes = line.slice();
  switch (random.below(4)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length + 1));
    case 1:
      bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
    case 2: {
      const at = random.below(bytes.length);
      bytes.copyWithin(at, random.below(bytes.length));
      return bytes;
    }
    default: {
      const at = random.below(bytes.length);
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1)]);
    }
  }
}

/** One seed: so many lines, each also changed. */
export function fuzzDecoderV2(seed: number, lines: number): void {
  const random = new Random(seed);
  for (let count = 0; count < lines; count++) {
    const line = new TextEncoder().encode(lineOf(random));
    compare(line);
    compare(line); // lists of limits are known the second time
    compare(mutated(line, random));
  }
}

function compare(line: Uint8Array): void {
  const found = decoded(line);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
  } catch {
    return;
  }
  if (text.includes("\ufffd") || text.includes('"command"')) return;
  const wanted = expected(text);
  if (wanted.endsWith(" *")) assertEquals(found.split(" ")[0], wanted.split(" ")[0], text);
  else assertEquals(found, wanted, text);
}
