// The details of a request in protocol v2: fields of cold operations, which are read into the request's map of strings
// and numbers. The table of operations says which operation has which.

import {
  ABSENT,
  INTEGER,
  type Kind,
  NEGATIVE,
  NULL,
  STRING,
  u64ToBigInt,
} from "../../bytes/mod.ts";
import { type Detail, type Field, NAMES_START } from "../../command/mod.ts";
import { timestampOf } from "./timestamp.ts";
import type { MEMBER } from "./members.ts";
import type { Value } from "./value.ts";

/** Ids and names that clients give; the request's own limit would let one of a megabyte through. */
const TEXT_BYTES_MAX = 1024;

/** Counts of a report, as the original had them: 63 bits. */
const REPORT_MAX = 2n ** 63n - 1n;

const MODES = ["add", "set", "replace_series"];

type Name = keyof typeof MEMBER;

/** What is wrong: with the shape (`fault`), or only with what it says (`later`). */
interface FieldResult {
  readonly fault?: string;
  readonly valueError?: string;
}

type Read = (details: Map<string, Detail>, of: (name: Name) => Value) => FieldResult;

const GOOD: FieldResult = {};

const READERS: Partial<Record<Field, Read>> = {
  "cursor?": (details, of) => {
    const value = of("cursor");
    if (value.kind === ABSENT) return GOOD; // whoever gives none, not even null, knows of no parts
    if (value.kind === NULL) return put(details, "cursor", null);
    const place = namePlaceOf(value.text());
    if (place !== null) return put(details, "cursor", place);
    const fault = value.number("cursor");
    return fault === null ? put(details, "cursor", bigintOf(value)) : { fault };
  },
  "after?": (details, of) => {
    const value = of("cursor");
    if (value.kind === ABSENT) return GOOD;
    if (value.kind === NULL) return put(details, "after", null);
    if (value.kind !== STRING) return { fault: "Field cursor must be a string" };
    return text(details, "after", value, "cursor");
  },
  "offset?": (details, of) => {
    const value = of("offset");
    if (value.kind === ABSENT) return put(details, "offset", 0);
    const fault = value.integer("offset");
    return fault === null ? put(details, "offset", Number(bigintOf(value))) : { fault };
  },
  "sequence": (details, of) => {
    const value = of("chunk_seq");
    if (value.kind === ABSENT) return { fault: "Field chunk_seq is required" };
    const fault = value.integer("chunk_seq");
    if (fault !== null) return { fault };
    const sequence = Number(bigintOf(value));
    details.set("sequence", sequence);
    return sequence === 0 ? { valueError: "Field chunk_seq must be greater than 0" } : GOOD;
  },
  "stream": (details, of) => name(details, "stream", of("stream_id"), "stream_id"),
  "source": (details, of) => name(details, "source", of("source"), "source"),
  "source?": (details, of) => {
    const value = of("source");
    return value.kind === STRING ? text(details, "source", value, "source") : GOOD;
  },
  "mode": (details, of) => {
    const told = name(details, "mode", of("mode"), "mode");
    if (told.fault !== undefined) return told;
    const mode = details.get("mode") as string;
    return MODES.includes(mode) ? GOOD : { valueError: `Unsupported ingest mode ${mode}` };
  },
  "granularity?": (details, of) => {
    const value = of("granularity");
    if (value.kind !== STRING) return put(details, "granularity", null);
    return text(details, "granularity", value, "granularity");
  },
  "time": (details, of) => moment(details, of("before")),
  "progress": (details, of) => {
    const isLong = of("source_offset").kind !== ABSENT;
    const offsetName = isLong ? "source_offset" : "offset";
    const offset = textOrInteger(details, "offset", of(offsetName), offsetName);
    if (offset.fault !== undefined) return offset;
    const event = textOrInteger(details, "event", of("event_id"), "event_id");
    if (event.fault !== undefined) return event;
    if (details.get("offset") === "") return { valueError: "Field offset must not be empty" };
    if (details.get("event") === "") return { valueError: "Field event_id must not be empty" };
    const isThere = details.get("offset") !== null || details.get("event") !== null;
    return isThere ? GOOD : { valueError: "Field offset or event_id is required" };
  },
  "report": report,
};

