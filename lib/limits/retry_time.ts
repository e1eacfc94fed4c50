// Retry time: the day on which a refused cost fits, if nothing else is used until then.
//
// Invariant: it is the first day whose window holds so little that the cost fits. Days that were counted in
// advance belong to later windows. Off the hot path: only refusals ask.

import { u64ToBigInt } from "../bytes/mod.ts";
import {
  DAY_MAX,
  dayOf,
  type DaySpan,
  type DayWindow,
  isDay,
  isOfCalendar,
  type Limit,
  nextOf,
  ordinal,
  spanBefore,
  spanOf,
} from "../command/mod.ts";
import { Cells, type Tree } from "../tree/mod.ts";

/**
 * The most days that are read: eleven years. A counter may have millions, and a refusal of 16 limits must not
 * delay other requests. If these days do not decide it, the answer is that there is no such day.
 */
const DAYS_MAX = 4096;

const U64_MAX = (1n << 64n) - 1n;

/** What a window may hold. */
interface Most {
  readonly max: bigint;
  /** How much of what the window before left unused is added, at most. */
  readonly carry: bigint;
}

/** What the window of a limit may hold. */
export function mostOf({ max, carry }: Limit): Most {
  return {
    max: u64ToBigInt(max[0], max[1]),
    carry: carry === null ? 0n : u64ToBigInt(carry[0], carry[1]),
  };
}

interface Counted {
  readonly day: number;
  readonly value: bigint;
}

/**
 * Returns the first day from which `cost` fits under the limit; 0: none. `dayAt` maps a day to itself or, if the time
 * zone has no such day, to the next one: zones skipped days when they moved across the date line.
 */
export function retryDayOf(
  window: DayWindow,
  today: number,
  tree: Tree | null,
  keyLo: number,
  keyHi: number,
  { max, carry }: Most,
  cost: bigint,
  dayAt: (day: number) => number,
): number {
  const room = (usedBefore: bigint) => {
    return max + least(carry, max > usedBefore ? max - usedBefore : 0n, U64_MAX - max) - cost;
  };
  if (room(0n) < 0n || window.kind === "total") return 0;
  const { from } = spanOf(window, today);
  const counted = tree === null ? [] : countedFrom(tree, keyLo, keyHi, from);
  // Nothing is known of the days after the last one that was read.
  const known = counted.length < DAYS_MAX ? Infinity : counted[counted.length - 1].day;
  for (let after = today;;) {
    const day = window.kind === "days"
      ? retryRolling(window.days, after, counted, room(0n))
      : retryOfCalendar(window, after, counted, room);
    const actual = day === 0 ? 0 : dayAt(day);
    if (actual > 0 && spanOf(window, actual).to > known) return 0;
    if (actual === day || hasRoom(window, actual, counted, room)) return actual;
    after = actual;
  }
}

/** Whether the window of a day has room. */
function hasRoom(
  window: DayWindow,
  day: number,
  counted: readonly Counted[],
  room: (usedBefore: bigint) => bigint,
): boolean {
  const span = spanOf(window, day);
  const before = isOfCalendar(window) ? usedIn(spanBefore(window, span.from), counted) : 0n;
  return usedIn(span, counted) <= room(before);
}

/** Looks through the windows that follow; an empty one behind an empty one has room. */
function retryOfCalendar(
  window: DayWindow,
  today: number,
  counted: readonly Counted[],
  room: (usedBefore: bigint) => bigint,
): number {
  const current = spanOf(window, today);
  let from = nextOf(window, current.from);
  let before = usedIn(current, counted);
  for (let index = 0;;) {
    const next = nextOf(window, from);
    let used = 0n;
    for (; index < counted.length && counted[index].day < next; index++) {
      if (counted[index].day >= from) used += counted[index].value;
    }
    if (used <= room(before)) return from;
    before = used;
    from = next;
  }
}

function least(...values: bigint[]): bigint {
  return values.reduce((least, value) => value < least ? value : least);
}

function usedIn({ from, to }: DaySpan, counted: readonly Counted[]): bigint {
  return counted.reduce((sum, { day, value }) => day >= from && day <= to ? sum + value : sum, 0n);
}

/** A rolling window first has room on a day on which it drops another. */
function retryRolling(
  days: number,
  today: number,
  counted: readonly Counted[],
  room: bigint,
): number {
  let used = 0n;
  let next = 0;
  for (const { day, value } of counted) {
    const leaves = dayOf(ordinal(day) + days);
    for (; next < counted.length && counted[next].day <= leaves; next++) {
      used += counted[next].value;
    }
    used -= value;
    if (leaves > today && used <= room) return leaves;
  }
  return 0;
}

/** The counted days from a day on. Numbers that are not dates are left out: no window ends with one. */
function countedFrom(tree: Tree, keyLo: number, keyHi: number, from: number): Counted[] {
  const cells = new Cells();
  tree.collect(keyLo, keyHi, from, DAY_MAX, cells, DAYS_MAX);
  const counted: Counted[] = [];
  for (let at = 0; at < 3 * cells.count; at += 3) {
    const [day, lo, hi] = cells.words.subarray(at);
    if (isDay(day)) counted.push({ day, value: u64ToBigInt(lo, hi) });
  }
  return counted;
}
