// An archive: whatever part of it is read, it is the part of the whole.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { HostError } from "../../../lib/errors.ts";
import { Archive } from "../../../lib/recovery/archive.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";

const encoder = new TextEncoder();

function directory(): MemoryDisk {
  const disk = new MemoryDisk("/d");
  const files = {
    "1_a.tree": "hello",
    "2_b.tree": "",
    "7.wal": "x".repeat(1000),
    ".karma.lock": "1",
  };
  for (const [file, text] of Object.entries(files)) disk.put(`/d/${file}`, encoder.encode(text));
  disk.put("/d/.karma-log.mark", encoder.encode("mark"));
  return disk;
}

const WHOLE = '{"file":".karma-log.mark","bytes":4}\nmark{"file":"1_a.tree","bytes":5}\nhello' +
  `{"file":"2_b.tree","bytes":0}\n{"file":"7.wal","bytes":1000}\n${"x".repeat(1000)}`;

Deno.test("archive: the files of a directory, one behind the other, without those of its lock", async () => {
  const archive = await Archive.ofDirectory(directory(), "/d");
  assertEquals([archive.files, archive.bytes, archive.lsn], [4, WHOLE.length, null]);
  const random = new Random(1);
  for (let round = 0; round < 500; round++) {
    const [offset, count] = [random.below(WHOLE.length + 1), random.below(1200)];
    const text = new TextDecoder().decode(await archive.read(offset, count));
    assert(text === WHOLE.slice(offset, offset + count), `${count} bytes from ${offset}`);
  }
});

Deno.test("archive: of nothing there is nothing", async () => {
  const archive = await Archive.ofDirectory(new MemoryDisk("/d"), "/d");
  assertEquals([archive.files, archive.bytes, (await archive.read(0, 9)).length], [0, 0, 0]);
});

Deno.test("archive: a file that is gone or shorter is told", async () => {
  const disk = directory();
  const archive = await Archive.ofDirectory(disk, "/d");
  disk.put("/d/7.wal", encoder.encode("x"));
  await assertRejects(
    () => archive.read(0, 2000),
    HostError,
    "7.wal could not be read: it is shorter",
  );
  await disk.remove("/d/1_a.tree");
  await assertRejects(
    () => archive.read(0, 2000),
    HostError,
    "1_a.tree could not be read: it is not there",
  );
});
