// The mark: a last segment that is gone is damage, wherever the log was; a mark that is lost, torn, or
// older than the log is none.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { DamagedError } from "../../../lib/errors.ts";
import { Wal } from "../../../lib/wal/wal.ts";
import type { SyncPolicy } from "../../../lib/wal/hooks.ts";
import { decodeMark, encodeMark, MARK_FILE, Marker, readMark } from "../../../lib/wal/mark.ts";
import { type WalPosition, WalReader } from "../../../lib/wal/reader.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

const DIRECTORY = "/log";
const PATH = `${DIRECTORY}/${MARK_FILE}`;
const ID = "00000000000000aa";

/** Writes a log of so many records, a segment every few; `isStopped`: it ends as it should. */
async function logged(
  records: number,
  policy: SyncPolicy,
  isStopped: boolean,
): Promise<MemoryDisk> {
  const disk = new MemoryDisk(DIRECTORY);
  const wal = logOn(disk, policy, { id: ID, lsn: 0, segments: [] });
  wal.begin();
  for (; records > 0; records--) {
    assert(wal.hasRoom(16));
    wal.words.fill(7, wal.at, wal.at + 16);
    wal.append(16);
    await wal.settled();
  }
  await wal.sync();
  // Under `always` nobody waits for the mark; on this disk it is written before the loop turns.
  await new Promise((resolve) => setTimeout(resolve));
  const left = isStopped ? disk : disk.clone();
  await wal.close(); // in any case, so that no timer goes on
  left.kill();
  return left;
}

function logOn(disk: MemoryDisk, policy: SyncPolicy, position: WalPosition): Wal {
  return new Wal(DIRECTORY, { policy, segmentBytes: 400, bytesMax: Infinity }, position, disk, {
    catalog: () => new Uint8Array(4),
    onLarge() {},
    lost(error) {
      throw error;
    },
    tell(line) {
      throw new Error(line);
    },
  });
}

async function segmentsOf(disk: MemoryDisk): Promise<string[]> {
  return (await disk.list(DIRECTORY)).filter((file) => file.endsWith(".wal")).sort();
}

async function lastRecord(disk: MemoryDisk): Promise<number> {
  const reader = await WalReader.open(DIRECTORY, disk);
  await reader!.read(() => Promise.resolve(), () => {});
  return reader!.lsn;
}

Deno.test("mark: it says what it was given, and every changed bit and cut is seen", () => {
  const mark = { id: ID, segment: 42, lsn: 41 };
  const bytes = encodeMark(mark);
  assertEquals(decodeMark(bytes), mark);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    assertEquals(decodeMark(flipped), null);
  }
  for (let end = 0; end < bytes.length; end++) assertEquals(decodeMark(bytes.slice(0, end)), null);
});

for (const policy of ["always", "everysec", "no"] as const) {
  Deno.test(`mark: a last segment, or a whole log, that is missing is damage under ${policy}`, async () => {
    for (const records of [0, 1, 20]) {
      for (const isStopped of [false, true]) {
        const whole = await logged(records, policy, isStopped);
        assertEquals(await lastRecord(whole), records);
        const files = await segmentsOf(whole);
        for (let lost = 1; lost <= files.length; lost++) {
          const disk = whole.clone();
          for (const file of files.slice(-lost)) disk.removeNow(`${DIRECTORY}/${file}`);
          const said = `${files.at(-1)} is missing: ${MARK_FILE} says`;
          await assertRejects(() => lastRecord(disk), DamagedError, said);
        }
      }
    }
  });
}

Deno.test("mark: after a clean stop, the end of the last segment cannot be cut in silence either", async () => {
  const disk = await logged(21, "everysec", true);
  const path = `${DIRECTORY}/${(await segmentsOf(disk)).at(-1)}`;
  const bytes = disk.bytesOf(path);
  const end = bytes.findLastIndex((byte) => byte !== 0);
  disk.put(path, bytes.slice(0, end));
  await assertRejects(() => lastRecord(disk), DamagedError, "and record 21 were on the disk");
});

