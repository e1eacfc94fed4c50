// The real disk: what is reserved reads as zeros, and what is written then begins at the beginning.

import { assert, assertEquals } from "@std/assert";
import { HostDisk, isNoSpace } from "../../../lib/host/disk.ts";

Deno.test("disk: reserved space is zeros, the first of it and what is added", () => {
  const directory = Deno.makeTempDirSync({ prefix: "karma-disk-" });
  try {
    for (const first of [100, 1 << 20, (1 << 20) + 5, 3 << 20]) {
      const path = `${directory}/file`;
      const file = new HostDisk().append(path);
      assertEquals(file.reserve(first), first);
      file.write(Uint8Array.of(1, 2, 3));
      assertEquals(file.reserve(1000), 1000);
      file.write(Uint8Array.of(4));
      file.close();
      const bytes = Deno.readFileSync(path);
      assertEquals(bytes.length, first + 1000);
      assertEquals([...bytes.subarray(0, 4)], [1, 2, 3, 4]);
      assert(bytes.subarray(4).every((byte) => byte === 0), `${first}`);
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("disk: what says that no space is left", () => {
  const said = ["No space left on device (os error 28)", "Disk quota exceeded (os error 122)"];
  for (const text of [...said, "File too large (os error 27)"]) assert(isNoSpace(new Error(text)));
  for (const text of ["Input/output error (os error 5)", "os error 2", "os error 280"]) {
    assert(!isNoSpace(new Error(text)), text);
  }
});
