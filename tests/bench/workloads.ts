// What is asked: each work as Karma's request and as the request that is its counterpart in Redis.
//
// Invariant: a work says what the reply to each of its requests is for one key, CHECKED, over the tree
// that it is measured on, so that nothing is measured that does not do what its name says. Every key
// then has its last days, the amount of each known; limits alone begin with nothing.
//
// The trade: the replies are whole texts, which are wrong as soon as a reply changes anywhere.

import type { Template } from "./requests.ts";

/** The tree, and how hashes begin in Redis. */
export const TREE = "d";
export const CHECKED = 42;
export const BATCH_ITEMS = 1000;
export const WEEK_DAYS = 7;
const MONTH_DAYS = 30;
const DAY_MS = 86_400_000;

export interface Side {
  readonly templates: readonly Template[];
  /** What CHECKED is answered to each. */
  readonly replies: readonly string[];
  /** How many items are in a request. */
  readonly items: number;
  /** How many requests stand for one of Karma's. */
  readonly requests: number;
  /** What a request adds to the tree's total, where that is always the same. */
  readonly adds?: number;
}

export interface Work {
  readonly name: string;
  /** How many days each key has before. */
  readonly days: number;
  readonly unit: "requests" | "items";
  readonly karma: Side;
  readonly redis: Side;
}

/** The scripts for Redis, which every server is given before. */
const FILES = ["range_sum.lua", "consume.lua", "consume_days.lua", "consume_minute.lua"];
export const SCRIPTS = FILES.map((file) => {
  return Deno.readTextFileSync(new URL(file, import.meta.url));
});
const [SUM_SHA, TOTALS_SHA, DAYS_SHA, MINUTE_SHA] = await Promise.all(SCRIPTS.map(sha1));

const now = new Date();
const TODAY = dayOf(now.getTime());
const FIRST = lastDays(MONTH_DAYS)[0];
const FIELDS = lastDays(MONTH_DAYS).join(" ");

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

function dayOf(milliseconds: number): number {
  return Number(new Date(milliseconds).toISOString().slice(0, 10).replaceAll("-", ""));
}

/** The last `count` days, the latest today. */
export function lastDays(count: number): number[] {
  return Array.from(
    { length: count },
    (_, day) => dayOf(now.getTime() - (count - 1 - day) * DAY_MS),
  );
}

/** What a key has on a day: small, as most counts of a day are. */
export function amount(key: number, day: number): number {
  return 1 + (key * 31 + day * 7) % 199;
}

/** The sum of what CHECKED has. */
function amounts(days: number): number {
  return lastDays(days).reduce((sum, day) => sum + amount(CHECKED, day), 0);
}

function keyed(request: object): string {
  return JSON.stringify({ ...request, key: 0 }).replace('"key":0', '"key":%K');
}

function v1(command: string, members: object = {}): string {
  return keyed({ command, tree_name: TREE, ...members });
}

function v2(op: string, members: object = {}): string {
  return keyed({ v: 2, op, series: TREE, ...members });
}

function answer1(response: string | number): string {
  return `{"success":true,"response":${response}}\r\n`;
}

function answer2(response: string | number): string {
  return `{"protocol_version":2,"success":true,"response":${response},"error_code":null}\n`;
}

/** A side with one request, whose reply tells how many line feeds all of them have. */
function side(text: string, reply: string, more: Partial<Side> = {}): Side {
  const lines = reply.split("\n").length - 1;
  const templates = [{ text, lines, tenths: 10 }];
  return { templates, replies: [reply], items: 1, requests: 1, ...more };
}

/** Redis' answer of several values. */
function bulks(values: readonly number[]): string {
  return `*${values.length}\r\n` + values.map((value) => bulk(value)).join("");
}

function bulk(value: number): string {
  return `$${`${value}`.length}\r\n${value}\r\n`;
}

function work(name: string, days: number, karma: Side, redis: Side): Work {
  return { name, days, unit: karma.items > 1 ? "items" : "requests", karma, redis };
}

const range1 = { time_from: FIRST, time_to: TODAY };
const range2 = { range: { from: FIRST, to: TODAY } };
const today1 = { time_from: TODAY, time_to: TODAY };
const today2 = { range: { from: TODAY, to: TODAY } };
const held = amount(CHECKED, TODAY);
const found = `{${lastDays(MONTH_DAYS).map((day) => `"${day}":${amount(CHECKED, day)}`)}}`;

const hincrby = side(`*HINCRBY ${TREE}:%K ${TODAY} 1`, `:${held + 1}\r\n`);
const hget = side(`*HGET ${TREE}:%K ${TODAY}`, bulk(held));
const hmget = side(
  `*HMGET ${TREE}:%K ${FIELDS}`,
  bulks(lastDays(MONTH_DAYS).map((day) => amount(CHECKED, day))),
);
const summing = side(
  `*EVALSHA ${SUM_SHA} 1 ${TREE}:%K ${FIELDS}`,
  `:${amounts(MONTH_DAYS)}\r\n`,
);

export const increment2 = work(
  "increment v2",
  1,
  side(v2("counter.increment"), answer2(1), { adds: 1 }),
  hincrby,
);

