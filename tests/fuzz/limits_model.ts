// What limits mean, said a second time: maps of bigints, days counted since 1970, and windows that
// are found by going from day to day.
//
// Invariant: nothing of lib/ is used here. A day is the number of days since 1970; whether one lies
// in a window is asked of each by itself, and when something changes by asking day after day.

import { days, textOf } from "./limits_days.ts";

export const U64_MAX = (1n << 64n) - 1n;

export type Window =
  | "day"
  | "week"
  | "month"
  | "year"
  | "total"
  | { readonly days: number; readonly anchor?: string }
  | { readonly week_from: string }
  | { readonly month_from: number }
  | { readonly year_from: string };

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** Whether a window is one of the last so many days. */
export function isRolling(window: Window): window is { readonly days: number } {
  return typeof window === "object" && "days" in window && window.anchor === undefined;
}

export interface Limit {
  readonly series: string;
  readonly max: bigint;
  readonly window: Window;
  readonly key?: bigint;
  readonly cost?: bigint;
  /** How much the window before may leave to the next. */
  readonly carry?: bigint;
  /** Parts of the max that somebody wants to be told of, as they are told. */
  readonly notify?: readonly string[];
}

export interface Question {
  readonly key: bigint;
  readonly cost: bigint;
  readonly limits: readonly Limit[];
  readonly mode: "reject" | "saturate" | "force";
  /** Where it is asked; nowhere: where the server is. */
  readonly zone?: string;
  readonly isBrief?: boolean;
}

export interface Charge {
  readonly series: string;
  readonly key: bigint;
  readonly amount: bigint;
}

type Counter = Map<number, bigint>;

const sum = (values: Iterable<bigint>) => [...values].reduce((sum, value) => sum + value, 0n);

/** What windows of the calendar are told apart by: days in one have it in common. */
function nameOf(window: Window, day: number): string {
  const { year, month, date, last, weekday } = days.at(day);
  if (window === "day") return `${day}`;
  if (window === "week") return `${day - (weekday + 6) % 7}`;
  if (window === "month") return `${year} ${month}`;
  if (window === "year") return `${year}`;
  if (typeof window !== "object") return "";
  if ("week_from" in window) {
    return `${day - (weekday - WEEKDAYS.indexOf(window.week_from) + 7) % 7}`;
  }
  if ("year_from" in window) {
    const [first, begins] = window.year_from.split("-").map(Number);
    const isBegun = month > first || month === first && date >= Math.min(begins, last);
    return `${year - (isBegun ? 0 : 1)}`;
  }
  if (!("month_from" in window)) {
    return `${Math.floor((day - Date.parse(window.anchor!) / 86_400_000) / window.days)}`;
  }
  return `${12 * year + month - (date >= Math.min(window.month_from, last) ? 0 : 1)}`;
}

const befores = new Map<string, number>();

/** The last day of the window of the calendar before that of a day. */
function lastBefore(window: Window, day: number): number {
  const name = `${JSON.stringify(window)} ${nameOf(window, day)}`;
  const known = befores.get(name);
  if (known !== undefined) return known;
  let before = day;
  while (nameOf(window, before) === nameOf(window, day)) before--;
  befores.set(name, before);
  return before;
}

const least = (...values: bigint[]) => values.reduce((a, b) => a < b ? a : b);

/** Whether a day is counted in the window of today. */
export function isIn(window: Window, day: number, today: number): boolean {
  if (isRolling(window)) {
    return day <= today && day > today - window.days;
  }
  return nameOf(window, day) === nameOf(window, today);
}

export class Model {
  readonly trees = new Map<string, Map<bigint, Counter>>();

  /** The days of a counter, which it need not have. */
  counter(series: string, key: bigint): Counter {
    return this.trees.get(series)?.get(key) ?? new Map();
  }

  total(series: string, key: bigint): bigint {
    return sum(this.counter(series, key).values());
  }

