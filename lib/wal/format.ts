// Segments: the files of the WAL, each named after the LSN of its first record.
//
//   00000000000000000042.wal
//
//   head    "KARMALOG" | version | log id | LSN of the first record | CRC-32 | mark       9 words
//   group   the preamble: what a reader that starts here must know; it has no records
//   group   ...
//   zeros   space reserved for more groups: at least as much as the head of one
//
//   group   length | records | LSN | durable | CRC-32 | CRC-32 of the head | mark         9 words
//           payload ...
//           mark                                                                          1 word
//
// A group is one write: the records of a turn, of all connections. `length` is the length of the payload in
// bytes, a multiple of four; `LSN` is that of its first record, and `durable` the last LSN that was known to
// be on the disk when the group was written (two words each). All words are little endian.
//
// Invariant: damage to a group or a head can be told from a write that a crash tore. The space of a write
// held zeros before, so a torn write leaves zeros where it did not reach; and every write ends with the mark,
// which has no zero byte. A group with its marks and without an empty sector was written completely, so if its
// checksum is wrong, it was damaged later.

import { crc32 } from "node:zlib";
import { LANE } from "../bytes/mod.ts";

export const HEAD_WORDS = 9;
export const GROUP_WORDS = 9;
export const HEAD_BYTES = 4 * HEAD_WORDS;
export const GROUP_BYTES = 4 * GROUP_WORDS;
export const MARK_BYTES = 4;

/** At least so much space, zeros, always follows the last group: a segment without it was cut off. */
export const SPACE_BYTES = GROUP_BYTES;

/** No byte of it is zero, nor becomes zero when a few of its bits change. */
const MARK = 0x7ebdd7eb;
const MAGIC = [0x4d52414b, 0x474f4c41]; // "KARMALOG"
const VERSION = 1;

/** Disks write sectors whole, whatever they were asked for. */
const SECTOR_BYTES = 512;

const SUFFIX = ".wal";
const LSN_DIGITS = 20;

export function segmentFileName(lsn: number): string {
  return String(lsn).padStart(LSN_DIGITS, "0") + SUFFIX;
}

/** The LSN in a segment's file name; null for the name of any other file. */
export function segmentLsn(file: string): number | null {
  const match = /^(\d{20})\.wal$/.exec(file);
  return match === null ? null : Number(match[1]);
}

/** The id of a log as people and dumps write it: 16 hexadecimal digits. */
export function idText(lo: number, hi: number): string {
  return [hi, lo].map((lane) => lane.toString(16).padStart(8, "0")).join("");
}

/** Writes a segment's head into `words`. */
export function encodeSegmentHead(words: Uint32Array<ArrayBuffer>, id: string, lsn: number): void {
  words.set(MAGIC);
  words[2] = VERSION;
  words[3] = parseInt(id.slice(8), 16);
  words[4] = parseInt(id.slice(0, 8), 16);
  setU64(words, 5, lsn);
  words[7] = checksum(words, 0, 7);
  words[8] = MARK;
}

export interface SegmentHead {
  readonly id: string;
  readonly lsn: number;
}

/** What a segment's head says. */
export function decodeSegmentHead(
  words: Uint32Array<ArrayBuffer>,
): SegmentHead | "damaged" | "other version" {
  const whole = words[0] === MAGIC[0] && words[1] === MAGIC[1] &&
    words[7] === checksum(words, 0, 7) && words[8] === MARK;
  if (!whole) return "damaged";
  if (words[2] !== VERSION) return "other version";
  return { id: idText(words[3], words[4]), lsn: u64At(words, 5) };
}

/** Completes a group whose payload is words[GROUP_WORDS..end): writes what is before and after it. */
export function sealGroup(
  words: Uint32Array<ArrayBuffer>,
  end: number,
  records: number,
  lsn: number,
  durable: number,
): void {
  words[0] = 4 * (end - GROUP_WORDS);
  words[1] = records;
  setU64(words, 2, lsn);
  setU64(words, 4, durable);
  words[6] = checksum(words, GROUP_WORDS, end);
  words[7] = checksum(words, 0, 7);
  words[8] = MARK;
  words[end] = MARK;
}

/** Whether a group's head, from words[at] on, is as it was written. */
export function isGroupHead(words: Uint32Array<ArrayBuffer>, at: number): boolean {
  return words[at + 8] === MARK && words[at] % 4 === 0 &&
    words[at + 7] === checksum(words, at, at + 7);
}

/** Whether all of a group is as it was written; its head is. */
export function isGroup(words: Uint32Array<ArrayBuffer>, at: number): boolean {
  const end = at + GROUP_WORDS + words[at] / 4;
  return words[end] === MARK && words[at + 6] === checksum(words, at + GROUP_WORDS, end);
}

/** The number of the first record of the group at words[at]. */
export function groupLsn(words: Uint32Array, at: number): number {
  return u64At(words, at + 2);
}

/** The last LSN that was on the disk when the group at words[at] was written. */
export function groupDurable(words: Uint32Array, at: number): number {
  return u64At(words, at + 4);
}

/**
 * Whether a crash may have left bytes[from..end), at that offset of their file, in place of
 * something that ended with a mark: it misses its end, or a sector.
 */
export function mayBeTorn(bytes: Uint8Array, from: number, end: number, offset: number): boolean {
  if (end === from || bytes[end - 1] === 0) return true;
  for (let at = from; at < end;) {
    const next = Math.min(end, at + SECTOR_BYTES - (offset + at - from) % SECTOR_BYTES);
    if (bytes.subarray(at, next).every((byte) => byte === 0)) return true;
    at = next;
  }
  return false;
}

function checksum(words: Uint32Array<ArrayBuffer>, from: number, end: number): number {
  return crc32(new Uint8Array(words.buffer, words.byteOffset + 4 * from, 4 * (end - from)));
}

function setU64(words: Uint32Array, at: number, value: number): void {
  words[at] = value % LANE;
  words[at + 1] = Math.floor(value / LANE);
}

function u64At(words: Uint32Array, at: number): number {
  return words[at + 1] * LANE + words[at];
}
