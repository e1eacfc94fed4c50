// Requests that need more memory than there is: refused by name with nothing changed, in memory and in the
// log, while what needs none goes on.

import { assert, assertEquals } from "@std/assert";
import { checkMemory, checkTree } from "../../../lib/tree/check.ts";
import { World } from "../../fuzz/limits_world.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const FULL = '"response":"Memory is full: nothing was changed","error_code":"memory_full"';

/** A server whose memory is full but for what one tree and its first counters need, if `isTight` is false. */
async function full(): Promise<World> {
  const world = new World("UTC", NOW, 0, { memoryBytesMax: 3 << 20 });
  await world.start();
  await world.ask(ask("counter.increment", { series: "there", key: 1 }));
  for (let key = 1;; key += 500) {
    const items = Array.from({ length: 500 }, (_, n) => [key + n, 20261123, 1]);
    if ((await world.ask(ask("series.batch_add", { series: "big", items }))).includes(FULL)) break;
  }
  return world;
}

function ask(op: string, members: Record<string, unknown>): string {
  return JSON.stringify({ v: 2, op, ...members });
}

const limit = (series: string) => ({ series, max: 9, window: "day" });

/** What there is: each tree with what it holds, and how far the log is. */
function stateOf({ karma }: World) {
  const trees = karma.forest.trees().map((tree) => [tree.name, tree.keys, tree.blocks.bytes]);
  return { trees, lsn: karma.wal.lsn, held: karma.forest.budget.held };
}

Deno.test("undo: a refused request changes nothing, in memory and in the log", async () => {
  const world = await full();
  const { budget } = world.karma.forest;
  const before = stateOf(world);
  const consumed = (...series: string[]) => {
    return ask("limit.consume", { key: 7, limits: series.map(limit), receipt: true });
  };
  // Some of them fit, then others do not: all are taken back.
  for (const room of [0, 524_288, 534_000, 560_000]) {
    budget.max = budget.held + room;
    const many = ["there", ..."abcdefghijklmno"].map((name) => name.padEnd(250, "x"));
    for (const request of [consumed("there", ...many.slice(1)), consumed(...many)]) {
      assert((await world.ask(request)).includes(FULL), `${room}`);
      assertEquals(stateOf(world), before, `${room}`);
    }
  }
  budget.max = budget.held;
  for (
    const [op, members] of [
      ["counter.increment", { series: "new", key: 1 }],
      ["counter.decrement", { series: "new", key: 1 }],
      ["series.batch_set", { series: "new", items: [[1, 20261123, 1]] }],
      ["tree.create", { series: "new" }],
      ["counter.reset", { series: "new", key: 1 }],
    ] as const
  ) {
    assert((await world.ask(ask(op, members))).includes(FULL), op);
    assertEquals(stateOf(world), before, op);
  }
  world.karma.forest.trees().forEach(checkTree);
  world.karma.forest.trees().forEach(checkMemory);
});

Deno.test("undo: full, what needs no memory goes on, and what is dropped makes room", async () => {
  const world = await full();
  const success = async (op: string, members: Record<string, unknown>) => {
    const line = await world.ask(ask(op, members));
    assert(line.includes('"success":true'), line);
  };
  await success("counter.increment", { series: "big", key: 1 });
  await success("counter.decrement", { series: "big", key: 1 });
  await success("counter.increment", { series: "there", key: 1 });
  await success("limit.consume", { key: 1, limits: [limit("big"), limit("there")] });
  await success("limit.check", { key: 1, limits: [limit("big"), limit("nowhere")] });
  await success("counter.sum", { series: "big", key: 1 });
  await success("counter.reset", { series: "big", key: 2 });
  await success("tree.delete_range", { series: "big", range: { from: 20261123, to: 20261123 } });
  await success("tree.drop", { series: "big" });
  await success("series.batch_add", { series: "big", items: [[1, 20261123, 1]] });
  await world.start(); // from the log, which has nothing of what was refused
  assertEquals(world.karma.forest.trees().map(({ name, keys }) => [name, keys]), [
    ["there", 1],
    ["big", 1],
  ]);
});
