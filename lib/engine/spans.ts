// The spans of windows today, and the moments at which days begin, as texts: what every request about
// limits asks for, and what changes once a day.
//
// Invariant: what is kept is of `today`; a new day begins anew.

import { dayOf, ordinal } from "../command/day.ts";
import { nextOf, type Span, spanOf, type Window } from "../command/window.ts";
import type { Calendar } from "../host/clock.ts";
import type { Tree } from "../tree/tree.ts";

/** Moments that are kept: rolling windows ask for as many as they have days. */
const MOMENTS_MAX = 4096;
const SPANS_MAX = 1024;

const encoder = new TextEncoder();

interface Kept extends Span {
  /** The first day after it; 0: there is none, or, of rolling windows, it depends. */
  readonly next: number;
}

/** When a day begins, and which one then begins: zones have left days out. */
interface Moment {
  readonly text: Uint8Array;
  readonly day: number;
}

export class Spans {
  readonly #calendar: Calendar;
  readonly #spans = new Map<Window, Kept>();
  readonly #moments = new Map<number, Moment>();
  #today = 0;

  constructor(calendar: Calendar) {
    this.#calendar = calendar;
  }

  /** The window that today lies in. */
  of(window: Window, today: number): Kept {
    if (today !== this.#today || this.#spans.size > SPANS_MAX) {
      this.#today = today;
      this.#spans.clear();
    }
    const known = this.#spans.get(window);
    if (known !== undefined) return known;
    const { from, to } = spanOf(window, today);
    const isOfCalendar = window.kind !== "total" && window.kind !== "days";
    const kept = { from, to, next: isOfCalendar ? nextOf(window, from) : 0 };
    this.#spans.set(window, kept);
    return kept;
  }

  /** The day from which a counter's window no longer holds what it holds; 0: that day never comes. */
  resetDay(window: Window, today: number, tree: Tree | null, keyLo: number, keyHi: number): number {
    const { from, to, next } = this.of(window, today);
    if (window.kind !== "days") return next;
    const oldest = tree === null ? 0 : tree.firstDay(keyLo, keyHi, from);
    return oldest === 0 || oldest > to ? 0 : dayOf(ordinal(oldest) + window.days);
  }

  /** The moment at which a day begins, as a JSON string of RFC 3339. */
  momentOf(day: number): Uint8Array {
    return this.#moment(day).text;
  }

  /** The day, or the first one after it that there is. */
  dayAt(day: number): number {
    return this.#moment(day).day;
  }

  #moment(day: number): Moment {
    const known = this.#moments.get(day);
    if (known !== undefined) return known;
    const ms = this.#calendar.startOf(day);
    const text = new Date(ms).toISOString().replace(".000Z", "Z");
    const moment = { text: encoder.encode(`"${text}"`), day: this.#calendar.dayAt(ms) };
    if (this.#moments.size >= MOMENTS_MAX) this.#moments.clear();
    this.#moments.set(day, moment);
    return moment;
  }
}