  /** Sets what a day holds. */
  set(series: string, key: bigint, day: number, value: bigint): void {
    if (!this.trees.has(series)) this.trees.set(series, new Map());
    const tree = this.trees.get(series)!;
    if (!tree.has(key)) tree.set(key, new Map());
    if (value > 0n) tree.get(key)!.set(day, value);
    else tree.get(key)!.delete(day);
  }

  add(series: string, key: bigint, day: number, value: bigint): void {
    this.set(series, key, day, (this.counter(series, key).get(day) ?? 0n) + value);
  }

  subtract(series: string, key: bigint, day: number, value: bigint): void {
    const held = this.counter(series, key).get(day) ?? 0n;
    this.set(series, key, day, held > value ? held - value : 0n);
  }

  used({ series, window }: Limit, key: bigint, today: number): bigint {
    const counted = [...this.counter(series, key)].filter(([day]) => isIn(window, day, today));
    return sum(counted.map(([, value]) => value));
  }

  /** What is carried over to the window of today. */
  carried(limit: Limit, key: bigint, today: number): bigint {
    if (limit.carry === undefined) return 0n;
    const used = this.used(limit, key, lastBefore(limit.window, today));
    return least(limit.carry, limit.max > used ? limit.max - used : 0n, U64_MAX - limit.max);
  }

  /** What the window of today may hold. */
  most(limit: Limit, key: bigint, today: number): bigint {
    return limit.max + this.carried(limit, key, today);
  }

  /** What would be applied of a cost, and the first limit in its way, or -1. */
  judge({ key, cost, limits, mode }: Question, today: number): Judgement {
    const rooms = limits.map((limit) => {
      const used = this.used(limit, limit.key ?? key, today);
      const most = this.most(limit, limit.key ?? key, today);
      return used > most ? 0n : most - used;
    });
    const hasRefused = limits.map((limit) => {
      const used = this.used(limit, limit.key ?? key, today);
      const most = this.most(limit, limit.key ?? key, today);
      return mode !== "force" && used + (limit.cost ?? cost) > most;
    });
    const deniedBy = hasRefused.indexOf(true);
    let applied = cost;
    if (mode === "saturate") {
      applied = limits[0].cost ?? cost; // all have the same
      for (const room of rooms) if (room < applied) applied = room;
    } else if (deniedBy >= 0) applied = 0n;
    const isAllowed = deniedBy < 0 || mode === "saturate" && applied > 0n;
    return { isAllowed, applied, deniedBy, hasRefused };
  }

  /** What consuming charges, each counter once. */
  chargesOf({ key, cost, limits, mode }: Question, { applied }: Judgement): Charge[] {
    const charges: Charge[] = [];
    for (const limit of limits) {
      const { series } = limit;
      const subject = limit.key ?? key;
      if (charges.some((other) => other.series === series && other.key === subject)) continue;
      const amount = mode === "saturate" ? applied : limit.cost ?? cost;
      charges.push({ series, key: subject, amount });
    }
    return charges;
  }

  /** The day on which a limit's window no longer holds what it holds today; null: never. */
  resetDay({ series, window }: Limit, key: bigint, today: number): number | null {
    if (window === "total") return null;
    let watched = today;
    if (isRolling(window)) {
      const counted = [...this.counter(series, key).keys()].filter((day) =>
        isIn(window, day, today)
      );
      if (counted.length === 0) return null;
      watched = Math.min(...counted);
    }
    for (let day = today + 1;; day++) if (!isIn(window, watched, day)) return day;
  }

  /** The first of the days that there are in a zone on which a limit's cost fits; null: never. */
  retryDay(
    limit: Limit,
    key: bigint,
    cost: bigint,
    today: number,
    isThere: (day: number) => boolean,
  ) {
    const { max, window, carry = 0n } = limit;
    if (cost > max + least(carry, max, U64_MAX - max) || window === "total") return null;
    for (let day = today + 1;; day++) {
      if (isThere(day) && this.used(limit, key, day) + cost <= this.most(limit, key, day)) {
        return day;
      }
    }
  }

