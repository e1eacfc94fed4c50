// How long a small client waits beside busy ones, for each kind of load: a table for each, of connections by
// pipelines.
//
//   deno run -A tests/bench/beside.ts   (with the flags of lib/npm/flags.ts where JSR cannot be reached)
//
//   --only TEXT      the loads or cells with one of these texts, separated by `;`: "increments, 50 x 16"
//   --rounds COUNT   how often each cell is measured: 1
//   --seconds COUNT  how long: 1
//   --against PATH   another binary of Karma, measured in turns, and the ratio of the rates
//   --json FILE      all of it for machines
//
// KARMA_BIN measures a binary instead of the source. Invariant: every cell of a load is measured on the same
// server, and a second of its own load precedes each. The trade: the whole table takes thirteen minutes.

import { parseArgs } from "node:util";
import { compile, fill } from "./fill.ts";
import { RequestFile } from "./requests.ts";
import { cleanUp, directory, output, type Server, startKarma, startKarmaAs } from "./server.ts";
import { median } from "./table.ts";
import { lastDays, TREE } from "./workloads.ts";

const KEYS = 10_000;
const DAYS = 30;
const BATCH_ITEMS = 100;
const REQUESTS = 50_000;
/** Requests with many items are fewer, so that the file stays small. */
const LARGE_REQUESTS = 5_000;
/** Takes places to keys, so that neighbors of a file are no neighbors in the tree: a prime. */
const SCATTER = 7919;
const INTERRUPTED = 130;
/** Twenty a second. */
const ALONE_TRIES = 1200;

const CONNECTIONS = [1, 2, 8, 50, 200, 1000, 5000];
const PIPELINES = [1, 16, 100, 1000, 10_000];

/** Raises the limit of descriptors as far as it goes. */
const WRAPPER = 'ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"';

interface Load {
  readonly name: string;
  readonly requests: number;
  /** Line feeds of a reply; 0: the request is never finished. */
  readonly lines: number;
  text(index: number): string;
}

interface Cell {
  readonly load: Load;
  readonly connections: number;
  readonly pipeline: number;
}

