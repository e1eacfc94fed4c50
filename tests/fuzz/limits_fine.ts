// Random histories of limits below a day beside a model: the list of what was admitted, with its milliseconds, and
// token buckets in BigInt (GCRA). The clock is moved to, and to just before, each moment that an answer tells; Karma
// is killed, swept, dumped.
//
// Invariant: nothing of lib/limits is used here. That no interval holds more than a rolling limit allows is concluded
// from the admitted requests alone.

import { assert, assertEquals } from "@std/assert";
import { checkTree } from "../../lib/tree/check.ts";
import { Random } from "../support/random.ts";
import { World } from "./limits_world.ts";

const BEGIN = Date.UTC(2026, 10, 23, 12);
const SECOND = 1000;
const HOUR = 3600 * SECOND;

/** A bucket is in debt for 31 days at most. */
const DEBT_MS = 2_678_400_000n;

interface Clock {
  readonly shape: "clock" | "rolling" | "first";
  readonly lengthMs: number;
}

interface Bucket {
  readonly shape: "bucket";
  readonly refill: bigint;
  readonly perMs: bigint;
  readonly burst: bigint;
}

type Shape = Clock | Bucket;

interface Limit {
  readonly series: string;
  readonly window: unknown;
  readonly shape: Shape;
  readonly max: bigint;
}

interface Told {
  readonly used: number;
  readonly remaining: number;
  readonly resets_at: string | null;
  readonly retry_at?: string | null;
}

interface Answer {
  readonly allowed: boolean;
  readonly applied: number;
  readonly limits: readonly Told[];
  readonly receipt?: string;
}

const clock = (shape: Clock["shape"], seconds: number): Clock => ({
  shape,
  lengthMs: 1000 * seconds,
});
const bucket = (refill: bigint, per: bigint, burst: bigint): Bucket => {
  return { shape: "bucket", refill, perMs: 1000n * per, burst };
};

const WINDOWS: readonly [window: unknown, shape: Shape][] = [
  ["minute", clock("clock", 60)],
  ["hour", clock("clock", 3600)],
  [{ seconds: 1 }, clock("rolling", 1)],
  [{ seconds: 10 }, clock("rolling", 10)],
  [{ seconds: 100 }, clock("rolling", 100)],
  [{ minutes: 5 }, clock("rolling", 300)],
  [{ hours: 48 }, clock("rolling", 172_800)],
  [{ seconds: 30, from: "first_use" }, clock("first", 30)],
  [{ hours: 5, from: "first_use" }, clock("first", 18_000)],
  [{ days: 2, from: "first_use" }, clock("first", 172_800)],
  [{ refill: 30, per_seconds: 60, burst: 15 }, bucket(30n, 60n, 15n)],
  [{ refill: 7, per_seconds: 60, burst: 0 }, bucket(7n, 60n, 0n)],
  [{ refill: 1, per_seconds: 86_400, burst: 3 }, bucket(1n, 86_400n, 3n)],
  [{ refill: 1000, per_seconds: 1, burst: 500 }, bucket(1000n, 1n, 500n)],
];

/** What was charged under one window of one counter. */
class Charges {
  readonly shape: Shape;
  /** What was admitted, and where the model counts it. */
  readonly list: { ms: number; amount: bigint; endsMs: number }[] = [];
  /** Of a bucket, the moment at which it is full, in units of 1/refill of a millisecond. */
  fullAt = 0n;

  constructor(shape: Shape) {
    this.shape = shape;
  }

  used(now: number): bigint {
    const { shape } = this;
    if (shape.shape === "bucket") {
      const ahead = this.fullAt - BigInt(now) * shape.refill;
      return ahead <= 0n ? 0n : (ahead + shape.perMs - 1n) / shape.perMs;
    }
    return this.#seen(now).reduce((sum, { amount }) => sum + amount, 0n);
  }

