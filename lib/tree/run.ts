// A run: the older cells of a counter, sorted by day, as 32-bit words in its branch.
//
//   width 1, slim    | day code, value |            days 1970 to 2146-03-02, values below 2^16
//   width 2, narrow  | day | value |                values below 2^32
//   width 3, wide    | newest hi | day | lo | hi |  any value; the first word belongs to the slot
//   width 0, long    | newest hi | number |         any number of cells, kept elsewhere (long_run.ts)
//
// All cells of a run have the width, in words, that its most demanding one needs; a run of a counter
// that was once wide stays so. Most counts of a day are small, and then a cell costs four bytes.
//
// Invariant: days ascend strictly; no value is zero. The room of a run follows from its width and
// its number of cells (`runRoom`), so it is stored nowhere.

import { LANE, LANE_MAX } from "../bytes/mod.ts";

export const LONG = 0;
export const SLIM = 1;
export const NARROW = 2;
export const WIDE = 3;

/** A counter with so many cells has a long run. */
export const LONG_CELLS_MIN = 4096;

const CODE_YEAR_MIN = 1970;
const CODES = 65536;
const CODED_DAY_MAX = 21460302;

/**
 * The code of the first day with a code on `day` (YYYYMMDD) or later: months of 31 days, counted
 * from 1970, so that codes ascend with days. After 2146-03-02 there are none: 65536.
 */
export function dayCode(day: number): number {
  if (day > CODED_DAY_MAX) return CODES;
  // Division of small integers: a multiplication, where `Math.floor` would divide as doubles.
  const months = day / 100 | 0;
  const year = months / 100 | 0;
  const month = months - year * 100;
  const date = day - months * 100;
  if (year < CODE_YEAR_MIN) return 0;
  const code = ((year - CODE_YEAR_MIN) * 12 + month - 1) * 31 + date - 1;
  if (month >= 1 && month <= 12 && date >= 1 && date <= 31) return code;
  if (month < 1) return (year - CODE_YEAR_MIN) * 12 * 31;
  if (month > 12) return (year + 1 - CODE_YEAR_MIN) * 12 * 31;
  return ((year - CODE_YEAR_MIN) * 12 + month - (date < 1 ? 1 : 0)) * 31;
}

function codeDay(code: number): number {
  const months = code / 31 | 0;
  const years = months / 12 | 0;
  return (CODE_YEAR_MIN + years) * 10000 + (months - years * 12 + 1) * 100 + code - months * 31 + 1;
}

/** Days by their lowest bits, and their codes: the same few come with one counter after the other. */
const LATEST = 64;
const latestDays = new Uint32Array(LATEST);
const latestCodes = new Uint32Array(LATEST).fill(CODES); // day 0 has none

/** The code of exactly that day; CODES: it has none. */
function codeOf(day: number): number {
  const at = day & LATEST - 1;
  if (latestDays[at] === day) return latestCodes[at];
  const code = dayCode(day);
  latestDays[at] = day;
  return latestCodes[at] = code < CODES && codeDay(code) === day ? code : CODES;
}

/** The least width that a cell fits. */
export function widthFor(day: number, lo: number, hi: number): number {
  if (hi !== 0) return WIDE;
  if (lo >= 65536) return NARROW;
  return codeOf(day) < CODES ? SLIM : NARROW;
}

/** The cells that a run has room for: what it holds, from sixteen on rounded up by at most an eighth. */
function cellRoom(cells: number): number {
  const stepLog2 = 28 - Math.clz32(cells);
  if (stepLog2 <= 0) return cells;
  const step = 1 << stepLog2;
  return (cells + step - 1) & -step;
}

/** The words that the run of a counter with `count` cells takes; its newest is in the slot. */
export function runRoom(count: number, width: number): number {
  if (count === 0) return 0;
  if (width === LONG) return 2;
  return cellRoom(count - 1) * width + (width === WIDE ? 1 : 0);
}

/** Where the cell `index` of a run is. */
export function cellAt(run: number, width: number, index: number): number {
  return width === WIDE ? run + 1 + 3 * index : run + width * index;
}

export function cellDay(words: Uint32Array, cell: number, width: number): number {
  return width === SLIM ? codeDay(words[cell] >>> 16) : words[cell];
}

export function cellLo(words: Uint32Array, cell: number, width: number): number {
  return width === SLIM ? words[cell] & 0xffff : words[cell + 1];
}

export function cellHi(words: Uint32Array, cell: number, width: number): number {
  return width === WIDE ? words[cell + 2] : 0;
}

/** Writes a cell, which must fit the width. */
export function writeCell(
  words: Uint32Array,
  cell: number,
  width: number,
  day: number,
  lo: number,
  hi: number,
): void {
  if (width === SLIM) {
    words[cell] = (codeOf(day) << 16) | lo;
    return;
  }
  words[cell] = day;
  words[cell + 1] = lo;
  if (width === WIDE) words[cell + 2] = hi;
}

/** The index of the first of a run's cells on `day` or later. */
export function seekRun(
  words: Uint32Array,
  run: number,
  width: number,
  cells: number,
  day: number,
): number {
  const code = width === SLIM ? dayCode(day) : 0;
  if (code >= CODES) return cells;
  const least = width === SLIM ? code * CODES : day;
  const first = cellAt(run, width, 0);
  let low = 0;
  let high = cells;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (words[first + middle * width] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Adds up the cells with index `from` up to, not including, `to`; the sum's lanes go to `sum`. */
export function sumRun(
  words: Uint32Array,
  run: number,
  width: number,
  from: number,
  to: number,
  sum: Uint32Array,
): void {
  let lo = 0;
  let hi = 0;
  const end = cellAt(run, width, to);
  let cell = cellAt(run, width, from);
  if (width === SLIM && to - from < CODES / 2) { // 31 bits hold the sum of so many
    for (; cell < end; cell++) lo = lo + (words[cell] & 0xffff) | 0;
  }
  for (; cell < end; cell += width) {
    lo += cellLo(words, cell, width);
    hi += cellHi(words, cell, width);
    if (lo > LANE_MAX) { // carried at once: a double holds no more than 2^21 full lanes exactly
      lo -= LANE;
      hi++;
    }
  }
  sum[0] = lo;
  sum[1] = hi;
}

/** Copies a run to `target` at another width; the newest value's high lane starts as zero. */
export function rewidenRun(
  words: Uint32Array,
  run: number,
  width: number,
  cells: number,
  target: number,
  targetWidth: number,
): void {
  if (targetWidth === WIDE) words[target] = 0;
  for (let index = 0; index < cells; index++) {
    const cell = cellAt(run, width, index);
    const copy = cellAt(target, targetWidth, index);
    const day = cellDay(words, cell, width);
    writeCell(
      words,
      copy,
      targetWidth,
      day,
      cellLo(words, cell, width),
      cellHi(words, cell, width),
    );
  }
}
