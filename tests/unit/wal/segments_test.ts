// Segments that are taken away while the log goes on: nobody is answered once that is noticed.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Wal } from "../../../lib/wal/wal.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

const DIRECTORY = "/log";

/** Longer than from one look at the end of a turn to the next. */
const LOOK_MS = 60;

interface World {
  readonly disk: MemoryDisk;
  readonly wal: Wal;
  readonly lost: string[];
}

async function world(segmentBytes = 0): Promise<World> {
  const disk = new MemoryDisk(DIRECTORY);
  const lost: string[] = [];
  const options = { policy: "no", segmentBytes, bytesMax: Infinity } as const;
  const position = { id: "00000000000000aa", lsn: 0, segments: [] };
  const wal = new Wal(DIRECTORY, options, position, disk, {
    catalog: () => new Uint8Array(4),
    onLarge() {},
    lost: ({ message }) => lost.push(message),
    tell() {},
  });
  wal.begin();
  const result = { disk, wal, lost };
  await count(result);
  return result;
}

async function count({ wal }: World, records = 1): Promise<void> {
  for (; records > 0; records--) {
    assert(wal.hasRoom(16));
    wal.words.fill(7, wal.at, wal.at + 16);
    wal.append(16);
    await wal.settled();
  }
}

/** Counts on, once the last look is long enough ago; whether that is answered. */
async function isAnswered(world: World): Promise<boolean> {
  await new Promise((done) => setTimeout(done, LOOK_MS));
  let answered = false;
  count(world).then(() => answered = true);
  await new Promise((done) => setTimeout(done, 5));
  return answered;
}

async function segments({ disk }: World): Promise<string[]> {
  const files = (await disk.list(DIRECTORY)).filter((file) => file.endsWith(".wal"));
  return files.sort().map((file) => `${DIRECTORY}/${file}`);
}

Deno.test("segments: one that is removed or replaced while it is written ends all answers", async () => {
  for (const isReplaced of [false, true]) {
    const each = await world();
    assertEquals(await isAnswered(each), true);
    const [path] = await segments(each);
    const bytes = each.disk.bytesOf(path);
    each.disk.removeNow(path);
    if (isReplaced) each.disk.put(path, bytes);
    assertEquals(await isAnswered(each), false);
    assertEquals(each.lost.length, 1);
    assertMatch(
      each.lost[0],
      /^The log could not be written: Log 0+1\.wal was removed or replaced/,
    );
    assertEquals(each.wal.hasRoom(1), false);
  }
});

Deno.test("segments: an older one that is removed or cut is noticed by each of the other looks", async () => {
  for (const how of ["removed", "cut"]) {
    const each = await world(400);
    while ((await segments(each)).length < 100) await count(each);
    await each.wal.sync();
    each.wal.look();
    assertEquals(each.lost, []);
    const path = (await segments(each))[50];
    if (how === "removed") each.disk.removeNow(path);
    else await each.disk.truncate(path, 100);
    for (let looks = 0; looks < 2; looks++) each.wal.look(); // 64 at a time
    assertEquals(each.lost.length, 1, how);
    assertMatch(each.lost[0], /Log \d+\.wal was removed or cut while it was needed$/);
  }
});

Deno.test("segments: those that are not needed any more may go, and a lost directory is told", async () => {
  const each = await world(400);
  await count(each, 50);
  const begun = each.wal.begin()!;
  each.disk.latency = (kind) => {
    // Between the removal of a name and its sync, too, what is on its way out is not missed.
    if (kind === "remove" || kind === "syncDirectory") each.wal.look();
  };
  await each.wal.removeBefore(begun);
  each.disk.latency = () => null;
  assertEquals((await segments(each)).length, 1);
  each.wal.look();
  assertEquals(each.lost, []);
  each.disk.fault = "Directory /log is another one now";
  assertEquals(await isAnswered(each), false);
  assertEquals(each.lost, ["The log could not be written: Directory /log is another one now"]);
});
