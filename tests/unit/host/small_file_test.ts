import { assertEquals, assertThrows } from "@std/assert";
import { readSmallFile } from "../../../lib/host/small_file.ts";
import { TemporaryDirectory } from "../../support/server.ts";

Deno.test("small file: all bytes of one that is small enough, each time in an array of its own", () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("file");
  for (const size of [0, 1, 99, 100]) {
    Deno.writeFileSync(path, new Uint8Array(size).fill(size));
    const read = readSmallFile(path, 100) as Uint8Array;
    Deno.writeFileSync(path, new Uint8Array(50).fill(7));
    readSmallFile(path, 100);
    assertEquals(read, new Uint8Array(size).fill(size));
  }
});

Deno.test("small file: one that is not there, is too large, or can't be read", () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("file");
  assertEquals(readSmallFile(path, 100), null);
  Deno.writeFileSync(path, new Uint8Array(101));
  assertEquals(readSmallFile(path, 100), "large");
  assertEquals((readSmallFile(path, 101) as Uint8Array).length, 101);
  assertThrows(() => readSmallFile(directory.path, 100));
});
