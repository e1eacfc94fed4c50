// Slices in simulated turns: how much long work is done in each, and in which order.

import { assert, assertEquals } from "@std/assert";
import { SLICE_MS, TimeSlices } from "../../../lib/host/time_slices.ts";

/** A loop whose time passes only by the work that is done, and whose turns come when they are asked for. */
class World {
  ms = 0;
  #next: (() => void)[] = [];
  readonly slices = new TimeSlices({
    now: () => this.ms,
    nextTurn: (call) => void this.#next.push(call),
    nextTurnAtOnce: (call) => void this.#next.push(call),
  });

  /** Whether somebody wants a turn. */
  get isWanted(): boolean {
    return this.#next.length > 0;
  }

  /** One turn: what timers wanted to happen, and all that follows from it. Returns how long it took. */
  async turn(): Promise<number> {
    const began = this.ms;
    for (const call of this.#next.splice(0)) call();
    await settled();
    return this.ms - began;
  }

  /** Work of so many steps, each of which takes so long; tells `done` at each step. */
  async work(steps: number, stepMs: number, done: () => void = () => {}): Promise<void> {
    const rest = this.slices.pace();
    for (let step = 0; step < steps; step++) {
      await rest();
      this.ms += stepMs;
      done();
    }
  }
}

/** All that needs no turn has happened. */
async function settled(): Promise<void> {
  for (let hop = 0; hop < 10_000; hop++) await Promise.resolve();
}

Deno.test("slices: whatever is under way, a turn has one slice", async () => {
  for (const workers of [1, 2, 20, 200]) {
    const world = new World();
    let ended = 0;
    for (let worker = 0; worker < workers; worker++) {
      world.work(50, 0.1).then(() => ended++);
    }
    await settled();
    for (let turns = 0; ended < workers; turns++) {
      assert(world.isWanted, "there is a next turn while there is work");
      const took = await world.turn();
      assert(took <= SLICE_MS + 0.2, `${took} ms with ${workers} workers`);
      assert(turns <= 2 * workers * 50 * 0.1 / SLICE_MS + workers, "turns are made use of");
    }
    assertEquals(world.slices.waiting, 0);
  }
});

Deno.test("slices: two hundred that begin in one turn have one slice together", async () => {
  const world = new World();
  for (let worker = 0; worker < 200; worker++) world.work(3, 0.4);
  await settled();
  assert(world.ms <= 2 * SLICE_MS + 0.4, `${world.ms} ms`);
});

Deno.test("slices: who waits goes on in the order of arrival, and all get as much", async () => {
  const world = new World();
  const done = new Array(10).fill(0);
  done.forEach((_, worker) => world.work(100, 0.25, () => done[worker]++));
  await settled();
  for (let turn = 0; turn < 40; turn++) {
    await world.turn();
    const most = Math.max(...done);
    assert(Math.min(...done) >= most - 4, `after ${turn} turns: ${done}`);
  }
});

Deno.test("slices: short work behind forty long ones is done after a few turns", async () => {
  const world = new World();
  for (let worker = 0; worker < 40; worker++) world.work(1000, 0.1);
  await settled();
  await world.turn();
  let isDone = false;
  world.work(3, 0.1).then(() => isDone = true);
  await settled();
  let turns = 0;
  for (; !isDone; turns++) await world.turn();
  assert(turns <= 10, `${turns} turns`);
});

Deno.test("slices: who ends, or waits for something else, keeps nobody from going on", async () => {
  const world = new World();
  let ended = 0;
  const disk = Promise.withResolvers<void>();
  for (let worker = 0; worker < 12; worker++) {
    const rest = world.slices.pace();
    (async () => {
      await rest();
      world.ms += 2 * SLICE_MS;
      await rest();
      if (worker === 3) await disk.promise;
      ended++;
    })();
  }
  await settled();
  for (let turn = 0; turn < 30 && world.isWanted; turn++) await world.turn();
  assertEquals(ended, 11);
  disk.resolve();
  await settled();
  assertEquals(ended, 12);
  assert(!world.isWanted, "without work no turn is asked for");
});

Deno.test("slices: work that is alone goes on at once while its slice lasts", async () => {
  const world = new World();
  let steps = 0;
  world.work(1000, 0.01, () => steps++);
  await settled();
  assert(steps >= (SLICE_MS - 0.5) / 0.01, `${steps} steps`);
});

Deno.test("slices: a turn for which long work is held has none, and later turns have", async () => {
  const world = new World();
  let steps = 0;
  world.work(1000, 0.5, () => steps++);
  await settled();
  for (let held = 0; held < 3; held++) {
    const before = steps;
    world.slices.hold();
    assertEquals(await world.turn(), 0);
    assertEquals(steps, before);
    assert(await world.turn() > 0, "a hold is for one turn");
  }
});

Deno.test("slices: long work that is held in every turn goes on all the same", async () => {
  const world = new World();
  let isDone = false;
  world.work(30, 1).then(() => isDone = true);
  await settled();
  let turns = 0;
  for (; !isDone; turns++) {
    world.slices.hold();
    await world.turn();
  }
  assert(turns > 1000 && turns < 10_000, `${turns} turns`);
});
