// Trees that have not changed since their last dump: not dumped again, and never lost for that.

import { assert, assertEquals } from "@std/assert";
import { StateWriter } from "../../../lib/state/state_writer.ts";
import { CHECKPOINT, encodeNote } from "../../../lib/idempotency/dedup_state.ts";
import type { Tree } from "../../../lib/tree/tree.ts";
import { contentsOf } from "../../fuzz/dump_fuzz.ts";
import { LocalKarma, type LocalOptions } from "../../support/local_karma.ts";

const DAY = 20260101;

/** A Karma with its state writer, which can be restarted after a power cut that takes all it may. */
class World {
  readonly karma: LocalKarma;
  readonly stateWriter: StateWriter;

  constructor(karma: LocalKarma, isCounted: boolean) {
    this.karma = karma;
    this.stateWriter = new StateWriter(karma.forest, karma.dedup, karma.wal, isCounted);
  }

  static async start(
    options: LocalOptions = {},
    disk = undefined as LocalKarma["disk"] | undefined,
  ) {
    return new World(await LocalKarma.start(disk, options), options.wal ?? true);
  }

  async restarted(options: LocalOptions = {}): Promise<World> {
    await this.karma.wal.sync();
    const disk = this.karma.disk.clone();
    disk.crash({ names: false, bytes: false });
    return await World.start(options, disk);
  }

  tree(name: string): Tree {
    return this.karma.forest.named(name)!;
  }

  /** The trees that are in dumps that were made since. */
  async dumped(): Promise<string[]> {
    const before = new Set(await this.karma.files());
    assertEquals(await this.karma.checkpointer.dumpAll("a test"), 0);
    const made = (await this.karma.files()).filter((file) => !before.has(file));
    return made.map((file) => file.replace(/^\d+_/, "").replace(".tree", "")).sort();
  }

  async segments(): Promise<string[]> {
    return (await this.karma.disk.list("/dumps")).filter((file) => file.endsWith(".wal"));
  }

  state(): unknown {
    return this.karma.forest.trees().map((tree) => [tree.name, contentsOf(tree)]);
  }
}

async function filled(options: LocalOptions = {}): Promise<World> {
  const world = await World.start(options);
  for (const name of ["a", "b", "c"]) {
    world.stateWriter.create(name);
    world.stateWriter.add(world.tree(name), 1, 0, DAY, 1, 0);
  }
  return world;
}

Deno.test("unchanged: only what has changed is dumped again, and all else survives the log's end", async () => {
  const world = await filled();
  assertEquals(await world.dumped(), ["a", "b", "c"]);
  assertEquals(await world.dumped(), []);
  world.stateWriter.add(world.tree("b"), 2, 0, DAY, 5, 0);
  assertEquals(await world.dumped(), ["b"]);
  assertEquals((await world.segments()).length, 1, "the older dumps are enough");
  const again = await world.restarted();
  assertEquals(again.state(), world.state());
});

Deno.test("unchanged: a restart that replays nothing for a tree does not make it changed", async () => {
  let world = await filled();
  await world.dumped();
  world.stateWriter.add(world.tree("c"), 1, 0, DAY, 1, 0);
  for (let restarts = 0; restarts < 3; restarts++) {
    const state = world.state();
    world = await world.restarted();
    assertEquals(world.state(), state);
    assertEquals(await world.dumped(), restarts === 0 ? ["c"] : []);
  }
  // What a restart replays is not in the dump yet.
  world.stateWriter.add(world.tree("a"), 1, 0, DAY, 1, 0);
  assertEquals(await (await world.restarted()).dumped(), ["a"]);
});

