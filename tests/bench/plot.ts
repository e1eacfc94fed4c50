// Draws what the bench and growth.ts have found: their JSON → docs/plots/*.svg.
//
//   deno run -A tests/bench/plot.ts BENCH.json GROWTH.json [directory]
//
// The same JSON gives the same files. A `-` in place of a JSON leaves its plots as they are; a plot that
// nothing was measured for is left out.

import { type Bar, bars, type Line, lines, type Row } from "./chart.ts";

const KARMA = "#0a6ebd";
const REDIS = "#c8452f";
const OTHER = "#6b4fa0";
const MEMORY = "#777777";
const PERCENTILES = ["p50", "p99", "p99.9"];
const SHADES = {
  karma: ["#0a4f87", "#3f93d2", "#a6cdeb"],
  redis: ["#8f2c1c", "#d9705c", "#f0b8ac"],
};

/** Where every work is measured; batches with fewer connections. */
const BASE: Point = { connections: 50, pipeline: 16, log: "off", keys: 100_000, spread: "uniform" };

interface Point {
  readonly connections: number;
  readonly pipeline: number;
  readonly log: string;
  readonly keys: number;
  readonly spread: string;
}

interface Run {
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

interface Result extends Point {
  readonly server: "karma" | "redis";
  readonly work: string;
  /** What the rate counts; requests if it isn't told. */
  readonly unit?: string;
  readonly runs: readonly Run[];
}

interface Ratio extends Point {
  readonly work: string;
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

interface Bench {
  readonly rounds: number;
  readonly results: readonly Result[];
  readonly ratios: readonly Ratio[];
}

interface Growth {
  readonly keys: readonly {
    readonly keys: number;
    readonly spread: string;
    readonly nsPerIncrement: number;
    readonly nsPerAdd: number;
    readonly nsBareAccess: number;
  }[];
  readonly days: readonly { readonly days: number; readonly nsPerSum: number }[];
}

/** (a) How many times Redis's rate each work has. */
function ratiosPlot({ ratios, rounds }: Bench): string | null {
  if (ratios.length === 0) return null;
  const rows = ratios.map((ratio): Row => {
    const { median, lowest, highest } = ratio;
    const whisker = [lowest, highest] as const;
    const label = `${ratio.work}, ${pointText(ratio)}`;
    const color = median >= 1 ? KARMA : REDIS;
    return { label, bars: [{ value: median, color, whisker, text: median.toFixed(2) }] };
  });
  return bars({
    title:
      `Karma's rate beside that of Redis, which is 1 (median, lowest and highest of ${rounds})`,
    axis: "times the rate of Redis at the same work",
    legend: [["Karma is as fast or faster", KARMA], ["Redis is faster", REDIS]],
    rows,
    tick: (value) => `${+value.toFixed(2)}`,
    mark: 1,
  });
}

/** (b) What each work comes to at the base point; of works that count items in a chart of their own. */
function throughputPlot(bench: Bench, unit: string): string | null {
  const rows = works(bench).map((work): Row => {
    const found = atBase(bench, work).filter((result) => (result.unit ?? "requests") === unit);
    return { label: work, bars: found.map(rateBar) };
  }).filter(({ bars }) => bars.length > 0);
  if (rows.length === 0) return null;
  const where = unit === "requests" ? "50 connections × 16 requests" : "1000 items in a batch";
  return bars({
    title: `Throughput: ${where}, no log, 100 000 keys`,
    axis: `${unit} a second`,
    legend: [["Karma", KARMA], ["Redis", REDIS]],
    rows,
    tick: rateText,
  });
}

function rateBar(result: Result): Bar {
  const rates = result.runs.map(({ rate }) => rate);
  const value = median(rates);
  return {
    color: result.server === "karma" ? KARMA : REDIS,
    value,
    whisker: [Math.min(...rates), Math.max(...rates)],
    text: rateText(value),
  };
}

/** (c) The rate of increments over connections. */
function connectionsPlot({ results }: Bench): string | null {
  const found: Line[] = [];
  for (const server of ["karma", "redis"] as const) {
    for (const pipeline of [1, 16]) {
      const points = results.filter((result) => {
        const { connections } = result;
        return result.server === server && result.work === "increment v2" &&
          isAt(result, { ...BASE, connections, pipeline });
      }).map(({ connections, runs }) => {
        return [connections, median(runs.map(({ rate }) => rate))] as const;
      }).sort((a, b) => a[0] - b[0]);
      if (points.length < 2) continue;
      const name = `${nameOf(server)}, ${
        pipeline === 1 ? "no pipeline" : `pipeline of ${pipeline}`
      }`;
      const color = server === "karma" ? KARMA : REDIS;
      found.push({ name, color, isDashed: pipeline === 1, points });
    }
  }
  if (found.length === 0) return null;
  return lines({
    title: "Increments over connections: no log, 100 000 keys",
    xAxis: "connections",
    yAxis: "requests a second",
    lines: found,
    xTick: String,
    yTick: rateText,
  });
}

/** (d) What an increment costs over keys, beside what memory alone does. */
function keysPlot({ keys }: Growth): string {
  const of = (spread: string, name: string, color: string, isDashed: boolean, field: NsField) => {
    const found = keys.filter((at) => at.spread === spread);
    return { name, color, isDashed, points: found.map((at) => [at.keys, at[field]] as const) };
  };
  const all = [
    of("ids", "increment, ids", KARMA, false, "nsPerIncrement"),
    of("random", "increment, random keys", OTHER, false, "nsPerIncrement"),
    of("ids", "the tree's part, ids", KARMA, true, "nsPerAdd"),
    of("random", "the tree's part, random keys", OTHER, true, "nsPerAdd"),
    of("ids", "one access to bare memory", MEMORY, false, "nsBareAccess"),
  ];
  return lines({
    title: "Cost of an increment over the keys of a tree, in process",
    xAxis: "keys",
    yAxis: "nanoseconds",
    lines: all.filter(({ points }) => points.length > 0),
    xTick: countText,
    yTick: (value) => `${+value.toFixed(1)}`,
  });
}

type NsField = "nsPerIncrement" | "nsPerAdd" | "nsBareAccess";

/** (e) How long replies take at the base point: the median, and one in a hundred and a thousand. */
function latencyPlot(bench: Bench): string | null {
  const rows = works(bench).map((work): Row => {
    return { label: work, bars: atBase(bench, work).map(latencyBar) };
  }).filter(({ bars }) => bars.length > 0);
  if (rows.length === 0) return null;
  return bars({
    title: "Latency of a pipeline at the base point: no log, 100 000 keys",
    axis: "milliseconds from the first byte sent to the last received (p50, p99, p99.9)",
    legend: (["karma", "redis"] as const).flatMap((server) => {
      return PERCENTILES.map((name, index) => {
        return [`${nameOf(server)} ${name}`, SHADES[server][index]] as const;
      });
    }),
    rows,
    tick: (value) => `${+value.toFixed(2)}`,
  });
}

function latencyBar({ server, runs }: Result): Bar {
  const fields = ["p50Ms", "p99Ms", "p999Ms"] as const;
  const [p50, p99, p999] = fields.map((field) => median(runs.map((run) => run[field])));
  const colors = SHADES[server];
  return {
    value: p999,
    color: colors[2],
    inner: [{ value: p99, color: colors[1] }, { value: p50, color: colors[0] }],
    text: [p50, p99, p999].map((ms) => ms.toFixed(2)).join(" · "),
  };
}

/** What a sum costs over the days that are added up. */
function daysPlot({ days }: Growth): string {
  const points = days.map((at) => [at.days, at.nsPerSum] as const);
  return lines({
    title: "Cost of a sum over the days of a key, in process",
    xAxis: "days",
    yAxis: "nanoseconds",
    lines: [{ name: "sum of all days", color: KARMA, isDashed: false, points }],
    xTick: String,
    yTick: countText,
    isLogarithmic: true,
  });
}

/** The works that there are results of, in their order. */
function works({ results }: Bench): string[] {
  return [...new Set(results.map(({ work }) => work))];
}

/** The results of a work at the base point, or of a batch where it has one. */
function atBase({ results }: Bench, work: string): Result[] {
  const found = results.filter((result) => {
    const { connections, pipeline } = result.unit === "items" ? result : BASE;
    return result.work === work && isAt(result, { ...BASE, connections, pipeline });
  });
  // Karma first, and each once.
  return (["karma", "redis"] as const).flatMap((server) => {
    return found.filter((result) => result.server === server).slice(0, 1);
  });
}

function isAt(result: Point, point: Point): boolean {
  return (Object.keys(BASE) as (keyof Point)[]).every((field) => result[field] === point[field]);
}

/** Where a ratio was measured, less what is as at the base point. */
function pointText({ connections, pipeline, log, keys, spread }: Point): string {
  const parts = [pipeline === 1 ? `${connections} conn.` : `${connections} × ${pipeline}`];
  if (log !== BASE.log) parts.push(log);
  if (keys !== BASE.keys) parts.push(`${countText(keys)} keys`);
  if (spread !== BASE.spread) parts.push(spread);
  return parts.join(", ");
}

function nameOf(server: "karma" | "redis"): string {
  return server === "karma" ? "Karma" : "Redis";
}

function rateText(rate: number): string {
  if (rate >= 1e6) return `${+(rate / 1e6).toFixed(2)} M`;
  return rate >= 1000 ? `${+(rate / 1000).toFixed(0)} k` : rate.toFixed(0);
}

function countText(count: number): string {
  if (count >= 1e6) return `${count / 1e6} million`;
  return count.toLocaleString("en").replaceAll(",", " ");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function readJson<T>(file: string | undefined): T | null {
  return file === undefined || file === "-" ? null : JSON.parse(Deno.readTextFileSync(file));
}

const [benchFile, growthFile, given] = Deno.args;
const bench = readJson<Bench>(benchFile);
const growth = readJson<Growth>(growthFile);
const directory = given ?? new URL("../../docs/plots", import.meta.url).pathname;
const plots: Record<string, string | null> = {
  ratios: bench && ratiosPlot(bench),
  throughput: bench && throughputPlot(bench, "requests"),
  throughput_batches: bench && throughputPlot(bench, "items"),
  connections: bench && connectionsPlot(bench),
  latency: bench && latencyPlot(bench),
  keys: growth && keysPlot(growth),
  days: growth && daysPlot(growth),
};
Deno.mkdirSync(directory, { recursive: true });
for (const [name, plot] of Object.entries(plots)) {
  if (plot === null) continue;
  Deno.writeTextFileSync(`${directory}/${name}.svg`, plot);
  console.log(`${directory}/${name}.svg`);
}
