// Every number from one century to another: the days in order, and none between them.

import { assert, assertEquals } from "@std/assert";
import { isDay } from "../../../lib/command/day.ts";

const DAY_MS = 86_400_000;
const FIRST = 16000101;
const LAST = 28001231;

function numberOf(date: Date): number {
  return 10000 * date.getUTCFullYear() + 100 * (date.getUTCMonth() + 1) + date.getUTCDate();
}

Deno.test("day: every number from one century to another is a day or is none", () => {
  // Days in order: the next number that must be one.
  let ms = Date.UTC(1600, 0, 1);
  let next = FIRST;
  for (let number = FIRST; number <= LAST; number++) {
    const is = isDay(number);
    if (is !== (number === next)) assert(false, `${number} is ${is ? "a" : "no"} day`);
    if (is) next = numberOf(new Date(ms += DAY_MS));
  }
  assertEquals(next, 28010101, "all days were met");
});

Deno.test("day: numbers that are none, though their low 32 bits are a day", () => {
  for (const number of [2 ** 32, 2 ** 32 + 20260101, 2 ** 53, Infinity, -20260101, -1]) {
    assert(!isDay(number), `${number}`);
  }
});

Deno.test("day: what was asked before does not tell what is asked now", () => {
  for (let round = 0; round < 2; round++) {
    assert(isDay(20260131));
    assert(isDay(20260131));
    assert(!isDay(20260132));
    assert(!isDay(20260132));
    assert(isDay(20260131));
  }
});
