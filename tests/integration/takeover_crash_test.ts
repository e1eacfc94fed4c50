// The migration of a directory of Karma 1.x, the recorded one and random ones, over a disk in memory on
// which the first start is crashed at each of its operations: nothing counted twice, nothing lost.

import { assert, assertEquals } from "@std/assert";
import { budget, positions } from "../support/budget.ts";
import { Migration } from "../../lib/recovery/migration.ts";
import { isHidden } from "../../lib/tree/tree_name.ts";
import { cellsOf, contentsOf } from "../support/karma1.ts";
import { Karma1World } from "../support/karma1_world.ts";
import { LocalKarma } from "../support/local_karma.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { Random } from "../support/random.ts";

const FIXTURE = new URL("../fixtures/karma-1.x-directory/", import.meta.url);

/** Random directories, each with a few hundred crashes. */
const HISTORIES = budget(1, 6);

function fixture(): [name: string, bytes: Uint8Array<ArrayBuffer>][] {
  const names = [...Deno.readDirSync(FIXTURE)].map(({ name }) => name).sort();
  return names.map((name) => [name, Deno.readFileSync(new URL(name, FIXTURE))]);
}

/** The state that a start has brought to memory. */
function stateOf({ forest, dedup }: LocalKarma): unknown {
  dedup.streams.check();
  dedup.checkpoints.check();
  const contents = Object.entries(contentsOf(forest)).filter(([name]) => !isHidden(name)).sort();
  const streams = [...dedup.streams.all()].map(({ id, tree, staged, lastChunk, committed }) => {
    const cells = staged === null ? null : cellsOf(forest.named(staged)!);
    return [id, tree, cells, lastChunk, committed];
  });
  const { records: answers, checkpoints } = dedup;
  return {
    contents,
    streams: streams.sort(),
    answers: answers.size,
    checkpoints: checkpoints.all(),
  };
}

/** All that the real process does before it listens. */
async function start(disk: MemoryDisk): Promise<LocalKarma> {
  const karma = new LocalKarma(disk, { ageMaxSeconds: 0 });
  const starting = karma.start().then(async () => {
    await (await Migration.open("/dumps", disk))?.settle(() => {});
    return "started";
  });
  // Where a promise can't be kept the real process ends; here it only says so.
  const turn = () => new Promise<string>((done) => setTimeout(() => done(""), 0));
  while (await Promise.race([starting, turn()]) === "") {
    if (karma.lost !== null) throw karma.lost;
  }
  return karma;
}

/** Crashes the first start at each of its operations, and asserts what the next two starts find. */
async function crashEverywhere(first: MemoryDisk, random: Random): Promise<number> {
  const whole = first.clone();
  const wanted = stateOf(await start(whole));
  const operations = whole.operations - first.operations;
  const endings: [what: string, end: (disk: MemoryDisk) => void][] = [
    ["killed", (disk) => disk.kill()],
    ["power cut, all lost", (disk) => disk.crash({ names: false, bytes: false })],
    ["power cut, bytes lost", (disk) => disk.crash({ names: true, bytes: false })],
    ["power cut, names lost", (disk) => disk.crash({ names: false, bytes: true })],
    ["power cut", (disk) => disk.crashAt(random)],
    ["power cut with holes", (disk) => disk.crashAt(random, { holes: true })],
  ];
  for (const at of positions(1, operations, 12)) {
    const stopped = first.clone();
    stopped.stopsAt = first.operations + at;
    await start(stopped).then(() => assert(false, "It did not stop"), () => {});
    for (const [what, end] of endings) {
      const disk = stopped.clone();
      end(disk);
      const where = `operation ${at} of ${operations}, ${what}`;
      try {
        const next = await start(disk);
        assertEquals(stateOf(next), wanted, where);
        const later = disk.clone();
        later.kill();
        assertEquals(stateOf(await start(later)), wanted, `${where}, and again`);
      } catch (error) {
        throw new Error(where, { cause: error });
      }
    }
  }
  return operations;
}

Deno.test("takeover: crashed at operations of the disk", async () => {
  const disk = new MemoryDisk("/dumps");
  for (const [name, bytes] of fixture()) disk.put(`/dumps/${name}`, bytes);
  const operations = await crashEverywhere(disk, new Random(1));
  assert(operations > 30, `${operations}`);
});

Deno.test("takeover: random histories, crashed at operations of the disk", async () => {
  const seed = Number(Deno.env.get("KARMA_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  for (let round = 0; round < HISTORIES; round++) {
    const random = new Random(seed + round);
    const world = new Karma1World(random);
    for (let step = 20 + random.below(100); step > 0; step--) world.step();
    const left = world.disk();
    const disk = new MemoryDisk("/dumps");
    for (const name of await left.list("/data")) {
      disk.put(`/dumps/${name}`, left.bytesOf(`/data/${name}`));
    }
    try {
      const karma = await start(disk.clone());
      const { contents } = stateOf(karma) as { contents: unknown };
      assertEquals(contents, Object.entries(world.contents()).sort());
      await crashEverywhere(disk, random);
    } catch (error) {
      throw new Error(`With KARMA_SEED=${seed}, in round ${round}`, { cause: error });
    }
  }
});
