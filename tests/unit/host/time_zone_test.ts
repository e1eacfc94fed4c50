// Time zones beside the plainest reading of Intl: minute by minute around changes of clocks.

import { assertEquals, assertThrows } from "@std/assert";
import { TimeZone } from "../../../lib/host/time_zone.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Days around which clocks change, or days are left out; in St John's and Casey they go back over midnight. */
const CHANGES: [zone: string, around: string][] = [
  ["America/St_Johns", "2010-03-14"],
  ["America/St_Johns", "2010-11-07"],
  ["Antarctica/Casey", "2010-03-05"],
  ["Antarctica/Casey", "2020-10-04"],
  ["Pacific/Apia", "2011-12-30"],
  ["Pacific/Kwajalein", "1993-08-21"],
  ["America/Havana", "2026-03-08"],
  ["America/Havana", "2026-11-01"],
  ["Asia/Beirut", "2026-03-29"],
  ["Asia/Beirut", "2026-10-25"],
  ["Australia/Lord_Howe", "2026-04-05"],
  ["Australia/Lord_Howe", "2026-10-04"],
  ["Africa/Casablanca", "2026-02-15"],
  ["Africa/Casablanca", "2026-03-22"],
  ["America/Santiago", "2026-04-05"],
  ["America/Santiago", "2026-09-06"],
  ["Pacific/Chatham", "2026-09-27"],
  ["Asia/Kathmandu", "1986-01-01"],
  ["Europe/Berlin", "2026-10-25"],
];

/** The date that clocks show, as YYYYMMDD. */
function shownBy(timeZone: string): (ms: number) => number {
  const parts = { year: "numeric", month: "2-digit", day: "2-digit" } as const;
  const format = new Intl.DateTimeFormat("en-CA", { timeZone, ...parts });
  return (ms) => Number(format.format(ms).replaceAll("-", ""));
}

Deno.test("time zone: a day begins when its date is first shown, and lasts until the next begins", () => {
  for (const [name, around] of CHANGES) {
    const zone = new TimeZone(name);
    const shown = shownBy(name);
    const middle = Date.parse(around);
    let day = shown(middle - 2 * DAY_MS);
    for (let ms = middle - 2 * DAY_MS; ms < middle + 2 * DAY_MS; ms += MINUTE_MS) {
      const date = shown(ms);
      const at = `${name} at ${new Date(ms).toISOString()}`;
      if (date > day) {
        assertEquals(zone.startOf(date), ms, at);
        assertEquals(zone.dayAt(ms - 1), day, `just before ${at}`);
        day = date;
      }
      // What was asked before makes no difference.
      assertEquals(zone.today(ms), day, at);
      if (ms % (15 * MINUTE_MS) === 0) assertEquals(zone.dayAt(ms), day, at);
    }
  }
});

Deno.test("time zone: the minute of the 7th of November 2010 that St John's had twice", () => {
  const zone = new TimeZone("America/St_Johns");
  const start = Date.parse("2010-11-07T02:30:00Z");
  assertEquals(zone.startOf(20101107), start);
  assertEquals(shownBy("America/St_Johns")(start + 2 * MINUTE_MS), 20101106, "clocks went back");
  for (const ms of [start, start + 2 * MINUTE_MS, start + 61 * MINUTE_MS]) {
    assertEquals(zone.dayAt(ms), 20101107);
    assertEquals(zone.today(ms), 20101107);
  }
  assertEquals(zone.today(start - 1), 20101106);
});

Deno.test("time zone: what is no name of one is refused", () => {
  for (const name of ["Mars/Olympus", "", "UTC+25:00x"]) {
    assertThrows(() => new TimeZone(name), RangeError, "", name);
  }
});
