// Steps in protocol v2: batches, requests under idempotency keys and retries of them, checkpoints,
// and changes of whole trees, by chance.
//
// Invariant: every answer is the line that the model expects at that moment. What a key asks for
// follows from its number alone, so that any later process can ask again. Trade-off: where counts are not
// in the log, nor is the registry: steps that need it are left out then, since it would be as of some
// earlier dump, and the trees as of others.

import type { Reply } from "../../lib/command/reply.ts";
import { Random } from "../support/random.ts";
import {
  type Counters,
  type Item,
  type State,
  totalOf,
  visible,
  withItems,
  withoutDays,
} from "./model.ts";
import { answerTo } from "./registry_model.ts";
import type { World } from "./world.ts";

export const TREES = ["a", "b", "a long name, so that sizes vary", "ü/%"];
/** On both sides of where the branches of imported trees begin. */
export const KEYS = ["0", "1", "99", "100", "101", "200", "201", "18446744073709551615"];
export const DAY_FIRST = 20261120;
export const DAYS = 6;

/** A day on which nothing else happens, nearly. */
const DAY_LAST = DAY_FIRST + 8;

/** Values that overflow sooner or later, and others. */
const VALUES = [1n, 1n, 1n, 2n, 3n, 70_000n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 5n];

/** Keys that are used again, and some that hardly are. */
const USUAL_KEYS = 24;
const OTHER_KEYS = 400;
const SWEEP_KEYS = 4;

const U64_MAX = 2n ** 64n - 1n;

type Json = string | bigint | number | boolean | null | readonly Json[] | {
  readonly [name: string]: Json;
};

type Fields = { readonly [name: string]: Json };

/** What a request gets: an error, or a response. */
export type Outcome = { readonly code: string } | { readonly response: Json };

/** A request that is carried out at once. */
interface Step {
  readonly op: string;
  readonly fields: Fields;
  outcome(state: State): Outcome;
}

/** Its steps, and how often each comes. */
export const KINDS_V2: readonly [number, (world: World, random: Random) => void][] = [
  [12, (world, random) => perform(world, stepOf(random), null)],
  [14, consume],
  [3, forgetWindows],
  [5, overflow],
  [20, once],
  [3, sweepOnce],
  [3, (world, random) => ofAll(world, "series.compact", tree(random))],
  [1, (world) => ofAll(world, "system.compact", {})],
  [2, (world, random) =>
    ofAll(world, "series.delete_before", {
      ...tree(random),
      before: random.chance(0.2) ? 0 : DAY_FIRST + random.below(DAYS),
    })],
  [3, checkpoint],
  [2, prune],
  [2, list],
];

/** A line of protocol v2. */
export function lineOf(op: string, fields: Fields): string {
  return textOf({ v: 2, op, ...fields });
}

/** What is wrong with a reply that should say that; null if nothing. */
export function faultOf(
  world: World,
  reply: Reply,
  answer: string,
  expected: Outcome,
  isRepeated: boolean | null,
): string | null {
  if (!world.isCalm && (reply.code === "storage_full" || reply.code === "internal_error")) {
    return null;
  }
  if ("code" in expected) {
    return reply.code === expected.code ? null : `it is not ${expected.code}: ${answer}`;
  }
  const { response } = expected;
  const idempotent = isRepeated === null ? "" : `"idempotent":${isRepeated},`;
  const line = `{"protocol_version":2,"success":true,"response":${textOf(response)},` +
    `${idempotent}"error_code":null}`;
  return answer === line ? null : `expected ${line}, found ${answer}`;
}

function textOf(json: Json): string {
  if (typeof json === "bigint") return String(json);
  if (typeof json !== "object" || json === null) return JSON.stringify(json);
  if (Array.isArray(json)) return `[${json.map(textOf).join(",")}]`;
  const members = Object.entries(json).map(([name, value]) =>
    `${JSON.stringify(name)}:${textOf(value)}`
  );
  return `{${members.join(",")}}`;
}

/** Carries out a step, under a key or not. */
function perform(world: World, step: Step, key: string | null): void {
  const { state, dedup } = world.past;
  const fields = key === null ? step.fields : { ...step.fields, idempotency_key: key };
  const line = lineOf(step.op, fields);
  const known = key === null ? null : answerTo(dedup, world.settings, key, world.seconds);
  if (known === null) {
    const expected = step.outcome(state);
    const isFirst = key === null ? null : false;
    return world.execute(line, (reply, answer) => faultOf(world, reply, answer, expected, isFirst));
  }
  world.execute(line, (reply, answer) => {
    const isOther = known.line !== null && known.line !== line;
    if (isOther) return faultOf(world, reply, answer, { code: "idempotency_conflict" }, null);
    // Also from a disk that fails: it is not asked.
    const isSame = reply.isRepeated && answer.includes(`"response":${known.response},"idempotent"`);
    return isSame ? null : `expected ${known.response} again, found ${answer}`;
  });
}

