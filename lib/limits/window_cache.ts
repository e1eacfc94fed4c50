// The spans of windows today, and the moments at which days begin, as texts: what every request about
// limits asks for, and what changes once a day.
//
// Invariant: what is kept is of `today`; a new day begins anew.

import { dayOf, type DaySpan, type LimitWindow, nextOf, ordinal, spanOf } from "../command/mod.ts";
import type { Calendar } from "../host/mod.ts";
import type { Tree } from "../tree/mod.ts";

/** Moments that are kept: rolling windows ask for as many as they have days. */
const MOMENTS_MAX = 4096;
const SPANS_MAX = 1024;

const encoder = new TextEncoder();

export interface CachedWindow extends DaySpan {
  /** As told: when the next one begins. Rolling windows depend on what they hold. */
  readonly resetsAt: Uint8Array;
}

/** When a day begins, and which one then begins: zones have left days out. */
interface DayBoundary {
  readonly resetsAt: Uint8Array;
  readonly retryAt: Uint8Array;
  readonly day: number;
}

const NEVER = timestampOf("null", 0);

function timestampOf(text: string, day: number): DayBoundary {
  const resetsAt = encoder.encode(`,"resets_at":${text}`);
  return { resetsAt, retryAt: encoder.encode(`,"retry_at":${text}`), day };
}

export class WindowCache {
  readonly #calendar: Calendar;
  readonly #spans = new Map<LimitWindow, CachedWindow>();
  readonly #moments = new Map<number, DayBoundary>();
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
    const kept = { from, to, resetsAt: this.resetsAt(isOfCalendar ? nextOf(window, from) : 0) };
    this.#spans.set(window, kept);
    return kept;
  }

  /** The day on which a counter's rolling window loses the oldest that it holds; 0: it holds nothing. */
  lossDay(days: number, span: DaySpan, tree: Tree | null, keyLo: number, keyHi: number): number {
    const oldest = tree === null ? 0 : tree.firstDay(keyLo, keyHi, span.from);
    return oldest === 0 || oldest > span.to ? 0 : dayOf(ordinal(oldest) + days);
  }

  /** `,"resets_at":"2026-11-24T00:00:00Z"`: the moment at which a day begins, `null` for 0, no day. */
  resetsAt(day: number): Uint8Array {
    return day === 0 ? NEVER.resetsAt : this.#moment(day).resetsAt;
  }

  /** Likewise, as `,"retry_at":"2026-11-24T00:00:00Z"`. */
  retryAt(day: number): Uint8Array {
    return day === 0 ? NEVER.retryAt : this.#moment(day).retryAt;
  }

  /** The day, or the first one after it that there is. */
  dayAt(day: number): number {
    return this.#moment(day).day;
  }

  #moment(day: number): DayBoundary {
    const known = this.#moments.get(day);
    if (known !== undefined) return known;
    const ms = this.#calendar.startOf(day);
    const text = new Date(ms).toISOString().replace(".000Z", "Z");
    const moment = timestampOf(`"${text}"`, this.#calendar.dayAt(ms));
    if (this.#moments.size >= MOMENTS_MAX) this.#moments.clear();
    this.#moments.set(day, moment);
    return moment;
  }
}