  charge(now: number, amount: bigint): void {
    const { shape } = this;
    if (amount === 0n) return;
    if (shape.shape === "bucket") {
      const nowUnits = BigInt(now) * shape.refill;
      const fullAt = (this.fullAt > nowUnits ? this.fullAt : nowUnits) + amount * shape.perMs;
      const most = nowUnits + (shape.burst + 1n) * shape.perMs + DEBT_MS * shape.refill;
      this.fullAt = fullAt < most ? fullAt : most;
      return;
    }
    this.list.push({ ms: now, amount, endsMs: this.#endOf(shape, now) });
  }

  /** When what is held becomes less, or null. */
  resets(now: number): number | null {
    const { shape } = this;
    if (shape.shape === "clock") return this.#endOf(shape, now);
    if (shape.shape === "bucket") {
      if (this.fullAt <= BigInt(now) * shape.refill) return null;
      return Number((this.fullAt + shape.refill - 1n) / shape.refill);
    }
    const seen = this.#seen(now);
    return seen.length === 0 ? null : Math.min(...seen.map(({ endsMs }) => endsMs));
  }

  #seen(now: number) {
    return this.list.filter(({ endsMs, amount }) => now < endsMs && amount > 0n);
  }

  /** When something that is charged now leaves. */
  #endOf({ shape, lengthMs }: Clock, now: number): number {
    if (shape === "clock") return now - now % lengthMs + lengthMs;
    if (shape === "first") {
      const [open] = this.#seen(now);
      return open?.endsMs ?? now - now % SECOND + SECOND + lengthMs;
    }
    const cellMs = Math.max(SECOND, Math.ceil(lengthMs / 60));
    return now - now % cellMs + cellMs + lengthMs;
  }

  /** That no interval as long as a rolling window holds more than `max` of what was admitted. */
  proveIntervals(max: bigint): void {
    const { shape, list } = this;
    if (shape.shape !== "rolling") return;
    for (const { ms } of list) {
      const inside = list.filter((one) => one.ms <= ms && one.ms >= ms - shape.lengthMs);
      const sum = inside.reduce((sum, { amount }) => sum + amount, 0n);
      assert(sum <= max, `${sum} of ${max} in ${shape.lengthMs} ms`);
    }
  }
}

class History {
  readonly #random: Random;
  readonly #world = new World("UTC", BEGIN, 0);
  readonly #limits: readonly Limit[];
  readonly #charges = new Map<string, Charges>();
  /** What each series counted in all, which is what its days hold. */
  readonly #totals = new Map<string, bigint>();
  #isForced = false;

