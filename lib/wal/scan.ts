// Scans the files of the WAL: reads the head of a segment, and finds groups after the end of the records.

import { join } from "@std/path";
import { type Disk, type Reading, ReadWindow } from "../host/mod.ts";
import {
  decodeSegmentHead,
  GROUP_BYTES,
  groupDurable,
  HEAD_BYTES,
  isGroupHead,
  mayBeTorn,
  type SegmentHead,
  segmentLsn,
} from "./format.ts";

/** What is wrong with something, and whether a crash may have left it so. */
export interface Fault {
  readonly what: string;
  readonly torn: boolean;
  /** Whether there is nothing at all. */
  readonly isEnd?: boolean;
}

/** What the head of a segment says. */
export async function readSegmentHead(
  directory: string,
  disk: Disk,
  file: string,
): Promise<SegmentHead | Fault> {
  const reading = await disk.open(join(directory, file));
  if (reading === null) throw new Error("it is not a file");
  try {
    const window = new ReadWindow(reading);
    const isThere = await window.fill(HEAD_BYTES);
    const head = decodeSegmentHead(new Uint32Array(window.bytes.buffer, 0, HEAD_BYTES / 4));
    if (head === "other version") {
      return { what: "another version of Karma has written it", torn: false };
    }
    if (head !== "damaged" && head.lsn === segmentLsn(file)) return head;
    const torn = !isThere || mayBeTorn(window.bytes, 0, HEAD_BYTES, 0);
    return { what: "it does not begin as a log of Karma does", torn };
  } finally {
    reading.close();
  }
}

/**
 * Searches a segment from an offset on for heads of groups. `isDurable`: one of them says that the
 * record `lsn` was on the disk. `last`: behind the last byte that is not zero, or the offset.
 */
export async function search(
  reading: Reading,
  offset: number,
  lsn: number,
): Promise<{ isDurable: boolean; last: number }> {
  const window = new ReadWindow(reading);
  let last = offset;
  let isDurable = false;
  while (await window.fill(1)) {
    await window.fill(GROUP_BYTES);
    const words = new Uint32Array(window.bytes.buffer);
    // To the end of what is there, or where a head would be cut.
    const isAll = window.end - window.at < GROUP_BYTES;
    const end = isAll ? window.end : window.end - GROUP_BYTES + 1;
    for (; window.at < end; window.at += 4) {
      if (window.offset < offset || words[window.at >>> 2] === 0 && window.at + 4 <= window.end) {
        continue;
      }
      last = Math.min(window.offset + 4, window.offset + window.end - window.at);
      const at = window.at >>> 2;
      if (isAll || !isGroupHead(words, at)) continue;
      if (groupDurable(words, at) >= lsn) isDurable = true;
    }
    window.at = Math.min(window.at, window.end);
  }
  return { isDurable, last };
}
