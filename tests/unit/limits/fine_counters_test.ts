// What is kept below a day: refunds, clocks that are set back, retries, trees that are dropped or replaced. Random
// histories are in tests/fuzz/limits_fine.ts.

import { assert, assertEquals } from "@std/assert";
import { World } from "../../fuzz/limits_world.ts";
import { Random } from "../../support/random.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

async function started(): Promise<World> {
  const world = new World("UTC", NOW, 0);
  await world.start();
  return world;
}

const limit = (window: unknown, max = 5) => ({ series: "s", max, window });
const bucket = (refill: number, per: number, burst: number) => {
  return { series: "s", window: { refill, per_seconds: per, burst } };
};

// deno-lint-ignore no-explicit-any
async function ask(world: World, op: string, members: Record<string, unknown>): Promise<any> {
  const text = await world.ask(JSON.stringify({ v: 2, op, ...members }));
  const { success, response } = JSON.parse(text);
  assert(success, text);
  return response;
}

async function used(world: World, limits: unknown[]): Promise<number[]> {
  const { limits: told } = await ask(world, "limit.check", { key: 1, cost: 0, limits });
  return told.map(({ used }: { used: number }) => used);
}

Deno.test("fine counters: a refund gives back what its windows still hold", async () => {
  const world = await started();
  const limits = [limit("minute"), limit({ seconds: 90 }), limit("day", 99), bucket(60, 60, 9)];
  const consumed = await ask(world, "limit.consume", { key: 1, cost: 3, limits, receipt: true });
  assertEquals(await used(world, limits), [3, 3, 3, 3]);
  world.moveTo(NOW + MINUTE_MS + 1);
  await ask(world, "limit.consume", {
    key: 1,
    cost: 1,
    limits: [limit("minute"), bucket(60, 60, 9)],
  });
  assertEquals(await used(world, limits), [1, 3, 4, 1]);
  const { receipt } = consumed;
  assertEquals((await ask(world, "limit.refund", { receipt })).charges[0].amount, 3);
  // The minute is another one, the bucket has nothing that is missing of the three.
  assertEquals(await used(world, limits), [1, 0, 1, 0]);
  assertEquals((await ask(world, "limit.refund", { receipt })).refunded, false);
  assertEquals(await used(world, limits), [1, 0, 1, 0]);
  await world.restart(new Random(1), "UTC");
  assertEquals(await used(world, limits), [1, 0, 1, 0]);
});

Deno.test("fine counters: a refund takes nothing from what is charged after a drop", async () => {
  const world = await started();
  const limits = [limit({ hours: 1 })];
  const { receipt } = await ask(world, "limit.consume", { key: 1, cost: 3, limits, receipt: true });
  await ask(world, "tree.drop", { series: "s" });
  assertEquals(world.karma.forest.trees(), []);
  await ask(world, "limit.consume", { key: 1, cost: 2, limits });
  await ask(world, "limit.refund", { receipt });
  assertEquals(await used(world, limits), [2]);
});

Deno.test("fine counters: a clock that is set back frees nothing that a window still holds", async () => {
  const world = await started();
  const limits = [
    limit({ seconds: 60 }),
    limit({ minutes: 1, from: "first_use" }),
    bucket(1, 60, 4),
  ];
  await ask(world, "limit.consume", { key: 1, cost: 5, limits });
  world.moveTo(NOW - 30_000);
  assertEquals(await used(world, limits), [5, 5, 6], "half a token more is on its way");
  const { allowed, limits: told } = await ask(world, "limit.consume", { key: 1, limits });
  assertEquals(allowed, false);
  for (const [index, { retry_at: retry }] of told.entries()) {
    world.moveTo(Date.parse(retry) - 1);
    assertEquals(
      (await ask(world, "limit.check", { key: 1, limits: [limits[index]] })).allowed,
      false,
    );
    world.moveTo(Date.parse(retry));
    assertEquals(
      (await ask(world, "limit.check", { key: 1, limits: [limits[index]] })).allowed,
      true,
    );
  }
  // Set back by more than a window is long, that was a wrong clock, and windows begin anew.
  world.moveTo(NOW - DAY_MS);
  assertEquals((await used(world, limits)).slice(0, 2), [0, 0]);
});

Deno.test("fine counters: limits that see the same are charged once, a repeated request not at all", async () => {
  const world = await started();
  const limits = [limit("minute", 9), limit("minute", 7), limit({ seconds: 60 }), limit("day", 99)];
  const line = { key: 1, cost: 2, limits, idempotency_key: "once" };
  const first = await ask(world, "limit.consume", line);
  assertEquals(first.limits.map(({ used }: { used: number }) => used), [2, 2, 2, 2]);
  world.moveTo(NOW + 5 * MINUTE_MS);
  assertEquals(await ask(world, "limit.consume", line), first);
  assertEquals(await used(world, limits), [0, 0, 0, 2]);
});

Deno.test("fine counters: what is below a day is in no list and no dump of its series", async () => {
  const world = await started();
  await ask(world, "limit.consume", { key: 1, cost: 5, limits: [limit("hour")] });
  assertEquals(await ask(world, "tree.list", {}), ["s"]);
  assertEquals((await ask(world, "system.stats", {})).trees, 1);
  assert((await ask(world, "system.metrics", {})).includes("karma_window_counters 1\n"));
  await ask(world, "snapshot.create_all", {});
  const dumps = (await world.karma.files()).filter((name) => name.endsWith(".tree"));
  const [file] = dumps.filter((name) => name.endsWith("_s.tree"));
  assertEquals(dumps.length, 2, "the hidden tree has a dump that is not listed");
  const { dump_count: count } = await ask(world, "snapshot.info", {});
  assertEquals(count, 1);
  await ask(world, "snapshot.load", { file });
  // The days are back, and the hour begins anew.
  assertEquals(await used(world, [limit("hour"), limit("day")]), [0, 5]);
  assertEquals(world.karma.forest.trees().length, 1);
});