Deno.test("unchanged: every kind of change counts", async () => {
  const CHANGES: [what: string, change: (stateWriter: StateWriter, tree: Tree) => unknown][] = [
    ["add", (stateWriter, tree) => stateWriter.add(tree, 9, 0, DAY, 1, 0)],
    ["subtract", (stateWriter, tree) => stateWriter.subtract(tree, 1, 0, DAY, 1, 0)],
    ["touch", (stateWriter, tree) => stateWriter.touch(tree, 77, 0)],
    ["remove", (stateWriter, tree) => stateWriter.remove(tree, 1, 0, 0, DAY)],
    ["sweep", (stateWriter, tree) => stateWriter.sweep(tree, 0, DAY)],
    ["compact", (stateWriter, tree) => stateWriter.compact(tree)],
    ["adopt", (stateWriter, tree) => stateWriter.adopt(tree, "b")],
    ["drop and create", (stateWriter, { name }) => stateWriter.create(name)],
  ];
  for (const [what, change] of CHANGES) {
    for (const wal of [true, false]) {
      const world = await filled({ wal });
      await world.dumped();
      const tree = world.tree("b");
      if (what === "drop and create") world.stateWriter.drop(tree);
      if (what === "adopt") change(world.stateWriter, world.tree("a"));
      else change(world.stateWriter, tree);
      assertEquals(await world.dumped(), ["b"], what);
      assertEquals(await world.dumped(), [], what);
      assertEquals((await world.restarted({ wal })).state(), world.state(), what);
    }
  }
});

Deno.test("unchanged: what changes while it is dumped is dumped again", async () => {
  const world = await filled();
  const { disk } = world.karma;
  let left = 1;
  disk.latency = (kind) => {
    if (kind === "rename" && left-- === 1) world.stateWriter.add(world.tree("a"), 1, 0, DAY, 1, 0);
  };
  assertEquals(await world.dumped(), ["a", "b", "c"]);
  disk.latency = () => null;
  assertEquals((await world.restarted()).state(), world.state());
  assertEquals(await world.dumped(), ["a"]);
});

Deno.test("unchanged: a dump that was removed by hand, or failed, is made again", async () => {
  const world = await filled();
  const { disk } = world.karma;
  await world.dumped();
  const file = (await world.karma.files()).find((name) => name.endsWith("_a.tree"))!;
  await disk.remove(`/dumps/${file}`);
  assertEquals(await world.dumped(), ["a"]);
  world.stateWriter.add(world.tree("c"), 1, 0, DAY, 1, 0);
  for (const kind of ["create", "rename"] as const) {
    disk.failsFrom = { [kind]: disk.operations };
    assert(await world.karma.checkpointer.dumpAll("a test") > 0, kind);
    disk.failsFrom = {};
    assertEquals(await world.dumped(), ["c"], kind);
    world.stateWriter.add(world.tree("c"), 1, 0, DAY, 1, 0);
  }
});

Deno.test("unchanged: of an older dump that took the place of a removed one a start says so", async () => {
  const world = await filled({ dumpsKept: 5 });
  await world.dumped();
  world.stateWriter.add(world.tree("a"), 1, 0, DAY, 1, 0);
  await world.dumped();
  await world.dumped();
  const files = (await world.karma.files()).filter((name) => name.endsWith("_a.tree")).sort();
  await world.karma.disk.remove(`/dumps/${files.at(-1)}`);
  await world.karma.disk.syncDirectory("/dumps");
  const error = await world.restarted().catch((error) => error);
  assert(/^Dump \d+_a\.tree ends at record \d+, and the log goes on at/.test(error.message), error);
});

Deno.test("unchanged: the registry is not dumped again either", async () => {
  let world = await filled();
  const dedupStore = async () => {
    return (await world.karma.disk.list("/dumps")).filter((file) => file.endsWith(".registry"));
  };
  const note = { source: "s", offset: "1", event: null, updated: 5 };
  world.stateWriter.note(CHECKPOINT, encodeNote(note));
  await world.dumped();
  const [first] = await dedupStore();
  world.stateWriter.add(world.tree("a"), 1, 0, DAY, 1, 0);
  await world.dumped();
  assertEquals(await dedupStore(), [first]);
  world = await world.restarted();
  assertEquals(world.karma.dedup.checkpoints.find("s")?.offset, "1");
  world.stateWriter.add(world.tree("a"), 1, 0, DAY, 1, 0);
  await world.dumped();
  assertEquals(await dedupStore(), [first]);
  world.stateWriter.note(CHECKPOINT, encodeNote({ ...note, offset: "2" }));
  await world.dumped();
  const [second, ...others] = await dedupStore();
  assertEquals([second > first, others], [true, []]);
});
