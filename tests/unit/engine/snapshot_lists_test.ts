// Lists of snapshots: those who ask for the same at once share a walk, until a dump comes or goes.

import { assert, assertEquals } from "@std/assert";
import { Request } from "../../../lib/command/request.ts";
import { DumpStore } from "../../../lib/dump/store.ts";
import { SnapshotLists } from "../../../lib/engine/snapshot_lists.ts";
import type { Wal } from "../../../lib/wal/wal.ts";
import { Forest } from "../../../lib/tree/forest.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { boundOf } from "../../support/codec.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

const JOURNAL = { id: "00000000000000aa", lsn: 0, sync: () => Promise.resolve() };

const TREES = 40;

async function listsOfMany() {
  const clock = { now: () => 1_000_000, today: () => 20260101 };
  const dumps = new DumpStore("/dumps", new MemoryDisk("/dumps", "/"), clock, 0, () => {});
  for (let index = 0; index < TREES; index++) {
    await dumps.write(new Tree(`t${100 + index}`), JOURNAL);
  }
  await dumps.dumpIndex.look();
  const lists = new SnapshotLists(
    new Forest(),
    { segments: [] } as unknown as Wal,
    dumps,
    boundOf(0),
  );
  let described = 0;
  const ask = async (limit = 0) => {
    const request = new Request();
    request.pageSize = limit;
    const rowOf = ({ tree }: { tree: string }) => {
      described++;
      return tree;
    };
    const rows = { of: [] as string[] };
    await lists.latest(request, rowOf, (page) => {
      if (page.rows.length > 0) rows.of = page.rows as string[];
      return null;
    });
    return rows.of;
  };
  return { dumps, ask, described: () => described };
}

Deno.test("snapshot lists: those who ask for the same at once share one walk", async () => {
  const { ask, described } = await listsOfMany();
  const lists = await Promise.all(Array.from({ length: 50 }, () => ask()));
  for (const list of lists) assertEquals(list.length, TREES);
  assertEquals(described(), TREES);
  const [some, all] = await Promise.all([ask(3), ask()]);
  assertEquals(some, ["t100", "t101", "t102"]);
  assertEquals(all.length, TREES);
});

Deno.test("snapshot lists: who asks when a dump has gone joins no walk of before", async () => {
  const { dumps, ask, described } = await listsOfMany();
  const before = ask();
  dumps.dumpIndex.forget(dumps.dumpIndex.group("t100")[0]);
  assertEquals((await ask())[0], "t101");
  await before;
  assert(described() > TREES, "there were two walks");
});
