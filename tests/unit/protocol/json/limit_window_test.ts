// Windows of limits: what each form is read as.

import { assertEquals } from "@std/assert";
import { ordinal } from "../../../../lib/command/day.ts";
import type { LimitWindow } from "../../../../lib/command/window.ts";
import { LimitWindowReader } from "../../../../lib/protocol/json/limit_window.ts";
import { Value } from "../../../../lib/protocol/json/value.ts";
import { JsonScanner } from "../../../../lib/bytes/json_scanner.ts";

const encoder = new TextEncoder();
const reader = new LimitWindowReader();

function read(text: string): LimitWindow | string {
  const scanner = new JsonScanner();
  const bytes = encoder.encode(text);
  scanner.open(bytes, 0, bytes.length);
  return reader.read(new Value().next(scanner));
}

const FORMS: [text: string, window: LimitWindow][] = [
  ['"day"', { kind: "day" }],
  ['"total"', { kind: "total" }],
  ['{"days":30}', { kind: "days", days: 30 }],
  ['{"week_from":"monday"}', { kind: "weekFrom", weekday: 0 }],
  ['{"week_from":"sunday","note":{"days":3}}', { kind: "weekFrom", weekday: 6 }],
  ['{"month_from":31}', { kind: "monthFrom", day: 31 }],
  ['{"year_from":"02-29"}', { kind: "yearFrom", month: 2, day: 29 }],
  ['{"days":14,"anchor":20260105}', { kind: "period", days: 14, anchor: ordinal(20260105) % 14 }],
];

Deno.test("limit window: each form", () => {
  for (const [text, window] of FORMS) assertEquals(read(text), window, text);
});

Deno.test("limit window: periods with beginnings in common are one window", () => {
  const window = read('{"days":14,"anchor":"2026-01-05"}');
  for (const anchor of ["2026-01-19", "2025-12-22", "1970-01-05"]) {
    const isSame = (ordinal(20260105) - ordinal(Number(anchor.replaceAll("-", "")))) % 14 === 0;
    const other = read(`{"anchor":"${anchor}","days":14}`);
    assertEquals(JSON.stringify(other) === JSON.stringify(window), isSame, anchor);
  }
});