/** Windows below a day, of each kind. */
const WINDOWS: readonly Fields[] = [
  { max: 3, window: "minute" },
  { max: 5, window: { seconds: 2 } },
  { max: 5, window: { hours: 5, from: "first_use" } },
  { window: { refill: 1, per_seconds: 1, burst: 3 } },
  { window: { refill: 7, per_seconds: 86_400, burst: 1000 } },
  { max: 9, window: "day" },
];

/** Limits below a day: that they hold is shown elsewhere, here that all of a charge is kept, or nothing. */
function consume(world: World, random: Random): void {
  const { series } = tree(random);
  const key = random.pick(KEYS);
  if (totalOf(world.past.state, series, BigInt(key)) > 2n ** 63n) return;
  const limits = WINDOWS.filter(() => random.chance(0.5)).map((limit) => ({ series, ...limit }));
  if (limits.length === 0) return;
  const fields = { key, limits, mode: random.pick(["reject", "force"]) };
  world.execute(lineOf("limit.consume", fields), (reply, answer) => {
    const isFailing = reply.code === "storage_full" || reply.code === "internal_error";
    return reply.code === null || !world.isCalm && isFailing ? null : answer;
  });
}

function forgetWindows(world: World): void {
  world.engine.forgetWindows().catch((error) => world.fail(`Windows: ${error.stack}`));
}

/** A request under a key: the first one, a retry of it, or now and then another under the same. */
function once(world: World, random: Random): void {
  if (!world.settings.wal) return;
  const number = random.below(random.chance(0.8) ? USUAL_KEYS : OTHER_KEYS);
  const variant = random.chance(0.06) ? 1 : 0;
  perform(world, stepOf(new Random(2 * number + variant)), `key ${number}`);
}

/** A batch that overflows behind some of its items, and before others: nothing may change. */
function overflow(world: World, random: Random): void {
  const how = random.pick(["add", "set"] as const);
  const { series } = tree(random);
  const small = () => itemsOf(random, true).map(([key, day]): Item => [key, day, 3n]);
  const before = small();
  const { state } = world.past;
  const full = [...countersOf(state, series)].find(([, days]) => {
    return [...days].some(([day, value]) => day !== DAY_LAST && value > 1000n);
  });
  if (full === undefined) return;
  const [key, days] = full;
  const rest = [...days].reduce(
    (sum, [day, value]) => day === DAY_LAST ? sum : sum - value,
    U64_MAX,
  );
  const items = [...before, [key, DAY_LAST, rest + 1n] as const, ...small()];
  perform(world, stepOfBatch(series, how, items), null);
}

/** A change of a whole tree under a key. */
function sweepOnce(world: World, random: Random): void {
  if (!world.settings.wal) return;
  const number = random.below(SWEEP_KEYS);
  const own = new Random(number);
  const fields = { ...tree(own), idempotency_key: `sweep ${number}` };
  const isReset = number % 2 === 0;
  const line = isReset
    ? lineOf("tree.reset", fields)
    : lineOf("tree.delete_range", { ...fields, range: days(own) });
  world.execute(line, (reply, answer) => {
    const response = isReset ? "OK" : true;
    // Whether it was the first is seen when its turn comes; if not, nothing may have changed.
    return faultOf(world, reply, answer, { response }, reply.isRepeated ?? false);
  });
}

/** A change of whole trees, which may be there or not when its turn comes. */
function ofAll(world: World, op: string, fields: Fields): void {
  world.execute(lineOf(op, fields), (reply, answer) => {
    const isMissing = reply.code === "not_found" && fields.series !== undefined;
    const expected = isMissing ? { code: "not_found" } : { response: "OK" };
    return faultOf(world, reply, answer, expected, null);
  });
}

function checkpoint(world: World, random: Random): void {
  if (!world.settings.wal) return;
  const source = `source ${random.below(3)}`;
  const { seconds } = world;
  const [offset, event_id] = [String(random.below(1000)), random.chance(0.5) ? "e" : null];
  const fields = { source, offset, ...event_id === null ? {} : { event_id } };
  const response = { source, offset, event_id, updated_at_unix: seconds };
  world.execute(lineOf("recovery.checkpoint", fields), (reply, answer) => {
    return faultOf(world, reply, answer, { response }, null);
  });
}

