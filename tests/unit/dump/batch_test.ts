// Batches of dumps beside trees that go meanwhile, and files that others put into the directory.

import { assertEquals } from "@std/assert";
import { DumpStore } from "../../../lib/dump/store.ts";
import type { WalSource } from "../../../lib/dump/tree_io.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Tree } from "../../../lib/tree/tree.ts";

const JOURNAL: WalSource = { id: "00000000000000aa", lsn: 0, sync: () => Promise.resolve() };

function world(): { disk: MemoryDisk; store: DumpStore } {
  const disk = new MemoryDisk("/dumps", "/");
  const clock = { now: () => 1_000_999, today: () => 20260101 };
  return { disk, store: new DumpStore("/dumps", disk, clock, 0, () => {}) };
}

function treeOf(name: string, keys: number): Tree {
  const tree = new Tree(name);
  for (let key = 0; key < keys; key++) tree.add(key, 0, 20260101, 1, 0);
  return tree;
}

/** What is in the directory. */
async function files(disk: MemoryDisk): Promise<string[]> {
  return (await disk.list("/dumps")).sort();
}

Deno.test("a tree that goes while it is dumped leaves a whole dump or none, and no file", async () => {
  const ends = { whole: 0, none: 0 };
  for (let operation = 1;; operation++) {
    const { disk, store } = world();
    const [tree, other] = [treeOf("t", 9000), treeOf("u", 1)];
    let left = operation;
    disk.latency = () => void (--left === 0 && tree.clear());
    const outcomes = await store.writeAll([tree, other], JOURNAL, "all");
    disk.latency = () => null;
    const [entry] = outcomes.map(({ entry }) => entry);
    assertEquals(outcomes.map(({ error }) => error), [null, null], "nothing has failed");
    assertEquals(outcomes[1].entry?.file, "1000_u.tree", "the others of the batch are dumped");
    const names = entry === null ? ["1000_u.tree"] : ["1000_t.tree", "1000_u.tree"];
    assertEquals(await files(disk), names);
    if (entry !== null) assertEquals((await store.load(entry.file))?.tree.keys, 9000);
    ends[entry === null ? "none" : "whole"]++;
    if (left > 0) break;
  }
  assertEquals(ends.none > 3 && ends.whole > 3, true, JSON.stringify(ends));
});

Deno.test("a tree that is gone before its turn is not dumped, small or large", async () => {
  for (const keys of [1, 9000]) {
    const { disk, store } = world();
    const tree = treeOf("t", keys);
    tree.clear();
    assertEquals(await store.writeAll([tree], JOURNAL, "all"), [{
      tree,
      entry: null,
      error: null,
    }]);
    assertEquals(await files(disk), []);
  }
});

Deno.test("a file that is put there while dumps are written is not overwritten", async () => {
  const { disk, store } = world();
  // Once the directory was listed, and before there are names.
  const put = () => {
    disk.put("/dumps/1000_t.tree", Uint8Array.of(1));
    disk.put("/dumps/1001_t.tree", Uint8Array.of(2));
    return Promise.resolve();
  };
  const [{ entry }] = await store.writeAll([treeOf("t", 1)], { ...JOURNAL, sync: put }, "all");
  assertEquals(entry?.file, "1002_t.tree");
  assertEquals(disk.bytesOf("/dumps/1000_t.tree"), Uint8Array.of(1));
  assertEquals(disk.bytesOf("/dumps/1001_t.tree"), Uint8Array.of(2));
});
