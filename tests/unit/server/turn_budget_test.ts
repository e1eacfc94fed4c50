// Fairness on a made-up event loop: who waits, in which order they go on, and how much a turn does.
//
// Time passes only as jobs work, a millisecond for each WORK_A_MS, so every figure here is exact.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { effort } from "../../../lib/bytes/effort.ts";
import { Statistics } from "../../../lib/metrics/statistics.ts";
import { type Job, type Loop, TurnBudget } from "../../../lib/server/turn_budget.ts";
import { Random } from "../../support/random.ts";

/** What a machine does in a millisecond, in bytes' worth. */
const WORK_A_MS = 131072;

/** What is asked of all sessions of a turn: 3 ms, half a one for light users, and the slice that was begun. */
const TURN_MS_MAX = 3 + 0.5 + 1.3;

class World implements Loop {
  readonly statistics = new Statistics();
  readonly turnBudget = new TurnBudget(this.statistics, this);
  #ms = 1000;
  #call: (() => void) | null = null;
  #turnBegan = this.#ms;
  longestMs = 0;
  turnsCount = 0;

  now(): number {
    return this.#ms;
  }

  later(call: () => void): void {
    assertEquals(this.#call, null, "one timer at a time");
    this.#call = call;
  }

  work(amount: number): void {
    this.turnBudget.spend(amount);
    this.#ms += amount / WORK_A_MS;
  }

  /** Lets the loop turn: what waits goes on, and all that follows from it. */
  async turn(): Promise<void> {
    this.longestMs = Math.max(this.longestMs, this.#ms - this.#turnBegan);
    this.#turnBegan = this.#ms;
    this.turnsCount++;
    const call = this.#call;
    this.#call = null;
    call?.();
    await settle();
  }
}

/** Lets the loop turn until a promise is settled. */
async function until<T>(world: World, promise: Promise<T>): Promise<T> {
  let isOver = false;
  promise.finally(() => isOver = true);
  while (!isOver) await world.turn();
  return await promise;
}

/** Lets all microtasks run. */
async function settle(): Promise<void> {
  for (let step = 0; step < 20; step++) await Promise.resolve();
}

/** A client that has so much to do in each of its slices. */
class Client implements Job {
  readonly #world: World;
  readonly #amount: () => number;
  tag = 0;
  slices = 0;
  done = 0;
  /** The turns that its slices came in. */
  readonly when: number[] = [];

  constructor(world: World, amount: number | (() => number)) {
    this.#world = world;
    this.#amount = typeof amount === "number" ? () => amount : amount;
  }

  work(): void {
    const amount = this.#amount();
    this.#world.work(amount);
    this.done += amount;
    this.slices++;
    this.when.push(this.#world.turnsCount);
  }

  /** Asks for a slice; whether it had to wait. */
  async ask(): Promise<boolean> {
    const waiting = this.#world.turnBudget.run(this);
    await waiting;
    return waiting !== null;
  }

  /** Always has more to do, until the world has turned so often. */
  async busy(turns: number): Promise<void> {
    while (this.#world.turnsCount < turns) await this.ask();
  }
}

Deno.test("fairness: while a turn has time nobody waits, and then everybody until the next", async () => {
  const world = new World();
  const client = new Client(world, 65536);
  let slices = 0;
  let waiting: Promise<void> | null = null;
  for (; waiting === null; slices++) waiting = world.turnBudget.run(client);
  assert(slices >= 6 && slices <= 8, `${slices} of half a millisecond`);
  assertEquals(client.slices, slices - 1);
  await settle();
  assertEquals(client.slices, slices - 1, "not before the loop has turned");
  await world.turn();
  assertEquals(client.slices, slices);
  await waiting;
});

Deno.test("fairness: however many wait and whatever they do, a turn is short", async () => {
  for (const [clients, amount] of [[2, 65536], [8, 131072], [200, 3000], [5000, 600]]) {
    const world = new World();
    const all = Array.from({ length: clients }, () => new Client(world, amount));
    const done = Promise.all(all.map((client) => client.busy(200)));
    await until(world, done);
    assert(world.longestMs <= TURN_MS_MAX, `${clients} x ${amount}: ${world.longestMs} ms`);
    const work = all.reduce((sum, client) => sum + client.done, 0);
    assert(work >= 200 * 2.9 * WORK_A_MS, `${clients} x ${amount}: no turn is idle, ${work}`);
  }
});

Deno.test("fairness: nobody waits behind those that come later and want as much", async () => {
  const world = new World();
  const all = Array.from({ length: 50 }, () => new Client(world, 65536));
  const order: number[] = [];
  const waiting = all.map(async (client, index) => {
    await client.ask();
    order.push(index);
  });
  while (order.length < 50) await world.turn();
  await Promise.all(waiting);
  assertEquals(order, all.map((_, index) => index));
});

Deno.test("fairness: of those that always have more to do each gets as much", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Random(seed);
  const world = new World();
  const all = Array.from({ length: 20 }, (_, index) => {
    const most = [30_000, 65_536, 131_072][index % 3];
    return new Client(world, () => 10_000 + random.below(most - 10_000));
  });
  const done = Promise.all(all.map((client) => client.busy(2000)));
  await until(world, done);
  // Each call costs 512 beside, and nobody is ahead by more than a slice.
  const worths = all.map(({ done, slices }) => done + 512 * slices);
  const [least, most] = [Math.min(...worths), Math.max(...worths)];
  assert(most - least <= 3 * 131072, `seed ${seed}: ${least} to ${most}`);
});

Deno.test("fairness: who has used little of late does not wait", async () => {
  for (const [clients, amount] of [[2, 65536], [8, 131072], [200, 65536], [1000, 6000]]) {
    const world = new World();
    const all = Array.from({ length: clients }, () => new Client(world, amount));
    const done = Promise.all(all.map((client) => client.busy(500)));
    const ping = new Client(world, 100);
    for (let turn = 0; turn < 100; turn++) await world.turn();
    let waits = 0;
    for (let round = 0; round < 100; round++) {
      const asked = world.turnsCount;
      const answered = ping.ask().then((waited) => waits += waited ? 1 : 0);
      for (let turn = 0; turn < 4; turn++) await world.turn();
      await answered;
      assert(ping.when.at(-1)! <= asked + 1, `${clients} x ${amount}: the next turn at the latest`);
    }
    assert(waits <= 10, `${clients} x ${amount}: ${waits} of 100 waited`);
    await until(world, done);
    assert(world.longestMs <= TURN_MS_MAX, `${world.longestMs} ms`);
  }
});

Deno.test("fairness: however many come at once, who was there before waits a moment only", async () => {
  for (const count of [20, 200, 1000, 3000]) {
    const world = new World();
    world.statistics.connections = count + 1;
    const early = new Client(world, 2048);
    await until(world, early.busy(50)); // it has the highest tag
    const all = Array.from({ length: count }, () => new Client(world, 2048));
    const done = Promise.all(all.map((client) => client.busy(200)));
    await settle();
    const asked = world.turnsCount;
    await until(world, early.ask());
    const turns = world.turnsCount - asked;
    assert(turns < 60, `${count}: ${turns} turns of 3 ms`);
    await until(world, done);
  }
});

Deno.test("fairness: who comes back after a pause has no claim to what others had meanwhile", async () => {
  const world = new World();
  const all = [new Client(world, 65536), new Client(world, 65536)];
  const late = new Client(world, 65536);
  const done = Promise.all(all.map((client) => client.busy(400)));
  await late.ask();
  for (let turn = 0; turn < 200; turn++) await world.turn();
  const before = all[0].done;
  const busy = late.busy(400);
  await until(world, Promise.all([done, busy]));
  const [since, his] = [all[0].done - before, late.done];
  assert(his > 0.9 * since && his < 1.1 * since + 3 * 131072, `${since} and ${his}`);
});

Deno.test("fairness: what is told while a slice is done ends it, and counts for who does it", async () => {
  const world = new World();
  const job: Job = {
    tag: 0,
    work() {
      assert(!world.turnBudget.isSliceOver);
      world.work(200_000);
      assert(world.turnBudget.isSliceOver);
    },
  };
  assertEquals(world.turnBudget.run(job), null);
  assert(job.tag >= 200_000, `${job.tag}`);
  assertEquals(world.turnBudget.giveWay(), null);
  world.work(1e6);
  world.work(1e6); // and now it is noticed
  const waiting = world.turnBudget.giveWay();
  assert(waiting !== null, "the turn is used up");
  await world.turn();
  await waiting;
});

Deno.test("fairness: what is touched beyond bytes ends a slice, and counts for who does it", () => {
  const world = new World();
  const job: Job = {
    tag: 0,
    work() {
      assertEquals(effort.work, 0, "each slice begins anew");
      assert(!world.turnBudget.isSliceOver);
      effort.work += 200_000;
      assert(world.turnBudget.isSliceOver);
    },
  };
  for (let slice = 1; slice <= 2; slice++) {
    assertEquals(world.turnBudget.run(job), null);
    assert(job.tag >= slice * 200_000, `${job.tag}`);
  }
});

Deno.test("fairness: what fails in its turn fails where it is awaited, and others go on", async () => {
  const world = new World();
  world.work(1e6);
  world.work(1e6);
  const fault = new Error("ours");
  const failing = world.turnBudget.run({
    tag: 0,
    work: () => {
      throw fault;
    },
  })!;
  const other = new Client(world, 10);
  const asked = other.ask();
  failing.catch(() => {});
  await world.turn();
  assertEquals(await assertRejects(() => failing), fault);
  await asked;
  assertEquals(other.slices, 1);
});

Deno.test("fairness: the time is looked at once for all that a turn brings, and told with all requests", async () => {
  const statistics = new Statistics();
  const turnBudget = new TurnBudget(statistics);
  const told: [requests: number, ms: number][] = [];
  statistics.turn = (requests, ms) => void told.push([requests, ms]);
  for (const sessions of [[1], [3, 0, 16], [5, 5]]) {
    sessions.forEach((requests, index) => {
      turnBudget.read();
      assertEquals(turnBudget.begin(), index === 0, "only the first is to look");
      turnBudget.answered(requests);
    });
    assertEquals(told.length, 0, "not before all have been answered");
    await Promise.resolve();
    const [[requests, ms]] = told.splice(0);
    assertEquals(requests, sessions.reduce((sum, requests) => sum + requests));
    assert(ms >= 0 && ms < 1000, `${ms}`);
  }
});

Deno.test("fairness: rounds hear of reads, not of what goes on after waiting for something else", async () => {
  const turnBudget = new TurnBudget(new Statistics());
  const told: number[] = [];
  turnBudget.roundRobin.turned = (reads) => void told.push(reads);
  turnBudget.read();
  turnBudget.read();
  turnBudget.begin();
  await Promise.resolve();
  turnBudget.begin();
  await Promise.resolve();
  assertEquals(told, [2]);
});