/** Answers are forgotten; how many is looked at where it happens. */
function prune(world: World, random: Random): void {
  if (!world.settings.wal) return;
  const before = world.seconds + 1 - random.below(6);
  const fields: Fields = random.chance(0.5) ? { before } : { before, limit: 1 + random.below(3) };
  world.execute(lineOf("idempotency.prune", fields), (reply, answer) => {
    const deleted = Number(/"deleted":(\d+)/.exec(answer)?.[1]);
    return faultOf(world, reply, answer, { response: { deleted } }, null);
  });
}

function list(world: World): void {
  const response = visible(world.past.state);
  world.execute(lineOf("tree.list", {}), (reply, answer) => {
    return faultOf(world, reply, answer, { response }, null);
  });
}

/** A change of one tree that is made at once. */
function stepOf(random: Random): Step {
  const kinds = [increment, increment, decrement, batch, batch, batch, removeKeys, removeKey];
  return random.pick(kinds)(random);
}

function increment(random: Random): Step {
  const { series } = tree(random);
  const key = BigInt(random.pick(KEYS));
  const value = random.pick(VALUES);
  const outcome = (state: State): Outcome => {
    const isBeyond = totalOf(state, series, key) + value > U64_MAX;
    return isBeyond ? { code: "validation_error" } : { response: value };
  };
  return { op: "counter.increment", fields: { series, key, value, ...bucket(random) }, outcome };
}

function decrement(random: Random): Step {
  const key = BigInt(random.pick(KEYS));
  const value = random.pick(VALUES);
  const fields = { ...tree(random), key, value, ...bucket(random) };
  return { op: "counter.decrement", fields, outcome: () => ({ response: value }) };
}

function batch(random: Random): Step {
  const { series } = tree(random);
  const how = random.pick(["add", "set"] as const);
  return stepOfBatch(series, how, itemsOf(random, how === "add"));
}

function stepOfBatch(series: string, how: "add" | "set", items: readonly Item[]): Step {
  const outcome = (state: State): Outcome => {
    const isGood = withItems(countersOf(state, series), items, how) !== null;
    if (!isGood) return { code: "validation_error" };
    const applied = items.length;
    const total = items.reduce((sum, [, , value]) => sum + value, 0n);
    return { response: how === "add" ? { applied, total } : { applied } };
  };
  return { op: `series.batch_${how}`, fields: { series, items }, outcome };
}

function removeKeys(random: Random): Step {
  const { series } = tree(random);
  const keys = Array.from({ length: random.below(5) }, () => BigInt(random.pick(KEYS)));
  const range = random.chance(0.5) ? days(random) : null;
  const outcome = (state: State): Outcome => {
    if (!state.has(series)) return { code: "not_found" };
    let counters = countersOf(state, series);
    let [removed, missing] = [0, 0];
    for (const key of keys) {
      const size = counters.get(key)?.size ?? 0;
      const { from, to } = range ?? { from: 0, to: 2 ** 32 };
      counters = withoutDays(counters, key, from, to);
      if (size === 0) missing++;
      else if (counters.get(key)!.size < size) removed++;
    }
    return {
      response: range === null ? { reset: removed, missing } : { deleted: removed, missing },
    };
  };
  const op = range === null ? "counter.batch_reset" : "counter.batch_delete_range";
  return { op, fields: { series, keys, ...range === null ? {} : { range } }, outcome };
}

function removeKey(random: Random): Step {
  const fields = { ...tree(random), key: BigInt(random.pick(KEYS)) };
  if (random.chance(0.5)) {
    return { op: "counter.reset", fields, outcome: () => ({ response: "OK" }) };
  }
  const range = days(random);
  const outcome = () => ({ response: true });
  return { op: "counter.delete_range", fields: { ...fields, range }, outcome };
}

/** Some items; with many, a value that overflows may come behind others. */
export function itemsOf(random: Random, isPositive: boolean): Item[] {
  return Array.from({ length: random.below(random.pick([3, 8])) }, (): Item => {
    const value = isPositive || random.chance(0.8) ? random.pick(VALUES) : 0n;
    const small = random.chance(0.7) ? value % 100n + (isPositive ? 1n : 0n) : value;
    return [BigInt(random.pick(KEYS)), DAY_FIRST + random.below(DAYS), small];
  });
}

export function countersOf(state: State, name: string): Counters {
  return state.get(name)?.counters ?? new Map();
}

export function tree(random: Random): { series: string } {
  // Few of them get most, so that much happens to the same.
  return { series: random.chance(0.5) ? TREES[0] : random.pick(TREES) };
}

/** A day, or today without a word. */
function bucket(random: Random): { bucket?: number } {
  return random.chance(0.5) ? {} : { bucket: DAY_FIRST + random.below(DAYS) };
}

function days(random: Random): { from: number; to: number } {
  const from = DAY_FIRST + random.below(DAYS);
  return { from, to: Math.min(from + random.below(DAYS), DAY_FIRST + 10) };
}
