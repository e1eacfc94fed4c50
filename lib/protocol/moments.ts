// Moments of verdicts as text, in JSON `,"resets_at":"2026-11-24T00:00:00Z","resets_in_ms":43200000`.
//
// Invariant: the text is that of the moment and of the millisecond from which it is asked for.
// Trade-off: the texts of some moments are kept for a millisecond. A busy server tells the same few hundreds of times
// in one, and writing them takes three times as long as copying.

import { NEVER } from "../command/mod.ts";

/** Moments kept, as a power of two: those at which days, weeks, months and years begin. */
const MOMENTS = 64;
const MOMENTS_SHIFT = 26;

/** Days begin at multiples of a minute, most at multiples of a quarter of an hour. */
const MINUTE_MS = 60_000;

const encoder = new TextEncoder();

/** Writes a moment and the milliseconds until then; both null: it never comes. */
type Format = (date: string | null, afterMs: number | null) => string;

export class Moments {
  readonly #format: Format;
  readonly #never: Uint8Array;
  /** Moments, from when they were asked for, and their texts, each in the place that its minute is hashed to. */
  readonly #momentsMs = new Float64Array(MOMENTS).fill(NaN);
  readonly #nowMs = new Float64Array(MOMENTS);
  readonly #texts: Uint8Array[];

  constructor(format: Format) {
    this.#format = format;
    this.#never = encoder.encode(format(null, null));
    this.#texts = Array(MOMENTS).fill(this.#never);
  }

  /** The text of a moment in ms since 1970, or NEVER, at a moment that is not after it. Ours, until the next call. */
  text(ms: number, nowMs: number): Uint8Array {
    if (ms === NEVER) return this.#never;
    const place = Math.imul(ms / MINUTE_MS, 0x9e3779b1) >>> MOMENTS_SHIFT;
    if (this.#momentsMs[place] !== ms || this.#nowMs[place] !== nowMs) {
      this.#momentsMs[place] = ms;
      this.#nowMs[place] = nowMs;
      const date = new Date(ms).toISOString().replace(".000Z", "Z");
      this.#texts[place] = encoder.encode(this.#format(date, Math.max(0, ms - nowMs)));
    }
    return this.#texts[place];
  }
}
