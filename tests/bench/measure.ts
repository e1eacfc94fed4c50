// Measures a row of the table: its work, on fresh servers, filled, checked, warmed up, in turns.
//
// Invariant: nothing is measured before every request of the work has got the reply that is right, no
// reply tells of a failure, and Karma's tree holds in the end what it was given, to the last increment.
// The contestants take turns (Karma, Redis, Karma, ...), so that what else happens on the machine meets
// both. The trade: while one is measured the others' memory is there, idle.

import { fill, holds, load } from "./fill.ts";
import { keys as keysOf, prepare, render, type Spread } from "./requests.ts";
import { directory, type Log, output, type Server, type ServerName } from "./server.ts";
import { startEcho, startKarma, startRedis } from "./server.ts";
import { CHECKED, type Side, type Work } from "./workloads.ts";

export interface Row {
  readonly work: Work;
  readonly connections: number;
  readonly pipeline: number;
  readonly log: Log;
  readonly keys: number;
  readonly spread: Spread;
  /** Whether the bare echo is measured beside. */
  readonly isEchoed?: boolean;
}

export interface Run {
  /** Requests a second, or items. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Of the server. */
  readonly cpuSeconds: number;
  /** Microseconds of them for a request, or an item. */
  readonly cpuMicros: number;
  readonly residentBytes: number;
  readonly errors: number;
}

export interface Options {
  readonly isAgainstRedis: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** The keys of trees, and the connections of figures, are divided by it. */
  readonly scale: number;
  /** A kload, compiled. */
  readonly kload: string | null;
}

interface Contestant {
  readonly server: Server;
  readonly side: Side;
  readonly requests: string;
  /** What Karma's tree should hold. */
  total: number;
}

/** Requests of a file, and bytes of it, at most. */
const REQUESTS_MAX = 2_000_000;
const FILE_BYTES_MAX = 120_000_000;

const prepared = new Map<string, string>();

/** The file with a side's requests. */
export function requestsFor(side: Side, keys: number, spread: Spread): string {
  const texts = side.templates.map(({ text, tenths }) => `${tenths} ${text}`);
  const name = [...texts, keys, spread].join("\n");
  let path = prepared.get(name);
  if (path === undefined) {
    path = `${directory}/${prepared.size}.requests`;
    const { text } = side.templates[0];
    const bytes = Math.max(...side.templates.map(({ text }) => render(text, () => keys).length));
    const asked = text.split("%K").length - 1;
    const count = Math.min(4 * keys / asked, REQUESTS_MAX / asked, FILE_BYTES_MAX / bytes);
    prepare(path, side.templates, Math.max(1000, Math.floor(count)), keysOf(keys, spread));
    prepared.set(name, path);
  }
  return path;
}

/** Fails unless each of a side's requests gets its reply. */
async function check({ server, side }: Contestant): Promise<void> {
  for (const [index, { text, lines }] of side.templates.entries()) {
    const reply = await server.ask(render(text, () => CHECKED), lines);
    // How long until a moment differs from one reply to the next.
    if (reply.replaceAll(/,"resets_(in_ms|at)":(\d+|"[^"]*")/g, "") === side.replies[index]) {
      continue;
    }
    throw new Error(`${server.name} answers ${text}\n${reply}instead of\n${side.replies[index]}`);
  }
}

async function contestantsOf(row: Row, options: Options, servers: Server[]): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  for (const server of servers) {
    const side = server.name === "redis" ? row.work.redis : row.work.karma;
    const total = await fill(server, row.keys, row.work.days);
    const requests = requestsFor(side, row.keys, row.spread);
    const contestant = { server, side, requests, total: total + (side.adds ?? 0) };
    await check(contestant);
    contestants.push(contestant);
    await measure(row, contestant, options.warmUpSeconds, null);
  }
  return contestants;
}

