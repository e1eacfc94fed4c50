// Steps: what clients do to a simulated Karma, by chance: small requests on few trees, few counters
// and few days, several in a turn, while long ones are under way.
//
// Invariant: every reply is one that the model expects at that moment.

import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import type { Reply } from "../../lib/command/reply.ts";
import type { Random } from "../support/random.ts";
import { isHidden } from "../../lib/tree/tree_name.ts";
import { isOverflowing, totalOf, visible } from "./model.ts";
import { ingest } from "./ingest_steps.ts";
import { DAY_FIRST, DAYS, KEYS, KINDS_V2, TREES } from "./steps_v2.ts";
import type { World } from "./world.ts";

/** What chance alone would hardly bring about. */
const EVENTS: readonly ((world: World, random: Random) => Promise<void>)[] = [
  duringDump,
  nothingLeft,
];

/** How long the next turn is away. */
const PAUSES_MS = [0, 0, 0, 0, 1, 1, 5, 30, 300, 1100];

/** A request, and how often it comes. */
const KINDS: readonly [number, (world: World, random: Random) => void][] = [
  [40, increment],
  [12, decrement],
  [4, (world, random) => change(world, { command: "reset", ...counter(random) })],
  [4, (world, random) => change(world, { command: "delete", ...counter(random), ...days(random) })],
  [2, (world, random) => change(world, { command: "reset", ...tree(random) })],
  [3, (world, random) => change(world, { command: "delete", ...tree(random), ...days(random) })],
  [2, (world, random) => change(world, { command: "create", ...tree(random) })],
  [3, drop],
  [3, dump],
  [3, (world) => change(world, { command: "dump_all" })],
  [3, load],
  [8, sum],
  [1, (world) => change(world, { command: "dumps" })],
  [28, ingest],
  ...KINDS_V2,
];
const WEIGHTS = KINDS.reduce((sum, [weight]) => sum + weight, 0);

/** Some requests, as several connections bring them, and then some time. */
export async function turn(world: World, random: Random): Promise<void> {
  if (random.chance(0.08)) await random.pick(EVENTS)(world, random);
  if (world.isOver) return;
  for (let connections = 1 + random.below(3); connections > 0; connections--) {
    for (let requests = 1 + random.below(4); requests > 0; requests--) {
      request(world, random);
      if (world.isOver || world.fault !== null) return;
    }
    world.settle();
    if (random.chance(0.3)) await world.time.quiet();
    if (world.isOver) return;
  }
  await world.time.advance(random.pick(PAUSES_MS));
  if (random.chance(0.1)) world.today = DAY_FIRST + random.below(DAYS);
}

function request(world: World, random: Random): void {
  let at = random.below(WEIGHTS);
  for (const [weight, make] of KINDS) {
    if (at < weight) return make(world, random);
    at -= weight;
  }
}

/** A tree of several branches is dumped while its counters change, each branch at another time. */
async function duringDump(world: World, random: Random): Promise<void> {
  const name = TREES[0];
  const imported = world.past.dumps.find(({ past, tree }) => past === null && tree === name);
  if (imported !== undefined && random.chance(0.6)) {
    loadFile(world, imported.file);
    await world.finish();
  }
  if (world.isOver || !world.past.state.has(name)) return;
  const { delay } = world.disk;
  world.disk.delay = () => world.time.sleep(2);
  if (random.chance(0.5)) dumpTree(world, name);
  else change(world, { command: "dump_all" });
  for (let steps = 12; steps > 0 && !world.isOver && world.fault === null; steps--) {
    await world.time.advance(1);
    if (world.isOver) return;
    if (!world.past.state.has(name)) break;
    const key = random.pick(KEYS);
    if (random.chance(0.04)) {
      change(world, { command: "drop", tree_name: name });
    } else if (random.chance(0.3)) {
      change(world, { command: "delete", tree_name: name, ...days(random) });
    } else if (!isOverflowing(world.past.state, name, BigInt(key), 1n)) {
      change(world, { command: "increment", tree_name: name, key });
    }
    world.settle();
  }
  world.disk.delay = delay;
}

