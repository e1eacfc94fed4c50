// Runs at every width: what fits, how cells are read back, found, added up and made wider.

import { assert, assertEquals } from "@std/assert";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import {
  cellAt,
  cellDay,
  cellHi,
  cellLo,
  NARROW,
  rewidenRun,
  runRoom,
  seekRun,
  SLIM,
  sumRun,
  WIDE,
  widthFor,
  writeCell,
} from "../../../lib/tree/run.ts";
import { Random } from "../../support/random.ts";

const WIDTHS = [SLIM, NARROW, WIDE];
const DAY_MAX = 4294967295;

type Cell = readonly [day: number, lo: number, hi: number];

/** Every date from 1970 to 2145, as the calendar of JavaScript has them. */
function realDates(): number[] {
  const dates: number[] = [];
  const date = new Date(0);
  for (; date.getUTCFullYear() < 2146; date.setUTCDate(date.getUTCDate() + 1)) {
    const month = date.getUTCFullYear() * 100 + date.getUTCMonth() + 1;
    dates.push(month * 100 + date.getUTCDate());
  }
  return dates;
}

const DATES = realDates();

/** Days that are no dates, or that have no code: those a clumsy rounding would put elsewhere. */
const ODD_DAYS = [
  ...[0, 1, 100, 9999, 10000, 19690101, 19691231, 19691399, 19700000, 19700100, 19700132],
  ...[20260000, 20260015, 20260100, 20260132, 20260199, 20260200, 20260230, 20260231, 20260232],
  ...[20261200, 20261231, 20261232, 20261299, 20261300, 20261301, 20261399, 20269999, 20270000],
  ...[21451231, 21451232, 21459999, 21460000, 21460101, 21460302, 21460303, 21460304, 21470101],
  ...[99991231, 2147483647, 2147483648, 4294967294, DAY_MAX],
];

/** A run of a width in the middle of an array whose other words are set to something else. */
function runOf(width: number, cells: readonly Cell[]): { words: Uint32Array; run: number } {
  const run = 5;
  const words = new Uint32Array(run + runRoom(cells.length + 1, width) + 5).fill(0xabababab);
  cells.forEach(([day, lo, hi], index) => {
    writeCell(words, cellAt(run, width, index), width, day, lo, hi);
  });
  return { words, run };
}

function readBack(words: Uint32Array, run: number, width: number, count: number): Cell[] {
  return Array.from({ length: count }, (_, index) => {
    const cell = cellAt(run, width, index);
    return [cellDay(words, cell, width), cellLo(words, cell, width), cellHi(words, cell, width)];
  });
}

Deno.test("run: every date from 1970 to 2145 has a code, codes ascend and lead back", () => {
  assertEquals([DATES.length, DATES[0], DATES.at(-1)], [64283, 19700101, 21451231]);
  const words = new Uint32Array(1);
  let previous = 0;
  for (const day of DATES) {
    assertEquals(widthFor(day, 1, 0), SLIM, `${day}`);
    assertEquals(widthFor(day, 65535, 0), SLIM, `${day}`);
    writeCell(words, 0, SLIM, day, 65535, 0);
    assert(words[0] > previous, `the code of ${day} is above that of the day before`);
    previous = words[0];
    assert(cellDay(words, 0, SLIM) === day, `${day} comes back as ${cellDay(words, 0, SLIM)}`);
  }
});

const WIDTHS_FOR: [cell: Cell, width: number][] = [
  [[20260101, 1, 0], SLIM],
  [[20260101, 65535, 0], SLIM],
  [[20260101, 65536, 0], NARROW],
  [[20260101, 4294967295, 0], NARROW],
  [[20260101, 0, 1], WIDE],
  [[20260101, 4294967295, 4294967295], WIDE],
  [[20260231, 1, 0], SLIM], // months of 31 days: it has a code, though it is no date
  [[20260230, 1, 0], SLIM],
  [[20260232, 1, 0], NARROW],
  [[20260200, 1, 0], NARROW],
  [[20260001, 1, 0], NARROW],
  [[20261301, 1, 0], NARROW],
  [[20261399, 1, 0], NARROW],
  [[19691231, 1, 0], NARROW],
  [[21470101, 1, 0], NARROW],
  [[0, 1, 0], NARROW],
  [[DAY_MAX, 1, 0], NARROW],
  [[0, 1, 1], WIDE],
  [[DAY_MAX, 0, 4294967295], WIDE],
];

Deno.test("run: the least width that a cell fits", () => {
  for (const [[day, lo, hi], width] of WIDTHS_FOR) {
    assertEquals(widthFor(day, lo, hi), width, `day ${day}, lanes ${lo}, ${hi}`);
  }
});

Deno.test("run: a cell comes back from every width that it fits", () => {
  for (const day of [...ODD_DAYS, 20260101, 20241231]) {
    for (
      const [lo, hi] of [[1, 0], [65535, 0], [65536, 0], [DAY_MAX, 0], [0, 1], [DAY_MAX, DAY_MAX]]
    ) {
      for (const width of WIDTHS.filter((width) => width >= widthFor(day, lo, hi))) {
        const { words, run } = runOf(width, [[day, lo, hi]]);
        assertEquals(readBack(words, run, width, 1), [[day, lo, hi]], `width ${width}`);
        const others = words.filter((word) => word === 0xabababab).length;
        assertEquals(others, words.length - width, "a cell takes as many words as its width says");
      }
    }
  }
});

