// When a cost fits again: on the first day on which it does, whatever is counted in advance, and
// only on days that there are.

import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import type { DayWindow } from "../../../lib/command/window.ts";
import { retryDayOf } from "../../../lib/limits/retry_time.ts";
import { HostClock } from "../../../lib/host/clock.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { days } from "../../fuzz/limits_days.ts";

const APIA = new HostClock("Pacific/Apia");
const same = (day: number) => day;
const inApia = (day: number) => APIA.dayAt(APIA.startOf(day));

/** The day from which a cost fits, a counter holding so much on each day. */
function retry(
  window: DayWindow,
  today: number,
  counted: Record<number, number>,
  max: number,
  cost: number,
  dayAt = same,
  carry = 0,
): number {
  const tree = new Tree("t");
  for (const [day, value] of Object.entries(counted)) tree.add(7, 0, Number(day), value, 0);
  return retryDayOf(
    window,
    today,
    tree,
    7,
    0,
    { max: BigInt(max), carry: BigInt(carry) },
    BigInt(cost),
    dayAt,
  );
}

const DAY: DayWindow = { kind: "day" };
const rolling = (days: number): DayWindow => ({ kind: "days", days });

const TABLE: [
  what: string,
  window: DayWindow,
  counted: Record<number, number>,
  max: number,
  cost: number,
  day: number,
][] = [
  ["the next day", DAY, { 20261123: 5 }, 5, 1, 20261124],
  ["what never fits", DAY, { 20261123: 5 }, 5, 6, 0],
  ["nothing below a limit of nothing", DAY, {}, 0, 1, 0],
  ["no other total", { kind: "total" }, { 20261123: 5 }, 5, 1, 0],
  ["all of it, in an empty window", DAY, { 20261123: 5 }, 5, 5, 20261124],
  [
    "days in advance are full as well",
    DAY,
    { 20261123: 5, 20261124: 5, 20261125: 4 },
    5,
    1,
    20261125,
  ],
  ["or not free enough", DAY, { 20261123: 5, 20261124: 5, 20261125: 4 }, 5, 2, 20261126],
  ["the next week", { kind: "week" }, { 20261123: 5 }, 5, 1, 20261130],
  ["a week in advance", { kind: "week" }, { 20261123: 5, 20261206: 5 }, 5, 1, 20261207],
  ["the next month", { kind: "month" }, { 20261101: 5 }, 5, 1, 20261201],
  ["the next year", { kind: "year" }, { 20260101: 5 }, 5, 1, 20270101],
  ["the next 15th", { kind: "monthFrom", day: 15 }, { 20261115: 5 }, 5, 1, 20261215],
  // Rolling: as soon as enough has left.
  ["what leaves tomorrow", rolling(7), { 20261117: 1, 20261123: 4 }, 5, 1, 20261124],
  ["not enough leaves tomorrow", rolling(7), { 20261117: 1, 20261123: 4 }, 5, 2, 20261130],
  ["older days are not counted", rolling(7), { 20261116: 9, 20261123: 5 }, 5, 1, 20261130],
  ["one day", rolling(1), { 20261123: 5 }, 5, 1, 20261124],
  [
    "what enters as something leaves",
    rolling(7),
    { 20261117: 2, 20261120: 3, 20261124: 2 },
    5,
    1,
    20261127,
  ],
  ["what enters long after", rolling(2), { 20261123: 5, 20261225: 5 }, 5, 1, 20261125],
];

Deno.test("limit retry: the first day on which a cost fits", () => {
  for (const [what, window, counted, max, cost, day] of TABLE) {
    assertEquals(retry(window, 20261123, counted, max, cost), day, what);
  }
});

Deno.test("limit retry: a counter that is not there refuses only what never fits", () => {
  assertEquals(retryDayOf(DAY, 20261123, null, 7, 0, { max: 5n, carry: 0n }, 6n, same), 0);
});

