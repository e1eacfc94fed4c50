// The spans of windows today, and the moments at which days begin: what every request about limits asks for,
// and what changes once a day.
//
// Invariant: what is kept is of `today`; a new day begins anew.

import {
  dayOf,
  type DaySpan,
  type LimitWindow,
  NEVER,
  nextOf,
  ordinal,
  spanOf,
} from "../command/mod.ts";
import type { Calendar } from "../host/mod.ts";
import type { Tree } from "../tree/mod.ts";

/** Beginnings of days that are kept: rolling windows ask for as many as they have days. */
const BOUNDARIES_MAX = 4096;
const SPANS_MAX = 1024;

export interface CachedWindow extends DaySpan {
  /** The moment at which the next one begins. Rolling windows depend on what they hold. */
  readonly resetsAtMs: number;
}

/** When a day begins, and which one then begins: zones have left days out. */
interface DayBoundary {
  readonly ms: number;
  readonly day: number;
}

export class WindowCache {
  readonly #calendar: Calendar;
  readonly #spans = new Map<LimitWindow, CachedWindow>();
  readonly #boundaries = new Map<number, DayBoundary>();
  #today = 0;

  constructor(calendar: Calendar) {
    this.#calendar = calendar;
  }

  /** The window that today lies in. */
  of(window: LimitWindow, today: number): CachedWindow {
    if (today !== this.#today || this.#spans.size > SPANS_MAX) {
      this.#today = today;
      this.#spans.clear();
    }
    const known = this.#spans.get(window);
    if (known !== undefined) return known;
    const { from, to } = spanOf(window, today);
    const isOfCalendar = window.kind !== "total" && window.kind !== "days";
    const kept = { from, to, resetsAtMs: this.startOf(isOfCalendar ? nextOf(window, from) : 0) };
    this.#spans.set(window, kept);
    return kept;
  }

  /** The day on which a counter's rolling window loses the oldest that it holds; 0: it holds nothing. */
  lossDay(days: number, span: DaySpan, tree: Tree | null, keyLo: number, keyHi: number): number {
    const oldest = tree === null ? 0 : tree.firstDay(keyLo, keyHi, span.from);
    return oldest === 0 || oldest > span.to ? 0 : dayOf(ordinal(oldest) + days);
  }

  /** The moment at which a day begins, in milliseconds since 1970; NEVER for 0, no day. */
  startOf(day: number): number {
    return day === 0 ? NEVER : this.#boundary(day).ms;
  }

  /** The day, or the first one after it that there is. */
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
