// Limits below a day in one request: keys and costs of their own, and what is refused as a whole.

import { assert, assertEquals } from "@std/assert";
import { FINE_WINDOWS_MAX } from "../../../lib/limits/fine_counters.ts";
import { failure, World } from "../../fuzz/limits_world.ts";

const NOW = Date.UTC(2026, 10, 23, 12);

async function started(memoryBytesMax = Infinity): Promise<World> {
  const world = new World("UTC", NOW, 0, { memoryBytesMax });
  await world.start();
  return world;
}

const consume = (world: World, members: Record<string, unknown>) => {
  return world.ask(JSON.stringify({ v: 2, op: "limit.consume", ...members }));
};

const usedIn = (text: string) =>
  Array.from(text.matchAll(/"used":(\d+)/g), ([, used]) => Number(used));

Deno.test("fine limits: each has the key and the cost that it says", async () => {
  const world = await started();
  const limits = [
    { series: "user", max: 10, window: "minute", cost: 3 },
    { series: "org", max: 10, window: { hours: 5, from: "first_use" }, key: 7 },
    { series: "org", max: 10, window: "day", key: 7 },
    { series: "user", window: { refill: 1, per_seconds: 1, burst: 9 }, cost: 3 },
  ];
  assertEquals(usedIn(await consume(world, { key: 1, limits })), [3, 1, 1, 3]);
  assertEquals(usedIn(await consume(world, { key: 2, limits })), [3, 2, 2, 3]);
  assertEquals(usedIn(await consume(world, { key: 1, cost: 9, limits })), [3, 2, 2, 3]);
  assertEquals(world.counted("user", 1n), ["20261123 3"]);
});

Deno.test("fine limits: all is charged or nothing", async () => {
  const world = await started();
  const limits = [{ series: "a", max: 5, window: "minute" }, {
    series: "b",
    max: 2,
    window: "hour",
  }];
  await consume(world, { key: 1, cost: 2, limits });
  const { lsn } = world.karma.wal;
  assert((await consume(world, { key: 1, limits })).includes('"denied_by":1'));
  assertEquals(world.karma.wal.lsn, lsn);
  const rest = { key: 1, cost: 9, mode: "saturate", limits };
  assert((await consume(world, rest)).includes('"allowed":false,"applied":0'));
});

Deno.test("fine limits: a series has so many windows below a day, and no more", async () => {
  const world = await started();
  for (let seconds = 1; seconds <= FINE_WINDOWS_MAX; seconds++) {
    const text = await consume(world, {
      key: 1,
      limits: [{ series: "s", max: 5, window: { seconds } }],
    });
    assert(text.includes('"allowed":true'), text);
  }
  const { lsn } = world.karma.wal;
  const more = { key: 1, limits: [{ series: "s", max: 5, window: "hour" }] };
  const sentence = `A series has at most ${FINE_WINDOWS_MAX} windows below a day at a time`;
  assertEquals(await consume(world, more), failure("validation_error", sentence));
  assertEquals(world.karma.wal.lsn, lsn);
  world.karma.forest.check();
});

Deno.test("fine limits: without memory for a window nothing is charged, not even the day", async () => {
  const world = await started(2 << 20);
  const day = { series: "s", max: 5, window: "day" };
  assert((await consume(world, { key: 1, limits: [day] })).includes('"allowed":true'));
  for (let first = 0;; first += 1000) {
    const items = Array.from({ length: 1000 }, (_, index) => [first + index + 2, 20261101, 1]);
    const line = { v: 2, op: "series.batch_add", series: "s", items };
    if ((await world.ask(JSON.stringify(line))).includes("memory_full")) break;
  }
  const limits = [day, { series: "s", max: 5, window: "minute" }];
  const text = await consume(world, { key: 1, limits });
  assertEquals(text, failure("memory_full", "Memory is full: nothing was changed"));
  assertEquals(world.counted("s", 1n), ["20261123 1"]);
  assertEquals(world.karma.forest.beside.trees.size, 0);
  await world.ask('{"v":2,"op":"tree.reset","series":"s"}');
  await world.ask('{"v":2,"op":"tree.drop","series":"s"}');
  assert((await consume(world, { key: 1, limits })).includes('"allowed":true'));
  world.karma.forest.check();
  world.check();
});
