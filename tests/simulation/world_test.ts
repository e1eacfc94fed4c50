// The simulation itself: what its model takes to belong together is what one request has written.

import { assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { firstWorld, settingsOf, simulated } from "./crashes.ts";
import { lineOf } from "./steps_v2.ts";
import type { World } from "./world.ts";

Deno.test("sweeps of two trees whose turns come at once are two groups, each with its answer", async () => {
  await inWorld(async (world) => {
    const create = (series: string) => execute(world, lineOf("tree.create", { series }));
    create("a");
    create("b");
    const { lsn } = world.log;
    execute(world, lineOf("tree.reset", { series: "a", idempotency_key: "1" }));
    execute(world, lineOf("tree.reset", { series: "b", idempotency_key: "2" }));
    await world.finish();
    assertEquals(world.past.spans, [[lsn, lsn + 2], [lsn + 2, lsn + 4]]);
  });
});

Deno.test("a change and the answer to it belong together, and what comes next does not", async () => {
  await inWorld(async (world) => {
    const item = { series: "a", key: 1, value: 1 };
    execute(world, lineOf("counter.increment", { ...item, idempotency_key: "1" }));
    const { lsn } = world.log;
    execute(world, lineOf("counter.increment", item));
    await world.finish();
    assertEquals(world.past.spans, [[0, lsn]]);
    assertEquals(world.log.lsn, lsn + 1);
  });
});

async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  await simulated(1, async (time) => {
    const random = new Random(1);
    const settings = { ...settingsOf(random), wal: true };
    const world = firstWorld(time, settings, new Random(3));
    await world.start();
    await work(world);
    assertEquals(world.fault, null);
    world.end();
  });
}

function execute(world: World, line: string): void {
  world.execute(line, (reply) => reply.code);
}
