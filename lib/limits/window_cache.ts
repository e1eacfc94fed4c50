// Window cache: the spans of windows on the current day, and the moments at which days begin. Every limit request
// needs them, and they change once a day.
//
// Invariant: all cached spans are those of `#today`; the first request of another day clears them.

import {
  dayOf,
  type DaySpan,
  type DayWindow,
  isOfCalendar,
  NEVER,
  nextOf,
  ordinal,
  spanBefore,
  spanOf,
} from "../command/mod.ts";
import type { Calendar } from "../host/mod.ts";
import type { Tree } from "../tree/mod.ts";

/** The most day boundaries that are kept: a rolling window asks for as many as it has days. */
const BOUNDARIES_MAX = 1024;
const SPANS_MAX = 512;

export interface CachedWindow extends DaySpan {
  /** When the next window begins, in ms since 1970; NEVER for rolling windows, which depend on what they hold. */
  readonly resetsAtMs: number;
  /** The window before; of what is no window of the calendar, itself. */
  readonly before: DaySpan;
}

/** When a day begins, and which day begins then: zones have skipped days. */
interface DayBoundary {
  readonly ms: number;
  readonly day: number;
}

/** The windows of one time zone. */
export class WindowCache {
  readonly #calendar: Calendar;
  readonly #spans = new Map<DayWindow, CachedWindow>();
  readonly #boundaries = new Map<number, DayBoundary>();
  #today = 0;

  constructor(calendar: Calendar) {
    this.#calendar = calendar;
  }

  /** The window that `today` lies in. */
  of(window: DayWindow, today: number): CachedWindow {
    if (today !== this.#today || this.#spans.size > SPANS_MAX) {
      this.#today = today;
      this.#spans.clear();
    }
    const known = this.#spans.get(window);
    if (known !== undefined) return known;
    const span = spanOf(window, today);
    const { from, to } = span;
    const kept = isOfCalendar(window)
      ? {
        from,
        to,
        resetsAtMs: this.startOf(nextOf(window, from)),
        before: spanBefore(window, from),
      }
      : { from, to, resetsAtMs: NEVER, before: span };
    this.#spans.set(window, kept);
    return kept;
  }

  /** The day on which a rolling window drops the oldest day that a counter has in it; 0: it has none. */
  lossDay(days: number, span: DaySpan, tree: Tree | null, keyLo: number, keyHi: number): number {
    const oldest = tree === null ? 0 : tree.firstDay(keyLo, keyHi, span.from);
    return oldest === 0 || oldest > span.to ? 0 : dayOf(ordinal(oldest) + days);
  }

  /** The moment at which a day begins, in ms since 1970; NEVER for 0, which is no day. */
  startOf(day: number): number {
    return day === 0 ? NEVER : this.#boundary(day).ms;
  }

  /** The day, or the next one if the time zone skipped it. */
  dayAt(day: number): number {
    return this.#boundary(day).day;
  }

  #boundary(day: number): DayBoundary {
    const known = this.#boundaries.get(day);
    if (known !== undefined) return known;
    const ms = this.#calendar.startOf(day);
    const boundary = { ms, day: this.#calendar.dayAt(ms) };
    if (this.#boundaries.size >= BOUNDARIES_MAX) this.#boundaries.clear();
    this.#boundaries.set(day, boundary);
    return boundary;
  }
}