/** Reads one of the fields into the details. */
export function readDetail(
  field: Field,
  details: Map<string, Detail>,
  of: (name: Name) => Value,
): FieldResult {
  return READERS[field]!(details, of);
}

function put(details: Map<string, Detail>, field: string, detail: Detail): FieldResult {
  details.set(field, detail);
  return GOOD;
}

function text(
  details: Map<string, Detail>,
  field: string,
  value: Value,
  name: string,
): FieldResult {
  if (value.end - value.start > TEXT_BYTES_MAX) return { fault: `Field ${name} exceeds max size` };
  const read = value.text();
  return read === null ? { fault: `Field ${name} must be UTF-8` } : put(details, field, read);
}

/** A text that must be there and say something. */
function name(
  details: Map<string, Detail>,
  field: string,
  value: Value,
  name: string,
): FieldResult {
  const isThere = value.kind === STRING && value.end > value.start;
  return isThere ? text(details, field, value, name) : { fault: `Field ${name} is required` };
}

/** A text, or an integer that stands for its digits; null when it is left out. */
function textOrInteger(
  details: Map<string, Detail>,
  field: string,
  value: Value,
  name: string,
): FieldResult {
  if (value.kind === ABSENT) return put(details, field, null);
  if (value.kind === STRING) return text(details, field, value, name);
  if (!isInteger(value.kind)) return { fault: `Field ${name} must be a string or integer` };
  return put(details, field, digits(value));
}

function isInteger(kind: Kind): boolean {
  return kind === INTEGER || kind === NEGATIVE;
}

function digits(value: Value): string {
  return String(value.kind === NEGATIVE ? -bigintOf(value) : bigintOf(value));
}

function bigintOf({ lanes }: Value): bigint {
  return u64ToBigInt(lanes[0], lanes[1]);
}

/** Seconds since 1970, or an RFC 3339 text. */
function moment(details: Map<string, Detail>, value: Value): FieldResult {
  if (value.kind === ABSENT) return { fault: "Field before is required" };
  if (value.kind === STRING) {
    const ms = timestampOf(value.text() ?? "");
    if (ms === null) return { valueError: "Field before must be an ISO8601 timestamp" };
    return put(details, "time", ms / 1000);
  }
  if (!isInteger(value.kind)) {
    return { fault: "Field before must be an integer or ISO8601 timestamp" };
  }
  const fault = value.integer("before");
  return fault === null ? put(details, "time", Number(bigintOf(value))) : { valueError: fault };
}

/** The place of a name in a tree, from `@` and its id; null: it is none. */
function namePlaceOf(cursor: string | null): bigint | null {
  return cursor !== null && /^@\d{1,16}$/.test(cursor)
    ? NAMES_START + BigInt(cursor.slice(1))
    : null;
}

function report(details: Map<string, Detail>, of: (name: Name) => Value): FieldResult {
  const fields = [
    ["checked_points", true],
    ["mismatch_count", true],
    ["absolute_drift", false],
    ["max_abs_delta", false],
  ] as const;
  for (const [field, isRequired] of fields) {
    const value = of(field);
    if (value.kind === ABSENT) {
      if (isRequired) return { fault: `Field ${field} is required` };
      details.set(field, 0n);
      continue;
    }
    const fault = value.integer(field);
    if (fault !== null) return { fault };
    const count = bigintOf(value);
    if (count > REPORT_MAX) return { fault: `Field ${field} exceeds max size` };
    details.set(field, count);
  }
  const [checked, mismatches] = [details.get("checked_points")!, details.get("mismatch_count")!];
  if (mismatches <= checked) return GOOD;
  return { valueError: "Field mismatch_count must be less than or equal to checked_points" };
}
