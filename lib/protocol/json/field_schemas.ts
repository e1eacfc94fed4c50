// The fields of protocol v2 as JSON Schema: what documents for machines say of them.
//
// Invariant: every field of the table of operations has its members here; the compiler asks for those of a new one.
// Trade-off: schemas tell shapes and not all rules, so a request that fits one may still be refused.

import type { Field } from "../../command/mod.ts";

/** A schema, as JSON has it. */
export type Schema = Readonly<Record<string, unknown>>;

interface Members {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

const NUMBER: Schema = {
  description: "An integer from 0 to 2^64-1, or its digits as a string",
  oneOf: [{ type: "integer", minimum: 0 }, { type: "string", pattern: "^[0-9]+$" }],
};

const KEY: Schema = {
  description: "An integer from 0 to 2^64-1, or its digits as a string, or a name",
  oneOf: [{ type: "integer", minimum: 0 }, { type: "string", minLength: 1, maxLength: 255 }],
};

const DAY: Schema = {
  description: "A day: 20260105, or as a string with or without dashes",
  oneOf: [{ type: "integer" }, { type: "string", pattern: "^[0-9]{4}-?[0-9]{2}-?[0-9]{2}$" }],
};

const SERIES: Schema = { type: "string", minLength: 1, description: "The name of a tree" };
const TEXT: Schema = { type: "string" };
const COUNT: Schema = { type: "integer", minimum: 0 };

const RANGE: Schema = {
  type: "object",
  properties: { from: DAY, to: DAY },
  required: ["from", "to"],
};

const ITEM: Schema = {
  description: "[key, day, value]",
  type: "array",
  minItems: 3,
  maxItems: 3,
  items: { oneOf: [{ type: "integer" }, TEXT] },
};

const TIMEZONE: Schema = {
  type: "string",
  description: "The IANA name of the zone whose days are meant; the server's if it is left out",
};

const LIMIT: Schema = {
  type: "object",
  properties: {
    series: SERIES,
    key: KEY,
    cost: NUMBER,
    max: NUMBER,
    window: {
      description: "What is counted over: docs/limits.md lists the forms",
      oneOf: [{ type: "string", enum: ["day", "week", "month", "year", "total"] }, {
        type: "object",
      }],
    },
    carry: {
      description: "How much of what the window before left unused is added to max, at most",
      type: "object",
      properties: { max: NUMBER },
      required: ["max"],
    },
    notify: {
      description: "Parts of max: the request with which the use reaches one is told so",
      type: "array",
      items: { type: "number", exclusiveMinimum: 0, maximum: 1 },
    },
  },
  required: ["series", "max", "window"],
};

function needed(name: string, schema: Schema): Members {
  return { properties: { [name]: schema }, required: [name] };
}

function optional(name: string, schema: Schema): Members {
  return { properties: { [name]: schema } };
}

function listOf(items: Schema): Schema {
  return { type: "array", items };
}

const MEMBERS: Readonly<Record<Field, Members>> = {
  "tree": needed("series", SERIES),
  "key": needed("key", KEY),
  "key?": optional("key", KEY),
  "day?": { properties: { bucket: DAY, timezone: TIMEZONE } },
  "value?": optional("value", NUMBER),
  "range": needed("range", RANGE),
  "range?": optional("range", RANGE),
  "items": needed("items", listOf(ITEM)),
  "amounts": needed("items", listOf(ITEM)),
  "keys": needed("keys", listOf(KEY)),
  "counters": needed(
    "items",
    listOf({
      type: "object",
      properties: { series: SERIES, key: KEY },
      required: ["series", "key"],
    }),
  ),
  "cursor?": optional("cursor", { oneOf: [{ type: "null" }, ...KEY.oneOf as Schema[]] }),
  "after?": optional("cursor", { type: ["string", "null"] }),
  "limit?": optional("limit", { type: "integer", minimum: 1 }),
  "before": needed("before", DAY),
  "time": needed("before", {
    description: "Seconds since 1970, or a time as RFC 3339 has it",
    oneOf: [{ type: "integer" }, TEXT],
  }),
  "file": needed("file", { type: "string", description: "The name of a dump's file" }),
  "offset?": optional("offset", COUNT),
  "stream": needed("stream_id", TEXT),
  "mode": needed("mode", { type: "string", enum: ["add", "set", "replace_series"] }),
  "granularity?": optional("granularity", { type: ["string", "null"] }),
  "sequence": needed("chunk_seq", { type: "integer", minimum: 1 }),
  "source": needed("source", TEXT),
  "source?": optional("source", { type: ["string", "null"] }),
  "progress": {
    properties: {
      source_offset: { type: ["string", "integer"] },
      offset: { type: ["string", "integer"] },
      event_id: { type: ["string", "integer"] },
    },
  },
  "report": {
    properties: {
      checked_points: COUNT,
      mismatch_count: COUNT,
      absolute_drift: COUNT,
      max_abs_delta: COUNT,
    },
    required: ["checked_points", "mismatch_count"],
  },
  "subject": { properties: { key: KEY, keys: listOf(KEY) } },
  "cost?": optional("cost", NUMBER),
  "limits": {
    properties: { limits: { type: "array", minItems: 1, items: LIMIT }, timezone: TIMEZONE },
    required: ["limits"],
  },
  "limitMode?": optional("mode", { type: "string", enum: ["reject", "saturate", "force"] }),
  "wantsReceipt?": optional("receipt", { type: "boolean" }),
  "replyForm?": optional("reply", { type: "string", enum: ["full", "brief"] }),
  "receipt": needed("receipt", TEXT),
  "refund?": optional("amount", NUMBER),
};

/** The names of the members that these fields are read from. */
export function membersOf(fields: readonly Field[]): string[] {
  return fields.flatMap((field) => Object.keys(MEMBERS[field].properties));
}

/** The schema of the members that an operation with these fields takes. */
export function schemaOf(fields: readonly Field[], takesIdempotencyKey: boolean): Schema {
  const members = fields.map((field) => MEMBERS[field]);
  if (takesIdempotencyKey) {
    members.push(optional("idempotency_key", { type: ["string", "integer"] }));
  }
  const properties = Object.assign({}, ...members.map(({ properties }) => properties));
  const required = members.flatMap(({ required }) => required ?? []);
  return required.length === 0
    ? { type: "object", properties }
    : { type: "object", properties, required };
}
