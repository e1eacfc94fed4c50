// The disk that everything else is crashed on: that it keeps what a real disk keeps, and no more.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Appending } from "../../../lib/host/disk.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";

const SECTOR_BYTES = 512;

function filled(count: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(count).fill(value);
}

/** A disk with file /d/x, all of whose names and bytes are safe, and a way to write to it. */
function appended(...bytes: number[]): { disk: MemoryDisk; file: Appending } {
  const disk = new MemoryDisk("/d");
  const file = disk.append("/d/x");
  file.write(Uint8Array.from(bytes));
  file.syncNow();
  disk.syncDirectoryNow("/d");
  return { disk, file };
}

/** What is in a file after each of many crashes at the same point; null: the file is gone. */
function outcomes(disk: MemoryDisk, holes = false, path = "/d/x"): Set<string | null> {
  const found = new Set<string | null>();
  for (let seed = 0; seed < 200; seed++) found.add(crashed(disk, seed, holes, path));
  return found;
}

function crashed(disk: MemoryDisk, seed: number, holes: boolean, path: string): string | null {
  const clone = disk.clone();
  clone.crashAt(new Random(seed), { holes });
  return outcome(clone, path);
}

function outcome(disk: MemoryDisk, path: string): string | null {
  try {
    return disk.bytesOf(path).toHex();
  } catch {
    return null;
  }
}

Deno.test("memory disk: what was synced is there after every crash", async () => {
  for (const isBlocking of [false, true]) {
    const disk = new MemoryDisk("/d");
    const file = disk.append("/d/x.tmp");
    assertEquals(file.reserve(6000), 6000);
    file.write(filled(5000, 7));
    if (isBlocking) file.syncNow();
    else await file.sync();
    disk.renameNow("/d/x.tmp", "/d/x");
    if (isBlocking) disk.syncDirectoryNow("/d");
    else await disk.syncDirectory("/d");
    const expected = "07".repeat(5000) + "00".repeat(1000);
    assertEquals(outcomes(disk), new Set([expected]));
    assertEquals(outcomes(disk, true), new Set([expected]));
    assertEquals(outcomes(disk, true, "/d/x.tmp"), new Set([null]));
    disk.crash({ names: false, bytes: false });
    assertEquals(disk.bytesOf("/d/x").toHex(), expected);
  }
});

Deno.test("memory disk: what was not synced is there in part, and the last write torn", () => {
  const { disk, file } = appended(1);
  file.reserve(2);
  const scratch = Uint8Array.of(2, 3);
  file.write(scratch);
  scratch.set([4, 5]);
  file.write(scratch);
  const expected = ["01", "0100", "010000", "010200", "010203", "01020304", "0102030405"];
  assertEquals([...outcomes(disk)].sort(), expected.sort());
  assertEquals(disk.bytesOf("/d/x").toHex(), "0102030405", "clones are crashed, not this one");
});

Deno.test("memory disk: a file that is written anew loses what it had, or keeps it", async () => {
  const { disk, file } = appended(1, 2);
  file.close();
  disk.append("/d/x").write(Uint8Array.of(9));
  assertEquals(outcomes(disk), new Set(["", "0102", "09"]));
  assertEquals(outcomes(disk, true), new Set(["", "0102", "00", "09"]));
  await disk.create("/d/x");
  assertEquals(disk.bytesOf("/d/x").toHex(), "");
  assert(outcomes(disk).has("0102"));
});

Deno.test("memory disk: with holes, any sectors of what was not synced are there", () => {
  const { disk, file } = appended(...filled(100, 1));
  file.reserve(4 * SECTOR_BYTES - 100);
  file.syncNow();
  file.write(filled(SECTOR_BYTES, 2)); // up to 612
  file.write(filled(2 * SECTOR_BYTES, 3)); // up to 1636
  const found = new Set<string>();
  for (let seed = 0; seed < 2000; seed++) {
    const bytes = Uint8Array.fromHex(crashed(disk, seed, true, "/d/x")!);
    // What is safe, sector 0, two parts of sector 1, sectors 2 and 3, what is still zeros.
    const cuts = [0, 100, 512, 612, 1024, 1536, 1636, 2048];
    const parts = cuts.slice(1).map((end, index) => new Set(bytes.subarray(cuts[index], end)));
    assert(parts.every(({ size }) => size === 1), "nothing is torn but between sectors");
    found.add(parts.map((values) => [...values][0]).join(""));
  }
  const expected = ["0", "2"].flatMap((zero) =>
    ["00", "20", "23"].flatMap((one) =>
      ["00", "03", "30", "33"].map((others) => `1${zero}${one}${others}0`)
    )
  );
  assertEquals([...found].sort(), expected.sort());
});

Deno.test("memory disk: of a sector that was written twice, the first write may be there alone", () => {
  const { disk, file } = appended();
  file.reserve(4);
  file.syncNow();
  file.write(Uint8Array.of(1, 2));
  file.write(Uint8Array.of(3, 4));
  assertEquals(outcomes(disk, true), new Set(["00000000", "01020000", "01020304"]));
});

