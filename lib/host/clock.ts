// The clock: the date in a time zone, and the turns of the event loop.
//
// Invariant: `today` is the date at the moment of the call. Trade-off: the calendar is asked once a minute, since
// days begin, and zones change their offset, on whole minutes only.

import { setImmediate } from "node:timers";
import { TimeSlices } from "./time_slices.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** No zone is further from UTC: what is a day there began so much earlier or later. */
const OFFSET_MS_MAX = 26 * 3_600_000;

export interface Clock {
  /** The date as YYYYMMDD. */
  today(): number;
  /** Milliseconds since 1970. */
  now(): number;
}

export interface Calendar {
  /** The moment at which a day, YYYYMMDD, begins, in milliseconds since 1970. */
  startOf(day: number): number;
  /** The date, as YYYYMMDD, at a moment. */
  dayAt(ms: number): number;
}

export class HostClock implements Clock, Calendar {
  readonly #format: Intl.DateTimeFormat;
  #minute = -1;
  #today = 0;

  /** `timeZone` is an IANA name, or "local" for the machine's own. */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat("en-CA", {
      timeZone: timeZone === "local" ? undefined : timeZone,
      calendar: "gregory",
      numberingSystem: "latn",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
    });
  }

  now(): number {
    return Date.now();
  }

  today(): number {
    const now = this.now();
    const minute = Math.floor(now / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#today = this.dayAt(now);
    }
    return this.#today;
  }

  /**
   * The first minute whose date is that day, or a later one: days were left out when zones moved
   * across the date line, and their midnights when summer began.
   */
  startOf(day: number): number {
    const year = Math.floor(day / 10000);
    const utc = Date.UTC(year, Math.floor(day / 100) % 100 - 1, day % 100);
    let before = (utc - OFFSET_MS_MAX) / MINUTE_MS;
    let since = (utc + OFFSET_MS_MAX + DAY_MS) / MINUTE_MS;
    while (since - before > 1) {
      const middle = Math.floor((before + since) / 2);
      if (this.dayAt(middle * MINUTE_MS) >= day) since = middle;
      else before = middle;
    }
    return since * MINUTE_MS;
  }

  dayAt(ms: number): number {
    return Number(this.#format.format(ms).replaceAll("-", ""));
  }
}

/**
 * The name of the machine's time zone, as TZ, if it is set, or the system tells it; null: it is not known.
 *
 * TZ may be a rule instead of a name (`EST5EDT4`); Intl would take UTC for it and say nothing.
 */
export function localZone(tz: string | undefined): string | null {
  if (tz === undefined) return knownZone(undefined);
  const name = tz.replace(/^:/, "").replace(/^.*\/zoneinfo\//, "");
  if (name === "") return "UTC";
  return /^[+-]/.test(name) ? null : knownZone(name);
}

/** The name of a zone as Intl has it, of the system's if none is given. */
function knownZone(name: string | undefined): string | null {
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions();
    return timeZone === undefined || timeZone === "Etc/Unknown" ? null : timeZone;
  } catch {
    return null;
  }
}

/** Calls a function in the next turn of the event loop, which does not sleep before. */
export function afterTurn(call: () => void): void {
  setImmediate(call);
}

/** Calls a function a millisecond later, when sockets have been looked at. */
export function afterMillisecond(call: () => void): void {
  setTimeout(call, 0);
}

/** Lets everything else that waits have its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Long work has one slice of each turn in the whole process, as there is one event loop. */
let slices = slicesOfHost();

function slicesOfHost(): TimeSlices {
  return new TimeSlices({
    now: () => performance.now(),
    nextTurn: afterMillisecond,
    nextTurnAtOnce: afterTurn,
  });
}

/** Begins anew, for whoever has taken all timers away: a turn that was waited for would never come. */
export function forgetTurns(): void {
  slices = slicesOfHost();
}

/** Asks for a next turn without long work. */
export function holdLongWork(): void {
  slices.hold();
}

/** A function to await before each step of long work: now and then it lets all others have a turn. */
export function pace(): () => Promise<void> {
  return slices.pace();
}
