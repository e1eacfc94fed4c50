// Measures how the cost of an increment grows with the keys of a tree, and that of a sum with the days
// of a key: in process, on random keys, of one day, without a log.
//
//   deno run -A --v8-flags=FLAGS $(deno run -q lib/npm/flags.ts) tests/bench/growth.ts [options]
//     --json FILE   writes {"keys": [...], "days": [...]} for plot.ts
//     --quick       up to a million keys, three repetitions instead of five
//
// FLAGS are those of the task `start`. All of it takes a minute, and a GiB.
//
// An increment is what a session does for one: decode the line, execute, encode the reply. Beside it
// stands the tree's part alone (`add`), and what memory alone costs: a bare array with as many bytes as
// the tree's blocks, and one access for each increment. `waiting` accesses each wait for the one before;
// that is what an increment pays, because the thousand instructions of a request are more than a
// processor looks ahead. `free` ones overlap, as no server's can. What is left when the waiting access
// is taken off is the structure's own growth; the rest any structure would have.
//
// Keys are the ids 1 to N in random order, and as many random numbers of 64 bits: ids given out in order lie
// nearly evenly in a branch, random numbers collide.

import { parseArgs } from "@std/cli";
import { Reply } from "../../lib/command/reply.ts";
import { Request } from "../../lib/command/request.ts";
import { ReceiveBuffer } from "../../lib/bytes/receive_buffer.ts";
import { SendBuffer } from "../../lib/bytes/send_buffer.ts";
import { codecOf } from "../support/codec.ts";
import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import type { Forest } from "../../lib/tree/forest.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { LocalKarma } from "../support/local_karma.ts";
import { freeAccesses, waitingAccesses } from "./bare_memory.ts";
import { feed } from "./frames.ts";
import { keysOf, randoms, type Spread } from "./growth_keys.ts";

const SIZES = [100_000, 1_000_000, 10_000_000];
const DAY_COUNTS = [1, 7, 30, 365, 3650];
/** Of the sums over days. */
const DAYS_KEYS = 1000;
const DAY = 20261122; // the local Karma's today
const SEED = 42;
/** Increments of a repetition, in turns of so many lines. */
const INCREMENTS = 1 << 19;
const TURN = 1 << 8;
const SUMS = 1 << 20;
/** The ratio that growth from the least to the most keys should not pass. */
const RATIO_GOAL = 1.5;

const encoder = new TextEncoder();
const AFTER = encoder.encode("}\n");

/** What an increment costs at a size, in nanoseconds. */
interface AtKeys {
  readonly keys: number;
  readonly spread: Spread;
  readonly nsPerIncrement: number;
  /** The tree's part of it. */
  readonly nsPerAdd: number;
  /** An access to as much memory, which waits for the one before. */
  readonly nsBareAccess: number;
  /** As many accesses that overlap. */
  readonly nsBareFree: number;
  readonly treeBytes: number;
}

