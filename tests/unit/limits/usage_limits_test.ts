// Limits of all kinds in one turn: they see one day and one moment.

import { assertEquals } from "@std/assert";
import { World } from "../../fuzz/limits_world.ts";

const MIDNIGHT = Date.UTC(2026, 10, 24);

Deno.test("usage limits: days, minutes, receipts and what is forgotten go by one clock", async () => {
  const world = new World("UTC", MIDNIGHT - 1, 0);
  await world.start();
  const limits = ["minute", "day"].map((window) => ({ series: "s", max: 5, window }));
  const consume = async () => {
    const line = { v: 2, op: "limit.consume", key: 1, limits, receipt: true };
    return JSON.parse(await world.ask(JSON.stringify(line))).response;
  };
  const { limits: told, receipt } = await consume();
  for (const { resets_at: resets } of told) assertEquals(Date.parse(resets), MIDNIGHT);
  await world.karma.engine.forgetWindows();
  world.moveTo(MIDNIGHT);
  assertEquals((await consume()).limits.map(({ used }: { used: number }) => used), [1, 1]);
  await world.ask(`{"v":2,"op":"limit.refund","receipt":"${receipt}"}`);
  assertEquals(world.counted("s", 1n), ["20261124 1"]);
  world.moveTo(MIDNIGHT + 600_000);
  await world.karma.engine.forgetWindows();
  assertEquals(world.karma.forest.beside.trees.size, 0);
});
