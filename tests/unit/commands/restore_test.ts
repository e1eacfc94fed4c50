// `karma backup` of a directory and `karma restore` into one, on a disk in memory that may be full.

import { assertEquals, assertRejects } from "@std/assert";
import { parseTool, type ToolLine, UsageError } from "../../../lib/cli/mod.ts";
import { backup } from "../../../lib/commands/backup.ts";
import { restore } from "../../../lib/commands/restore.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { FakeTerminal, FakeWire, toolHost } from "../../support/tool_host.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function hostOf(disk: MemoryDisk, holder: string | null = null) {
  const host = toolHost(new FakeTerminal(), new FakeWire(() => null), disk);
  return { ...host, lock: () => Promise.resolve(holder) };
}

function run(args: string[], disk: MemoryDisk, holder: string | null = null) {
  const line = parseTool(args, () => undefined) as ToolLine;
  if (line.name === "backup") return backup(line, hostOf(disk, holder));
  return restore(line as Extract<ToolLine, { name: "restore" }>, hostOf(disk, holder));
}

async function filled(): Promise<MemoryDisk> {
  const disk = new MemoryDisk("/d", "/b");
  for (const file of ["1_a.tree", "7.wal", "8.wal"]) {
    disk.put(`/d/${file}`, bytes(`data of ${file}`));
  }
  assertEquals(await run(["backup", "-d", "/d", "/b/k"], disk), 0);
  assertEquals(await disk.list("/b"), ["k"]);
  return disk;
}

Deno.test("restore: the files of a backup are what they were", async () => {
  const disk = await filled();
  for (const directory of ["/new", "/other"]) {
    assertEquals(await run(["restore", "-d", directory, "/b/k"], disk), 0);
    assertEquals((await disk.list(directory)).sort(), ["1_a.tree", "7.wal", "8.wal"]);
    assertEquals(disk.bytesOf(`${directory}/8.wal`), bytes("data of 8.wal"));
  }
});

Deno.test("restore: a damaged backup leaves nothing behind, and can be followed by a whole one", async () => {
  const disk = await filled();
  const whole = disk.bytesOf("/b/k");
  for (
    const damaged of [
      whole.subarray(0, whole.length - 1),
      whole.map((b, i) => i === 200 ? b ^ 1 : b),
    ]
  ) {
    disk.put("/b/damaged", damaged);
    await assertRejects(() => run(["restore", "-d", "/new", "/b/damaged"], disk), DamagedError);
    assertEquals(await disk.list("/new"), []);
  }
  assertEquals(await run(["restore", "-d", "/new", "/b/k"], disk), 0);
});

Deno.test("restore: only into an empty directory that nobody has", async () => {
  const disk = await filled();
  await assertRejects(() => run(["restore", "-d", "/d", "/b/k"], disk), UsageError, "is not empty");
  const sentence = "Directory /new is in use by process 7";
  await assertRejects(
    () => run(["restore", "-d", "/new", "/b/k"], disk, "process 7"),
    UsageError,
    sentence,
  );
  await assertRejects(
    () => run(["restore", "-d", "/new", "/b/none"], disk),
    Error,
    "there is no such file",
  );
});

Deno.test("backup: not of a directory that somebody has, or that is not there", async () => {
  const disk = await filled();
  const sentence = "Directory /d is in use by process 7";
  await assertRejects(
    () => run(["backup", "-d", "/d", "/b/x"], disk, "process 7"),
    UsageError,
    sentence,
  );
  await assertRejects(
    () => run(["backup", "-d", "/none", "/b/x"], disk),
    Error,
    "Directory /none could not be read",
  );
  assertEquals(await disk.list("/b"), ["k"]);
});
