// What is no rate: memory, the time of a start, latency while everything is dumped, idle connections.
//
// Each figure is measured on servers of its own; Redis where it is asked for. A ratio is of medians.
// The trade: memory is what the kernel counts as resident, with what would be given back later, because
// that is what a machine must have.

import { fill, load } from "./fill.ts";
import { type Options, requestsFor } from "./measure.ts";
import { render } from "./requests.ts";
import { type Server, sleep, startKarma, startRedis } from "./server.ts";
import { median } from "./table.ts";
import { CHECKED, increment2, week, WEEK_DAYS } from "./workloads.ts";

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly karma: readonly number[];
  readonly redis: readonly number[];
  readonly ratio: number | null;
  /** What the ratio is of. */
  readonly ratioOf: string;
}

export interface FigureGroup {
  /** What `--only` looks for its text in. */
  readonly title: string;
  measure(options: Options): Promise<Figure[]>;
}

const KEYS = 1_000_000;
const KEYS_MANY = 5_000_000;
const CONNECTIONS = 50;
const IDLE_CONNECTIONS = 10_000;
const OPENED_AT_ONCE = 100;
/** Descriptors that a process needs for other things than idle connections. */
const DESCRIPTORS_SPARE = 200;
/** Quantiles of one in a thousand want longer runs than rates. */
const RUN_FACTOR = 3;
const BACKGROUND_SAVE_POLL_MS = 20;

function figure(
  name: string,
  unit: string,
  karma: readonly number[],
  redis: readonly number[] = [],
): Figure {
  const ratio = karma.length > 0 && redis.length > 0 ? median(karma) / median(redis) : null;
  return { name, unit, karma, redis, ratio, ratioOf: "Karma / Redis" };
}

/** Runs one measurement on Karma and, where it is asked for, one on Redis. */
async function both<T>(
  { isAgainstRedis }: Options,
  options: { karma: string[]; redis: string[] },
  measure: (server: Server) => Promise<T>,
): Promise<{ karma: T; redis: T | null }> {
  const one = async (starting: Promise<Server>) => {
    await using server = await starting;
    return await measure(server);
  };
  const karma = await one(startKarma("off", ...options.karma));
  return { karma, redis: isAgainstRedis ? await one(startRedis("off", ...options.redis)) : null };
}

const NO_OPTIONS = { karma: [], redis: [] };

function requestOf(server: Server, { karma, redis } = week): [string, string] {
  const { templates, replies } = server.name === "karma" ? karma : redis;
  return [render(templates[0].text, () => CHECKED), replies[0]];
}

/** What Redis says that its data take, without what its allocator does not use. */
async function usedBytes(server: Server): Promise<number> {
  const info = await server.ask("INFO memory\r\n", 2 + 5);
  return Number(/^used_memory:(\d+)\r$/m.exec(info)![1]);
}

/** Writes everything down and ends. */
async function saveAndEnd(server: Server): Promise<void> {
  if (server.name === "karma") {
    server.interrupt();
    return await server.ended();
  }
  const reply = await server.ask("SAVE\r\n");
  if (reply !== "+OK\r\n") throw new Error(`Redis answers SAVE: ${reply}`);
  await server.kill();
}

/** Seconds from the start of the process until it answers a request from its data. */
async function startSeconds(server: Server): Promise<number> {
  await server.kill();
  const began = performance.now();
  server.startAgain();
  await server.answers(...requestOf(server));
  return (performance.now() - began) / 1000;
}

async function weekOf(options: Options): Promise<Figure[]> {
  const keys = KEYS / options.scale;
  const { karma, redis } = await both(options, NO_OPTIONS, async (server) => {
    const isKarma = server.name === "karma";
    const before = server.residentBytes;
    const usedBefore = isKarma ? 0 : await usedBytes(server);
    await fill(server, keys, WEEK_DAYS);
    const bytes = (server.residentBytes - before) / keys;
    const used = isKarma ? 0 : (await usedBytes(server) - usedBefore) / keys;
    await server.answers(...requestOf(server));
    await saveAndEnd(server);
    const starts: number[] = [];
    for (let round = 0; round < options.rounds; round++) starts.push(await startSeconds(server));
    return { bytes, used, starts };
  });
  const memory = `bytes a key, ${WEEK_DAYS} days, ${keys} keys`;
  const starting = `start with ${WEEK_DAYS * keys} day values`;
  const figures = [
    figure(memory, "B", [karma.bytes], redis === null ? [] : [redis.bytes]),
    figure(starting, "s", karma.starts, redis?.starts),
  ];
  if (redis === null) return figures;
  return [...figures, figure(`${memory}, Redis' used_memory`, "B", [karma.bytes], [redis.used])];
}

