// Frames: read back whole whatever the reads were, and refused with any bit changed, cut or added.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { framed, nextPayload } from "../../../lib/dump/frame.ts";
import { ReadWindow } from "../../../lib/host/read_window.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";

type Bytes = Uint8Array<ArrayBuffer>;

async function windowOn(bytes: Uint8Array, readBytesMax = Infinity): Promise<ReadWindow> {
  const disk = new MemoryDisk("");
  disk.put("/x", bytes);
  disk.readBytesMax = readBytesMax;
  return new ReadWindow((await disk.open("/x"))!);
}

function joined(...parts: Uint8Array[]): Bytes {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

function bytesOf(hex: string): Bytes {
  return new Uint8Array(Uint8Array.fromHex(hex.replaceAll(" ", "")));
}

Deno.test("frame: the bytes of a frame", () => {
  const payload = new TextEncoder().encode("123456789");
  // The CRC-32 of these nine bytes is what catalogs give as its check value: cbf43926.
  assertEquals(
    framed(payload),
    bytesOf("92 c404 2639f4cb c6 00000009 313233343536373839"),
  );
  assertEquals(framed(new Uint8Array(0)), bytesOf("92 c404 00000000 c6 00000000"));
});

Deno.test("frame: payloads of all sizes come back, one after the other, in reads of any size", async () => {
  const random = new Random(15);
  const payloads = [0, 1, 11, 12, 13, 255, 256, 5000, 0].map((length) => {
    return Uint8Array.from({ length }, () => random.below(256));
  });
  const file = joined(...payloads.map(framed));
  for (const readBytesMax of [1, 2, 7, 12, 100, 4096, Infinity]) {
    const window = await windowOn(file, readBytesMax);
    for (const payload of payloads) assertEquals(await nextPayload(window), payload);
    assertEquals([await nextPayload(window), window.offset], [null, file.length]);
    assertEquals(await nextPayload(window), null);
  }
});

Deno.test("frame: a payload larger than the window", async () => {
  const payload = new Uint8Array(3_000_000).map((_, index) => index * 7);
  const small = Uint8Array.of(1, 2, 3);
  const parts = [framed(small), framed(payload), framed(small)];
  const file = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (file.set(part, at), at + part.length), 0);
  for (const readBytesMax of [100_000, Infinity]) {
    const window = await windowOn(file, readBytesMax);
    assertEquals(await nextPayload(window), small);
    const read = (await nextPayload(window))!;
    assertEquals(read.length, payload.length);
    assert(read.every((byte, at) => byte === payload[at]), "the same three million bytes");
    assertEquals(await nextPayload(window), small);
    assertEquals(await nextPayload(window), null);
  }
});

const GOOD = framed(Uint8Array.of(1, 2, 3));

Deno.test("frame: every bit that is flipped is noticed", async () => {
  const file = joined(GOOD, framed(Uint8Array.of(5, 6, 7, 8)));
  for (let bit = 0; bit < 8 * file.length; bit++) {
    const flipped = file.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const window = await windowOn(flipped);
    await assertRejects(
      async () => {
        while (await nextPayload(window) !== null);
      },
      DamagedError,
      "",
      `bit ${bit}`,
    );
  }
});

Deno.test("frame: a frame cut anywhere is refused", async () => {
  for (let length = 1; length < GOOD.length; length++) {
    const window = await windowOn(joined(GOOD, GOOD.subarray(0, length)));
    assertEquals(await nextPayload(window), Uint8Array.of(1, 2, 3));
    await assertRejects(() => nextPayload(window), DamagedError, "it ends within a frame");
  }
});

const REFUSED: [fault: string, file: Bytes][] = [
  ["no frame begins at byte 0", joined(Uint8Array.of(0), GOOD)],
  ["no frame begins at byte 15", joined(GOOD, Uint8Array.of(0), GOOD)],
  ["no frame begins at byte 15", joined(GOOD, new Uint8Array(12))],
  [
    "the checksum of the frame at byte 0 is wrong",
    joined(GOOD.subarray(0, 12), GOOD.subarray(0, 3)),
  ],
  ["the checksum of the frame at byte 15 is wrong", joined(GOOD, GOOD.with(14, 9))],
  ["it ends within a frame", bytesOf("92 c404 00000000 c6 ffffffff")],
  ["it ends within a frame", bytesOf("92 c404 00000000 c6 00000001")],
  ["it ends within a frame", joined(GOOD, Uint8Array.of(0x92))],
];

Deno.test("frame: a fault is told with its place, and no length is believed", async () => {
  for (const [fault, file] of REFUSED) {
    const window = await windowOn(file, 5);
    await assertRejects(
      async () => {
        while (await nextPayload(window) !== null);
      },
      DamagedError,
      fault,
    );
    assert(window.bytes.length < 1 << 20, "no memory is taken for what is not there");
  }
});
