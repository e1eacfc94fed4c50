// Windows of limits in protocol v2: `"day"`, `{"days":30}`, `{"days":14,"anchor":"2026-01-05"}` and so on, as
// lib/command/window.ts lists them.
//
// Invariant: a window is read whole, or the sentence says which of its members is wrong.

import { JsonScanner, NameTable, OBJECT } from "../../bytes/mod.ts";
import {
  FINE_SECONDS_MAX,
  fineWindow,
  FIRST_USE_SECONDS_MAX,
  type LimitWindow,
  ordinal,
  REFILL_SECONDS_MAX,
  ROLLING_DAYS_MAX,
  tokenBucket,
  TOKENS_MAX,
} from "../../command/mod.ts";
import { Value } from "./value.ts";

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;

const DAY_NAMES = ["day", "week", "month", "year", "total"] as const;
const NAME_TABLE = new NameTable([...DAY_NAMES, "minute", "hour"]);
const NAMED: readonly LimitWindow[] = [
  ...DAY_NAMES.map((kind) => ({ kind })),
  fineWindow("clock", MINUTE_SECONDS),
  fineWindow("clock", HOUR_SECONDS),
];

const MEMBERS = [
  "days",
  "anchor",
  "week_from",
  "month_from",
  "year_from",
  "seconds",
  "minutes",
  "hours",
  "from",
  "refill",
  "per_seconds",
  "burst",
] as const;
const MEMBER_TABLE = new NameTable(MEMBERS);

const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/** A year in which every date is. */
const LEAP_YEAR = "2024";

const FORM =
  'Field limits[].window must be "minute", "hour", "day", "week", "month", "year", "total", ' +
  '{"seconds":N}, {"minutes":N}, {"hours":N}, {"days":N}, one of these with "from":"first_use", ' +
  '{"days":N,"anchor":DAY}, {"week_from":WEEKDAY}, {"month_from":DAY}, {"year_from":"MM-DD"} or ' +
  '{"refill":N,"per_seconds":N,"burst":N}';

type Member = (typeof MEMBERS)[number];
type Count = Exclude<Member, "anchor" | "week_from" | "year_from" | "from">;

/** Members of a window, of which not all were read yet. */
interface Draft {
  days?: number;
  anchor?: number;
  week_from?: number;
  month_from?: number;
  year_from?: number;
  seconds?: number;
  minutes?: number;
  hours?: number;
  /** Whether it is there: it has one value. */
  from?: true;
  refill?: number;
  per_seconds?: number;
  burst?: number;
}

const decoder = new TextDecoder();

export class LimitWindowReader {
  readonly #scanner = new JsonScanner();
  readonly #value = new Value();
  /** The first member that no window has; null: there is none. */
  unknown: string | null = null;

  /** Reads the window that a value is; returns the sentence if it is none. */
  read(value: Value): LimitWindow | string {
    this.unknown = null;
    if (value.isText) {
      const index = NAME_TABLE.find(value.bytes, value.start, value.end);
      return index < 0 ? FORM : NAMED[index];
    }
    if (value.kind !== OBJECT) return FORM;
    const draft: Draft = {};
    const scanner = this.#scanner;
    scanner.open(value.bytes, value.start, value.end);
    scanner.openObject();
    for (let more = scanner.member(true); more > 0; more = scanner.member(false)) {
      const { bytes, start, end } = scanner;
      const index = MEMBER_TABLE.find(bytes, start, end);
      this.#value.next(scanner);
      if (index < 0) {
        this.unknown ??= decoder.decode(bytes.subarray(start, end));
        continue;
      }
      const member = MEMBERS[index];
      if (draft[member] !== undefined) return FORM;
      const fault = this.#member(member, draft);
      if (fault !== null) return fault;
    }
    return fineWindowOf(draft) ?? windowOf(draft) ?? FORM;
  }

