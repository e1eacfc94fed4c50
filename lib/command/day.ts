// Days as numbers, YYYYMMDD, in the calendar that is used everywhere, back to the year 1000.

const YEAR_MIN = 1000;

/** Days of the year before each month, in years without a 29th of February. */
const BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/** The last day that was asked about and is one: those of a batch are mostly the same. */
let lastDay = 20260101;

/** Whether a number is a day of the calendar. */
export function isDay(number: number): boolean {
  if (number === lastDay) return true;
  const year = Math.floor(number / 10000);
  const month = Math.floor(number / 100) % 100;
  const day = number % 100;
  if (year < YEAR_MIN || year > 9999 || month < 1 || month > 12 || day < 1) return false;
  if (day > daysInMonth(number)) return false;
  lastDay = number;
  return true;
}

/** How many days lie between the first of January of the year 1 and a day. */
export function ordinal(number: number): number {
  const year = Math.floor(number / 10000);
  const month = Math.floor(number / 100) % 100;
  const past = year - 1;
  const leap = month > 2 && isLeap(year) ? 1 : 0;
  const leaps = Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400);
  return 365 * past + leaps + BEFORE_MONTH[month - 1] + leap + number % 100 - 1;
}

/** The day so many days after the first of January of the year 1. */
export function dayOf(days: number): number {
  // 146 097 days are 400 years; then a year at a time, of which there are few.
  const cycles = Math.floor(days / 146_097);
  let year = 400 * cycles + Math.floor((days - 146_097 * cycles) / 365.2425) + 1;
  while (ordinal(10000 * year + 101) > days) year--;
  while (ordinal(10000 * (year + 1) + 101) <= days) year++;
  let rest = days - ordinal(10000 * year + 101);
  let month = 1;
  for (; rest >= daysInMonth(10000 * year + 100 * month); month++) {
    rest -= daysInMonth(10000 * year + 100 * month);
  }
  return 10000 * year + 100 * month + rest + 1;
}

/** How many days the month of a day has. */
export function daysInMonth(number: number): number {
  const month = Math.floor(number / 100) % 100;
  const leap = month === 2 && isLeap(Math.floor(number / 10000)) ? 1 : 0;
  return BEFORE_MONTH[month] - BEFORE_MONTH[month - 1] + leap;
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}