/** Dumps everything, again and again, until it is told to stop; how often. */
async function keepDumping(server: Server, state: { isOver: boolean }): Promise<number> {
  const isKarma = server.name === "karma";
  const request = isKarma ? '{"v":2,"op":"snapshot.create_all"}\n' : "BGSAVE\r\n";
  let dumps = 0;
  while (!state.isOver) {
    const reply = await server.ask(request);
    if (reply.includes('"OK"') || reply.startsWith("+")) dumps++;
    else if (!reply.startsWith("-ERR Background save already")) throw new Error(reply);
    if (!isKarma) await sleep(BACKGROUND_SAVE_POLL_MS);
  }
  return dumps;
}

async function whileDumped(options: Options): Promise<Figure[]> {
  const keys = KEYS_MANY / options.scale;
  const seconds = RUN_FACTOR * options.seconds;
  const { karma, redis } = await both(options, NO_OPTIONS, async (server) => {
    await fill(server, keys, 1);
    const side = server.name === "karma" ? increment2.karma : increment2.redis;
    const requests = requestsFor(side, keys, "uniform");
    const p999 = async () => (await load(server, CONNECTIONS, 1, seconds, requests)).p999Ms;
    await load(server, CONNECTIONS, 1, options.warmUpSeconds, requests);
    const [without, dumping]: number[][] = [[], []];
    for (let round = 0; round < options.rounds; round++) {
      without.push(await p999());
      const state = { isOver: false };
      const dumps = keepDumping(server, state);
      dumping.push(await p999().finally(() => state.isOver = true));
      if (await dumps === 0) throw new Error(`${server.name} has not dumped`);
    }
    return { without, dumping };
  });
  const name = (dumping: string) => `p99.9 of increments${dumping}, ${keys} keys`;
  const { without, dumping } = karma;
  const compared = {
    ratio: median(dumping) / median(without),
    ratioOf: "Karma / the same without",
  };
  return [
    figure(name(""), "ms", without, redis?.without),
    { ...figure(name(" while everything is dumped"), "ms", dumping, redis?.dumping), ...compared },
  ];
}

/** Whether this process, and so its children, may have so many connections. */
function mayOpen(connections: number): boolean {
  const limits = Deno.readTextFileSync("/proc/self/limits");
  const [, soft] = /^Max open files\s+(\S+)/m.exec(limits)!;
  return soft === "unlimited" || Number(soft) >= connections + DESCRIPTORS_SPARE;
}

async function openOne(server: Server, request: string): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await connection.write(new TextEncoder().encode(request));
  const reply = await connection.read(new Uint8Array(1024));
  if (reply === null) throw new Error(`${server.name} closed a connection`);
  return connection;
}

async function idle(options: Options): Promise<Figure[]> {
  const count = IDLE_CONNECTIONS / options.scale;
  if (!mayOpen(count)) {
    console.log(`Too few descriptors for ${count} idle connections: ulimit -n`);
    return [];
  }
  const most = `${count + DESCRIPTORS_SPARE / 2}`;
  const limits = { karma: [`--max-connections=${most}`], redis: ["--maxclients", most] };
  const { karma, redis } = await both(options, limits, async (server) => {
    const side = server.name === "karma" ? increment2.karma : increment2.redis;
    const requests = requestsFor(side, KEYS / options.scale, "uniform");
    await load(server, CONNECTIONS, 1, options.warmUpSeconds, requests); // what all have in common
    const before = server.residentBytes;
    const open: Deno.TcpConn[] = [];
    try {
      const [request] = requestOf(server, increment2);
      while (open.length < count) {
        const opening = Array.from({ length: OPENED_AT_ONCE }, () => openOne(server, request));
        open.push(...await Promise.all(opening));
      }
      return (server.residentBytes - before) / 1024 / open.length;
    } finally {
      for (const connection of open) connection.close();
    }
  });
  const name = `an idle connection of ${count}`;
  return [figure(name, "KiB", [karma], redis === null ? [] : [redis])];
}

export const FIGURES: readonly FigureGroup[] = [
  { title: "figures: bytes a key, start", measure: weekOf },
  { title: "figures: p99.9 while dumped", measure: whileDumped },
  { title: "figures: idle connections", measure: idle },
];