  #member(member: Member, draft: Draft): string | null {
    switch (member) {
      case "days":
        return this.#count(member, ROLLING_DAYS_MAX, draft);
      case "month_from":
        return this.#count(member, 31, draft);
      case "seconds":
        return this.#count(member, FIRST_USE_SECONDS_MAX, draft);
      case "minutes":
        return this.#count(member, FIRST_USE_SECONDS_MAX / MINUTE_SECONDS, draft);
      case "hours":
        return this.#count(member, FIRST_USE_SECONDS_MAX / HOUR_SECONDS, draft);
      case "from":
        draft.from = true;
        return this.#value.text() === "first_use" ? null : FORM;
      case "refill":
        return this.#count(member, TOKENS_MAX, draft);
      case "burst":
        return this.#count(member, TOKENS_MAX - 1, draft, 0);
      case "per_seconds":
        return this.#count(member, REFILL_SECONDS_MAX, draft);
      case "anchor": {
        if (this.#value.date("") !== null || !this.#value.isDate) {
          return "Field limits[].window.anchor must be a day";
        }
        draft.anchor = this.#value.day;
        return null;
      }
      case "week_from": {
        const weekday = WEEKDAYS.indexOf(this.#value.text() ?? "");
        if (weekday < 0) return `Field limits[].window.week_from must be ${WEEKDAYS.join(", ")}`;
        draft.week_from = weekday;
        return null;
      }
      case "year_from": {
        const text = this.#value.text() ?? "";
        const isDate = /^\d\d-\d\d$/.test(text) && isDateOf(text);
        if (!isDate) return 'Field limits[].window.year_from must be "MM-DD"';
        draft.year_from = Number(text.replace("-", ""));
        return null;
      }
    }
  }

  #count(member: Count, most: number, draft: Draft, least = 1): string | null {
    const { lanes } = this.#value;
    if (this.#value.integer("") !== null || lanes[1] !== 0) return FORM;
    if (lanes[0] < least || lanes[0] > most) {
      return `Field limits[].window.${member} must be ${least} to ${most}`;
    }
    draft[member] = lanes[0];
    return null;
  }
}

/** Whether a month has such a day, in one year or another. */
function isDateOf(text: string): boolean {
  const moment = new Date(`${LEAP_YEAR}-${text}T00:00:00Z`);
  return !isNaN(moment.getTime()) && moment.toISOString().slice(5, 10) === text;
}

/** What the members say of a window below a day, or of a bucket; null: nothing. */
function fineWindowOf(draft: Draft): LimitWindow | string | null {
  const { seconds, minutes, hours, days, from, refill, per_seconds: perSeconds, burst } = draft;
  const members = Object.keys(draft).length;
  if (refill !== undefined && perSeconds !== undefined && burst !== undefined && members === 3) {
    return tokenBucket(refill, perSeconds, burst);
  }
  if (members !== (from ? 2 : 1)) return null;
  const length = seconds ??
    (minutes !== undefined
      ? minutes * MINUTE_SECONDS
      : hours !== undefined
      ? hours * HOUR_SECONDS
      : from && days !== undefined
      ? days * DAY_SECONDS
      : null);
  if (length === null) return null;
  const most = from ? FIRST_USE_SECONDS_MAX : FINE_SECONDS_MAX;
  if (length > most) {
    return `Field limits[].window must not be longer than ${most / HOUR_SECONDS} hours`;
  }
  return fineWindow(from ? "first" : "rolling", length);
}

/** What the members say together; null: nothing. */
function windowOf(draft: Draft): LimitWindow | null {
  const { days, anchor, week_from: weekday, month_from: day, year_from: date } = draft;
  const members = Object.keys(draft).length;
  if (days !== undefined && anchor !== undefined && members === 2) {
    // Which of the beginnings is given makes no difference, so the same periods are one window.
    return { kind: "period", days, anchor: ordinal(anchor) % days };
  }
  if (members !== 1) return null;
  if (days !== undefined) return { kind: "days", days };
  if (weekday !== undefined) return { kind: "weekFrom", weekday };
  if (day !== undefined) return { kind: "monthFrom", day };
  if (date === undefined) return null;
  return { kind: "yearFrom", month: Math.floor(date / 100), day: date % 100 };
}
