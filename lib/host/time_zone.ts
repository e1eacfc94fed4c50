// A time zone: which day it is there at a moment, and when a day begins.
//
// Invariant: days follow one another. A day begins at the first moment whose date, on the clocks of the zone, is that
// day or a later one, and lasts until the next begins. So a day that clocks left out (Samoa's 30th of December 2011)
// begins and ends with the next one's beginning, and clocks that went back over midnight (St John's, until 2011) bring
// no day back.
// Trade-off: Intl is asked for offsets only, at some 5 µs each. The day that was asked about last is kept until it is
// over, so that on the way of a request it is two comparisons.

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

/** No zone was ever further from UTC: Manila was 15:56 behind until 1844. */
const OFFSET_MS_MAX = 16 * 3_600_000;

export interface Calendar {
  /** The moment at which a day, YYYYMMDD, begins, in milliseconds since 1970. */
  startOf(day: number): number;
  /** The date, as YYYYMMDD, at a moment. */
  dayAt(ms: number): number;
}

export class TimeZone implements Calendar {
  /** The name by which fingerprints know it. */
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  // The day that `today` was asked about last.
  #day = 0;
  #dayStartMs = 0;
  #dayEndMs = 0;

  /**
   * @param name an IANA name, or "local" for the machine's own zone
   * @throws {RangeError} if there is no such zone
   */
  constructor(name: string) {
    this.name = name;
    this.#format = new Intl.DateTimeFormat("en-CA", {
      timeZone: name === "local" ? undefined : name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
  }

  /** The day at a moment, as `dayAt`; for moments that mostly lie in the same day. */
  today(ms: number): number {
    if (ms < this.#dayStartMs || ms >= this.#dayEndMs) {
      this.#day = this.dayAt(ms);
      this.#dayStartMs = this.startOf(this.#day);
      this.#dayEndMs = this.startOf(dayAfter(this.#day));
    }
    return this.#day;
  }

  dayAt(ms: number): number {
    const day = dateOf(ms + this.#offsetMs(ms));
    const next = dayAfter(day);
    return this.startOf(next) <= ms ? next : day; // it had begun before clocks went back
  }

  startOf(day: number): number {
    const midnight = utcOf(day);
    let before = midnight - OFFSET_MS_MAX;
    let since = midnight + OFFSET_MS_MAX;
    const offset = this.#offsetMs(before);
    const later = this.#offsetMs(since);
    if (offset === later) return midnight - offset;
    while (since - before > SECOND_MS) {
      const middle = before + Math.floor((since - before) / (2 * SECOND_MS)) * SECOND_MS;
      if (this.#offsetMs(middle) === offset) before = middle;
      else since = middle;
    }
    // Clocks change at `since`: midnight was before, or they jump over it, or it comes later.
    if (midnight - offset < since) return midnight - offset;
    return Math.max(since, midnight - later);
  }

  /** How far the clocks of the zone are ahead of UTC at a moment. */
  #offsetMs(ms: number): number {
    const [year, month, day, hour, minute, second] = this.#format.format(ms).match(/\d+/g)!;
    const seconds = Math.floor(ms / SECOND_MS) * SECOND_MS;
    return Date.UTC(+year, +month - 1, +day, +hour, +minute, +second) - seconds;
  }
}

/** The midnight in UTC with which a day begins there. */
function utcOf(day: number): number {
  return Date.UTC(Math.floor(day / 10000), Math.floor(day / 100) % 100 - 1, day % 100);
}

/** The date, as YYYYMMDD, of a moment in UTC. */
function dateOf(ms: number): number {
  const date = new Date(ms);
  return 10000 * date.getUTCFullYear() + 100 * (date.getUTCMonth() + 1) + date.getUTCDate();
}

function dayAfter(day: number): number {
  return dateOf(utcOf(day) + DAY_MS);
}
