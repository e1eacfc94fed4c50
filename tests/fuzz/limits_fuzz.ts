// Random histories of limits beside a model (limits_model.ts): years go by, zones change, days are
// counted in advance, trees are dropped, requests repeated, receipts used twice, Karma killed.
//
// Invariant: every answer is the model's, byte for byte. And the times in it are proved: the clock is
// moved to just before a moment and to it, and Karma asked what it counts then.

import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { days } from "./limits_days.ts";
import { Kept } from "./limits_kept.ts";
import { type Charge, Model, type Question, U64_MAX } from "./limits_model.ts";
import {
  drawQuestion,
  faultOf,
  type Plan,
  planOf,
  textOfQuestion,
  timeZone,
} from "./limits_plan.ts";
import { Proofs } from "./limits_proofs.ts";
import { failure, success, World, ZONES } from "./limits_world.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Where histories begin, and in which zone most of them: before Samoa left out a day, before St John's went back
 * over midnight, before leap days, years, changes of clocks. */
const BEGINNINGS: readonly (readonly [ms: number, zone: string | null])[] = [
  [Date.UTC(2010, 2, 12), "America/St_Johns"],
  [Date.UTC(2010, 10, 5), "America/St_Johns"],
  [Date.UTC(2010, 10, 7), "America/St_Johns"],
  [Date.UTC(2011, 11, 20), "Pacific/Apia"],
  [Date.UTC(2011, 11, 27), "Pacific/Apia"],
  [Date.UTC(2011, 11, 28), "Pacific/Apia"],
  [Date.UTC(2020, 1, 20), null],
  [Date.UTC(2023, 11, 25), null],
  [Date.UTC(2024, 1, 27), null],
  [Date.UTC(2026, 2, 6), null],
  [Date.UTC(2026, 2, 27), null],
  [Date.UTC(2026, 9, 23), null],
  [Date.UTC(2099, 11, 1), null],
];

/** Years go by, or a few days. */
const STEPS_MS = [
  [0, 1, 1000, HOUR_MS, 7 * HOUR_MS, DAY_MS, 3 * DAY_MS, 20 * DAY_MS, 90 * DAY_MS],
  [0, 1, 1000, HOUR_MS, HOUR_MS, 7 * HOUR_MS],
];

interface Receipt {
  readonly day: number;
  readonly charges: readonly Charge[];
  /** Of each charge, what refunds have not asked for yet, and what they gave back in all. */
  readonly left: bigint[];
  readonly given: bigint[];
  /** The trees that were charged, as they were then. */
  readonly trees: readonly unknown[];
  readonly created: number;
  isRefunded: boolean;
}

