// Moments as texts of RFC 3339: `2026-01-31T12:00:00Z`, with a fraction or an offset, never a bare date.

import { isDay } from "../../command/mod.ts";

const FORM = /^(\d{4})-(\d\d)-(\d\d)T(?:[01]\d|2[0-3]):\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since 1970; null for a text that is no moment. */
export function timestampOf(text: string): number | null {
  const capital = text.toUpperCase();
  const match = FORM.exec(capital);
  if (match === null || !isDay(Number(match[1] + match[2] + match[3]))) return null;
  const ms = Date.parse(capital);
  return Number.isNaN(ms) ? null : ms;
}
