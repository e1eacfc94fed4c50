// Windows of limits in protocol v2: `"day"`, `{"days":30}`, `{"days":14,"anchor":"2026-01-05"}` and so on, as
// lib/command/window.ts lists them.
//
// Invariant: a window is read whole, or the sentence says which of its members is wrong.

import { JsonScanner, NameTable, OBJECT } from "../../bytes/mod.ts";
import { type LimitWindow, ordinal, ROLLING_DAYS_MAX } from "../../command/mod.ts";
import { Value } from "./value.ts";

const NAMES = ["day", "week", "month", "year", "total"] as const;
const NAME_TABLE = new NameTable(NAMES);
const NAMED: readonly LimitWindow[] = NAMES.map((kind) => ({ kind }));

const MEMBERS = ["days", "anchor", "week_from", "month_from", "year_from"] as const;
const MEMBER_TABLE = new NameTable(MEMBERS);

const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/** A year in which every date is. */
const LEAP_YEAR = "2024";

const FORM = 'Field limits[].window must be "day", "week", "month", "year", "total", ' +
  '{"days":N}, {"days":N,"anchor":DAY}, {"week_from":WEEKDAY}, {"month_from":DAY} or {"year_from":"MM-DD"}';

type Member = (typeof MEMBERS)[number];

/** Members of a window, of which not all were read yet. */
interface Draft {
  days?: number;
  anchor?: number;
  week_from?: number;
  month_from?: number;
  year_from?: number;
}

export class LimitWindowReader {
  readonly #scanner = new JsonScanner();
  readonly #value = new Value();

  /** Reads the window that a value is; returns the sentence if it is none. */
  read(value: Value): LimitWindow | string {
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
      const index = MEMBER_TABLE.find(scanner.bytes, scanner.start, scanner.end);
      this.#value.next(scanner);
      if (index < 0) continue;
      const member = MEMBERS[index];
      if (draft[member] !== undefined) return FORM;
      const fault = this.#member(member, draft);
      if (fault !== null) return fault;
    }
    return windowOf(draft) ?? FORM;
  }

  #member(member: Member, draft: Draft): string | null {
    switch (member) {
      case "days":
        return this.#count(member, ROLLING_DAYS_MAX, draft);
      case "month_from":
        return this.#count(member, 31, draft);
      case "anchor": {
        if (this.#value.date("") !== null) return "Field limits[].window.anchor must be a day";
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

  #count(member: "days" | "month_from", most: number, draft: Draft): string | null {
    const { lanes } = this.#value;
    if (this.#value.integer("") !== null || lanes[1] !== 0) return FORM;
    if (lanes[0] < 1 || lanes[0] > most) {
      return `Field limits[].window.${member} must be 1 to ${most}`;
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