Deno.test("memory disk: names are lost from the last one on, and bytes without them", () => {
  const disk = new MemoryDisk("/d", "/e");
  for (const name of ["a", "b", "c"]) disk.append(`/d/${name}`).write(Uint8Array.of(1));
  disk.renameNow("/d/a", "/d/b");
  disk.removeNow("/d/c");
  const found = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const clone = disk.clone();
    clone.crashAt(new Random(seed));
    const names = ["a", "b", "c"].filter((name) => outcome(clone, `/d/${name}`) !== null);
    found.add(names.join(""));
  }
  assertEquals([...found].sort(), ["", "a", "ab", "abc", "b", "bc"]);
  disk.syncDirectoryNow("/d");
  assertEquals(outcomes(disk, false, "/d/b"), new Set(["", "01"]), "the name is safe");
  // A name that goes to another directory is safe where that was synced.
  disk.renameNow("/d/b", "/e/b");
  disk.syncDirectoryNow("/e");
  assert(!outcomes(disk, false, "/e/b").has(null));
  assert(outcomes(disk, false, "/d/b").has(null));
  assert(outcomes(disk, false, "/d/b").size > 1);
  disk.syncDirectoryNow("/d");
  assertEquals(outcomes(disk, false, "/d/b"), new Set([null]));
});

Deno.test("memory disk: a sync brings what was written before it, not what is written meanwhile", async () => {
  const { disk, file } = appended();
  let finish = () => {};
  disk.latency = () => new Promise<void>((resolve) => finish = resolve);
  file.write(Uint8Array.of(1));
  const syncing = file.sync();
  file.write(Uint8Array.of(2));
  assertEquals(outcomes(disk), new Set(["", "01", "0102"]), "it has not returned yet");
  finish();
  await syncing;
  assertEquals(outcomes(disk), new Set(["01", "0102"]));
  // One that blocks may overtake it.
  file.write(Uint8Array.of(3));
  const overtaken = file.sync();
  file.syncNow();
  file.write(Uint8Array.of(4));
  finish();
  await overtaken;
  assertEquals(outcomes(disk), new Set(["010203", "01020304"]));
});

Deno.test("memory disk: a file that is cut is so when the call returns", async () => {
  const { disk, file } = appended(1, 2, 3, 4);
  file.write(Uint8Array.of(5, 6));
  await disk.truncate("/d/x", 5);
  assertEquals(outcomes(disk), new Set(["0102030405"]), "what was not synced is safe, too");
  await disk.truncate("/d/x", 2);
  await disk.truncate("/d/x", 4);
  assertEquals(outcomes(disk, true), new Set(["01020000"]));
  await assertRejects(() => disk.truncate("/d/y", 2), Error, "No such file: /d/y");
});

Deno.test("memory disk: what a failed sync was to bring is brought by no later one", async () => {
  for (const isBlocking of [false, true]) {
    const { disk, file } = appended(1);
    file.write(Uint8Array.of(2));
    disk.failsAt = disk.operations + 1;
    if (isBlocking) assertThrows(() => file.syncNow(), Error, "Simulated failure of sync");
    else await assertRejects(() => file.sync(), Error, "Simulated failure of sync");
    assertEquals(outcomes(disk), new Set(["01", "0102"]), "it may have arrived all the same");
    file.write(Uint8Array.of(3));
    file.syncNow();
    assertEquals(disk.bytesOf("/d/x").toHex(), "010203", "as long as the power is there");
    assertEquals(outcomes(disk), new Set(["010003"]));
    // What is written anew has nothing to do with it.
    disk.append("/d/x").write(Uint8Array.of(4));
    await disk.truncate("/d/x", 1);
    assertEquals(outcomes(disk), new Set(["04"]));
  }
});

Deno.test("memory disk: a clone and what it was made of go their own ways", async () => {
  const { disk, file } = appended(...filled(5000, 1));
  file.reserve(5000);
  file.write(filled(10, 2));
  const clone = disk.clone();
  assertEquals([clone.filesOpen, clone.operations], [0, disk.operations]);
  const before = disk.bytesOf("/d/x").toHex();
  const unsynced = outcomes(disk);
  file.write(filled(10, 3));
  file.syncNow();
  disk.renameNow("/d/x", "/d/y");
  assertEquals(clone.bytesOf("/d/x").toHex(), before);
  assertEquals(outcomes(clone), unsynced);
  const after = disk.bytesOf("/d/y").toHex();
  await clone.truncate("/d/x", 3);
  clone.append("/d/z").write(filled(10, 4));
  clone.crash({ names: true, bytes: true });
  assertEquals(disk.bytesOf("/d/y").toHex(), after);
  assertEquals(outcomes(disk, false, "/d/y"), new Set([null, after]));
  assertEquals(await disk.list("/d"), ["y"]);
  assertEquals((await clone.list("/d")).sort(), ["x", "z"]);
  // Both write to what was one page.
  const twin = disk.clone();
  const [left, right] = [disk, twin].map((each) => each.append("/d/y"));
  left.write(filled(4097, 5));
  right.write(filled(4097, 6));
  left.write(filled(1, 7));
  assertEquals(new Set(twin.bytesOf("/d/y")), new Set([6]));
  assertEquals(disk.bytesOf("/d/y")[4097], 7);
});

Deno.test("memory disk: the same seed crashes the same way", () => {
  const { disk, file } = appended(1, 2, 3);
  for (let value = 4; value < 40; value++) file.write(filled(300, value));
  for (let seed = 0; seed < 50; seed++) {
    for (const holes of [false, true]) {
      assertEquals(crashed(disk, seed, holes, "/d/x"), crashed(disk, seed, holes, "/d/x"));
    }
  }
});

Deno.test("memory disk: the death of a process loses nothing, and makes nothing safe", () => {
  const disk = new MemoryDisk("/d");
  disk.append("/d/x").write(Uint8Array.of(1, 2));
  disk.kill();
  assertEquals(disk.bytesOf("/d/x").toHex(), "0102");
  assertEquals(outcomes(disk), new Set([null, "", "01", "0102"]));
});