class History {
  readonly #random: Random;
  readonly #model = new Model();
  readonly #plan: Plan;
  readonly #kept: Kept;
  readonly #receipts = new Map<string, Receipt>();
  /** Requests under idempotency keys, and the answers that were kept. */
  readonly #once = new Map<string, { question: Question; body: string; response: string }>();
  readonly #steps: readonly number[];
  readonly #world: World;
  readonly #proofs: Proofs;
  #ids = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#plan = planOf(random);
    this.#kept = new Kept(random.pick([0, 0, 604_800]));
    this.#steps = random.pick(STEPS_MS);
    const [about, special] = random.pick(BEGINNINGS);
    const ms = about + random.below(3 * DAY_MS);
    const zone = special !== null && random.chance(0.7) ? special : random.pick(ZONES);
    this.#world = new World(zone, ms, this.#kept.ageMaxSeconds);
    const { texts } = this.#plan;
    this.#proofs = new Proofs(this.#world, this.#model, texts, random);
  }

  async play(steps: number): Promise<void> {
    await this.#world.start();
    for (let step = 0; step < steps; step++) {
      const kind = this.#random.below(100);
      if (kind < 40) await this.#consume();
      else if (kind < 52) await this.#check();
      else if (kind < 56) await this.#checkMany();
      else if (kind < 63) await this.#refund();
      else if (kind < 68) await this.#repeat();
      else if (kind < 82) await this.#write();
      else if (kind < 83) await this.#drop();
      else if (kind < 85) await this.#restart();
      else this.#move();
    }
    await this.#restart();
    await this.#world.end();
  }

  /** Kills it and starts it again: nothing is lost. */
  async #restart(): Promise<void> {
    const random = this.#random;
    this.#compare();
    if (random.chance(0.3)) await this.#do('{"v":2,"op":"snapshot.create_all"}');
    await this.#world.restart(random, random.chance(0.3) ? random.pick(ZONES) : this.#world.zone);
    this.#compare();
  }

  #move(): void {
    const random = this.#random;
    const world = this.#world;
    world.moveTo(world.ms + random.pick(this.#steps) * (random.chance(0.1) ? -1 : 1));
    // Most that is interesting is at midnight.
    if (random.chance(0.3)) {
      const { zone, today } = world.here(random.pick(this.#plan.zones));
      world.moveTo(days.start(zone, today + 1) - random.pick([0, 1, 1000]));
    }
  }

  #compare(): void {
    const { series, keys } = this.#plan;
    for (const name of series) {
      for (const key of keys) {
        const counter = [...this.#model.counter(name, key)].sort(([a], [b]) => a - b);
        const expected = counter.map(([day, value]) => `${days.number(day)} ${value}`);
        assertEquals(this.#world.counted(name, key), expected);
      }
    }
    this.#world.check();
  }

  #textOf(question: Question, subject?: string): string {
    return textOfQuestion(question, this.#random, this.#plan.texts, subject);
  }

  // --- Limits ----------------------------------------------------------------------------------

  async #consume(): Promise<void> {
    const random = this.#random;
    const question = drawQuestion(this.#plan, random);
    const wantsReceipt = random.chance(0.3);
    const body = this.#textOf(question) + (wantsReceipt ? ',"receipt":true' : "");
    const id = random.chance(0.3) ? `id ${++this.#ids}` : null;
    await this.#send(question, body, id);
  }

  /** Consumes, under an idempotency key or not, and compares the answer. */
  async #send(question: Question, body: string, id: string | null): Promise<void> {
    const model = this.#model;
    const once = id === null ? "" : `,"idempotency_key":"${id}"`;
    const text = await this.#world.ask(`{"v":2,"op":"limit.consume",${body}${once}}`);
    const fault = faultOf(question);
    if (fault !== null) return assertEquals(text, failure("validation_error", fault));
    const here = this.#world.here(question.zone);
    const judgement = model.judge(question, here.today);
    const charges = judgement.isAllowed ? model.chargesOf(question, judgement) : [];
    const isCharged = charges.some(({ amount }) => amount > 0n);
    const isBeyond = ({ series, key, amount }: Charge) => {
      return isCharged && model.total(series, key) + amount > U64_MAX;
    };
    const beyond = charges.find(isBeyond);
    if (beyond !== undefined) {
      const bucket = days.number(here.today);
      const sentence = `Counter overflow key=${beyond.key} bucket=${bucket}`;
      return assertEquals(text, failure("validation_error", sentence));
    }
    for (const { series, key, amount } of charges) {
      model.add(series, key, here.today, amount);
    }
    let response = model.answer(question, judgement, here, isCharged ? charges : []);
    if (isCharged && body.includes('"receipt":true')) {
      const receipt = /"receipt":"([0-9a-f-]{36})"/.exec(text)?.[1] ?? "none";
      response += `,"receipt":"${receipt}"`;
      const [day, created] = [here.today, this.#world.seconds];
      const trees = charges.map(({ series }) => model.trees.get(series));
      const left = charges.map(({ amount }) => amount);
      const given = charges.map(() => 0n);
      this.#receipts.set(receipt, { day, charges, left, given, trees, created, isRefunded: false });
      this.#kept.add(`receipt ${receipt}`, created);
    }
    response += "}";
    assertEquals(text, success(response, id === null ? null : false));
    if (id !== null && isCharged) {
      this.#kept.add(id, this.#world.seconds);
      this.#once.set(id, { question, body, response });
    }
    if (question.isBrief || !this.#random.chance(0.15)) return;
    await this.#proofs.prove(question, JSON.parse(response).limits);
  }

  async #check(): Promise<void> {
    const question = drawQuestion(this.#plan, this.#random);
    const text = await this.#world.ask(
      `{"v":2,"op":"limit.check",${this.#textOf(question)}}`,
    );
    const fault = faultOf(question);
    if (fault !== null) return assertEquals(text, failure("validation_error", fault));
    const response = this.#model.checked(question, this.#world.here(question.zone));
    assertEquals(text, success(response, null));
    if (question.isBrief || !this.#random.chance(0.3)) return;
    await this.#proofs.prove(question, JSON.parse(response).limits);
  }

  async #checkMany(): Promise<void> {
    const random = this.#random;
    const question = drawQuestion(this.#plan, random);
    const keys = Array.from({ length: 1 + random.below(4) }, () => random.pick(this.#plan.keys));
    const body = this.#textOf(question, `"keys":[${keys}]`);
    const text = await this.#world.ask(`{"v":2,"op":"limit.check",${body}}`);
    const faults = keys.map((key) => faultOf({ ...question, key })).filter((one) => one !== null);
    // Of each counter before of all limits, as for one key.
    const fault = faults.find((one) => one.includes("each")) ?? faults[0];
    if (fault !== undefined) return assertEquals(text, failure("validation_error", fault));
    const here = this.#world.here(question.zone);
    const results = keys.map((key) => this.#model.checked({ ...question, key }, here));
    assertEquals(text, success(`{"results":[${results}]}`, null));
  }

  async #refund(): Promise<void> {
    const random = this.#random;
    if (this.#receipts.size === 0) return;
    const recent = [...this.#receipts].slice(-6);
    const [name, receipt] = random.pick(recent);
    const once = random.chance(0.3) ? `,"idempotency_key":"refund ${++this.#ids}"` : "";
    const part = random.chance(0.4) ? random.pick(this.#plan.costs) || 1n : null;
    const amount = part === null ? "" : `,"amount":${part}`;
    const request = `{"v":2,"op":"limit.refund","receipt":"${name}"${amount}${once}}`;
    const text = await this.#world.ask(request);
    if (!this.#kept.has(`receipt ${name}`, this.#world.seconds)) {
      return assertEquals(text, failure("not_found", `Receipt \\"${name}\\" not found`));
    }
    const { left, given, isRefunded } = receipt;
    const told = receipt.charges.map(({ series, key }, index) => {
      if (isRefunded) return given[index];
      const isThere = this.#model.trees.get(series) === receipt.trees[index];
      const held = isThere ? this.#model.counter(series, key).get(receipt.day) ?? 0n : 0n;
      const due = part !== null && part < left[index] ? part : left[index];
      left[index] -= due;
      return held < due ? held : due;
    });
    const charges = receipt.charges.map(({ series, key }, index) => {
      return `{"series":${JSON.stringify(series)},"key":${key},"amount":${told[index]}}`;
    });
    const response = `{"refunded":${!isRefunded},"day":${
      days.number(receipt.day)
    },"charges":[${charges}]}`;
    assertEquals(text, success(response, once === "" ? null : false));
    if (isRefunded) return;
    receipt.isRefunded = left.every((rest) => rest === 0n);
    this.#kept.add(`receipt ${name}`, receipt.created);
    receipt.charges.forEach(({ series, key }, index) => {
      given[index] += told[index];
      if (told[index] > 0n) this.#model.subtract(series, key, receipt.day, told[index]);
    });
  }

  /** Sends again what was sent under an idempotency key, or something else under it. */
  async #repeat(): Promise<void> {
    const random = this.#random;
    const known = [...this.#once].slice(-8);
    if (known.length === 0) return;
    const [id, { question, body, response }] = random.pick(known);
    if (!this.#kept.has(id, this.#world.seconds)) return await this.#send(question, body, id);
    if (random.chance(0.7)) {
      const text = await this.#world.ask(
        `{"v":2,"idempotency_key":"${id}",${body},"op":"limit.consume"}`,
      );
      return assertEquals(text, success(response, true));
    }
    const other = body.includes("receipt")
      ? body.replace(',"receipt":true', "")
      : `${body},"receipt":true`;
    const text = await this.#world.ask(
      `{"v":2,"op":"limit.consume",${other},"idempotency_key":"${id}"}`,
    );
    const sentence = "Idempotency key was already used with a different request";
    assertEquals(text, failure("idempotency_conflict", sentence));
  }

  // --- Other changes ---------------------------------------------------------------------------

  /** A change by an older operation: today, before, or in advance. */
  async #write(): Promise<void> {
    const random = this.#random;
    const model = this.#model;
    const series = random.pick(this.#plan.series);
    const key = random.pick(this.#plan.keys);
    const near = random.pick([0, 0, 1, 2, 3, 40, 400]);
    const day = this.#world.today + random.below(2 * near + 1) - near;
    const { costs, maxima } = this.#plan;
    const value = random.pick(random.chance(0.7) ? costs : maxima) || 1n; // none of these adds nothing
    const held = model.counter(series, key).get(day) ?? 0n;
    const name = JSON.stringify(series);
    const bucket = days.number(day);
    const kind = random.below(6);
    if (kind === 0) {
      const range = `"range":{"from":${days.number(day - 10)},"to":${bucket}}`;
      await this.#do(`{"v":2,"op":"counter.delete_range","series":${name},"key":${key},${range}}`);
      for (let gone = day - 10; gone <= day; gone++) model.set(series, key, gone, 0n);
    } else if (kind === 1) {
      const point = `"bucket":${bucket},"value":${value}`;
      await this.#do(`{"v":2,"op":"counter.decrement","series":${name},"key":${key},${point}}`);
      model.subtract(series, key, day, value);
    } else if (model.total(series, key) - (kind === 2 ? held : 0n) + value > U64_MAX) {
      return;
    } else if (kind === 2) {
      const items = `"items":[[${key},${bucket},${value}]]`;
      await this.#do(`{"v":2,"op":"series.batch_set","series":${name},${items}}`);
      model.set(series, key, day, value);
    } else if (kind === 3) {
      const zone = random.pick(this.#plan.zones);
      const point = `"value":${value}${
        zone === undefined ? "" : `,"timezone":${timeZone(zone, random)}`
      }`;
      await this.#do(`{"v":2,"op":"counter.increment","series":${name},"key":${key},${point}}`);
      model.add(series, key, this.#world.here(zone).today, value);
    } else {
      const point = `"bucket":${bucket},"value":${value}`;
      await this.#do(`{"v":2,"op":"counter.increment","series":${name},"key":${key},${point}}`);
      model.add(series, key, day, value);
    }
  }

  async #drop(): Promise<void> {
    const series = this.#random.pick(this.#plan.series);
    if (this.#world.karma.forest.named(series) === null) return;
    await this.#do(`{"v":2,"op":"tree.drop","series":${JSON.stringify(series)}}`);
    this.#model.trees.delete(series);
  }

  async #do(line: string): Promise<void> {
    const text = await this.#world.ask(line);
    assert(text.includes('"success":true'), `${line} ${text}`);
  }
}

/** One history of so many steps; throws where Karma and the model differ. */
export async function fuzzLimits(seed: number, steps: number): Promise<void> {
  await new History(new Random(seed)).play(steps);
}
