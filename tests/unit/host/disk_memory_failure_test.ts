// The disk in memory as processes see it: as the one of this machine, until it fails as it was told.

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Appending, type Disk, HostDisk } from "../../../lib/host/disk.ts";
import { type Kind, MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";

const NO_SPACE = "No space left on device (os error 28)";

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

Deno.test("memory disk: a crash takes the handles, and so does the death of a process", async () => {
  const ENDS: ((disk: MemoryDisk) => void)[] = [
    (disk) => disk.kill(),
    (disk) => disk.crash({ names: true, bytes: true }),
    (disk) => disk.crashAt(new Random(1)),
    (disk) => disk.crashAt(new Random(1), { holes: true }),
  ];
  for (const end of ENDS) {
    const { disk, file } = appended(1);
    const writing = await disk.create("/d/y");
    const reading = (await disk.open("/d/x"))!;
    const pending = [
      disk.list("/d"),
      disk.remove("/d/x"),
      file.sync(),
      writing.write(filled(1, 1)),
      reading.read(new Uint8Array(1)),
    ];
    assertEquals(disk.filesOpen, 3);
    const { operations } = disk;
    end(disk);
    assertEquals(disk.filesOpen, 0);
    for (const promise of pending) await assertRejects(() => promise, Error, "is dead");
    const calls = [
      () => file.write(filled(1, 1)),
      () => file.reserve(1),
      () => file.syncNow(),
      () => file.close(),
      () => writing.close(),
      () => reading.close(),
    ];
    for (const call of calls) assertThrows(call, Error, "is dead");
    await assertRejects(() => file.sync(), Error, "is dead");
    await assertRejects(() => writing.write(filled(1, 1)), Error, "is dead");
    await assertRejects(() => writing.sync(), Error, "is dead");
    await assertRejects(() => reading.read(new Uint8Array(1)), Error, "is dead");
    assertEquals([disk.filesOpen, disk.operations], [0, operations]);
    assertEquals(disk.bytesOf("/d/x").toHex(), "01");
  }
});

Deno.test("memory disk: a file that was closed is of no use", async () => {
  const { disk, file } = appended(1);
  assertEquals(disk.filesOpen, 1);
  file.close();
  assertEquals(disk.filesOpen, 0);
  assertThrows(() => file.close(), Error, "The file is closed");
  assertThrows(() => file.write(filled(1, 1)), Error, "The file is closed");
  const reading = (await disk.open("/d/x"))!;
  reading.close();
  await assertRejects(() => reading.read(new Uint8Array(1)), Error, "The file is closed");
});

/** One operation of each kind, in an order in which all of them work. */
async function everything(disk: MemoryDisk): Promise<Kind[]> {
  const kinds: Kind[] = [];
  const done = <T>(kind: Kind, result: T) => {
    kinds.push(kind);
    return result;
  };
  const file = done("append", disk.append("/d/y"));
  done("reserve", file.reserve(10));
  done("write", file.write(filled(4, 1)));
  done("sync", await file.sync());
  done("sync", file.syncNow());
  done("rename", disk.renameNow("/d/y", "/d/z"));
  done("rename", await disk.rename("/d/z", "/d/y"));
  done("syncDirectory", disk.syncDirectoryNow("/d"));
  done("syncDirectory", await disk.syncDirectory("/d"));
  done("truncate", await disk.truncate("/d/y", 5));
  done("remove", disk.removeNow("/d/y"));
  const writing = done("create", await disk.create("/d/y"));
  done("write", await writing.write(filled(4, 1)));
  done("sync", await writing.sync());
  const reading = done("open", await disk.open("/d/y"))!;
  done("read", await reading.read(new Uint8Array(1)));
  done("exists", await disk.exists("/d/y"));
  done("list", await disk.list("/d"));
  done("remove", await disk.remove("/d/y"));
  done("makeDirectory", await disk.makeDirectory("/e"));
  return kinds;
}

Deno.test("memory disk: every operation counts, and fails or stops when it is told to", async () => {
  const whole = new MemoryDisk("/d");
  const kinds = await everything(whole);
  assertEquals(whole.operations, kinds.length);
  for (const [index, kind] of kinds.entries()) {
    const failing = new MemoryDisk("/d");
    failing.failsAt = index + 1;
    await assertRejects(() => everything(failing), Error, `Simulated failure of ${kind}`);
    assertEquals(failing.operations, index + 1);
    const stopping = new MemoryDisk("/d");
    stopping.stopsAt = index + 1;
    await assertRejects(() => everything(stopping), Error, "The power is off");
    await assertRejects(() => stopping.exists("/d/x"), Error, "The power is off");
    const broken = new MemoryDisk("/d");
    broken.failsFrom[kind] = index + 1;
    await assertRejects(() => everything(broken), Error, `Simulated failure of ${kind}`);
    assertEquals(broken.operations, index + 1);
    assertEquals(await broken.exists("/d/x").catch(() => "fails"), kind === "exists" && "fails");
    broken.kill();
    assertEquals((await everything(broken)).length, kinds.length, "a new process has better luck");
  }
});

Deno.test("memory disk: a write that fails has written one half, other failures nothing", async () => {
  const { disk, file } = appended(1);
  disk.failsFrom = { write: 0, reserve: 0, truncate: 0 };
  assertThrows(() => file.write(Uint8Array.of(2, 3, 4, 5)), Error, "Simulated failure of write");
  assertThrows(() => file.reserve(10), Error, "Simulated failure of reserve");
  await assertRejects(() => disk.truncate("/d/x", 1), Error, "Simulated failure of truncate");
  assertEquals(disk.bytesOf("/d/x").toHex(), "010203");
  disk.failsFrom = {};
  file.write(Uint8Array.of(4, 5));
  assertEquals(disk.bytesOf("/d/x").toHex(), "0102030405", "it goes on behind the half");
});

Deno.test("memory disk: where space ends, what fits is written", async () => {
  const { disk, file } = appended(1, 2);
  disk.put("/d/y", filled(3, 9));
  disk.bytesMax = disk.bytes + 4;
  assertEquals(disk.bytesMax, 9);
  assertEquals(file.reserve(3), 3);
  file.write(Uint8Array.of(3, 4));
  assertThrows(() => file.write(Uint8Array.of(5, 6, 7, 8)), Error, NO_SPACE);
  assertEquals(
    disk.bytesOf("/d/x").toHex(),
    "010203040506",
    "reserved space is there, and one more",
  );
  assertThrows(() => file.reserve(1), Error, NO_SPACE);
  assertEquals(file.reserve(0), 0);
  await assertRejects(() => disk.truncate("/d/x", 7), Error, NO_SPACE);
  const writing = await disk.create("/d/z");
  await assertRejects(() => writing.write(filled(1, 1)), Error, NO_SPACE);
  await disk.remove("/d/y");
  await assertRejects(() => writing.write(filled(5, 1)), Error, NO_SPACE);
  assertEquals(disk.bytesOf("/d/z").toHex(), "010101");
  disk.bytesMax += 10;
  assertEquals(file.reserve(100), 10);
  file.write(Uint8Array.of(7));
  assertEquals(disk.bytesOf("/d/x").toHex(), `01020304050607${"00".repeat(9)}`);
});

/** Does the same things by chance to any disk; returns what could be seen meanwhile. */
async function exercise(disk: Disk, directory: string, random: Random): Promise<string[]> {
  const seen: string[] = [];
  const files: Appending[] = [];
  const paths = ["a", "b", "c"].map((name) => `${directory}/${name}`);
  for (let step = 0; step < 300; step++) {
    const path = random.pick(paths);
    const what = random.below(14);
    const count = random.below(random.pick([3, 600, 10_000]));
    if (what === 0) files.push(disk.append(path));
    else if (what <= 4 && files.length > 0) random.pick(files).write(filled(count, step));
    else if (what <= 7 && files.length > 0) seen.push(`${random.pick(files).reserve(count)}`);
    else if (what === 8 && files.length > 0) await random.pick(files).sync();
    else if (what === 9) disk.syncDirectoryNow(directory);
    else if (!await disk.exists(path)) seen.push("none");
    else if (what === 10) disk.renameNow(path, random.pick(paths));
    else if (what === 11) disk.removeNow(path);
    else if (what === 12) await disk.truncate(path, count);
    else seen.push(await contentsOf(disk, path));
  }
  for (const file of files) file.close();
  for (const name of (await disk.list(directory)).sort()) {
    seen.push(name, await contentsOf(disk, `${directory}/${name}`));
  }
  return seen;
}

async function contentsOf(disk: Disk, path: string): Promise<string> {
  const reading = (await disk.open(path))!;
  const bytes = new Uint8Array(reading.size);
  for (let at = 0; at < bytes.length;) at += (await reading.read(bytes.subarray(at)))!;
  assertEquals(await reading.read(new Uint8Array(1)), null);
  reading.close();
  return bytes.toHex();
}

Deno.test("memory disk: it shows what the disk of this machine shows", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const directory = await Deno.makeTempDir();
    try {
      const expected = await exercise(new HostDisk(), directory, new Random(seed));
      const actual = await exercise(new MemoryDisk("/d"), "/d", new Random(seed));
      assertEquals(actual, expected, `seed ${seed}`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }
});
