// What is drawn for a history of limits: names, keys, costs, lists of limits, and how they are written.
//
// Each history has a few lists that it asks again and again, as clients do, and now and then others.

import type { Random } from "../support/random.ts";
import { isRolling, type Limit, type Question, U64_MAX, type Window } from "./limits_model.ts";

/** What a history draws from. */
export interface Plan {
  readonly series: readonly string[];
  readonly keys: readonly bigint[];
  readonly costs: readonly bigint[];
  readonly maxima: readonly bigint[];
  readonly lists: readonly (readonly Limit[])[];
  /** Where questions are asked; undefined: where the server is. */
  readonly zones: readonly (string | undefined)[];
  /** How lists were written before. */
  readonly texts: Map<readonly Limit[], string>;
}

const SERIES = ["api", "café", 'a "quoted" \\ name', "x", "n".repeat(255)];
const KEYS = [0n, 1n, 42n, 1n << 32n, U64_MAX];

/** Clocks that change at midnight, just behind it, by half an hour, in Ramadan; odd offsets; a day left out. */
const ZONES = [
  "America/St_Johns",
  "America/Havana",
  "Australia/Lord_Howe",
  "Asia/Beirut",
  "Africa/Casablanca",
  "Asia/Kathmandu",
  "Pacific/Chatham",
  "America/New_York",
  "Pacific/Apia",
  "America/Santiago",
  "Antarctica/Casey",
  "Etc/GMT+12",
  "europe/BERLIN",
];

const SIZES: readonly (readonly [costs: readonly bigint[], maxima: readonly bigint[]])[] = [
  [[0n, 1n, 1n, 1n, 2n, 5n], [0n, 1n, 3n, 5n, 10n, 20n, 50n]],
  [[0n, 1n, 7n, 100n, 999n], [1000n, 3000n, 65_536n, 1n << 33n]],
  [
    [1n, (1n << 32n) - 1n, 1n << 32n, 1n << 62n, 1n << 63n, U64_MAX - 1n, U64_MAX],
    [1n, 1n << 32n, (1n << 63n) + 5n, U64_MAX - 1n, U64_MAX],
  ],
];

export function planOf(random: Random): Plan {
  const sizes = random.chance(0.2) ? SIZES : [random.pick(SIZES)];
  const drawn = {
    series: shuffled(SERIES, random).slice(0, random.pick([1, 1, 2, SERIES.length])),
    keys: shuffled(KEYS, random).slice(0, random.pick([1, 2, KEYS.length])),
    costs: sizes.flatMap(([costs]) => costs),
    maxima: sizes.flatMap(([, maxima]) => maxima),
    zones: random.chance(0.4)
      ? [undefined]
      : [undefined, random.pick(ZONES), random.pick(ZONES), random.pick(ZONES)],
    texts: new Map<readonly Limit[], string>(),
  };
  const count = 1 + random.below(6);
  return { ...drawn, lists: Array.from({ length: count }, () => drawList(drawn, random)) };
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const order = new Map(list.map((one) => [one, random.below(1 << 20)]));
  return list.toSorted((a, b) => order.get(a)! - order.get(b)!);
}

type Drawn = Omit<Plan, "lists">;

function drawList(plan: Drawn, random: Random): Limit[] {
  const count = random.pick([1, 1, 2, 2, 3, 5, 16]);
  const ownKeys = random.chance(0.3) ? 0.4 : 0;
  const ownCosts = random.chance(0.2) ? 0.5 : 0;
  // Of one cost, as saturating needs, or of each counter one.
  const shared = random.pick(plan.costs);
  const costs = new Map(plan.series.map((series) => {
    return [series, random.chance(0.5) ? shared : random.pick(plan.costs)];
  }));
  const hasCost = new Map(plan.series.map((series) => [series, random.chance(ownCosts)]));
  return Array.from({ length: count }, () => {
    const series = random.pick(plan.series);
    return {
      series,
      max: random.pick(plan.maxima),
      ...drawWindowAndCarry(plan, random),
      notify: random.chance(0.2) ? drawParts(random) : undefined,
      key: random.chance(ownKeys) ? random.pick(plan.keys) : undefined,
      // Now and then one that contradicts the others.
      cost: hasCost.get(series)! && !random.chance(0.02) ? costs.get(series) : undefined,
    };
  });
}

function drawParts(random: Random): string[] {
  const parts = ["0.000001", "0.1", "0.333333", "0.5", "0.8", "1"];
  return parts.filter(() => random.chance(0.5)).concat(random.pick(parts)).slice(0, 8);
}

