import { assert, assertEquals } from "@std/assert";
import {
  decodeSegmentHead,
  encodeSegmentHead,
  GROUP_WORDS,
  groupDurable,
  groupLsn,
  HEAD_WORDS,
  idText,
  isGroup,
  isGroupHead,
  mayBeTorn,
  sealGroup,
  segmentFileName,
  segmentLsn,
} from "../../../lib/wal/format.ts";

const ID = "0123456789abcdef";

Deno.test("format: a segment is named after its first record, and names ascend with LSNs", () => {
  assertEquals(segmentFileName(42), "00000000000000000042.wal");
  const lsns = [1, 9, 10, 2 ** 32, Number.MAX_SAFE_INTEGER];
  const names = lsns.map(segmentFileName);
  assertEquals(names.toSorted(), names);
  assertEquals(names.map(segmentLsn), lsns);
  for (const other of ["42.wal", "karma.wal", "00000000000000000042.wal.old", ".karma-log.tmp"]) {
    assertEquals(segmentLsn(other), null);
  }
});

Deno.test("format: a head says what it was given, and every flipped bit is seen", () => {
  const words = new Uint32Array(HEAD_WORDS);
  for (const lsn of [1, 2 ** 32 - 1, 2 ** 40 + 3]) {
    encodeSegmentHead(words, ID, lsn);
    assertEquals(decodeSegmentHead(words), { id: ID, lsn });
  }
  const bytes = new Uint8Array(words.buffer);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7);
    assertEquals(decodeSegmentHead(words), "damaged", `bit ${bit}`);
    bytes[bit >> 3] ^= 1 << (bit & 7);
  }
  assertEquals(idText(0x89abcdef, 0x01234567), ID);
});

function group(): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(GROUP_WORDS + 3 + 1);
  words.set([7, 8, 9], GROUP_WORDS);
  sealGroup(words, GROUP_WORDS + 3, 2, 2 ** 33 + 5, 2 ** 33 + 1);
  return words;
}

Deno.test("format: a group is whole, or some of its checks fail, whichever bit is flipped", () => {
  const words = group();
  assert(isGroupHead(words, 0) && isGroup(words, 0));
  assertEquals([groupLsn(words, 0), groupDurable(words, 0)], [2 ** 33 + 5, 2 ** 33 + 1]);
  const bytes = new Uint8Array(words.buffer);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7);
    assert(!isGroupHead(words, 0) || !isGroup(words, 0), `bit ${bit}`);
    // It was written whole, so this is damage: no crash leaves it so.
    assert(!mayBeTorn(bytes, 0, bytes.length, 100), `bit ${bit}`);
    bytes[bit >> 3] ^= 1 << (bit & 7);
  }
});

Deno.test("format: what a crash may leave of a group looks torn, wherever it ends", () => {
  const whole = new Uint8Array(group().buffer);
  for (let kept = 0; kept < whole.length; kept++) {
    const torn = whole.slice();
    torn.fill(0, kept);
    assert(mayBeTorn(torn, 0, torn.length, 0), `${kept} bytes`);
  }
  // A sector in the middle that did not get there, though the end did.
  const long = new Uint8Array(2000).fill(1);
  assert(!mayBeTorn(long, 0, 2000, 300));
  assert(!mayBeTorn(long.slice().fill(0, 300, 800), 0, 2000, 300), "no whole sector is empty");
  assert(mayBeTorn(long.slice().fill(0, 212, 724), 0, 2000, 300), "one is");
});
