// Proofs of the times in answers about limits: the clock is moved to just before a moment and to it, and
// Karma asked what it counts, or allows, then. Nothing is used meanwhile.

import { assert, assertEquals } from "@std/assert";
import type { Random } from "../support/random.ts";
import { isIn, type Limit, type Model, type Question } from "./limits_model.ts";
import { type Plan, textOfQuestion } from "./limits_plan.ts";
import { success, type World } from "./limits_world.ts";

const DAY_MS = 86_400_000;

/** How long nothing may happen where it is said that nothing ever will. */
const NEVER_MS = 800 * DAY_MS;

/** Of one limit, what an answer tells about times. */
interface Told {
  readonly resets_at: string | null;
  readonly retry_at?: string | null;
}

export class Proofs {
  readonly #world: World;
  readonly #model: Model;
  readonly #texts: Plan["texts"];
  readonly #random: Random;
  /** Where the question was asked. */
  #zone: string | undefined;

  constructor(world: World, model: Model, texts: Plan["texts"], random: Random) {
    this.#world = world;
    this.#model = model;
    this.#texts = texts;
    this.#random = random;
  }

  get #today(): number {
    return this.#world.here(this.#zone).today;
  }

  /** Asks just before and at the moments of an answer; in between nothing is used. */
  async prove(question: Question, told: readonly Told[]): Promise<void> {
    const now = this.#world.ms;
    const index = this.#random.below(told.length);
    const limit = question.limits[index];
    const { resets_at: resets, retry_at: retry } = told[index];
    const key = limit.key ?? question.key;
    this.#zone = question.zone;
    if (resets !== null) await this.#proveReset(limit, key, Date.parse(resets));
    this.#world.moveTo(now);
    const cost = limit.cost ?? question.cost;
    if (retry !== undefined) await this.#proveRetry(limit, key, cost, retry);
    this.#world.moveTo(now);
  }

  async #proveReset(limit: Limit, key: bigint, moment: number): Promise<void> {
    const now = this.#today;
    const held = [...this.#model.counter(limit.series, key).keys()];
    const counted = held.filter((day) => isIn(limit.window, day, now));
    this.#world.moveTo(moment - 1);
    const before = await this.#usedBy(limit, key);
    assert(
      counted.every((day) => isIn(limit.window, day, this.#today)),
      "it holds what it held",
    );
    this.#world.moveTo(moment);
    const after = await this.#usedBy(limit, key);
    const isRolling = typeof limit.window === "object" && "days" in limit.window;
    const left = counted.filter((day) => !isIn(limit.window, day, this.#today));
    if (!isRolling) assertEquals(left, counted, "nothing of it is held any more");
    if (counted.length === 0) return;
    assert(left.includes(Math.min(...counted)), "the oldest day has left");
    assert(before >= left.reduce((sum, day) => sum + this.#held(limit, key, day), 0n));
    assertEquals(after, this.#model.used(limit, key, this.#today));
  }

  #held({ series }: Limit, key: bigint, day: number): bigint {
    return this.#model.counter(series, key).get(day) ?? 0n;
  }

  async #usedBy(limit: Limit, key: bigint): Promise<bigint> {
    const text = await this.#judgedNow(limit, key, 0n);
    return BigInt(/"used":(\d+)/.exec(text)![1]);
  }

  /** What Karma says now of one limit: which is also what the model says. */
  async #judgedNow(limit: Limit, key: bigint, cost: bigint): Promise<string> {
    const { series, max, window, carry } = limit;
    const zone = this.#zone;
    const limits = [{ series, max, window, carry }];
    const question = { key, cost, limits, mode: "reject", zone } as const;
    const body = textOfQuestion(question, this.#random, this.#texts);
    const text = await this.#world.ask(`{"v":2,"op":"limit.check",${body}}`);
    assertEquals(
      text,
      success(this.#model.checked(question, this.#world.here(zone)), null),
    );
    return text;
  }

  async #proveRetry(limit: Limit, key: bigint, cost: bigint, retry: string | null): Promise<void> {
    const now = this.#world.ms;
    const end = retry === null ? now + NEVER_MS : Date.parse(retry);
    const moments = Array.from(
      { length: 6 },
      () => now + 1000 * this.#random.below(Math.ceil((end - now) / 1000)),
    );
    for (const moment of [...moments, end - 1]) {
      this.#world.moveTo(moment);
      const text = await this.#judgedNow(limit, key, cost);
      assert(text.includes('"allowed":false'), `not before ${retry}`);
    }
    if (retry === null) return;
    this.#world.moveTo(end);
    assert((await this.#judgedNow(limit, key, cost)).includes('"allowed":true'), `at ${retry}`);
  }
}
