// Days as numbers beside Date.UTC, and numbers that are no days.

import { assert, assertEquals } from "@std/assert";
import { dayOf, daysInMonth, isDay, ordinal } from "../../../lib/command/day.ts";

const DAY_MS = 86_400_000;

/** The first of January of the year 1, in days before 1970. */
const BEFORE_1970 = 719_162;

function numberOf(date: Date): number {
  return 10000 * date.getUTCFullYear() + 100 * (date.getUTCMonth() + 1) + date.getUTCDate();
}

/** Checks all that there is to a day, so many days after 1970. */
function check(days: number): void {
  const date = new Date(days * DAY_MS);
  const number = numberOf(date);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  const found = [isDay(number), ordinal(number), dayOf(days + BEFORE_1970), daysInMonth(number)];
  assertEquals(found, [true, days + BEFORE_1970, number, last], `${number}`);
}

Deno.test("days: every day of four hundred years, and every 37th of all", () => {
  const first = Date.UTC(1900, 0, 1) / DAY_MS;
  for (let days = first; days < first + 146_097; days++) check(days);
  const [from, to] = [Date.UTC(1000, 0, 1) / DAY_MS, Date.UTC(9999, 11, 31) / DAY_MS];
  for (let days = from; days <= to; days += 37) check(days);
  check(to);
});

Deno.test("days: the first of all was a Monday", () => {
  assertEquals([ordinal(10101), dayOf(0)], [0, 10101]);
  assertEquals(new Date(-BEFORE_1970 * DAY_MS).getUTCDay(), 1);
});

Deno.test("days: numbers that are none", () => {
  const NONE = [
    0,
    1,
    20260100,
    20260001,
    20261301,
    20260132,
    20260229,
    20240230,
    19000229,
    21000229,
    20260431,
    9991231,
    100000101,
    4294967295,
  ];
  for (const number of NONE) assert(!isDay(number), `${number}`);
  for (const number of [10000101, 20000229, 20240229, 99991231]) assert(isDay(number), `${number}`);
});
