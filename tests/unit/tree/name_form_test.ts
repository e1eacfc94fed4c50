// The forms of names: every name comes back as it was, and the usual ids take half their bytes.

import { assertEquals } from "@std/assert";
import { pack, unpack, unpackedLength } from "../../../lib/tree/name_form.ts";
import { Random } from "../../support/random.ts";

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
const [kept, out] = [new Uint8Array(256), new Uint8Array(256)];

/** How many bytes a name is kept in; it must come back from them. */
function keptBytes(name: string): number {
  const bytes = encoder.encode(`[${name}]`);
  const head = pack(bytes, 1, bytes.length - 1, kept);
  const length = unpack(head, kept.slice(), 0, out);
  assertEquals(decoder.decode(out.subarray(0, length)), name);
  assertEquals(unpackedLength(head), length);
  return head & 0xff;
}

const UUID = "0189c5f2-7d3e-7b1a-8c4d-0123456789ab";

Deno.test("name forms: UUIDs take 16 bytes, hexadecimal digits half, all else its own", () => {
  assertEquals(keptBytes(UUID), 16);
  assertEquals(keptBytes(UUID.replaceAll("-", "")), 16);
  assertEquals(keptBytes("507f1f77bcf86cd799439011"), 12);
  assertEquals(keptBytes("ab".repeat(127)), 127);
  const plain = [
    UUID.toUpperCase(),
    `${UUID}0`,
    UUID.slice(1),
    UUID.replace("-", "_"),
    "abc",
    "0x",
    "é",
    "a",
  ];
  for (const name of plain) assertEquals(keptBytes(name), encoder.encode(name).length, name);
});

Deno.test("name forms: a UUID with any one character changed comes back", () => {
  for (let at = 0; at < UUID.length; at++) {
    for (const other of "0f-gF ") keptBytes(UUID.slice(0, at) + other + UUID.slice(at + 1));
  }
});

Deno.test("name forms: random names of all lengths come back", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  for (let length = 1; length <= 255; length++) {
    for (const letters of ["0123456789abcdef", "01-", "abcdefgh", "xyz:/"]) {
      const name = Array.from({ length }, () => letters[random.below(letters.length)]).join("");
      keptBytes(name);
    }
  }
});