/** Something may be carried over to windows of the calendar, and once in a while to others, which is refused. */
function drawWindowAndCarry(plan: Drawn, random: Random): { window: Window; carry?: bigint } {
  const window = drawWindow(random);
  if (!random.chance(hasCarry(window) ? 0.3 : 0.01)) return { window };
  return { window, carry: random.pick(random.chance(0.5) ? plan.maxima : plan.costs) };
}

function hasCarry(window: Window): boolean {
  return window !== "total" && !isRolling(window);
}

function drawWindow(random: Random): Window {
  const kind = random.below(12);
  if (kind === 8) return { week_from: random.pick(["monday", "wednesday", "saturday", "sunday"]) };
  if (kind === 9) return { year_from: random.pick(["01-01", "02-28", "02-29", "04-06", "12-31"]) };
  if (kind >= 10) {
    const anchor = random.pick(["2026-01-05", "2011-12-30", "1970-01-01", "2040-02-29"]);
    return { days: random.pick([1, 2, 7, 14, 28, 365]), anchor };
  }
  if (kind === 0) return { month_from: 1 + random.below(31) };
  if (kind === 1) return { month_from: 28 + random.below(4) };
  if (kind === 2) return { days: 1 + random.below(10) };
  if (kind === 3) return { days: random.pick([1, 7, 30, 90, 365, 400]) };
  const named = ["day", "week", "month", "year", "total"] as const;
  return random.pick(named);
}

export function drawQuestion(plan: Plan, random: Random): Question {
  const limits = random.chance(0.8) ? random.pick(plan.lists) : drawList(plan, random);
  const cost = random.pick(plan.costs);
  const mode = random.pick(
    ["reject", "reject", "reject", "saturate", "saturate", "force"] as const,
  );
  const isBrief = random.chance(0.2);
  return {
    key: random.pick(plan.keys),
    cost,
    limits,
    mode,
    zone: random.pick(plan.zones),
    isBrief,
  };
}

/** What is wrong with a question, if anything is. */
export function faultOf({ key, cost, limits, mode }: Question): string | null {
  const costs = new Map<string, bigint>();
  if (limits.some(({ window, carry }) => carry !== undefined && !hasCarry(window))) {
    return "Field limits[].carry needs a window of the calendar";
  }
  for (const limit of limits) {
    const counter = `${limit.key ?? key} ${limit.series}`;
    const own = limit.cost ?? cost;
    if ((costs.get(counter) ?? own) !== own) {
      return "Field limits[].cost must be one for each series and key";
    }
    costs.set(counter, own);
  }
  if (mode !== "saturate" || new Set(costs.values()).size === 1) return null;
  return "Field limits[].cost must be one for all limits in mode saturate";
}

/** The members of a request with that question, `subject` being its key or keys. */
export function textOfQuestion(
  question: Question,
  random: Random,
  texts: Plan["texts"],
  subject?: string,
) {
  const { key, cost, limits, mode, zone, isBrief } = question;
  const list = texts.get(limits) ?? `[${limits.map((limit) => textOfLimit(limit, random))}]`;
  if (random.chance(0.8)) texts.set(limits, list);
  const members = [subject ?? `"key":${number(key, random)}`, `"limits":${list}`];
  if (cost !== 1n || random.chance(0.5)) members.push(`"cost":${number(cost, random)}`);
  if (mode !== "reject" || random.chance(0.5)) members.push(`"mode":"${mode}"`);
  if (zone !== undefined) members.push(`"timezone":${timeZone(zone, random)}`);
  if (isBrief || random.chance(0.1)) members.push(`"reply":"${isBrief ? "brief" : "full"}"`);
  // In any order: the last comes first, or not.
  return (random.chance(0.5) ? members : members.toReversed()).join();
}

function textOfLimit(limit: Limit, random: Random): string {
  const { series, max, window, key, cost, carry, notify } = limit;
  const name = random.chance(0.2) ? escaped(series) : JSON.stringify(series);
  const members = [`"series":${name}`, `"max":${number(max, random)}`];
  members.push(`"window":${JSON.stringify(window)}`);
  if (carry !== undefined) members.push(`"carry":{"max":${number(carry, random)}}`);
  if (key !== undefined) members.push(`"key":${number(key, random)}`);
  if (cost !== undefined) members.push(`"cost":${number(cost, random)}`);
  if (notify !== undefined) members.push(`"notify":[${notify}]`);
  if (random.chance(0.3)) members.reverse();
  return random.chance(0.2) ? `{ ${members.join(" , ")} }` : `{${members}}`;
}

function number(value: bigint, random: Random): string {
  return random.chance(0.2) ? `"${value}"` : `${value}`;
}

/** A zone as a client may write it. */
export function timeZone(name: string, random: Random): string {
  return random.pick([`"${name}"`, `"${name}"`, `"${name.replaceAll("/", "\\/")}"`, escaped(name)]);
}

function escaped(text: string): string {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("")}"`;
}