/** Some ascending days, each fit for a width. */
function someDays(random: Random, width: number, count: number): number[] {
  const choices = [...ODD_DAYS, ...Array.from({ length: 60 }, () => random.pick(DATES))];
  const days = choices.filter((day) => widthFor(day, 1, 0) <= width);
  const chosen = new Set(Array.from({ length: count }, () => random.pick(days)));
  return [...chosen].sort((a, b) => a - b);
}

Deno.test("run: seekRun finds the first cell on a day or later, for any day, at every width", () => {
  const random = new Random(2);
  const asked = [...ODD_DAYS];
  for (const year of [0, 1969, 1970, 2024, 2145, 2146, 2147]) {
    for (const month of [0, 1, 2, 11, 12, 13, 99]) {
      for (const date of [0, 1, 28, 30, 31, 32, 99]) asked.push(year * 10000 + month * 100 + date);
    }
  }
  for (const width of WIDTHS) {
    for (const count of [0, 1, 2, 3, 10, 40, 40]) {
      const days = someDays(random, width, count);
      const cells = days.map((day): Cell => [day, 1 + random.below(65535), 0]);
      const { words, run } = runOf(width, cells);
      for (const day of [...asked, ...days, ...days.map((day) => day + 1)]) {
        const found = seekRun(words, run, width, days.length, day);
        const first = days.findIndex((other) => other >= day);
        assertEquals(
          found,
          first < 0 ? days.length : first,
          `width ${width}, day ${day} in ${days}`,
        );
      }
    }
  }
});

Deno.test("run: sumRun adds up any part of a run exactly", () => {
  const random = new Random(3);
  const sum = new Uint32Array(2);
  // Bits of the largest values of each width; twenty wide ones must stay below 2^64 together.
  for (const [width, bits] of [[SLIM, 16n], [NARROW, 32n], [WIDE, 59n]] as const) {
    for (const value of [() => (1n << bits) - 1n, () => (random.u64() >> (64n - bits)) | 1n]) {
      const values = Array.from({ length: 20 }, value);
      const cells = values.map((value, index): Cell => {
        return [20260101 + index, lowLane(value), highLane(value)];
      });
      const { words, run } = runOf(width, cells);
      for (let from = 0; from <= 20; from++) {
        for (let to = from; to <= 20; to++) {
          sumRun(words, run, width, from, to, sum);
          const expected = values.slice(from, to).reduce((sum, value) => sum + value, 0n);
          assertEquals(u64ToBigInt(sum[0], sum[1]), expected, `width ${width}, ${from} to ${to}`);
        }
      }
    }
  }
});

Deno.test("run: sumRun is exact for more cells than a double holds full lanes of", () => {
  const count = 2 ** 21 + 400_001;
  const words = new Uint32Array(NARROW * count).fill(0xffffffff);
  const sum = new Uint32Array(2);
  sumRun(words, 0, NARROW, 0, count, sum);
  assertEquals(u64ToBigInt(sum[0], sum[1]), BigInt(count) * 0xffffffffn);
});

Deno.test("run: rewidenRun copies every cell to a larger width", () => {
  const random = new Random(4);
  for (const width of WIDTHS) {
    for (const target of WIDTHS.filter((target) => target >= width)) {
      for (const count of [0, 1, 2, 17, 40]) {
        const cells = someDays(random, width, count).map((day): Cell => {
          return [day, 1 + random.below(65535), width === WIDE ? random.below(1000) : 0];
        });
        const { words, run } = runOf(width, cells);
        const both = new Uint32Array(words.length + 200).fill(0xabababab);
        both.set(words);
        rewidenRun(both, run, width, cells.length, words.length, target);
        assertEquals(readBack(both, words.length, target, cells.length), cells);
        assertEquals(both.subarray(0, words.length), words, "the old run stays as it is");
        if (target === WIDE) assertEquals(both[words.length], 0, "the newest value's high lane");
        const end = words.length + target * cells.length + (target === WIDE ? 1 : 0);
        assert(
          both.subarray(end).every((word) => word === 0xabababab),
          "nothing behind is touched",
        );
      }
    }
  }
});

Deno.test("run: the room of a run holds its cells and wastes at most an eighth", () => {
  for (const width of WIDTHS) {
    const extra = width === WIDE ? 1 : 0;
    assertEquals(runRoom(0, width), 0, "no cells, no run");
    assertEquals(runRoom(1, width), extra, "the newest cell is in the slot");
    let previous = 0;
    for (let count = 2; count < 20_000; count++) {
      const room = runRoom(count, width);
      const needed = (count - 1) * width;
      assert(room >= needed + extra, `${count} cells of width ${width} fit`);
      assert(room - extra <= needed * 9 / 8, `${count} cells of width ${width} waste little`);
      assert(room >= previous, "more cells never have less room");
      if (count <= 16) assertEquals(room, needed + extra, "few cells waste nothing");
      previous = room;
    }
  }
});