Deno.test("mark: without it, or with half of one, or an older one, a log is as good as before", async () => {
  const disk = await logged(20, "everysec", true);
  const bytes = disk.bytesOf(PATH);
  for (let end = 0; end < bytes.length; end += 7) {
    disk.put(PATH, bytes.slice(0, end));
    assertEquals(await lastRecord(disk), 20);
  }
  disk.put(PATH, new Uint8Array(5000));
  assertEquals(await lastRecord(disk), 20);
  disk.put(PATH, encodeMark({ id: ID, segment: 1, lsn: 0 }));
  assertEquals(await lastRecord(disk), 20);
  disk.removeNow(PATH);
  assertEquals(await lastRecord(disk), 20);
  for (const file of await segmentsOf(disk)) disk.removeNow(`${DIRECTORY}/${file}`);
  assertEquals(await WalReader.open(DIRECTORY, disk), null, "Nothing tells that there was a log");
});

Deno.test("mark: one of another log is damage, unless its log was put aside", async () => {
  const disk = await logged(20, "everysec", true);
  const other = { id: "00000000000000bb", segment: 1, lsn: 0 };
  disk.put(PATH, encodeMark(other));
  await assertRejects(() => lastRecord(disk), DamagedError, "is missing");
  const next = new MemoryDisk(DIRECTORY);
  for (const file of await segmentsOf(disk)) {
    next.put(`${DIRECTORY}/${file}`, disk.bytesOf(`${DIRECTORY}/${file}`));
  }
  next.put(PATH, encodeMark({ id: ID, segment: 1, lsn: 0 }));
  const wal = new Wal(
    DIRECTORY,
    { policy: "no", segmentBytes: 0, bytesMax: Infinity },
    { id: other.id, lsn: 500, segments: [] },
    next,
    { catalog: () => new Uint8Array(4), onLarge() {}, lost() {}, tell() {} },
  );
  wal.begin(); // and a crash, before it is marked
  assertEquals(await lastRecord(next), 500);
  await wal.close();
});

Deno.test("mark: one that can't be written is told once, leaves nothing, and the older one stays", async () => {
  const disk = new MemoryDisk(DIRECTORY);
  const told: string[] = [];
  const marker = new Marker(DIRECTORY, disk, (line) => told.push(line));
  const mark = { id: ID, segment: 42, lsn: 41 };
  await marker.write(mark);
  const from = disk.operations;
  for (let failing = 1; failing <= 5; failing++) {
    disk.failsAt = disk.operations + failing;
    await marker.write({ ...mark, lsn: 50 });
    const found = await readMark(DIRECTORY, disk);
    assert(found!.lsn === 41 || failing === 5);
    assertEquals((await disk.list(DIRECTORY)).length, 1);
  }
  assert(disk.operations > from);
  assertEquals(told.length, 1, `${told}`);
  disk.failsAt = Infinity;
  await Promise.all([1, 2, 3].map((more) => marker.write({ ...mark, lsn: 60 + more })));
  assertEquals((await readMark(DIRECTORY, disk))!.lsn, 63);
});

Deno.test("mark: a segment that takes the place of the one it names is never half there", async () => {
  for (const records of [0, 20]) {
    const disk = await logged(records, "no", false);
    const stopped = logOn(disk, "no", await positionOf(disk));
    stopped.begin(); // as before dumps: a segment without records, which the mark names
    await stopped.close();
    const file = (await segmentsOf(disk)).at(-1);
    const begun = disk.operations;
    for (let operations = 0, isOver = false; !isOver; operations++) {
      const crashed = disk.clone();
      crashed.stopsAt = begun + operations;
      try {
        const next = logOn(crashed, "no", await positionOf(crashed));
        next.begin(); // takes the place of that segment
        isOver = true;
      } catch { /* the power is gone */ }
      for (const names of [false, true]) {
        for (const bytes of [false, true]) {
          const left = crashed.clone();
          left.stopsAt = Infinity;
          left.crash({ names, bytes });
          assertEquals(await lastRecord(left), records);
          assertEquals((await segmentsOf(left)).at(-1), file);
        }
      }
    }
  }
});

/** What a start finds. */
async function positionOf(disk: MemoryDisk): Promise<WalPosition> {
  const reader = (await WalReader.open(DIRECTORY, disk))!;
  await reader.read(() => Promise.resolve(), () => {});
  return { id: reader.id, lsn: reader.lsn, segments: reader.segments };
}