const reads: Work[] = [
  work("sum day v1", MONTH_DAYS, side(v1("sum", today1), answer1(held)), hget),
  work("sum day v2", MONTH_DAYS, side(v2("counter.sum", today2), answer2(held)), hget),
  work("sum total v2", MONTH_DAYS, side(v2("counter.sum"), answer2(amounts(MONTH_DAYS))), hget),
  work(
    "sum 30 days v1",
    MONTH_DAYS,
    side(v1("sum", range1), answer1(amounts(MONTH_DAYS))),
    summing,
  ),
  work(
    "sum 30 days v2",
    MONTH_DAYS,
    side(v2("counter.sum", range2), answer2(amounts(MONTH_DAYS))),
    summing,
  ),
  work("find 30 days v1", MONTH_DAYS, side(v1("find", range1), answer1(found)), hmget),
  work("find 30 days v2", MONTH_DAYS, side(v2("counter.series", range2), answer2(found)), hmget),
];

function batch(text: string): string {
  return Array(BATCH_ITEMS).fill(text).join(",");
}

const batches: Work[] = [
  work(
    "batch_add of 1000",
    1,
    side(
      `{"v":2,"op":"series.batch_add","series":"${TREE}","items":[${batch(`[%K,${TODAY},1]`)}]}`,
      answer2(`{"applied":${BATCH_ITEMS},"total":${BATCH_ITEMS}}`),
      { items: BATCH_ITEMS, adds: BATCH_ITEMS },
    ),
    { ...hincrby, requests: BATCH_ITEMS },
  ),
  work(
    "batch_sum of 1000",
    1,
    side(
      `{"v":2,"op":"counter.batch_sum","series":"${TREE}","keys":[${batch("%K")}]}`,
      answer2(`[${batch(`{"key":${CHECKED},"value":${held}}`)}]`),
      { items: BATCH_ITEMS },
    ),
    { ...hget, requests: BATCH_ITEMS },
  ),
];

/** A limit of a day and one of a month, and perhaps one of a minute, all allowing it. */
function consuming(hasMinute: boolean): Side {
  const limits = [
    ...hasMinute ? [{ series: "api_requests", max: 100, window: "minute" }] : [],
    { series: "api_requests", max: 1000, window: "day" },
    { series: "api_requests", max: 20000, window: "month" },
  ];
  const states = limits.map(({ series, max }) => {
    return { series, max, used: 1, remaining: max - 1 };
  });
  const state = { allowed: true, applied: 1, denied_by: null, limits: states };
  const request = { v: 2, op: "limit.consume", cost: 1, limits };
  return side(keyed(request), answer2(JSON.stringify(state)));
}

const MONTH = `${TODAY}`.slice(0, 6);
const MINUTE = Math.floor(now.getTime() / 60_000);
const ALLOWED = "*4\r\n:1\r\n:-1\r\n:1\r\n:1\r\n";
const consumes: Work[] = [
  work(
    "limit.consume",
    0,
    consuming(false),
    side(`*EVALSHA ${TOTALS_SHA} 1 totals:%K ${TODAY} ${MONTH} 1 1000 20000`, ALLOWED),
  ),
  work(
    "limit.consume (sums)",
    0,
    consuming(false),
    side(`*EVALSHA ${DAYS_SHA} 1 days:%K ${TODAY} 1 1000 20000`, ALLOWED),
  ),
  work(
    "limit.consume (minute)",
    0,
    consuming(true),
    side(
      `*EVALSHA ${MINUTE_SHA} 1 minutes:%K ${TODAY} ${MONTH} ${MINUTE} 1 100 1000 20000`,
      "*5\r\n:1\r\n:-1\r\n:1\r\n:1\r\n:1\r\n",
    ),
  ),
];

/** Several sides in one, each with its share of ten requests. */
function mix(...parts: readonly [Side, number][]): Side {
  const templates = parts.map(([{ templates }, tenths]) => ({ ...templates[0], tenths }));
  return { templates, replies: parts.map(([{ replies }]) => replies[0]), items: 1, requests: 1 };
}

const [, sumDay2, , , sumRange2, , find2] = reads;

/** 90 % reads: the day, the month, and the days of the month; 10 % increments, which come last. */
const mixed = work(
  "mixed, 90 % read",
  MONTH_DAYS,
  mix([sumDay2.karma, 5], [sumRange2.karma, 2], [find2.karma, 2], [increment2.karma, 1]),
  mix([hget, 5], [summing, 2], [hmget, 2], [hincrby, 1]),
);

export const increment1 = work(
  "increment v1",
  1,
  side(v1("increment"), answer1(1), { adds: 1 }),
  hincrby,
);

/** What a server that starts again is asked until it answers: whether CHECKED has its week. */
export const week = work(
  "sum 7 days v2",
  WEEK_DAYS,
  side(
    v2("counter.sum", { range: { from: lastDays(WEEK_DAYS)[0], to: TODAY } }),
    answer2(amounts(WEEK_DAYS)),
  ),
  side(`*HLEN ${TREE}:%K`, `:${WEEK_DAYS}\r\n`),
);

export const WORKS: readonly Work[] = [
  increment1,
  increment2,
  ...reads,
  ...batches,
  ...consumes,
  mixed,
];
