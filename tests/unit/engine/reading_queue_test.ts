// Readings with a simulated clock: how many run at once, in which order, and what becomes of the late ones.

import { assert, assertEquals } from "@std/assert";
import { ReadingQueue, RUNNING_MAX } from "../../../lib/engine/reading_queue.ts";

class World {
  ms = 0;
  #alarms: { ms: number; call: () => void }[] = [];
  readonly readings = new ReadingQueue({
    now: () => this.ms,
    at: (ms, call) => void this.#alarms.push({ ms, call }),
  });
  readonly began: number[] = [];
  readonly told: [number, number | "timeout"][] = [];
  readonly #ends: (() => void)[] = [];

  /** Asks for a reading that goes on until `end`. */
  ask(number: number, deadline: number): void {
    this.readings.run(deadline, () => {
      this.began.push(number);
      return new Promise<number>((resolve) => this.#ends[number] = () => resolve(number));
    }).then((told) => this.told.push([number, told]));
  }

  async end(number: number): Promise<void> {
    this.#ends[number]();
    await settled();
  }

  async pass(ms: number): Promise<void> {
    this.ms += ms;
    const due = this.#alarms.filter((alarm) => alarm.ms <= this.ms);
    this.#alarms = this.#alarms.filter((alarm) => alarm.ms > this.ms);
    for (const { call } of due) call();
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let hop = 0; hop < 20; hop++) await Promise.resolve();
}

Deno.test("readings: a few run at once, the others in the order of their arrival", async () => {
  const world = new World();
  for (let number = 0; number < 30; number++) world.ask(number, Infinity);
  await settled();
  assertEquals(world.readings.running, RUNNING_MAX);
  for (let number = 0; number < 30; number++) {
    assertEquals(world.began.length, Math.min(30, RUNNING_MAX + number));
    await world.end(number);
  }
  assertEquals(world.began, Array.from({ length: 30 }, (_, number) => number));
  assertEquals(world.told.map(([, told]) => told), world.began);
  assertEquals([world.readings.running, world.readings.waiting], [0, 0]);
});

Deno.test("readings: who has no time left never begins, and is told so when it is up", async () => {
  const world = new World();
  for (let number = 0; number < RUNNING_MAX + 3; number++) {
    await world.pass(1);
    world.ask(number, world.ms + 100);
  }
  await world.pass(97);
  assertEquals(world.told, []);
  await world.pass(2);
  assertEquals(world.told, [[RUNNING_MAX, "timeout"], [RUNNING_MAX + 1, "timeout"]]);
  await world.end(0);
  await world.pass(10);
  assertEquals(world.began.at(-1), RUNNING_MAX + 2, "the last was in time");
  for (let number = 1; number < RUNNING_MAX; number++) await world.end(number);
  await world.end(RUNNING_MAX + 2);
  assertEquals([world.readings.running, world.readings.waiting], [0, 0]);
});

Deno.test("readings: one that fails gives its place to the next", async () => {
  const readings = new ReadingQueue();
  const failed = await Promise.allSettled(
    Array.from({ length: 2 * RUNNING_MAX }, () => readings.run(Infinity, () => Promise.reject(1))),
  );
  assert(failed.every(({ status }) => status === "rejected"));
  assertEquals([readings.running, readings.waiting], [0, 0]);
  assertEquals(await readings.run(Infinity, () => Promise.resolve("read")), "read");
});
