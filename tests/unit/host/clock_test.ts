// The date in a zone at the moment of the call: at midnight, where offsets are odd, where they change.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { HostClock, localZone, nextTurn, pace, sleep } from "../../../lib/host/clock.ts";

/** A clock whose hands the test moves. */
class SetClock extends HostClock {
  ms = 0;

  override now(): number {
    return this.ms;
  }

  /** The date at a moment, as `2026-01-01T00:00:00Z`. */
  at(moment: string): number {
    this.ms = Date.parse(moment);
    assert(!Number.isNaN(this.ms), moment);
    return this.today();
  }
}

// Moments in UTC, each the last second of a day or the first of the next in its zone.
const DATES: [zone: string, moment: string, day: number][] = [
  ["UTC", "1970-01-01T00:00:00Z", 19700101],
  ["UTC", "2024-02-29T12:00:00Z", 20240229],
  ["UTC", "2026-12-31T23:59:59.999Z", 20261231],
  ["UTC", "2100-03-01T00:00:00Z", 21000301],
  // Far from UTC, on both sides of the date line, and not by whole hours.
  ["Pacific/Kiritimati", "2026-01-01T09:59:59Z", 20260101],
  ["Pacific/Kiritimati", "2026-01-01T10:00:00Z", 20260102],
  ["Pacific/Pago_Pago", "2026-01-01T10:59:59Z", 20251231],
  ["Pacific/Pago_Pago", "2026-01-01T11:00:00Z", 20260101],
  ["Asia/Kathmandu", "2026-01-01T18:14:59Z", 20260101],
  ["Asia/Kathmandu", "2026-01-01T18:15:00Z", 20260102],
  ["America/St_Johns", "2026-01-01T03:29:59Z", 20251231],
  ["America/St_Johns", "2026-01-01T03:30:00Z", 20260101],
  // In summer, midnight is an hour earlier.
  ["Europe/Berlin", "2026-01-31T22:59:59Z", 20260131],
  ["Europe/Berlin", "2026-01-31T23:00:00Z", 20260201],
  ["Europe/Berlin", "2026-06-30T21:59:59Z", 20260630],
  ["Europe/Berlin", "2026-06-30T22:00:00Z", 20260701],
  // Days of 23 and of 25 hours.
  ["America/New_York", "2026-03-08T04:59:59Z", 20260307],
  ["America/New_York", "2026-03-08T05:00:00Z", 20260308],
  ["America/New_York", "2026-03-09T03:59:59Z", 20260308],
  ["America/New_York", "2026-03-09T04:00:00Z", 20260309],
  ["America/New_York", "2026-11-01T03:59:59Z", 20261031],
  ["America/New_York", "2026-11-01T04:00:00Z", 20261101],
  ["America/New_York", "2026-11-02T04:59:59Z", 20261101],
  ["America/New_York", "2026-11-02T05:00:00Z", 20261102],
  // Clocks that changed at midnight: 0:00 was left out, or 23:00 came twice.
  ["America/Sao_Paulo", "2018-11-04T02:59:59Z", 20181103],
  ["America/Sao_Paulo", "2018-11-04T03:00:00Z", 20181104],
  ["America/Sao_Paulo", "2018-02-18T01:59:59Z", 20180217],
  ["America/Sao_Paulo", "2018-02-18T02:00:00Z", 20180217],
  ["America/Sao_Paulo", "2018-02-18T02:59:59Z", 20180217],
  ["America/Sao_Paulo", "2018-02-18T03:00:00Z", 20180218],
  // Samoa crossed the date line and left out a day.
  ["Pacific/Apia", "2011-12-30T09:59:59Z", 20111229],
  ["Pacific/Apia", "2011-12-30T10:00:00Z", 20111231],
];

Deno.test("clock: the date in a zone, by a clock that goes forward and back", () => {
  const clocks = new Map(DATES.map(([zone]) => [zone, new SetClock(zone)]));
  for (const [zone, moment, day] of [...DATES, ...DATES.toReversed()]) {
    assertEquals(clocks.get(zone)!.at(moment), day, `${zone} at ${moment}`);
  }
});

