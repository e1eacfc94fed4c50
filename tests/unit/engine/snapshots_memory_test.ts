// Loading a dump where memory is short: all of it or nothing, and refused by name.

import { assert, assertEquals } from "@std/assert";
import { World } from "../../fuzz/limits_world.ts";

const ask = (op: string, members: Record<string, unknown>) =>
  JSON.stringify({ v: 2, op, ...members });

Deno.test("snapshots: a dump for which there is no memory is refused, and leaves nothing", async () => {
  const world = new World("UTC", Date.UTC(2026, 10, 23, 12), 0);
  await world.start();
  for (let key = 0; key < 20_000; key += 1000) {
    const items = Array.from({ length: 1000 }, (_, n) => [key + n, 20261123, 1]);
    await world.ask(ask("series.batch_add", { series: "big", items }));
  }
  const { forest } = world.karma;
  const { budget } = forest;
  assert((await world.ask(ask("snapshot.create", { series: "big" }))).includes("saved"));
  const file = (await world.karma.files()).find((name) => name.endsWith(".tree"));
  await world.ask(ask("tree.drop", { series: "big" }));
  await world.ask(ask("counter.increment", { series: "small", key: 1 }));
  const before = budget.held;
  budget.max = before + 600_000;
  const refused = await world.ask(ask("snapshot.load", { file }));
  assert(refused.includes('"error_code":"memory_full"'), refused);
  assertEquals([forest.named("big"), budget.held], [null, before]);
  budget.max = Infinity;
  const loaded = await world.ask(ask("snapshot.load", { file }));
  assert(loaded.includes('"success":true'), loaded);
  assertEquals(forest.named("big")!.keys, 20_000);
  assertEquals(budget.held, before + forest.named("big")!.blocks.bytes);
});
