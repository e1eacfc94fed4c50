// Plans: how the arguments of an operation follow one another, in the habit of Redis. What must be there comes first, in
// the order of the table of operations, with the range behind it; then a value, or a list; then options, which are words.
//
//   KARMA.ADD tree key [amount] [DAY day] [TIMEZONE zone] [IDEMPOTENCY key]
//   KARMA.MSUM tree key [key ...] [RANGE from to]
//
// Invariant: a plan is derived from the fields of the operation and from nothing else.

import { NameTable } from "../../bytes/mod.ts";
import type { Field, Operation } from "../../command/mod.ts";
import { DETAILS } from "./detail_arguments.ts";

export const OPTIONS = [
  "DAY",
  "RANGE",
  "COUNT",
  "TIMEZONE",
  "IDEMPOTENCY",
  "FINGERPRINT",
  "COST",
  "LIMIT",
  "BUCKET",
  "MODE",
  "RECEIPT",
  "BRIEF",
  "AMOUNT",
  ...DETAILS.options,
] as const;
export const OPTION_TABLE = new NameTable(OPTIONS);

/** Fields that are arguments without a word. */
const PLACED: ReadonlySet<Field> = new Set<Field>([
  "tree",
  "key",
  "key?",
  "before",
  "file",
  "receipt",
  ...DETAILS.placed,
]);

type Option = (typeof OPTIONS)[number];
type List = "items" | "keys" | "counters";

/** Which options a field brings. */
const OPTIONS_OF: Partial<Record<Field, readonly Option[]>> = {
  "day?": ["DAY", "TIMEZONE"],
  "limit?": ["COUNT"],
  "cost?": ["COST"],
  "limits": ["LIMIT", "BUCKET", "TIMEZONE"],
  "limitMode?": ["MODE"],
  "wantsReceipt?": ["RECEIPT"],
  "replyForm?": ["BRIEF"],
  "refund?": ["AMOUNT"],
};

export interface Plan {
  readonly placed: readonly Field[];
  /** Whether the days come behind, and must. */
  readonly range: "must" | "may" | "no";
  readonly hasAmount: boolean;
  readonly list: List | null;
  readonly hasLimits: boolean;
  readonly options: ReadonlySet<Option>;
  /** Fields of cold operations, which are read as those of JSON. */
  readonly details: readonly Field[];
}

/** Which arguments an operation takes. */
export function planOf({ fields, fingerprint }: Operation): Plan {
  const has = (field: Field) => fields.includes(field);
  const list = has("items") || has("amounts")
    ? "items"
    : has("keys") || has("subject")
    ? "keys"
    : has("counters")
    ? "counters"
    : null;
  const details = fields.filter((field) => DETAILS.has(field));
  const options = new Set<Option>(fields.flatMap((field) => OPTIONS_OF[field] ?? []));
  if (list !== null && (has("range") || has("range?"))) options.add("RANGE");
  if (fingerprint !== undefined) options.add("IDEMPOTENCY").add("FINGERPRINT");
  for (const field of details) DETAILS.optionsOf(field).forEach((option) => options.add(option));
  return {
    placed: fields.filter((field) => PLACED.has(field)),
    range: list !== null ? "no" : has("range") ? "must" : has("range?") ? "may" : "no",
    hasAmount: has("value?"),
    list,
    hasLimits: has("limits"),
    options,
    details,
  };
}

/** The fewest arguments of a command, with its name. */
export function leastOf({ placed, range, list, hasLimits }: Plan): number {
  const ofList = list === null ? 0 : { items: 3, keys: 1, counters: 2 }[list];
  const ofPlaced = placed.reduce((sum, field) => sum + DETAILS.placesOf(field), 0);
  return 1 + ofPlaced + (range === "must" ? 2 : 0) + ofList + (hasLimits ? 4 : 0);
}
