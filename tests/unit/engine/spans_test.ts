// Spans as of today, days on which windows change, and moments as texts.

import { assertEquals } from "@std/assert";
import type { Window } from "../../../lib/command/window.ts";
import { Spans } from "../../../lib/engine/spans.ts";
import { HostClock } from "../../../lib/host/clock.ts";
import { Tree } from "../../../lib/tree/tree.ts";

const decoder = new TextDecoder();
const spans = (zone: string) => new Spans(new HostClock(zone));
const rolling = (days: number): Window => ({ kind: "days", days });

Deno.test("spans: a new day begins anew, and an old one too", () => {
  const all = spans("UTC");
  const windows: Window[] = [{ kind: "day" }, { kind: "month" }, rolling(2), { kind: "total" }];
  const ON: [today: number, spans: [from: number, to: number, next: number][]][] = [
    [20261130, [
      [20261130, 20261130, 20261201],
      [20261101, 20261130, 20261201],
      [20261129, 20261130, 0],
      [0, 0xffffffff, 0],
    ]],
    [20261201, [
      [20261201, 20261201, 20261202],
      [20261201, 20261231, 20270101],
      [20261130, 20261201, 0],
      [0, 0xffffffff, 0],
    ]],
  ];
  for (const [today, expected] of [...ON, ...ON, ON[0]]) {
    for (const [index, [from, to, next]] of expected.entries()) {
      assertEquals(all.of(windows[index], today), { from, to, next });
      assertEquals(all.of(windows[index], today), { from, to, next }, "again");
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

Deno.test("spans: the day on which a window no longer holds what it holds", () => {
  const all = spans("UTC");
  const tree = new Tree("t");
  for (const day of [20261110, 20261120, 20261122, 20261130]) tree.add(7, 0, day, 1, 0);
  const on = (window: Window, today = 20261123) => all.resetDay(window, today, tree, 7, 0);
  assertEquals(on({ kind: "day" }), 20261124);
  assertEquals(on({ kind: "week" }), 20261130);
  assertEquals(on({ kind: "monthFrom", day: 31 }), 20261130);
  assertEquals(on({ kind: "year" }), 20270101);
  assertEquals(on({ kind: "total" }), 0);
  // Rolling: when the oldest of those counted leaves, and not what is counted in advance.
  assertEquals(on(rolling(30)), 20261210);
  assertEquals(on(rolling(13)), 20261203);
  assertEquals(on(rolling(2)), 20261124);
  assertEquals(on(rolling(1)), 0);
  assertEquals(on(rolling(7), 20261201), 20261207);
  assertEquals(all.resetDay(rolling(30), 20261123, tree, 8, 0), 0, "another counter");
  assertEquals(all.resetDay(rolling(30), 20261123, null, 7, 0), 0, "no tree");
  assertEquals(all.resetDay({ kind: "day" }, 20261123, null, 7, 0), 20261124, "no tree");
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
      assertEquals(decoder.decode(all.momentOf(day)), `"${moment}"`, `${zone} ${day} ${again}`);
      assertEquals(all.dayAt(day), actual, `${zone} ${day} ${again}`);
    }
  }
});

Deno.test("spans: more moments than are kept", () => {
  const all = spans("UTC");
  for (let month = 1; month <= 5000; month++) {
    const date = new Date(Date.UTC(2026, month, 1));
    const day = 10000 * date.getUTCFullYear() + 100 * (date.getUTCMonth() + 1) + 1;
    assertEquals(decoder.decode(all.momentOf(day)), `"${date.toISOString().slice(0, 19)}Z"`);
  }
});
