// Hollow trees: what is said of trees is known, what is in them is looked at and not kept.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { readHead, readTree, writeTree } from "../../../lib/dump/tree_io.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { ReadWindow } from "../../../lib/host/read_window.ts";
import { BLOCK_WORDS } from "../../../lib/tree/block_pool.ts";
import { HollowForest } from "../../../lib/tree/hollow.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

const FILE = "/dumps/1_t.tree";
const JOURNAL = { id: "0011223344556677", lsn: 7, sync: () => Promise.resolve() };

Deno.test("hollow: a dump is looked at branch by branch, and takes the memory of one", async () => {
  const tree = new Tree("t");
  for (let key = 0; key < 50_000; key++) assert(tree.add(key, 0, 20260101, 1, 0));
  const disk = new MemoryDisk("/dumps");
  const file = await disk.create(FILE);
  let most = 0;
  const forest = new HollowForest();
  const watch = () => {
    most = Math.max(most, forest.budget.held);
    return Promise.resolve();
  };
  await writeTree(tree, 1, file, JOURNAL);
  const read = async () => {
    const window = new ReadWindow((await disk.open(FILE))!);
    await readHead(window);
    return await readTree(window, forest.makeTree("t"), watch);
  };
  const { tree: hollow, coverage } = await read();
  assertEquals([hollow.keys, coverage.least], [0, 7]);
  assert(tree.blocks.bytes > 1_000_000 && most < 2 * 4 * BLOCK_WORDS + 8192, `${most}`);
  const bytes = disk.bytesOf(FILE);
  for (const at of [200, bytes.length >> 1, bytes.length - 9]) {
    bytes[at] ^= 1;
    disk.put(FILE, bytes);
    await assertRejects(read, DamagedError, "", `${at}`);
    bytes[at] ^= 1;
  }
});

Deno.test("hollow: changes of counters change nothing, those of trees happen", () => {
  const forest = new HollowForest();
  const tree = forest.create("t");
  assert(tree.add(1, 0, 1, 1, 0) && tree.set(1, 0, 1, 1, 0) && tree.touch(1, 0));
  assert(tree.subtract(1, 0, 1, 1, 0));
  tree.removeDays(1, 0, 0, 9);
  tree.sweep(0, 9);
  tree.compact();
  tree.settle();
  assertEquals(tree.keys, 0);
  forest.adopt(tree, "u");
  assertEquals(forest.visible().map(({ name }) => name), ["u"]);
  forest.remove(tree);
  assertEquals(forest.budget.held, 0);
});