/** All trees are dropped, and the log is shortened. */
async function nothingLeft(world: World, random: Random): Promise<void> {
  const left = random.below(2);
  for (const name of visible(world.past.state).reverse().slice(left)) {
    change(world, { command: "drop", tree_name: name });
    if (world.isOver) return;
  }
  change(world, { command: "dump_all" });
  world.settle();
  await world.time.advance(random.below(100));
}

interface Fields {
  readonly [name: string]: string | number;
}

function tree(random: Random): { tree_name: string } {
  // Few of them get most, so that much happens to the same.
  return { tree_name: random.chance(0.5) ? TREES[0] : random.pick(TREES) };
}

function counter(random: Random): { tree_name: string; key: string } {
  return { ...tree(random), key: random.pick(KEYS) };
}

function days(random: Random): { time_from: number; time_to: number } {
  const from = DAY_FIRST + random.below(DAYS);
  return { time_from: from, time_to: from + random.below(DAYS) };
}

/** A line of protocol v1; keys are written as they are, since not all are numbers of JavaScript. */
function lineOf(fields: Fields): string {
  const members = Object.entries(fields).map(([name, value]) => {
    return `"${name}":${name === "key" ? value : JSON.stringify(value)}`;
  });
  return `{${members.join(",")}}`;
}

/** Carries out a request that only a disk that fails may refuse. */
function change(world: World, fields: Fields): void {
  world.execute(lineOf(fields), (reply) => faultOf(world, reply, null));
}

/** What is wrong with a reply that should have that code; null if nothing. */
function faultOf(world: World, reply: Reply, expected: string | null): string | null {
  if (reply.code === expected) return null;
  if (!world.isCalm && (reply.code === "storage_full" || reply.code === "internal_error")) {
    return null;
  }
  return `the reply is ${reply.code} ${reply.text}`;
}

function increment(world: World, random: Random): void {
  const fields = counter(random);
  const { state } = world.past;
  const overflows = isOverflowing(state, fields.tree_name, BigInt(fields.key), 1n);
  const expected = overflows ? "validation_error" : null;
  world.execute(lineOf({ command: "increment", ...fields }), (reply) => {
    return faultOf(world, reply, expected);
  });
}

function decrement(world: World, random: Random): void {
  change(world, { command: "decrement", ...counter(random) });
}

function drop(world: World, random: Random): void {
  const fields = tree(random);
  const expected = world.past.state.has(fields.tree_name) ? null : "not_found";
  world.execute(lineOf({ command: "drop", ...fields }), (reply) => {
    return faultOf(world, reply, expected);
  });
}

function dump(world: World, random: Random): void {
  dumpTree(world, tree(random).tree_name);
}

/** Dumps a tree, or, if it is replaced meanwhile, the one in its place; there is none if it is dropped. */
function dumpTree(world: World, name: string): void {
  const tree = world.past.state.get(name);
  world.execute(lineOf({ command: "dump", tree_name: name }), (reply) => {
    const isThere = world.past.state.get(name)?.serial === tree?.serial;
    if (reply.code === "not_found") return isThere && tree ? "it is there, and not dumped" : null;
    return tree === undefined ? "there is nothing to be dumped" : faultOf(world, reply, null);
  });
}

/** Loads a dump that is or was there. */
function load(world: World, random: Random): void {
  const dumps = world.past.dumps.filter(({ tree }) => !isHidden(tree));
  if (dumps.length === 0) return;
  // A late one more often than not: of the others most are gone.
  const recent = dumps.slice(-6);
  loadFile(world, random.pick(random.chance(0.6) ? recent : dumps).file);
}

function loadFile(world: World, file: string): void {
  world.execute(lineOf({ command: "load", tree_name: file }), (reply) => {
    const isGone = reply.code === "not_found";
    return isGone ? null : faultOf(world, reply, null);
  });
}

function sum(world: World, random: Random): void {
  const fields = counter(random);
  const total = totalOf(world.past.state, fields.tree_name, BigInt(fields.key));
  world.execute(lineOf({ command: "sum", ...fields }), (reply) => {
    const found = u64ToBigInt(reply.lanes[0], reply.lanes[1]);
    return reply.code === null && found === total ? null : `expected ${total}, found ${found}`;
  });
}
