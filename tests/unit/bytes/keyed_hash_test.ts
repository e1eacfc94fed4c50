// The keyed hash: of the bytes alone, as its authors define it, and of a key that nobody knows.

import { assert, assertEquals } from "@std/assert";
import { KeyedHash } from "../../../lib/bytes/keyed_hash.ts";

const encoder = new TextEncoder();

/** HalfSipHash-1-3 as its paper has it: rounds on 32-bit words, one for each word and three at the end. */
function reference(key: Uint32Array, bytes: Uint8Array): number {
  const v = new Uint32Array([key[0], key[1], 0x6c796765 ^ key[0], 0x74656462 ^ key[1]]);
  const rotate = (at: number, bits: number) => v[at] = v[at] << bits | v[at] >>> (32 - bits);
  const round = () => {
    v[0] += v[1];
    rotate(1, 5);
    v[1] ^= v[0];
    rotate(0, 16);
    v[2] += v[3];
    rotate(3, 8);
    v[3] ^= v[2];
    v[0] += v[3];
    rotate(3, 7);
    v[3] ^= v[0];
    v[2] += v[1];
    rotate(1, 13);
    v[1] ^= v[2];
    rotate(2, 16);
  };
  const padded = new Uint8Array(4 * (Math.floor(bytes.length / 4) + 1));
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length;
  const words = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 4) {
    const word = words.getUint32(at, true);
    v[3] ^= word;
    round();
    v[0] ^= word;
  }
  v[2] ^= 0xff;
  for (let count = 0; count < 3; count++) round();
  return (v[1] ^ v[3]) >>> 0;
}

Deno.test("keyed hash: is HalfSipHash-1-3, for every length and wherever the bytes lie", () => {
  const key = crypto.getRandomValues(new Uint32Array(2));
  const hash = new KeyedHash(key);
  for (let length = 0; length <= 260; length++) {
    const bytes = crypto.getRandomValues(new Uint8Array(length));
    for (const before of [0, 1, 2, 3, 7]) {
      const around = crypto.getRandomValues(new Uint8Array(before + length + 5));
      around.set(bytes, before);
      const where = `key ${key}, ${length} bytes`;
      assertEquals(hash.of(around, before, before + length), reference(key, bytes), where);
    }
  }
});

Deno.test("keyed hash: bytes that differ in zeros have different hashes", () => {
  const hash = new KeyedHash();
  const TEXTS = ["", "\0", "\0\0", "a", "a\0", "a\0\0\0", "\0a", "abcd", "abcde", "ä".repeat(128)];
  const hashes = TEXTS.map((text) => {
    const bytes = encoder.encode(text);
    return hash.of(bytes, 0, bytes.length);
  });
  // Chance makes two of them equal once in a hundred million runs.
  assertEquals(new Set(hashes).size, TEXTS.length);
});

Deno.test("keyed hash: each has a key of its own", () => {
  const hashes = Array.from({ length: 8 }, () => new KeyedHash().of(Uint8Array.of(1), 0, 1));
  assert(new Set(hashes).size > 1);
});
