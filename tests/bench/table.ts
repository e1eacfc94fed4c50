// The one table: a line for each row and server, printed as soon as it is measured.
//
// Each figure is the median of the rounds by itself; ratios are of the rates of the same round, their
// median with the lowest and the highest.

import type { Result, Row, Run } from "./measure.ts";
import type { Figure } from "./figures.ts";

export interface Ratio {
  readonly row: Row;
  /** What Karma is compared with. */
  readonly against: "redis" | "echo";
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

const COLUMNS: readonly [string, number][] = [
  ["work", -22],
  ["conns", 10],
  ["log", 9],
  ["keys", 8],
  ["spread", 8],
  ["server", 7],
  ["rate/s", 11],
  ["p50 ms", 9],
  ["p99", 9],
  ["p99.9", 9],
  ["max", 9],
  ["CPU s", 8],
  ["µs each", 8],
  ["MiB", 7],
  ["Karma / it", 22],
];

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Karma's rate by that of each other, round by round. */
export function ratiosOf(results: readonly Result[]): Ratio[] {
  const [karma, ...others] = results;
  return others.map(({ server, row, runs }) => {
    const ratios = runs.map(({ rate }, round) => karma.runs[round].rate / rate);
    return {
      row,
      against: server === "redis" ? "redis" : "echo",
      median: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios),
    };
  });
}

function line(cells: readonly string[]): string {
  const padded = cells.map((cell, index) => {
    const width = COLUMNS[index][1];
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
  });
  return padded.join("").trimEnd();
}

export function printHead(): void {
  console.log(line(COLUMNS.map(([name]) => name)));
}

/** Three digits that mean something. */
function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function printRow(results: readonly Result[]): void {
  const ratios = ratiosOf(results);
  for (const [index, { row, runs, server }] of results.entries()) {
    const of = (name: keyof Run) => median(runs.map((run) => run[name]));
    const { work, connections, pipeline, log, keys, spread } = row;
    const size = `${connections} x ${pipeline}`;
    const ratio = ratios[index - 1];
    console.log(line([
      ...index === 0 ? [work.name, size, log, `${keys}`, spread] : ["", "", "", "", ""],
      server,
      of("rate").toFixed(0),
      ...([of("p50Ms"), of("p99Ms"), of("p999Ms"), of("maxMs")].map(short)),
      of("cpuSeconds").toFixed(2),
      of("cpuMicros").toFixed(2),
      (of("residentBytes") / 2 ** 20).toFixed(0),
      ratio === undefined ? "" : spreadOf(ratio.median, ratio.lowest, ratio.highest),
    ]));
  }
}

function spreadOf(middle: number, lowest: number, highest: number): string {
  return `${middle.toFixed(2)} (${lowest.toFixed(2)} to ${highest.toFixed(2)})`;
}

export function printFigure({ name, unit, karma, redis, ratio, ratioOf }: Figure): void {
  const told = (server: string, values: readonly number[]) => {
    if (values.length === 0) return "";
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return `  ${server} ${short(median(values))} ${unit} (${short(low)} to ${short(high)})`;
  };
  const compared = ratio === null ? "" : `  ${ratioOf}: ${ratio.toFixed(2)}`;
  console.log(`${name}:${told("Karma", karma)}${told("Redis", redis)}${compared}`);
}
