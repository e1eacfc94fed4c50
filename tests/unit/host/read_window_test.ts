// The window on a file: whatever the reads give, the bytes and offsets it shows are the file's.

import { assert, assertEquals } from "@std/assert";
import { ReadWindow } from "../../../lib/host/read_window.ts";
import type { Reading } from "../../../lib/host/disk.ts";
import { Random } from "../../support/random.ts";

/** A file of these bytes, whose reads give at most `most()` bytes each. */
function reading(bytes: Uint8Array, most: () => number): Reading {
  let at = 0;
  return {
    size: bytes.length,
    read(into) {
      assert(into.length > 0, "a read has room for a byte");
      const count = Math.min(most(), into.length, bytes.length - at);
      into.set(bytes.subarray(at, at + count));
      at += count;
      return Promise.resolve(count === 0 ? null : count);
    },
    close() {},
  };
}

function numbered(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * 7 + (index >> 8));
}

/** Takes `count` bytes; null when the file ends before. */
async function take(window: ReadWindow, count: number): Promise<Uint8Array | null> {
  if (!await window.fill(count)) return null;
  window.at += count;
  return window.bytes.slice(window.at - count, window.at);
}

Deno.test("window: reads cut at every size show the same file", async () => {
  const bytes = numbered(61);
  for (let most = 1; most <= bytes.length; most++) {
    for (let count = 1; count <= bytes.length; count++) {
      const window = new ReadWindow(reading(bytes, () => most));
      let offset = 0;
      for (; offset + count <= bytes.length; offset += count) {
        assertEquals(window.offset, offset);
        assertEquals(window.left, bytes.length - offset);
        assertEquals(await take(window, count), bytes.slice(offset, offset + count));
      }
      assertEquals(await take(window, bytes.length - offset + 1), null);
    }
  }
});

Deno.test("window: what is there stays there after the end was met", async () => {
  const bytes = numbered(10);
  const window = new ReadWindow(reading(bytes, () => 3));
  assertEquals(await window.fill(11), false);
  assertEquals(window.offset, 0);
  assertEquals(await take(window, 10), bytes);
  assertEquals(await window.fill(0), true);
  assertEquals(await window.fill(1), false);
  assertEquals(window.offset, 10);
  assertEquals(window.left, 0);
});

Deno.test("window: an empty file has nothing", async () => {
  const window = new ReadWindow(reading(new Uint8Array(0), () => 1));
  assertEquals(await window.fill(1), false);
  assertEquals([window.offset, window.left], [0, 0]);
});

Deno.test("window: a long file goes through memory that does not grow", async () => {
  const bytes = numbered(5_000_000);
  const random = new Random(1);
  const window = new ReadWindow(reading(bytes, () => 1 + random.below(300_000)));
  const first = window.bytes.length;
  let offset = 0;
  for (;;) {
    const count = Math.min(1 + random.below(200_000), bytes.length - offset);
    if (count === 0) break;
    assertEquals(window.offset, offset);
    assert(equal(await take(window, count), bytes.subarray(offset, offset + count)));
    offset += count;
  }
  assertEquals(window.bytes.length, first);
  assertEquals(await window.fill(1), false);
});

Deno.test("window: a small file takes little memory, and all of it is read in one go", async () => {
  for (const length of [1, 7, 8, 1000, 4096, 100_003]) {
    const bytes = numbered(length);
    let reads = 0;
    const window = new ReadWindow(reading(bytes, () => ++reads && Infinity));
    assertEquals(await take(window, length), bytes);
    assertEquals(await window.fill(1), false);
    assert(window.bytes.length <= length + 1032 && window.bytes.length % 8 === 0);
    assertEquals(reads, 2);
  }
});

Deno.test("window: a file that has grown since it was opened is read to its end", async () => {
  const bytes = numbered(600_000);
  const window = new ReadWindow({ ...reading(bytes, () => 5000), size: 10 });
  assertEquals(await take(window, 9), bytes.slice(0, 9));
  for (let offset = 9; offset < 600_000; offset += 199_997) {
    assert(equal(await take(window, 199_997), bytes.subarray(offset, offset + 199_997)));
  }
  assertEquals(await window.fill(1), false);
});

Deno.test("window: a large piece makes it grow to about that piece", async () => {
  const bytes = numbered(3_000_000);
  const window = new ReadWindow(reading(bytes, () => 65536));
  assert(await take(window, 1000) !== null);
  assert(equal(await take(window, 2_500_000), bytes.subarray(1000, 2_501_000)));
  assert(window.bytes.length < 3_000_000);
  assertEquals(window.offset, 2_501_000);
  assertEquals(window.left, 499_000);
  assert(equal(await take(window, 499_000), bytes.subarray(2_501_000)));
});

/** `assertEquals` would take seconds for a megabyte. */
function equal(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && a.length === b.length && a.every((byte, index) => byte === b[index]);
}