interface AtDays {
  readonly days: number;
  readonly nsPerSum: number;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** How long work takes, in milliseconds. */
function timed(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

/** A tree of so many keys, of one day. */
function filled(forest: Forest, spread: Spread, keys: number): Tree {
  const tree = forest.create(`t${keys}`);
  const { los, his } = keysOf(spread, Uint32Array.from({ length: keys }, (_, index) => index));
  adds(tree, los, his);
  if (tree.keys !== keys) throw new Error(`${tree.keys} keys instead of ${keys}`);
  return tree;
}

/** Increments in process, as a session answers them. */
class Requests {
  readonly #karma: LocalKarma;
  readonly #before: Uint8Array;
  readonly #codec = codecOf({ replyBytesMax: 1 << 20 });
  readonly #received = new ReceiveBuffer(1 << 20);
  readonly #request = new Request();
  readonly #reply = new Reply();
  readonly #lines = new SendBuffer(1 << 16);
  readonly #out = new SendBuffer(1 << 16);

  constructor(karma: LocalKarma, tree: string) {
    this.#karma = karma;
    this.#before = encoder.encode(`{"v":2,"op":"counter.increment","series":"${tree}","key":`);
  }

  /** How long the increments of some keys take, in milliseconds; making their lines is not counted. */
  run(los: Uint32Array, his: Uint32Array): number {
    let ms = 0;
    for (let from = 0; from < los.length; from += TURN) {
      this.#prepare(los, his, from);
      ms += timed(() => this.#turn());
    }
    if (this.#reply.code !== null) throw new Error(this.#reply.text);
    return ms;
  }

  /** Allocates nothing: the collector's work would fall on what is measured, and empty its caches. */
  #prepare(los: Uint32Array, his: Uint32Array, from: number): void {
    const lines = this.#lines;
    lines.clear();
    for (let index = from; index < from + TURN; index++) {
      lines.raw(this.#before);
      lines.decimal(los[index], his[index]);
      lines.raw(AFTER);
    }
  }

  #turn(): void {
    const [codec, received, request] = [this.#codec, this.#received, this.#request];
    const [reply, out, { engine }] = [this.#reply, this.#out, this.#karma];
    engine.beginTurn();
    out.clear();
    feed(received, this.#lines.view(0), () => {
      reply.clear();
      if (codec.decode(received, "v2", request, reply)) engine.execute(request, reply);
      codec.encode(request, reply, out);
    });
  }
}

function adds(tree: Tree, los: Uint32Array, his: Uint32Array): void {
  for (let index = 0; index < los.length; index++) tree.add(los[index], his[index], DAY, 1, 0);
}

/** One size: its tree, a bare array of as many bytes, and the times of each repetition. */
class Size {
  readonly keys: number;
  readonly spread: Spread;
  readonly tree: Tree;
  readonly #bare: Uint32Array;
  readonly #times: [increment: number, add: number, waiting: number, free: number][] = [];
  readonly #requests: Requests;

  constructor(karma: LocalKarma, spread: Spread, keys: number) {
    this.keys = keys;
    this.spread = spread;
    this.tree = filled(karma.forest, spread, keys);
    this.#bare = new Uint32Array(this.tree.blocks.words).fill(1); // so that its pages are there
    this.#requests = new Requests(karma, this.tree.name);
  }

  repeat(repetition: number): void {
    const seed = SEED + 2 * repetition;
    const first = keysOf(this.spread, randoms(seed, INCREMENTS, this.keys));
    const second = keysOf(this.spread, randoms(seed + 1, INCREMENTS, this.keys));
    const words = this.#bare.length;
    const places = [randoms(seed, INCREMENTS, words), randoms(seed + 1, INCREMENTS, words)];
    this.#times.push([
      this.#requests.run(first.los, first.his),
      timed(() => adds(this.tree, second.los, second.his)),
      timed(() => waitingAccesses(this.#bare, places[0])),
      timed(() => freeAccesses(this.#bare, places[1])),
    ]);
  }

  /** What was found, without the first repetition, which was to warm up. */
  get result(): AtKeys {
    const { keys, spread, tree } = this;
    checkTotal(tree, keys + 2 * this.#times.length * INCREMENTS);
    const ns = (column: number) => {
      return 1e6 * median(this.#times.slice(1).map((times) => times[column])) / INCREMENTS;
    };
    const [nsPerIncrement, nsPerAdd, nsBareAccess, nsBareFree] = [0, 1, 2, 3].map(ns);
    const treeBytes = this.#bare.byteLength;
    return { keys, spread, nsPerIncrement, nsPerAdd, nsBareAccess, nsBareFree, treeBytes };
  }
}

/** All sizes, in turn, so that what else the machine does meets each of them. */
async function atAllKeys(
  spread: Spread,
  sizes: readonly number[],
  repetitions: number,
): Promise<AtKeys[]> {
  const karma = await LocalKarma.start(undefined, { wal: false });
  const all = sizes.map((keys) => new Size(karma, spread, keys));
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    for (const size of all) size.repeat(repetition);
  }
  return all.map((size) => size.result);
}

/** Whether every increment is there. */
function checkTotal(tree: Tree, expected: number): void {
  const sum = new Uint32Array(2);
  let total = 0n;
  for (const branch of tree.branches) {
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      branch.sum(slot, 0, branch.count(slot), sum);
      total += u64ToBigInt(sum[0], sum[1]);
    }
  }
  if (total !== BigInt(expected)) throw new Error(`the tree holds ${total}, not ${expected}`);
}

/** What the sum of all days costs, of a thousand keys with so many days each. */
function atDays(days: number, repetitions: number): AtDays {
  const tree = new Tree("t");
  const dates = datesBefore(days);
  for (let key = 1; key <= DAYS_KEYS; key++) {
    for (const date of dates) tree.add(key, 0, date, 1 + key % 100, 0);
  }
  const sum = new Uint32Array(2);
  const count = Math.max(1 << 12, Math.floor(SUMS / days));
  const { los } = keysOf("ids", randoms(SEED, count, DAYS_KEYS));
  const times = Array.from({ length: repetitions + 1 }, () => {
    return timed(() => {
      for (const key of los) tree.sum(key, 0, dates[0], DAY, sum);
    });
  });
  const nsPerSum = 1e6 * median(times.slice(1)) / count;
  tree.sum(7, 0, 0, DAY, sum);
  if (sum[0] !== 8 * days) throw new Error(`the sum is ${sum[0]}, not ${8 * days}`);
  return { days, nsPerSum };
}

/** The last so many days, ascending. */
function datesBefore(days: number): number[] {
  const last = Date.UTC(2026, 10, 22);
  return Array.from({ length: days }, (_, index) => {
    const date = new Date(last - (days - 1 - index) * 86_400_000);
    return Number(date.toISOString().slice(0, 10).replaceAll("-", ""));
  });
}

function row(...cells: (string | number)[]): void {
  const texts = cells.map((cell) => typeof cell === "number" ? cell.toFixed(1) : cell);
  console.log(texts.map((text, index) => text.padStart(index === 0 ? 20 : 13)).join(""));
}

function tell(found: readonly AtKeys[]): void {
  for (const at of found) {
    const { nsPerIncrement, nsPerAdd, nsBareAccess, nsBareFree, treeBytes } = at;
    const [mebibytes, rest] = [treeBytes / 2 ** 20, nsPerIncrement - nsBareAccess];
    const name = `${at.keys} ${at.spread}`;
    row(name, nsPerIncrement, nsPerAdd, nsBareAccess, nsBareFree, rest, mebibytes);
  }
  const [first, last] = [found[0], found.at(-1)!];
  const ratio = (of: (at: AtKeys) => number) => (of(last) / of(first)).toFixed(2);
  const increment = ratio((at) => at.nsPerIncrement);
  const structure = ratio((at) => at.nsPerIncrement - at.nsBareAccess);
  const any = ((first.nsPerIncrement + last.nsBareAccess - first.nsBareAccess) /
    first.nsPerIncrement).toFixed(2);
  console.log(
    `  ${first.spread}: an increment grows ${increment} times (goal ${RATIO_GOAL}), ${structure} without ` +
      `memory's part; with one access to memory any structure grows ${any} times\n`,
  );
}

const given = parseArgs(Deno.args, { string: ["json"], boolean: ["quick"] });
const repetitions = given.quick ? 3 : 5;
const sizes = given.quick ? SIZES.slice(0, 2) : SIZES;
console.log(`Nanoseconds; medians of ${repetitions}\n`);
row("keys", "increment", "tree alone", "bare waiting", "bare free", "rest", "MiB");
const keys: AtKeys[] = [];
for (const spread of ["ids", "random"] as const) {
  const found = await atAllKeys(spread, sizes, repetitions);
  tell(found);
  keys.push(...found);
}
row("days of a key", "sum", "of a day");
const days = DAY_COUNTS.map((count) => atDays(count, repetitions));
for (const at of days) row(`${at.days}`, at.nsPerSum, at.nsPerSum / at.days);
if (typeof given.json === "string") {
  Deno.writeTextFileSync(given.json, JSON.stringify({ keys, days }, null, 2) + "\n");
}
