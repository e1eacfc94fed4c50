// The checkpointer: what of the log may go once all is dumped, and what must stay.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { DedupStore } from "../../../lib/dump/dedup_store.ts";
import { DumpStore } from "../../../lib/dump/store.ts";
import { Checkpointer } from "../../../lib/recovery/checkpointer.ts";
import { StateWriter } from "../../../lib/state/state_writer.ts";
import { nextTurn } from "../../../lib/host/clock.ts";
import type { Checkpoint } from "../../../lib/idempotency/checkpoints.ts";
import { CHECKPOINT, encodeNote } from "../../../lib/idempotency/dedup_state.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { assertContents, contentsOf } from "../../fuzz/dump_fuzz.ts";
import { LocalKarma } from "../../support/local_karma.ts";

/** A Karma, and a way to its state without clients. */
class World {
  readonly karma: LocalKarma;
  readonly stateWriter: StateWriter;
  readonly checkpointer: Checkpointer;

  constructor(karma: LocalKarma) {
    this.karma = karma;
    const { disk, forest, dedup, wal } = karma;
    const clock = { now: () => karma.now, today: () => karma.today };
    const tell = (line: string) => karma.log.push(line);
    const dumps = new DumpStore("/dumps", disk, clock, 1, tell);
    const dedupStore = new DedupStore("/dumps", disk, clock);
    this.stateWriter = new StateWriter(forest, dedup, wal, true);
    const { stateWriter } = this;
    this.checkpointer = new Checkpointer(forest, dumps, wal, stateWriter, dedupStore, dedup, tell);
  }

  static async start(): Promise<World> {
    return new World(await LocalKarma.start());
  }

  async segments(): Promise<string[]> {
    return (await this.karma.disk.list("/dumps")).filter((file) => file.endsWith(".wal")).sort();
  }

  /** What another start finds after the power has gone, all records being on the disk before. */
  async restarted(): Promise<LocalKarma> {
    await this.karma.wal.sync();
    const disk = this.karma.disk.clone();
    disk.crash({ names: false, bytes: false });
    return await LocalKarma.start(disk);
  }
}

function note(offset: string): Checkpoint {
  return { source: "s", offset, event: null, updated: 5 };
}

function largeTree(name: string): Tree {
  const tree = new Tree(name);
  for (let key = 0; key < 30_000; key++) tree.add(key, 0, 20260101, 1 + key, 0);
  assert(tree.branches.length > 10, "it takes many records");
  return tree;
}

Deno.test("dumper: when all is dumped, only the newest segment of the log stays", async () => {
  const world = await World.start();
  const { karma, stateWriter, checkpointer } = world;
  stateWriter.create("t");
  const [tree] = karma.forest.trees();
  for (let round = 1; round <= 3; round++) {
    stateWriter.add(tree, 5, 0, 20260101, 1, 0);
    assertEquals(await checkpointer.dumpAll("a test"), 0);
    assertEquals((await world.segments()).length, 1, `round ${round}`);
  }
  const [back] = (await world.restarted()).forest.trees();
  assertEquals(contentsOf(back), new Map([[5n, new Map([[20260101, 3n]])]]));
});

Deno.test("dumper: where one tree can't be dumped, nor the registry, the log stays", async () => {
  const world = await World.start();
  const { karma, stateWriter, checkpointer } = world;
  for (const name of ["t", "u"]) stateWriter.create(name);
  for (const tree of karma.forest.trees()) stateWriter.add(tree, 5, 0, 20260101, 2, 0);
  const before = await world.segments();
  karma.disk.failsFrom.create = karma.disk.operations;
  assertEquals(await checkpointer.dumpAll("a test"), 3);
  assertEquals(
    karma.log.filter((line) => line.endsWith("could not be dumped: Simulated failure of create"))
      .length,
    3,
  );
  assertMatch(karma.log.at(-1)!, /^Dumped 0 trees for a test, 0 bytes in \d+\.\d s, 3 failed$/);
  assert(before.every((segment) => karma.disk.bytesOf(`/dumps/${segment}`).length > 0));
  karma.disk.failsFrom = {};
  const trees = (await world.restarted()).forest.trees();
  assertEquals(trees.map((tree) => [tree.name, contentsOf(tree).get(5n)]), [
    ["t", new Map([[20260101, 2n]])],
    ["u", new Map([[20260101, 2n]])],
  ]);
});

