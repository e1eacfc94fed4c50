// Windows of the calendar, rolling ones and billing months: their ends, and every day of decades
// beside a model that asks of each day whether it is in (tests/fuzz/limits_model.ts).

import { assert, assertEquals } from "@std/assert";
import { ordinal } from "../../../lib/command/day.ts";
import {
  type DayWindow,
  isOfCalendar,
  nextOf,
  spanBefore,
  spanOf,
} from "../../../lib/command/window.ts";
import { days } from "../../fuzz/limits_days.ts";
import { isIn, type Window as Named } from "../../fuzz/limits_model.ts";

const monthFrom = (day: number): DayWindow => ({ kind: "monthFrom", day });
const rolling = (days: number): DayWindow => ({ kind: "days", days });
const weekFrom = (weekday: number): DayWindow => ({ kind: "weekFrom", weekday });
const yearFrom = (month: number, day: number): DayWindow => ({ kind: "yearFrom", month, day });
const period = (days: number, anchor: number): DayWindow => {
  return { kind: "period", days, anchor: ordinal(anchor) };
};

const SPANS: [window: DayWindow, day: number, from: number, to: number][] = [
  [{ kind: "day" }, 20240229, 20240229, 20240229],
  // Weeks of ISO 8601, also across years: the last days of 2024 are in the first week of 2025.
  [{ kind: "week" }, 20241230, 20241230, 20250105],
  [{ kind: "week" }, 20250105, 20241230, 20250105],
  [{ kind: "week" }, 20250106, 20250106, 20250112],
  [{ kind: "week" }, 20240229, 20240226, 20240303],
  [{ kind: "week" }, 19700101, 19691229, 19700104],
  [{ kind: "month" }, 20240215, 20240201, 20240229],
  [{ kind: "month" }, 20230228, 20230201, 20230228],
  [{ kind: "month" }, 19000201, 19000201, 19000228],
  [{ kind: "month" }, 20261231, 20261201, 20261231],
  [{ kind: "year" }, 20240101, 20240101, 20241231],
  [{ kind: "year" }, 20241231, 20240101, 20241231],
  [{ kind: "total" }, 20261122, 0, 0xffffffff],
  [rolling(1), 20261122, 20261122, 20261122],
  [rolling(7), 20240303, 20240226, 20240303],
  [rolling(30), 20260101, 20251203, 20260101],
  [rolling(366), 20241231, 20240101, 20241231],
  [rolling(36525), 20261122, 19261123, 20261122],
  [monthFrom(1), 20240229, 20240201, 20240229],
  [monthFrom(15), 20261114, 20261015, 20261114],
  [monthFrom(15), 20261115, 20261115, 20261214],
  [monthFrom(15), 20260101, 20251215, 20260114],
  [monthFrom(15), 20251231, 20251215, 20260114],
  // The 31st is the last day of shorter months.
  [monthFrom(31), 20240131, 20240131, 20240228],
  [monthFrom(31), 20240229, 20240229, 20240330],
  [monthFrom(31), 20230228, 20230228, 20230330],
  [monthFrom(31), 20230429, 20230331, 20230429],
  [monthFrom(31), 20230430, 20230430, 20230530],
  [monthFrom(30), 20240228, 20240130, 20240228],
  [monthFrom(30), 20240229, 20240229, 20240329],
  [monthFrom(29), 20230301, 20230228, 20230328],
  [weekFrom(0), 20250105, 20241230, 20250105],
  [weekFrom(6), 20250104, 20241229, 20250104],
  [weekFrom(6), 20250105, 20250105, 20250111],
  [weekFrom(2), 20241231, 20241225, 20241231],
  [yearFrom(1, 1), 20241231, 20240101, 20241231],
  [yearFrom(4, 6), 20260405, 20250406, 20260405],
  [yearFrom(4, 6), 20260406, 20260406, 20270405],
  [yearFrom(12, 31), 20260101, 20251231, 20261230],
  [yearFrom(2, 29), 20240228, 20230228, 20240228],
  [yearFrom(2, 29), 20240229, 20240229, 20250227],
  [yearFrom(2, 29), 20250228, 20250228, 20260227],
  [period(14, 20260105), 20260105, 20260105, 20260118],
  [period(14, 20260105), 20260104, 20251222, 20260104],
  [period(14, 20260105), 20251221, 20251208, 20251221],
  [period(28, 20260105), 20240301, 20240205, 20240303],
  [period(1, 20260105), 20240229, 20240229, 20240229],
];

