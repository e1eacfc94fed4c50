// Fills servers: every key gets its last days, each with its known amount.
//
// Through the servers' own doors, `series.batch_add` and `HSET`, by load.c. Invariant: Karma's tree says
// afterwards that it has what it was given. Files are kept, since most servers are given the same.

import { directory, output, said, type Server } from "./server.ts";
import { RequestFile } from "./requests.ts";
import { amount, lastDays, SCRIPTS, TREE } from "./workloads.ts";

const BATCH_ITEMS = 10_000; // as many as a request may have
/** Hashes set by one record of the file. */
const HASHES = 100;
const CONNECTIONS = 4;

const files = new Map<string, string>();

/** Builds a program of this folder. */
export async function compile(program: "load" | "beside"): Promise<void> {
  const source = new URL(`${program}.c`, import.meta.url).pathname;
  try {
    await output("gcc", "-O2", "-o", `${directory}/${program}`, source, "-lpthread");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("There is no gcc here: apt-get install gcc libc6-dev");
  }
}

/** What load.c says. */
export interface Loaded {
  readonly requests: number;
  /** Requests before those that count. */
  readonly greeted: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  readonly replyBytes: number;
  /** Of load.c itself. */
  readonly cpuSeconds: number;
  /** Of the server, for the requests that count. */
  readonly serverCpuSeconds: number;
}

/** Runs load.c; fails if a single reply tells of a failure. 0 seconds: every request once. */
export async function load(
  server: Server,
  connections: number,
  pipeline: number,
  seconds: number,
  path: string,
): Promise<Loaded> {
  const args = [server.port, connections, pipeline, seconds, path].map(String);
  let told = "";
  const spent: number[] = [];
  for await (const text of said(`${directory}/load`, ...args)) {
    spent.push(server.cpuSeconds); // when it was ready, and in the end
    told += text;
  }
  const serverCpuSeconds = spent.at(-1)! - spent[0];
  const loaded: Loaded = { ...JSON.parse(told.slice(told.indexOf("{"))), serverCpuSeconds };
  if (loaded.errors > 0) throw new Error(`${loaded.errors} errors of ${server.name}`);
  return loaded;
}

/** Returns the sum of all that every key, 1 to `keys`, then has. */
export async function fill(server: Server, keys: number, days: number): Promise<number> {
  if (server.name === "redis") await loadScripts(server);
  if (days === 0 || server.name === "echo") return 0;
  const name = `${server.name}-${keys}-${days}`;
  const path = files.get(name) ?? `${directory}/${name}.fill`;
  if (!files.has(name)) {
    using file = new RequestFile(path);
    if (server.name === "karma") writeBatches(file, keys, days);
    else writeHashes(file, keys, days);
    files.set(name, path);
  }
  await load(server, CONNECTIONS, 1, 0, path);
  const total = totalOf(keys, days);
  if (server.name === "karma") await holds(server, total);
  return total;
}

/** Fails unless Karma's tree has exactly this total. */
export async function holds(server: Server, total: number): Promise<void> {
  const request = JSON.stringify({ v: 2, op: "tree.summary", series: TREE });
  const summary = await server.ask(request + "\n");
  if (!summary.includes(`"total":${total},`)) {
    throw new Error(`The tree's total should be ${total}: ${summary}`);
  }
}

async function loadScripts(server: Server): Promise<void> {
  for (const script of SCRIPTS) {
    const words = ["SCRIPT", "LOAD", script];
    const bulks = words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
    const reply = await server.ask(`*${words.length}\r\n${bulks}`, 2);
    if (!reply.startsWith("$40\r\n")) throw new Error(reply);
  }
}

function totalOf(keys: number, days: number): number {
  let total = 0;
  const dates = lastDays(days);
  for (let key = 1; key <= keys; key++) for (const day of dates) total += amount(key, day);
  return total;
}

function writeBatches(file: RequestFile, keys: number, days: number): void {
  const dates = lastDays(days);
  let items: string[] = [];
  const end = () => {
    const list = items.join(",");
    file.add(`{"v":2,"op":"series.batch_add","series":"${TREE}","items":[${list}]}\n`, 1);
    items = [];
  };
  for (let key = 1; key <= keys; key++) {
    for (const day of dates) items.push(`[${key},${day},${amount(key, day)}]`);
    if (items.length + days > BATCH_ITEMS) end();
  }
  if (items.length > 0) end();
}

function writeHashes(file: RequestFile, keys: number, days: number): void {
  const dates = lastDays(days);
  let hashes = "";
  for (let key = 1; key <= keys; key++) {
    const name = `${TREE}:${key}`;
    hashes += `*${2 + 2 * days}\r\n$4\r\nHSET\r\n$${name.length}\r\n${name}\r\n`;
    for (const day of dates) {
      const value = `${amount(key, day)}`;
      hashes += `$8\r\n${day}\r\n$${value.length}\r\n${value}\r\n`;
    }
    if (key % HASHES !== 0 && key < keys) continue;
    file.add(hashes, (key - 1) % HASHES + 1);
    hashes = "";
  }
}
