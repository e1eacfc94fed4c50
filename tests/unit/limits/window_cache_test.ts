// Spans as of today, days on which windows change, and the moments at which they begin.

import { assertEquals } from "@std/assert";
import { NEVER } from "../../../lib/command/verdict.ts";
import type { DayWindow } from "../../../lib/command/window.ts";
import { WindowCache } from "../../../lib/limits/window_cache.ts";
import { HostClock } from "../../../lib/host/clock.ts";
import { Tree } from "../../../lib/tree/tree.ts";

const spans = (zone: string) => new WindowCache(new HostClock(zone));
const rolling = (days: number): DayWindow => ({ kind: "days", days });

Deno.test("spans: a new day begins anew, and an old one too", () => {
  const all = spans("UTC");
  const windows: DayWindow[] = [{ kind: "day" }, { kind: "month" }, rolling(2), {
    kind: "total",
  }];
  const ON: [today: number, spans: [from: number, to: number, next: string | null][]][] = [
    [20261130, [
      [20261130, 20261130, "2026-12-01"],
      [20261101, 20261130, "2026-12-01"],
      [20261129, 20261130, null],
      [0, 0xffffffff, null],
    ]],
    [20261201, [
      [20261201, 20261201, "2026-12-02"],
      [20261201, 20261231, "2027-01-01"],
      [20261130, 20261201, null],
      [0, 0xffffffff, null],
    ]],
  ];
  for (const [today, expected] of [...ON, ...ON, ON[0]]) {
    for (const [index, [from, to, next]] of expected.entries()) {
      const ms = next === null ? NEVER : Date.parse(next);
      for (const time of ["first", "again"]) {
        const kept = all.of(windows[index], today);
        assertEquals([kept.from, kept.to], [from, to], time);
        assertEquals(kept.resetsAtMs, ms, time);
      }
    }
  }
});

Deno.test("spans: thousands of windows, of which few are kept", () => {
  const all = spans("UTC");
  for (let day = 0; day < 5000; day++) {
    const window = rolling(1 + day % 7);
    assertEquals(all.of(window, 20261123).from, 20261123 - day % 7);
  }
});

Deno.test("spans: the day on which a rolling window loses what it holds", () => {
  const all = spans("UTC");
  const tree = new Tree("t");
  for (const day of [20261110, 20261120, 20261122, 20261130]) tree.add(7, 0, day, 1, 0);
  const on = (days: number, today = 20261123, of: Tree | null = tree, key = 7) => {
    return all.lossDay(days, all.of(rolling(days), today), of, key, 0);
  };
  // When the oldest of those counted leaves, and not what is counted in advance.
  assertEquals(on(30), 20261210);
  assertEquals(on(13), 20261203);
  assertEquals(on(2), 20261124);
  assertEquals(on(1), 0);
  assertEquals(on(7, 20261201), 20261207);
  assertEquals(on(30, 20261123, tree, 8), 0, "another counter");
  assertEquals(on(30, 20261123, null), 0, "no tree");
});

Deno.test("spans: the moments at which days begin, and the days that then begin", () => {
  const MOMENTS: [zone: string, day: number, moment: string, actual: number][] = [
    ["UTC", 20240229, "2024-02-29T00:00:00Z", 20240229],
    ["Europe/Berlin", 20261123, "2026-11-22T23:00:00Z", 20261123],
    ["Europe/Berlin", 20260330, "2026-03-29T22:00:00Z", 20260330],
    ["Asia/Kathmandu", 20260101, "2025-12-31T18:15:00Z", 20260101],
    ["Pacific/Apia", 20111230, "2011-12-30T10:00:00Z", 20111231],
    ["Pacific/Apia", 20111231, "2011-12-30T10:00:00Z", 20111231],
  ];
  for (const [zone, day, moment, actual] of MOMENTS) {
    const all = spans(zone);
    for (const again of ["once", "twice"]) {
      assertEquals(all.startOf(day), Date.parse(moment), `${zone} ${day} ${again}`);
      assertEquals(all.dayAt(day), actual, `${zone} ${day} ${again}`);
    }
  }
});

Deno.test("spans: more moments than are kept", () => {
  const all = spans("UTC");
  for (let month = 1; month <= 5000; month++) {
    const date = new Date(Date.UTC(2026, month, 1));
    const day = 10000 * date.getUTCFullYear() + 100 * (date.getUTCMonth() + 1) + 1;
    assertEquals(all.startOf(day), date.getTime());
  }
});
