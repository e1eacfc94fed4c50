// Replacing a file: after a failure or a crash at any operation its name leads to the old contents or the new.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { replaceFile } from "../../../lib/host/replace_file.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

const encoder = new TextEncoder();
const OLD = encoder.encode("old");
const NEW = encoder.encode("new contents");

function replace(disk: MemoryDisk): Promise<void> {
  return replaceFile(disk, "/d", "t.tmp", async (file) => {
    await file.write(NEW);
    return "f";
  });
}

Deno.test("replace file: a crash at any operation leaves the old contents or the new", async () => {
  const make = () => {
    const disk = new MemoryDisk("/d");
    disk.put("/d/f", OLD);
    return disk;
  };
  const whole = make();
  const before = whole.operations;
  await replace(whole);
  assertEquals(whole.bytesOf("/d/f"), NEW);
  assertEquals(await whole.list("/d"), ["f"]);
  for (let at = 1; at <= whole.operations - before; at++) {
    for (const survivors of [{ names: false, bytes: false }, { names: true, bytes: false }]) {
      const disk = make();
      disk.stopsAt = disk.operations + at;
      await replace(disk).catch(() => {});
      disk.crash(survivors);
      const text = new TextDecoder().decode(disk.bytesOf("/d/f"));
      assert(text === "old" || text === "new contents", `operation ${at}: ${text}`);
    }
  }
});

Deno.test("replace file: what the writer throws is thrown, and nothing stays", async () => {
  const disk = new MemoryDisk("/d");
  disk.put("/d/f", OLD);
  const fault = new Error("no");
  const error = await assertRejects(() => {
    return replaceFile(disk, "/d", "t.tmp", () => Promise.reject(fault));
  });
  assertEquals(error, fault);
  assertEquals([await disk.list("/d"), disk.bytesOf("/d/f")], [["f"], OLD]);
});
