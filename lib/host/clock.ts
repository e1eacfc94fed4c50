// The clock: the date in a time zone, and the turns of the event loop.
//
// Invariant: `today` is the date at the moment of the call, as the zone's calendar (time_zone.ts) has it.

import { setImmediate } from "node:timers";
import { TimeSlices } from "./time_slices.ts";
import { type Calendar, TimeZone } from "./time_zone.ts";

export interface Clock {
  /** The date as YYYYMMDD. */
  today(): number;
  /** Milliseconds since 1970. */
  now(): number;
}

export class HostClock implements Clock, Calendar {
  readonly #zone: TimeZone;

  /** `timeZone` is an IANA name, or "local" for the machine's own. */
  constructor(timeZone: string) {
    this.#zone = new TimeZone(timeZone);
  }

  now(): number {
    return Date.now();
  }

  today(): number {
    return this.#zone.today(this.now());
  }

  startOf(day: number): number {
    return this.#zone.startOf(day);
  }

  dayAt(ms: number): number {
    return this.#zone.dayAt(ms);
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