/** How often a row's contestants did what they were asked: of kload, when it is given. */
async function measure(
  row: Row,
  contestant: Contestant,
  seconds: number,
  kload: { path: string; requests: number } | null,
): Promise<Run> {
  const { server, side, requests } = contestant;
  const pipeline = row.pipeline * side.requests;
  const loaded = kload === null
    ? await load(server, row.connections, pipeline, seconds, requests)
    : await kloaded(row, contestant, kload);
  const cpuSeconds = loaded.serverCpuSeconds;
  const items = loaded.requests * side.items;
  contestant.total += (loaded.requests + loaded.greeted) * (side.adds ?? 0);
  const { p50Ms, p99Ms, p999Ms, maxMs, errors } = loaded;
  return {
    rate: items / loaded.seconds,
    ...{ p50Ms, p99Ms, p999Ms, maxMs },
    ...{ cpuSeconds: Number(cpuSeconds.toFixed(2)), cpuMicros: 1e6 * cpuSeconds / items },
    residentBytes: server.residentBytes,
    errors,
  };
}

const KLOADED =
  /^\s*(\d+) req\/s .* p50=([\d.]+)ms p99=([\d.]+)ms p99.9=([\d.]+)ms max=([\d.]+)ms errs=(\d+)/;

/** Whether kload can make the requests of a row: it knows one template, and keys that are uniform. */
export function isForKload({ work, spread }: Row): boolean {
  return spread === "uniform" && work.karma.templates.length === 1;
}

/** The same by kload, which is told how many requests to send. */
async function kloaded(
  row: Row,
  { server, side }: Contestant,
  { path, requests }: { path: string; requests: number },
) {
  const [{ text, lines }] = side.templates;
  const file = `${directory}/kload.template`;
  Deno.writeTextFileSync(file, text);
  const size = [row.connections, row.pipeline * side.requests, requests, row.keys, lines];
  const before = server.cpuSeconds;
  const told = await output(path, "127.0.0.1", `${server.port}`, ...size.map(String), `@${file}`);
  const found = KLOADED.exec(told);
  if (found === null) throw new Error(`kload said: ${told}`);
  const [rate, p50Ms, p99Ms, p999Ms, maxMs, errors] = found.slice(1).map(Number);
  if (errors > 0) throw new Error(`${errors} errors of ${server.name}`);
  const quantiles = { p50Ms, p99Ms, p999Ms, maxMs };
  const serverCpuSeconds = server.cpuSeconds - before;
  return { requests, greeted: 0, seconds: requests / rate, ...quantiles, errors, serverCpuSeconds };
}

async function measureRounds(
  row: Row,
  contestants: Contestant[],
  options: Options,
): Promise<Run[][]> {
  const runs: Run[][] = contestants.map(() => []);
  const path = isForKload(row) ? options.kload : null;
  for (let round = 0; round < options.rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      let kload = null;
      if (path !== null) { // as many requests as load.c would send
        const { rate } = runs[index].at(-1) ?? await measure(row, contestant, 0.3, null);
        const requests = Math.ceil(rate * options.seconds / contestant.side.items);
        kload = { path, requests };
      }
      runs[index].push(await measure(row, contestant, options.seconds, kload));
    }
  }
  return runs;
}

export interface Result {
  readonly server: ServerName;
  readonly row: Row;
  readonly runs: readonly Run[];
}

/** Measures a row: a result for each server. */
export async function measureRow(row: Row, options: Options): Promise<Result[]> {
  await using karma = await startKarma(row.log);
  await using redis = options.isAgainstRedis ? await startRedis(row.log) : null;
  await using echo = row.isEchoed ? await startEcho() : null;
  const servers = [karma, redis, echo].filter((server) => server !== null);
  const contestants = await contestantsOf(row, options, servers);
  const runs = await measureRounds(row, contestants, options);
  for (const { server, side, total } of contestants) {
    if (server.name === "karma" && side.adds !== undefined) await holds(server, total);
  }
  return contestants.map(({ server }, index) => ({ server: server.name, row, runs: runs[index] }));
}