  constructor(random: Random) {
    this.#random = random;
    this.#limits = Array.from({ length: 5 }, () => {
      const [window, shape] = random.pick(WINDOWS);
      const series = random.pick(["a", "b"]);
      const max = shape.shape === "bucket" ? shape.burst + 1n : BigInt(1 + random.below(20));
      return { series, window, shape, max };
    });
  }

  async play(steps: number): Promise<void> {
    const random = this.#random;
    await this.#world.start();
    for (let step = 0; step < steps; step++) {
      const kind = random.below(100);
      if (kind < 60) await this.#consume();
      else if (kind < 64) await this.#restart();
      else if (kind < 70) await this.#world.karma.engine.forgetWindows();
      else if (kind < 71) await this.#reset();
      else {this.#move(
          random.pick([0, 1, 7, 400, SECOND, 5 * SECOND, 61 * SECOND, HOUR, 30 * HOUR]),
        );}
    }
    await this.#restart();
    await this.#world.end();
    if (this.#isForced) return;
    for (const limit of this.#limits) {
      for (const key of [1, 2]) this.#chargesOf(limit, key).proveIntervals(this.#leastMax(limit));
    }
  }

  /** The lowest of the limits that see the same charges does not bound them: others have admitted, too. */
  #leastMax(limit: Limit): bigint {
    const same = this.#limits.filter((other) => idOf(other) === idOf(limit));
    return same.reduce((most, { max }) => max > most ? max : most, 0n);
  }

  #chargesOf(limit: Limit, key: number): Charges {
    const id = `${key} ${idOf(limit)}`;
    const known = this.#charges.get(id);
    if (known !== undefined) return known;
    const made = new Charges(limit.shape);
    this.#charges.set(id, made);
    return made;
  }

  #move(ms: number): void {
    this.#world.moveTo(this.#world.ms + ms);
  }

  async #restart(): Promise<void> {
    const random = this.#random;
    if (random.chance(0.5)) await this.#world.ask('{"v":2,"op":"snapshot.create_all"}');
    await this.#world.restart(random, "UTC");
    const { forest } = this.#world.karma;
    forest.check();
    for (const tree of forest.trees()) checkTree(tree);
  }

  async #reset(): Promise<void> {
    const key = this.#random.pick([1, 2]);
    const series = this.#random.pick(["a", "b"]);
    const text = await this.#world.ask(
      `{"v":2,"op":"counter.reset","series":"${series}","key":${key}}`,
    );
    if (!text.includes('"success":true')) return;
    this.#totals.delete(`${key} ${series}`);
    for (const limit of this.#limits) {
      if (limit.series === series) this.#charges.delete(`${key} ${idOf(limit)}`);
    }
  }

  async #consume(): Promise<void> {
    const random = this.#random;
    const key = random.pick([1, 1, 2]);
    const limits = this.#limits.filter(() => random.chance(0.5));
    if (limits.length === 0) return;
    const mode = random.pick(["reject", "reject", "reject", "saturate", "force"]);
    const cost = BigInt(random.pick([0, 1, 1, 1, 2, 5, 30]));
    if (mode === "force" && cost > 0n) this.#isForced = true;
    const now = this.#world.ms;
    const before = limits.map((limit) => this.#chargesOf(limit, key).used(now));
    const rooms = limits.map(({ max }, at) => before[at] > max ? 0n : max - before[at]);
    const refused = limits.map(({ max }, at) => mode !== "force" && before[at] + cost > max);
    let applied = cost;
    if (mode === "saturate") {
      applied = rooms.reduce((least, room) => room < least ? room : least, cost);
    }
    if (mode === "reject" && refused.includes(true)) applied = 0n;
    const charged = new Set<Charges>(limits.map((limit) => this.#chargesOf(limit, key)));
    for (const charges of charged) charges.charge(now, applied);
    for (const series of new Set(limits.map(({ series }) => series))) {
      const id = `${key} ${series}`;
      this.#totals.set(id, (this.#totals.get(id) ?? 0n) + applied);
    }
    const answer = await this.#ask("consume", limits, key, cost, mode);
    assertEquals(BigInt(answer.applied), applied);
    for (const [at, limit] of limits.entries()) {
      this.#compare(answer.limits[at], limit, key, refused[at]);
      if (refused[at]) await this.#proveRetry(answer.limits[at], limit, key, cost);
    }
    await this.#compareDays(key, limits[0].series);
    if (random.chance(0.3)) this.#goTo(answer);
  }

  #compare(told: Told, limit: Limit, key: number, isRefused: boolean): void {
    const charges = this.#chargesOf(limit, key);
    const { ms } = this.#world;
    const used = charges.used(ms);
    const resets = charges.resets(ms);
    assertEquals(BigInt(told.used), used, idOf(limit));
    assertEquals(told.resets_at === null ? null : Date.parse(told.resets_at), resets, idOf(limit));
    assertEquals(told.retry_at !== undefined, isRefused);
  }

  /** Just before the moment it is still refused; then it is not. */
  async #proveRetry(told: Told, limit: Limit, key: number, cost: bigint): Promise<void> {
    const now = this.#world.ms;
    if (cost > limit.max) return assertEquals(told.retry_at, null);
    const retry = Date.parse(told.retry_at!);
    this.#world.moveTo(Math.max(now, retry - 1));
    if (retry > now) assert(!(await this.#ask("check", [limit], key, cost, "reject")).allowed);
    this.#world.moveTo(retry);
    const then = await this.#ask("check", [limit], key, cost, "reject");
    assert(then.allowed, `${idOf(limit)} at ${told.retry_at}`);
    this.#compare(then.limits[0], limit, key, false);
    this.#world.moveTo(now);
  }

  /** What days hold is what was charged, whatever windows were asked for. */
  async #compareDays(key: number, series: string): Promise<void> {
    const text = await this.#world.ask(
      `{"v":2,"op":"counter.sum","series":"${series}","key":${key}}`,
    );
    const sum = /"response":(\d+)/.exec(text)?.[1] ?? "0"; // no tree, no sum
    assertEquals(BigInt(sum), this.#totals.get(`${key} ${series}`) ?? 0n);
  }

  /** To a moment of an answer, or to just before it. */
  #goTo({ limits }: Answer): void {
    const { resets_at: resets } = this.#random.pick([...limits]);
    if (resets === null) return;
    const ms = Date.parse(resets) - this.#random.below(2);
    if (ms > this.#world.ms) this.#world.moveTo(ms);
  }

  async #ask(
    op: string,
    limits: readonly Limit[],
    key: number,
    cost: bigint,
    mode: string,
  ): Promise<Answer> {
    const list = limits.map(({ series, window, max, shape }) => {
      return shape.shape === "bucket" ? { series, window } : { series, window, max: Number(max) };
    });
    const line = { v: 2, op: `limit.${op}`, key, cost: Number(cost), mode, limits: list };
    const text = await this.#world.ask(JSON.stringify(line));
    const { success, response } = JSON.parse(text);
    assert(success, text);
    return response;
  }
}

function idOf({ series, window }: Limit): string {
  return `${series} ${JSON.stringify(window)}`;
}

/** One history of so many steps; throws where Karma and the model differ. */
export async function fuzzFine(seed: number, steps: number): Promise<void> {
  await new History(new Random(seed)).play(steps);
}