Deno.test("limit retry: in Samoa there was no 30th of December 2011", () => {
  assertEquals([inApia(20111229), inApia(20111230), inApia(20111231)], [
    20111229,
    20111231,
    20111231,
  ]);
  // Free would have been the day that was left out; the one after it is not.
  const full = { 20111229: 5, 20111231: 5 };
  for (const window of [DAY, rolling(1)]) {
    assertEquals(retry(window, 20111229, full, 5, 1), 20111230);
    assertEquals(retry(window, 20111229, full, 5, 1, inApia), 20120101);
    assertEquals(retry(window, 20111229, { 20111229: 5 }, 5, 1, inApia), 20111231);
  }
  // Two days of Samoa end before it; a window that begins on it begins a day later.
  assertEquals(retry(rolling(2), 20111229, { 20111228: 5 }, 5, 1, inApia), 20111231);
  const billing = { kind: "monthFrom", day: 30 } as const;
  assertEquals(retry(billing, 20111229, { 20111229: 5, 20120105: 4 }, 5, 1, inApia), 20111231);
  assertEquals(retry(billing, 20111229, { 20111229: 5, 20120105: 5 }, 5, 1, inApia), 20120130);
});

Deno.test("limit retry: four thousand full days in advance are gone through once", () => {
  const counted: Record<number, number> = {};
  const first = Date.UTC(2026, 10, 23) / 86_400_000;
  for (let day = 0; day < 4000; day++) counted[days.number(first + day)] = 5;
  // Time of the processor, which other processes don't take, of the quickest of some runs: it is 6 ms, and
  // would be 300 if all days were looked at for each of the windows.
  let least = Infinity;
  for (let run = 0; run < 5; run++) {
    const began = process.cpuUsage();
    for (const window of [DAY, rolling(1)]) {
      assertEquals(retry(window, 20261123, counted, 5, 1), days.number(first + 4000));
    }
    assertEquals(retry(rolling(30), 20261123, counted, 5, 1), days.number(first + 4029));
    const { user, system } = process.cpuUsage(began);
    least = Math.min(least, (user + system) / 1000);
  }
  assert(least < 150, `${least} ms`);
});

Deno.test("limit retry: of millions of days in advance so many are looked at as a decade has", () => {
  const counted: Record<number, number> = {};
  for (let day = 0; day < 20_000; day++) {
    const date = new Date(Date.UTC(2026, 10, 23 + day));
    counted[date.getUTCFullYear() * 10000 + date.getUTCMonth() * 100 + 100 + date.getUTCDate()] = 5;
  }
  assertEquals(retry(DAY, 20261123, counted, 5, 1), 0, "none of the days that were looked at");
  assertEquals(retry(rolling(7), 20261123, counted, 5, 1), 0);
  delete counted[20300101];
  assertEquals(retry(DAY, 20261123, counted, 5, 1), 20300101);
  assertEquals(retry(rolling(1), 20261123, counted, 5, 1), 20300101);
});

Deno.test("retry: what is carried over counts, from one window to the next only", () => {
  const carry = (counted: Record<number, number>, cost: number, at = 20261123, dayAt = same) => {
    return retry(DAY, at, counted, 5, cost, dayAt, 5);
  };
  // A full day leaves nothing to the next, and that, empty, all of it to the one after.
  assertEquals(carry({ 20261123: 5 }, 5), 20261124);
  assertEquals(carry({ 20261123: 5 }, 8), 20261125);
  assertEquals(carry({ 20261123: 3 }, 7), 20261124);
  assertEquals(carry({ 20261123: 3 }, 8), 20261125);
  assertEquals(carry({ 20261123: 5 }, 11), 0, "never more than the max of two windows");
  // Counted in advance: what it uses is left to nobody.
  assertEquals(carry({ 20261123: 5, 20261124: 4 }, 7), 20261126);
  assertEquals(carry({ 20261123: 5, 20261124: 4 }, 6), 20261125);
  // The 30th is left out: what is counted on it still counts for the 31st.
  assertEquals(carry({ 20111230: 2, 20111231: 2 }, 7, 20111229, inApia), 20120101);
  assertEquals(carry({ 20111230: 2, 20111231: 1 }, 7, 20111229, inApia), 20111231);
});
