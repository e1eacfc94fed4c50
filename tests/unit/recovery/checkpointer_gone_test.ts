// Trees that are dropped or replaced while they are dumped: what clients are told, and what is there.

import { assertEquals } from "@std/assert";
import { DumpStore } from "../../../lib/dump/store.ts";
import { StateWriter } from "../../../lib/state/state_writer.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { LocalKarma } from "../../support/local_karma.ts";

const KEYS = 9000;

/** A Karma with a tree of several branches, and a way to its state without clients. */
interface World {
  readonly karma: LocalKarma;
  readonly stateWriter: StateWriter;
}

async function start(): Promise<World> {
  const karma = await LocalKarma.start();
  const stateWriter = new StateWriter(karma.forest, karma.dedup, karma.wal, true);
  await stateWriter.put(treeOf(KEYS));
  return { karma, stateWriter };
}

/** Dumps the tree; something happens at one of the disk's operations, if there are so many (`isOver`). */
async function during(
  operation: number,
  happens: (world: World) => unknown,
): Promise<World & { reply: string; isOver: boolean }> {
  const world = await start();
  const { disk } = world.karma;
  let left = operation;
  disk.latency = () => --left === 0 ? happens(world) : null;
  const reply = await ask(world.karma);
  disk.latency = () => null;
  return { ...world, reply, isOver: left > 0 };
}

async function ask(karma: LocalKarma): Promise<string> {
  const client = karma.connect();
  const reply = await client.ask({ command: "dump", tree_name: "t" });
  await client.end();
  return reply;
}

function treeOf(keys: number): Tree {
  const tree = new Tree("t");
  for (let key = 0; key < keys; key++) tree.add(key, 0, 20260101, 1, 0);
  return tree;
}

async function load({ disk }: LocalKarma, file: string): Promise<Tree> {
  const clock = { now: () => 0, today: () => 20260101 };
  const dumps = new DumpStore("/dumps", disk, clock, 0, () => {});
  return (await dumps.load(file))!.tree;
}

async function dumps(karma: LocalKarma): Promise<string[]> {
  return (await karma.disk.list("/dumps")).filter((file) => /\.tree$|tmp$/.test(file));
}

Deno.test("dumper: a tree that is dropped while it is dumped is told as not found", async () => {
  const told = { saved: 0, missing: 0 };
  for (let operations = 1, isOver = false; !isOver; operations++) {
    const world = await during(operations, ({ stateWriter, karma }) => {
      const tree = karma.forest.named("t");
      if (tree !== null) stateWriter.drop(tree);
    });
    ({ isOver } = world);
    const isSaved = world.reply.includes("saved");
    const files = await dumps(world.karma);
    assertEquals(files.length, isSaved ? 1 : 0);
    assertEquals(isSaved || world.reply.includes("not found"), true, world.reply);
    told[isSaved ? "saved" : "missing"]++;
  }
  assertEquals(told.saved > 2 && told.missing > 2, true, JSON.stringify(told));
});

Deno.test("dumper: of a tree that is replaced while it is dumped, one of both is dumped whole", async () => {
  const sizes = new Set<number>();
  for (let operations = 1, isOver = false; !isOver; operations++) {
    const world = await during(operations, ({ stateWriter }) => stateWriter.put(treeOf(2)));
    ({ isOver } = world);
    assertEquals(world.reply.includes("saved"), true, world.reply);
    const [file, ...others] = await dumps(world.karma);
    assertEquals(others, []);
    sizes.add((await load(world.karma, file)).keys);
  }
  assertEquals(sizes, new Set([2, KEYS]));
});

Deno.test("dumper: trees that go while all are dumped count neither as failed nor as unchanged", async () => {
  const { karma, stateWriter } = await start();
  let isCreated = false;
  karma.disk.latency = (kind) => {
    if (kind === "create") isCreated = true;
    else if (isCreated && karma.forest.named("t") !== null) {
      stateWriter.drop(karma.forest.named("t")!);
    }
    return null;
  };
  assertEquals(await karma.checkpointer.dumpAll("a test"), 0);
  assertEquals(await dumps(karma), []);
  const line = karma.dumped.at(-1)!;
  assertEquals(
    line.replace(/\d+\.\d s/, "0 s"),
    "Dumped 0 trees for a test, 0 bytes in 0 s",
  );
});
