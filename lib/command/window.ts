// Windows: the spans of days that limits count over.
//
//   day week month year total     of the calendar; a week begins on Monday (ISO 8601)
//   {"days": 30}                  rolling: the last thirty days, today included
//   {"week_from": "sunday"}       weeks that begin on that day
//   {"month_from": 15}            months that begin on the 15th, or on the last day of shorter ones
//   {"year_from": "04-06"}        years that begin on that day, or on the 28th of February for the 29th
//   {"days": 14, "anchor": DAY}   periods of so many days, one of which begins on the anchor
//
// Invariant: every day lies in exactly one window of each kind but the rolling one, and `next` is the
// first day behind it. Windows below a day are in fine_window.ts. Days are numbers, YYYYMMDD; which moment a day
// begins at is the clock's.

import { dayOf, daysInMonth, ordinal } from "./day.ts";
import type { FineWindow } from "./fine_window.ts";

export type LimitWindow = DayWindow | FineWindow;

export type DayWindow =
  | { readonly kind: "day" | "week" | "month" | "year" | "total" }
  | { readonly kind: "days"; readonly days: number }
  | { readonly kind: "weekFrom"; readonly weekday: number } // 0: Monday
  | { readonly kind: "monthFrom"; readonly day: number }
  | { readonly kind: "yearFrom"; readonly month: number; readonly day: number }
  | { readonly kind: "period"; readonly days: number; readonly anchor: number }; // the number of a first day

/** The most days of a rolling window: beyond a century it is `total`. */
export const ROLLING_DAYS_MAX = 36_525;

const CALENDAR_KINDS: ReadonlySet<LimitWindow["kind"]> = new Set(
  ["day", "week", "month", "year", "weekFrom", "monthFrom", "yearFrom", "period"] as const,
);

/** The first and the last day of a window. */
export interface DaySpan {
  readonly from: number;
  readonly to: number;
}

/** Whether days lie in one window after the other, each of which begins on a day of the calendar. */
export function isOfCalendar({ kind }: LimitWindow): boolean {
  return CALENDAR_KINDS.has(kind);
}

/** The window that a day lies in; of rolling ones, the one that ends with it. */
export function spanOf(window: DayWindow, day: number): DaySpan {
  switch (window.kind) {
    case "total":
      return { from: 0, to: 0xffffffff };
    case "days":
      return { from: dayOf(ordinal(day) - window.days + 1), to: day };
    default: {
      const from = startOf(window, day);
      return { from, to: dayOf(ordinal(nextOf(window, from)) - 1) };
    }
  }
}

/** The window of the calendar before the one that begins with `from`. */
export function spanBefore(window: DayWindow, from: number): DaySpan {
  return spanOf(window, dayOf(ordinal(from) - 1));
}

/** The first day of the window of the calendar after the one that begins with `from`. */
export function nextOf(window: DayWindow, from: number): number {
  switch (window.kind) {
    case "week":
    case "weekFrom":
      return dayOf(ordinal(from) + 7);
    case "period":
      return dayOf(ordinal(from) + window.days);
    case "yearFrom":
      return inMonth(from - from % 10000 + 10000 + 100 * window.month, window.day);
    case "month":
      return monthAfter(from, 1);
    case "year":
      return from + 10000;
    case "monthFrom":
      return monthAfter(from, window.day);
    default:
      return dayOf(ordinal(from) + 1);
  }
}

function startOf(window: DayWindow, day: number): number {
  const month = day - day % 100;
  switch (window.kind) {
    case "week":
      return startOfPeriod(day, 7, 0); // the first day of all, 0001-01-01, was a Monday
    case "weekFrom":
      return startOfPeriod(day, 7, window.weekday);
    case "period":
      return startOfPeriod(day, window.days, window.anchor);
    case "month":
      return month + 1;
    case "year":
      return day - day % 10000 + 101;
    case "monthFrom": {
      const anchor = month + Math.min(window.day, daysInMonth(day));
      return anchor <= day ? anchor : inMonth(before(month), window.day);
    }
    case "yearFrom": {
      const start = inMonth(day - day % 10000 + 100 * window.month, window.day);
      return start <= day ? start : inMonth(start - start % 100 - 10000, window.day);
    }
    default:
      return day;
  }
}

/** The first day of the period of so many days that a day lies in; one begins on the day of number `anchor`. */
function startOfPeriod(day: number, days: number, anchor: number): number {
  const number = ordinal(day);
  const past = (number - anchor) % days;
  return dayOf(number - (past < 0 ? past + days : past));
}

/** The given day, or the last, of the month after a day's. */
function monthAfter(day: number, wanted: number): number {
  const month = day - day % 100;
  const isDecember = month % 10000 === 1200;
  return inMonth(isDecember ? month + 10000 - 1100 : month + 100, wanted);
}

/** The month (its day zero) before another. */
function before(month: number): number {
  return month % 10000 === 100 ? month - 10000 + 1100 : month - 100;
}

function inMonth(month: number, wanted: number): number {
  return month + Math.min(wanted, daysInMonth(month));
}
