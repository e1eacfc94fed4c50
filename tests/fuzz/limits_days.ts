// Days for the model of limits: their dates, and when they begin in a zone.
//
// Invariant: dates come from Date.UTC, and zones from Intl alone, asked quarter of an hour by quarter
// of an hour. A day that has begun is not over before the next begins, though clocks go back to the day before it.
// Trade-off: that is slow, so each is asked once.

const DAY_MS = 86_400_000;
const QUARTER_MS = 900_000;

interface Dated {
  readonly year: number;
  readonly month: number;
  readonly date: number;
  /** The last date of its month. */
  readonly last: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

const dated = new Map<number, Dated>();
const formats = new Map<string, Intl.DateTimeFormat>();
const begun = new Map<string, number>();

export const days = {
  /** The date of a day, counted since 1970. */
  at(day: number): Dated {
    const known = dated.get(day);
    if (known !== undefined) return known;
    const moment = new Date(day * DAY_MS);
    const [year, month] = [moment.getUTCFullYear(), moment.getUTCMonth()];
    const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
    const found = {
      year,
      month: month + 1,
      date: moment.getUTCDate(),
      last,
      weekday: moment.getUTCDay(),
    };
    dated.set(day, found);
    return found;
  },

  /** A day as YYYYMMDD. */
  number(day: number): number {
    const { year, month, date } = days.at(day);
    return 10000 * year + 100 * month + date;
  },

  /** The day in a zone at a moment. */
  in(zone: string, ms: number): number {
    const shown = days.shown(zone, ms);
    return days.start(zone, shown + 1) <= ms ? shown + 1 : shown;
  },

  /** The day that the clocks of a zone show at a moment. */
  shown(zone: string, ms: number): number {
    if (!formats.has(zone)) {
      const parts = { year: "numeric", month: "numeric", day: "numeric" } as const;
      formats.set(zone, new Intl.DateTimeFormat("en-US", { timeZone: zone, ...parts }));
    }
    const [month, date, year] = formats.get(zone)!.format(ms).split("/").map(Number);
    return Date.UTC(year, month - 1, date) / DAY_MS;
  },

  /** The moment at which a day begins in a zone, or the first day after it that there is. */
  start(zone: string, day: number): number {
    const known = begun.get(`${zone} ${day}`);
    if (known !== undefined) return known;
    let ms = day * DAY_MS - 15 * 3_600_000; // no zone is further ahead of Greenwich
    while (days.shown(zone, ms) < day) ms += QUARTER_MS;
    begun.set(`${zone} ${day}`, ms);
    return ms;
  },

  /** Whether there is such a day in a zone: Samoa had no 30th of December 2011. */
  isThere(zone: string, day: number): boolean {
    return days.in(zone, days.start(zone, day)) === day;
  },
};

/** The moment at which a day begins, as in an answer. */
export function textOf(zone: string, day: number | null): string {
  if (day === null) return "null";
  return `"${new Date(days.start(zone, day)).toISOString().slice(0, 19)}Z"`;
}
