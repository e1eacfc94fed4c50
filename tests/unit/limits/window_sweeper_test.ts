// What no window sees any more goes by itself, and only that.

import { assert, assertEquals } from "@std/assert";
import { World } from "../../fuzz/limits_world.ts";
import { Random } from "../../support/random.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

async function started(): Promise<World> {
  const world = new World("UTC", NOW, 0);
  await world.start();
  return world;
}

async function consume(world: World, key: number, window: unknown): Promise<void> {
  const limits = [{ series: "s", max: 5000, window }];
  const text = await world.ask(JSON.stringify({ v: 2, op: "limit.consume", key, limits }));
  assert(text.includes('"allowed":true'), text);
}

const counters = (world: World) => world.karma.forest.beside.keys;

Deno.test("window sweeper: counters that nothing is seen of go, then their tree", async () => {
  const world = await started();
  for (let key = 0; key < 1000; key++) await consume(world, key, "minute");
  await world.karma.engine.forgetWindows();
  assertEquals(counters(world), 1000);
  world.moveTo(NOW + 3 * MINUTE_MS);
  await consume(world, 1, "minute");
  await world.karma.engine.forgetWindows();
  assertEquals(counters(world), 1);
  await world.restart(new Random(1), "UTC");
  assertEquals(counters(world), 1);
  await world.karma.engine.forgetWindows();
  world.moveTo(NOW + 9 * MINUTE_MS);
  await world.karma.engine.forgetWindows();
  assertEquals(world.karma.forest.beside.trees.size, 0);
  assertEquals(world.counted("s", 1n), ["20261123 2"], "days stay");
  await world.restart(new Random(2), "UTC");
  assertEquals(world.karma.forest.trees().length, 1);
});

Deno.test("window sweeper: a counter that is used all the time holds no more than twice its window", async () => {
  const world = await started();
  let most = 0;
  for (let step = 0; step < 1000; step++) {
    world.moveTo(NOW + step * 1000);
    await consume(world, 1, { seconds: 60 });
    await world.karma.engine.forgetWindows();
    const [tree] = world.karma.forest.beside.trees;
    most = Math.max(most, tree.count(1, 0));
  }
  assert(most >= 60 && most <= 190, `${most} cells`);
});

Deno.test("window sweeper: buckets that are full go, others stay to the unit", async () => {
  const world = await started();
  const window = { refill: 1, per_seconds: 3600, burst: 3 };
  const take = (key: number) => {
    const limits = [{ series: "s", window }];
    return world.ask(JSON.stringify({ v: 2, op: "limit.consume", key, cost: 4, limits }));
  };
  await take(1);
  await world.karma.engine.forgetWindows();
  world.moveTo(NOW + 4 * HOUR_MS - 1);
  await world.karma.engine.forgetWindows();
  assert((await take(1)).includes('"retry_at":"2026-11-23T16:00:00Z"'));
  world.moveTo(NOW + 8 * HOUR_MS);
  await world.karma.engine.forgetWindows();
  assertEquals(world.karma.forest.beside.trees.size, 0);
});

Deno.test("window sweeper: nothing is logged while nothing is due", async () => {
  const world = await started();
  await consume(world, 1, { hours: 5 });
  await world.karma.engine.forgetWindows();
  const { lsn } = world.karma.wal;
  for (let minute = 1; minute < 59; minute++) {
    world.moveTo(NOW + minute * MINUTE_MS);
    await world.karma.engine.forgetWindows();
  }
  assertEquals(world.karma.wal.lsn, lsn);
});