/** What beside.c says. */
interface Waits {
  /** Requests a second; of unfinished ones, writes. */
  readonly rate: number;
  readonly pings: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

interface Result {
  readonly cell: Cell;
  readonly runs: readonly Waits[];
  /** The rates of the other binary, run by run. */
  readonly others: readonly number[];
}

const days = lastDays(DAYS);
const range = { from: days[0], to: days.at(-1)! };
const today = range.to;
const keyAt = (place: number) => 1 + place * SCATTER % KEYS;
const v2 = (op: string, members: object) => JSON.stringify({ v: 2, op, series: TREE, ...members });

const batchAt = (index: number) => {
  return Array.from(
    { length: BATCH_ITEMS },
    (_, item) => [keyAt(index * BATCH_ITEMS + item), today, 1],
  );
};

const LOADS: readonly Load[] = [
  {
    name: "increments",
    requests: REQUESTS,
    lines: 1,
    text: (index) => v2("counter.increment", { key: keyAt(index) }),
  },
  {
    name: "errors",
    requests: REQUESTS,
    lines: 1,
    text: (index) => v2("counter.increment", { kex: keyAt(index) }),
  },
  {
    name: "finds of 30 days",
    requests: REQUESTS,
    lines: 1,
    text: (index) => v2("counter.series", { range, key: keyAt(index) }),
  },
  {
    name: "batches of 100",
    requests: LARGE_REQUESTS,
    lines: 1,
    text: (index) => v2("series.batch_add", { items: batchAt(index) }),
  },
  {
    name: "whole trees",
    requests: LARGE_REQUESTS,
    lines: 1,
    text: () => v2("tree.summary", { range }),
  },
  {
    name: "unfinished lines",
    requests: 1,
    lines: 0,
    text: () => v2("counter.increment", { key: 1 }),
  },
];

function titleOf({ load, connections, pipeline }: Cell): string {
  return `${load.name}, ${connections} x ${pipeline}`;
}

/** The file with a load's requests. */
function requestsOf(load: Load): string {
  const path = `${directory}/${load.name}.requests`;
  using file = new RequestFile(path);
  for (let index = 0; index < load.requests; index++) file.add(load.text(index) + "\n", load.lines);
  return path;
}

/**
 * Resolves when the server has no other connection: those of the cell before may still have requests that were
 * received, and ten thousand connections are as many as it takes.
 */
async function alone({ port }: Server): Promise<void> {
  const request = new TextEncoder().encode('{"v":2,"op":"system.metrics"}\n');
  for (let tries = 0; tries < ALONE_TRIES; tries++) {
    using connection = await Deno.connect({ port });
    await connection.write(request);
    if (/karma_connections 1\\n/.test(await line(connection))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("The connections of the cell before do not end");
}

async function line(connection: Deno.Conn): Promise<string> {
  const bytes = new Uint8Array(65536);
  for (let length = 0;;) {
    const count = await connection.read(bytes.subarray(length));
    if (count === null) return ""; // refused: there are too many
    length += count;
    if (bytes[length - 1] === 10) return new TextDecoder().decode(bytes.subarray(0, length));
  }
}

async function measure(
  server: Server,
  { connections, pipeline }: Cell,
  seconds: number,
  path: string,
): Promise<Waits> {
  await alone(server);
  const args = [server.port, connections, pipeline, seconds, path].map(String);
  return JSON.parse(await output("bash", "-c", WRAPPER, `${directory}/beside`, ...args));
}

interface Plan {
  readonly cells: readonly Cell[];
  readonly rounds: number;
  readonly seconds: number;
  readonly against: string | null;
  readonly json: string | null;
}

function planOf(args: string[]): Plan {
  const text = { type: "string" } as const;
  const options = { only: text, rounds: text, seconds: text, against: text, json: text };
  const { values } = parseArgs({ args, options });
  const only = values.only?.split(";").map((part) => {
    return new RegExp(`\\b${RegExp.escape(part.trim())}\\b`); // "2 x 1" is not "2 x 100"
  });
  const cells = LOADS.flatMap((load) => {
    return CONNECTIONS.flatMap((connections) => {
      return PIPELINES.map((pipeline) => ({ load, connections, pipeline }));
    });
  }).filter((cell) => only?.some((part) => part.test(titleOf(cell))) ?? true);
  const [rounds, seconds] = [Number(values.rounds ?? 1), Number(values.seconds ?? 1)];
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError("--rounds must be 1 or more");
  if (!(seconds > 0)) throw new TypeError("--seconds must be more than 0");
  if (cells.length === 0) throw new TypeError(`No cell has ${values.only} in its title`);
  return { cells, rounds, seconds, against: values.against ?? null, json: values.json ?? null };
}

/** Measures the cells of one load, on one server, and on one of the other binary. */
async function measureLoad(cells: readonly Cell[], plan: Plan): Promise<Result[]> {
  await using karma = await startKarma("off");
  await using other = plan.against === null ? null : await startKarmaAs([plan.against, []], "off");
  for (const server of [karma, other]) if (server !== null) await fill(server, KEYS, DAYS);
  const path = requestsOf(cells[0].load);
  const results: Result[] = [];
  for (const cell of cells) {
    const [runs, others]: [Waits[], number[]] = [[], []];
    for (let round = 0; round < plan.rounds; round++) {
      if (other !== null) others.push((await measure(other, cell, plan.seconds, path)).rate);
      runs.push(await measure(karma, cell, plan.seconds, path));
    }
    results.push({ cell, runs, others });
  }
  return results;
}

/** Three digits that mean something. */
function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : `${Number(value.toPrecision(2))}`;
}

function told({ runs, others }: Result): string {
  const of = (name: keyof Waits) => median(runs.map((run) => run[name]));
  const waits = [of("p50Ms"), of("p999Ms"), of("maxMs")].map(short).join(", ");
  if (others.length === 0) return waits;
  return `${waits} (${median(runs.map(({ rate }, run) => rate / others[run])).toFixed(2)})`;
}

/** A table of connections by pipelines. */
function print(results: readonly Result[]): void {
  const line = (cells: string[]) => console.log(`| ${cells.join(" | ")} |`);
  const pipelines = [...new Set(results.map(({ cell }) => cell.pipeline))];
  console.log(`\n**${results[0].cell.load.name}**\n`);
  line(["connections", ...pipelines.map((pipeline) => `× ${pipeline}`)]);
  line(Array(pipelines.length + 1).fill("---"));
  for (const connections of new Set(results.map(({ cell }) => cell.connections))) {
    const row = results.filter(({ cell }) => cell.connections === connections);
    const at = (pipeline: number) => row.find(({ cell }) => cell.pipeline === pipeline);
    line([
      `${connections}`,
      ...pipelines.map((pipeline) => {
        const found = at(pipeline);
        return found === undefined ? "" : told(found);
      }),
    ]);
  }
}

async function run(plan: Plan): Promise<void> {
  await Promise.all([compile("load"), compile("beside")]);
  console.log("Milliseconds that a ping takes: p50, p99.9, longest");
  const all: Result[] = [];
  for (const load of LOADS) {
    const cells = plan.cells.filter((cell) => cell.load === load);
    if (cells.length === 0) continue;
    const results = await measureLoad(cells, plan);
    print(results);
    all.push(...results);
  }
  if (plan.json === null) return;
  const report = all.map(({ cell, runs, others }) => ({ cell: titleOf(cell), runs, others }));
  Deno.writeTextFileSync(plan.json, JSON.stringify(report, null, 2) + "\n");
}

let ending: Promise<void> | null = null;

/** Ends everything that was started, once, and then this process. */
async function end(code: number): Promise<never> {
  ending ??= cleanUp();
  await ending;
  Deno.exit(code);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => end(INTERRUPTED));
}
try {
  await run(planOf(Deno.args));
} catch (error) {
  if (ending === null) console.error(error instanceof Error ? error.message : error);
  await end(1);
}
await end(0);
