// When days begin: beside the plainest search, minute by minute, where clocks change and a day is
// left out.

import { assert, assertEquals } from "@std/assert";
import { HostClock } from "../../../lib/host/clock.ts";

const MINUTE_MS = 60_000;

const STARTS: [zone: string, day: number, moment: string][] = [
  ["UTC", 19700101, "1970-01-01T00:00:00Z"],
  ["UTC", 20240229, "2024-02-29T00:00:00Z"],
  ["UTC", 99991231, "9999-12-31T00:00:00Z"],
  ["Pacific/Kiritimati", 20260101, "2025-12-31T10:00:00Z"],
  ["Pacific/Pago_Pago", 20260101, "2026-01-01T11:00:00Z"],
  ["Asia/Kathmandu", 20260102, "2026-01-01T18:15:00Z"],
  ["Europe/Berlin", 20260329, "2026-03-28T23:00:00Z"],
  ["Europe/Berlin", 20260330, "2026-03-29T22:00:00Z"],
  ["Europe/Berlin", 20261025, "2026-10-24T22:00:00Z"],
  ["Europe/Berlin", 20261026, "2026-10-25T23:00:00Z"],
  // Midnight was left out, and the day began at one.
  ["America/Sao_Paulo", 20181104, "2018-11-04T03:00:00Z"],
  // The hour before midnight came twice.
  ["America/Sao_Paulo", 20180218, "2018-02-18T03:00:00Z"],
  // The whole day was left out: the next one begins instead.
  ["Pacific/Apia", 20111229, "2011-12-29T10:00:00Z"],
  ["Pacific/Apia", 20111230, "2011-12-30T10:00:00Z"],
  ["Pacific/Apia", 20111231, "2011-12-30T10:00:00Z"],
  ["Pacific/Apia", 20120101, "2011-12-31T10:00:00Z"],
  ["Pacific/Kwajalein", 19930821, "1993-08-21T12:00:00Z"],
];

Deno.test("clock: the moment at which a day begins", () => {
  for (const [zone, day, moment] of STARTS) {
    const start = new HostClock(zone).startOf(day);
    assertEquals(new Date(start).toISOString().replace(".000Z", "Z"), moment, `${zone} ${day}`);
  }
});

Deno.test("clock: a minute before it is another day, and then it is that day", () => {
  for (const zone of ["UTC", "Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe"]) {
    const clock = new HostClock(zone);
    for (const year of [2011, 2024, 2026]) {
      for (let date = Date.UTC(year, 0, 1); date < Date.UTC(year + 1, 0, 1); date += 86_400_000) {
        const day = Number(new Date(date).toISOString().slice(0, 10).replaceAll("-", ""));
        const start = clock.startOf(day);
        assert(clock.dayAt(start - MINUTE_MS) < day, `${zone} before ${day}`);
        assert(clock.dayAt(start - 1) < day, `${zone} just before ${day}`);
        const isLeftOut = zone === "Pacific/Apia" && day === 20111230;
        assertEquals(clock.dayAt(start), isLeftOut ? 20111231 : day, `${zone} at ${day}`);
      }
    }
  }
});