Deno.test("dumper: the records of a tree that is on its way stay until it is dumped itself", async () => {
  const world = await World.start();
  const { karma, stateWriter, checkpointer } = world;
  stateWriter.create("other");
  const tree = largeTree("t");
  const putting = stateWriter.put(tree);
  const before = await world.segments();
  const dumping = checkpointer.dumpAll("a test");
  assertEquals([await putting, await dumping], ["done", 0]);
  assertEquals((await world.segments()).slice(0, before.length), before);
  const back = (await world.restarted()).forest.trees();
  assertEquals(back.map(({ name }) => name), ["other", "t"]);
  assertContents(contentsOf(back[1]), contentsOf(tree));
  // Now that it is there, they may go.
  assertEquals([stateWriter.firstStaged, await checkpointer.dumpAll("a test")], [Infinity, 0]);
  assertEquals((await world.segments()).length, 1);
  assertContents(contentsOf((await world.restarted()).forest.trees()[1]), contentsOf(tree));
  const done = karma.log.map((line) => line.replace(/, [\d.]+ \w+ in [\d.]+ s/, ""));
  assertEquals(done, [
    "Dumped 1 tree for a test and the registry",
    "Dumped 1 tree for a test, 1 was unchanged",
  ]);
});

Deno.test("dumper: who asks while dumps go on shares the next ones", async () => {
  const { karma, stateWriter, checkpointer } = await World.start();
  stateWriter.create("t");
  let creates = 0;
  let goOn = () => {};
  karma.disk.latency = (kind) => {
    if (kind !== "create" || creates++ > 0) return null;
    return new Promise<void>((resolve) => goOn = resolve);
  };
  const first = checkpointer.dumpAll("a test");
  await nextTurn(); // it has begun
  for (const tree of karma.forest.trees()) stateWriter.add(tree, 5, 0, 20260101, 1, 0);
  const others = [
    checkpointer.dumpAll("a test"),
    checkpointer.dumpAll("a test"),
    checkpointer.dumpAll("a test"),
  ];
  goOn();
  assertEquals(await Promise.all([first, ...others]), [0, 0, 0, 0]);
  assertEquals(creates, 5, "the tree twice, the registry once, the marks of two segments");
});

Deno.test("dumper: the log goes only when the registry is in a dump, of which one stays", async () => {
  const world = await World.start();
  const { karma, stateWriter, checkpointer } = world;
  const dedupStore = async () => {
    return (await karma.disk.list("/dumps")).filter((file) => file.endsWith(".registry"));
  };
  const checkpoint = (offset: string) => {
    assertEquals(stateWriter.note(CHECKPOINT, encodeNote(note(offset))), "done");
  };
  stateWriter.create("t");
  for (const offset of ["1", "2"]) {
    checkpoint(offset);
    assertEquals(await checkpointer.dumpAll("a test"), 0);
    assertEquals([(await world.segments()).length, (await dedupStore()).length], [1, 1]);
  }
  checkpoint("3");
  const before = await world.segments();
  const { disk } = karma;
  let creates = 0;
  disk.latency = (kind) => {
    if (kind === "create") creates++;
    if (kind === "write" && creates === 2) disk.failsAt = disk.operations + 1;
    return null;
  };
  // The second file is the registry's, behind the log's mark: the tree is unchanged.
  assertEquals([await checkpointer.dumpAll("a test"), creates], [1, 2]);
  assertEquals((await world.segments()).slice(0, before.length), before);
  const files = await disk.list("/dumps");
  assertEquals(files.filter((file) => file.endsWith(".tmp")), [], "nothing is left in vain");
  const { dedup } = await world.restarted();
  assertEquals(dedup.checkpoints.find("s")?.offset, "3");
});