Deno.test("clock: the date changes with the millisecond, however often it is asked", () => {
  const clock = new SetClock("UTC");
  for (const midnight of [Date.UTC(2026, 0, 1), Date.UTC(2026, 2, 1), Date.UTC(2028, 1, 29)]) {
    for (let ms = midnight - 61_000; ms < midnight + 61_000; ms += 250) {
      clock.ms = ms;
      const [day] = new Date(ms).toISOString().split("T");
      assertEquals(clock.today(), Number(day.replaceAll("-", "")));
    }
    clock.ms = midnight - 1;
    const before = clock.today();
    clock.ms = midnight;
    assert(clock.today() > before);
    clock.ms = midnight - 1;
    assertEquals(clock.today(), before);
  }
});

Deno.test("clock: two years in zones with all kinds of changes", () => {
  for (const timeZone of ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"]) {
    const clock = new SetClock(timeZone);
    // Another way to ask for the same.
    const parts = new Intl.DateTimeFormat("en-US", { timeZone, dateStyle: "short" });
    for (let hour = 0; hour < 2 * 366 * 24; hour += 7) {
      clock.ms = Date.UTC(2024, 0, 1, hour, 15);
      const [month, date, year] = parts.format(clock.ms).split("/").map(Number);
      assertEquals(clock.today(), (2000 + year) * 10000 + month * 100 + date);
    }
  }
});

Deno.test("clock: a zone that doesn't exist is refused", () => {
  for (const zone of ["Mars/Olympus", "", "UTC+25:00x"]) {
    assertThrows(() => new HostClock(zone), RangeError, "", zone);
  }
});

Deno.test("clock: now is the machine's time, today its date in UTC", () => {
  const before = Date.now();
  const now = new HostClock("UTC").now();
  assert(before <= now && now <= Date.now());
  const dates = [before, Date.now()].map((ms) => new Date(ms).toISOString().slice(0, 10));
  const today = String(new HostClock("UTC").today());
  assert(dates.some((date) => date.replaceAll("-", "") === today), today);
});

Deno.test("clock: local is the zone of the machine", async () => {
  const path = new URL("../../../lib/host/clock.ts", import.meta.url).href;
  const program = `
    import { HostClock } from ${JSON.stringify(path)};
    class Noon extends HostClock { now() { return Date.UTC(2026, 0, 1, 12); } }
    console.log(new Noon("local").today());
  `;
  for (const [zone, today] of [["Pacific/Kiritimati", 20260102], ["America/New_York", 20260101]]) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", program],
      env: { TZ: String(zone), NO_COLOR: "1" },
    }).output();
    assertEquals(new TextDecoder().decode(stdout).trim(), String(today), String(zone));
  }
});

Deno.test("clock: nextTurn gives way to what waits, sleep waits", async () => {
  const order: string[] = [];
  setTimeout(() => order.push("timer"), 0);
  queueMicrotask(() => order.push("microtask"));
  await nextTurn();
  assertEquals(order, ["microtask", "timer"]);
  const began = performance.now();
  await sleep(20);
  assert(performance.now() - began >= 19);
});

Deno.test("clock: long work that keeps its pace lets others have a turn, again and again", async () => {
  const pause = pace();
  for (let turn = 0; turn < 3; turn++) {
    let waited = true;
    setTimeout(() => waited = false, 0);
    const began = performance.now();
    while (waited) {
      await pause();
      assert(performance.now() - began < 5000, "the others never had a turn");
    }
  }
});

Deno.test("clock: the local zone is what TZ names; a rule in its place is no zone", () => {
  const cases: [tz: string, zone: string | null][] = [
    ["Europe/Oslo", "Europe/Oslo"],
    [":Europe/Oslo", "Europe/Oslo"],
    ["/usr/share/zoneinfo/Europe/Oslo", "Europe/Oslo"],
    [":/usr/share/zoneinfo/Europe/Oslo", "Europe/Oslo"],
    ["UTC", "UTC"],
    ["", "UTC"],
    ["EST5EDT4", null],
    ["EST5EDT,M3.2.0,M11.1.0", null],
    ["<+0330>-3:30", null],
    ["+03:00", null],
    ["Moon/Crater", null],
    ["/etc/localtime", null],
  ];
  for (const [tz, zone] of cases) assertEquals(localZone(tz), zone, tz);
  const own = localZone(undefined);
  if (own !== null) assertEquals(localZone(own), own);
});