Deno.test("windows: the first and the last day", () => {
  for (const [window, day, from, to] of SPANS) {
    assertEquals(spanOf(window, day), { from, to }, `${JSON.stringify(window)} on ${day}`);
  }
});

Deno.test("windows: every day of two decades is in the window that the model says", () => {
  const WINDOWS: [DayWindow, Named][] = [
    [{ kind: "day" }, "day"],
    [{ kind: "week" }, "week"],
    [{ kind: "month" }, "month"],
    [{ kind: "year" }, "year"],
    ...[1, 7, 30, 365].map((count): [DayWindow, Named] => [rolling(count), { days: count }]),
    ...[1, 15, 28, 29, 30, 31].map((
      day,
    ): [DayWindow, Named] => [monthFrom(day), { month_from: day }]),
    [weekFrom(0), { week_from: "monday" }],
    [weekFrom(6), { week_from: "sunday" }],
    [yearFrom(2, 29), { year_from: "02-29" }],
    [yearFrom(4, 6), { year_from: "04-06" }],
    [period(14, 20260105), { days: 14, anchor: "2026-01-05" }],
    [period(365, 20350101), { days: 365, anchor: "2035-01-01" }],
  ];
  const first = Date.UTC(2019, 11, 1) / 86_400_000;
  for (const [window, named] of WINDOWS) {
    for (let today = first; today < first + 7305; today++) {
      const { from, to } = spanOf(window, days.number(today));
      const inside = (number: number) => number >= from && number <= to;
      const what = `${JSON.stringify(named)} on ${days.number(today)}: ${from} to ${to}`;
      assert(inside(days.number(today)), what);
      // As far as the ends may be, thinned out, and both ends themselves.
      for (const step of [-366, -365, -364, -31, -30, -29, -28, -7, -6, -1, 1, 6, 7, 27, 30, 31]) {
        assertEquals(inside(days.number(today + step)), isIn(named, today + step, today), what);
      }
    }
  }
});

Deno.test("windows: the next begins behind the last day, and they follow each other without gaps", () => {
  const WINDOWS: DayWindow[] = [
    ...(["day", "week", "month", "year"] as const).map((kind) => ({ kind })),
    ...Array.from({ length: 31 }, (_, day) => monthFrom(day + 1)),
    ...Array.from({ length: 7 }, (_, weekday) => weekFrom(weekday)),
    ...[101, 228, 229, 406, 1231].map((date) => yearFrom(Math.floor(date / 100), date % 100)),
    ...[1, 7, 14, 28, 100].map((days) => period(days, 20260105)),
  ];
  for (const window of WINDOWS) {
    let { from, to } = spanOf(window, 20230101);
    while (from < 20320101) {
      const next = nextOf(window, from);
      const span = spanOf(window, next);
      assertEquals(span.from, next, `${JSON.stringify(window)} after ${from}`);
      assert(to < next);
      const until = Date.UTC(Math.floor(to / 1e4), Math.floor(to / 100) % 100 - 1, to % 100 + 1);
      assertEquals(days.number(until / 86_400_000), next, "the day behind the last");
      ({ from, to } = span);
    }
  }
});

Deno.test("window: the one before ends where it begins, of all that are of the calendar", () => {
  const CALENDAR: DayWindow[] = [
    { kind: "day" },
    { kind: "week" },
    { kind: "month" },
    { kind: "year" },
    { kind: "weekFrom", weekday: 6 },
    { kind: "monthFrom", day: 31 },
    { kind: "yearFrom", month: 2, day: 29 },
    { kind: "period", days: 14, anchor: 3 },
  ];
  for (const window of CALENDAR) {
    assert(isOfCalendar(window), window.kind);
    for (const day of [20240229, 20260101, 20260301, 20261123]) {
      const { from } = spanOf(window, day);
      const before = spanBefore(window, from);
      assertEquals(nextOf(window, before.from), from, `${window.kind} ${day}`);
      assertEquals(spanOf(window, before.to), before, `${window.kind} ${day}`);
    }
  }
  for (const window of [{ kind: "total" }, { kind: "days", days: 30 }] as const) {
    assert(!isOfCalendar(window), window.kind);
  }
});
