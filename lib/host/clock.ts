// The time outside: today's date in a time zone, and the turns of the event loop.
//
// Invariant: `today` is the date at the moment of the call. Trade: the calendar is asked once a
// minute, since zones change their offset, and days begin, on whole minutes only.

const MINUTE_MS = 60_000;

export interface Clock {
  /** The date as YYYYMMDD. */
  today(): number;
  /** Milliseconds since 1970. */
  now(): number;
}

export class HostClock implements Clock {
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
      this.#today = Number(this.#format.format(now).replaceAll("-", ""));
    }
    return this.#today;
  }
}

/** Lets everything else that waits have its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Work on a whole tree or file gives way after so long: well below the 10 ms that others may wait. */
const SLICE_MS = 2;

/** A function to await between the steps of long work: now and then it lets all others have a turn. */
export function pace(): () => Promise<void> {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < SLICE_MS) return;
    await nextTurn();
    began = performance.now();
  };
}