  /** What `check` answers. */
  checked(question: Question, { zone, today, ms }: Here): string {
    return `${this.answer(question, this.judge(question, today), { zone, today, ms })}}`;
  }

  /** Which parts of its max a limit was taken to by a charge that was just made, as they are told. */
  #crossed(limit: Limit, key: bigint, today: number, charges: readonly Charge[]): string[] {
    const charge = charges.find((one) => one.series === limit.series && one.key === key);
    const used = this.used(limit, key, today);
    const before = used - (charge?.amount ?? 0n);
    return [...new Set(limit.notify)].filter((part) => {
      const millionths = BigInt(Math.round(1e6 * Number(part))) * this.most(limit, key, today);
      return 1_000_000n * before < millionths && 1_000_000n * used >= millionths;
    });
  }

  /** What both `consume`, which has just made charges, and `check` answer, without the end. */
  answer(
    question: Question,
    judgement: Judgement,
    { zone, today, ms }: Here,
    charges: readonly Charge[] = [],
  ): string {
    const { isAllowed, applied, deniedBy, hasRefused } = judgement;
    let retryMs: number | null = ms;
    let tightest = U64_MAX;
    const parts = new Set<string>();
    const limits = question.limits.map((limit, index) => {
      const key = limit.key ?? question.key;
      const used = this.used(limit, key, today);
      const most = this.most(limit, key, today);
      const remaining = used > most ? 0n : most - used;
      const carried = limit.carry === undefined ? "" : `"carried":${most - limit.max},`;
      const resetDay = this.resetDay(limit, key, today);
      let text =
        `{"series":${JSON.stringify(limit.series)},"max":${limit.max},${carried}"used":${used},` +
        `"remaining":${remaining},"resets_at":${textOf(zone, resetDay)},` +
        `"resets_in_ms":${untilDay(zone, resetDay, ms)}`;
      if (hasRefused[index]) {
        const cost = limit.cost ?? question.cost;
        const isThere = (day: number) => days.isThere(zone, day);
        const retryDay = this.retryDay(limit, key, cost, today, isThere);
        const wait = untilDay(zone, retryDay, ms);
        text += `,"retry_at":${textOf(zone, retryDay)},"retry_after_ms":${wait}`;
        if (wait === null) retryMs = null;
        else if (retryMs !== null) retryMs = Math.max(retryMs, ms + wait);
      }
      const crossed = this.#crossed(limit, key, today, charges);
      for (const part of crossed) parts.add(part);
      tightest = least(tightest, remaining);
      return `${text}${crossed.length > 0 ? `,"crossed":[${crossed}]` : ""}}`;
    });
    const retry = deniedBy < 0 ? "" : `,"retry_after_ms":${retryMs === null ? null : retryMs - ms}`;
    const appliedText = `,"applied":${applied}`;
    const deniedText = `,"denied_by":${deniedBy < 0 ? null : deniedBy}`;
    if (question.isBrief) {
      return `{"allowed":${isAllowed}${question.mode === "saturate" ? appliedText : ""}` +
        `${deniedText},"remaining":${tightest}${retry}` +
        (parts.size > 0 ? `,"crossed":[${[...parts]}]` : "");
    }
    return `{"allowed":${isAllowed}${appliedText}${deniedText},"limits":[${limits}]${retry}`;
  }
}

/** Where and when something is asked. */
export interface Here {
  readonly zone: string;
  /** Days since 1970, in the zone. */
  readonly today: number;
  readonly ms: number;
}

/** Milliseconds until a day begins; null: never. */
function untilDay(zone: string, day: number | null, ms: number): number | null {
  return day === null ? null : days.start(zone, day) - ms;
}

export interface Judgement {
  readonly isAllowed: boolean;
  readonly applied: bigint;
  readonly deniedBy: number;
  readonly hasRefused: readonly boolean[];
}
