// The survey: what follows damage in the WAL, that is further damage, gaps, and records that can still be read.
//
// Invariant: it changes nothing, and nothing that it finds is replayed, since records after a gap may depend on
// lost ones. A group counts as readable if all its checksums are right and its records come after those before
// it. Trade-off: it looks for a group at every word, which takes some seconds for a gigabyte.

import { join } from "@std/path";
import { orHostError } from "../errors.ts";
import { type Disk, type Reading, ReadWindow } from "../host/mod.ts";
import {
  GROUP_BYTES,
  GROUP_WORDS,
  groupLsn,
  HEAD_BYTES,
  isGroup,
  isGroupHead,
  MARK_BYTES,
  segmentLsn,
} from "./format.ts";
import {} from "./scan.ts";

/** Is given the words of each group that can be read: words[from..to). Without records: a preamble. */
type Sighting = (
  words: Uint32Array<ArrayBuffer>,
  from: number,
  to: number,
  records: number,
) => void;

interface Survey {
  /** Further damage and gaps, a sentence each. */
  readonly faults: string[];
  /** What can still be read. */
  groups: number;
  records: number;
  bytes: number;
  /** The last record that can be read. */
  lsn: number;
}

/** Surveys the log from an offset in a file on, which comes after record `lsn`. */
export async function survey(
  directory: string,
  disk: Disk,
  from: { readonly file: string; readonly offset: number },
  lsn: number,
  sight: Sighting,
): Promise<Survey> {
  const found: Survey = { faults: [], groups: 0, records: 0, bytes: 0, lsn };
  const names = await orHostError("The log could not be listed", () => disk.list(directory));
  const files = names.filter((name) => segmentLsn(name) !== null && name >= from.file).sort();
  for (const file of files) {
    await orHostError(`Log ${file} could not be read`, async () => {
      const reading = await disk.open(join(directory, file));
      if (reading === null) return;
      try {
        await surveyFile(reading, file, file === from.file ? from.offset : 0, found, sight);
      } finally {
        reading.close();
      }
    });
  }
  return found;
}

async function surveyFile(
  reading: Reading,
  file: string,
  offset: number,
  found: Survey,
  sight: Sighting,
): Promise<void> {
  const window = new ReadWindow(reading);
  let words = new Uint32Array(window.bytes.buffer);
  const fill = async (count: number) => {
    const isThere = await window.fill(count);
    if (words.buffer !== window.bytes.buffer) words = new Uint32Array(window.bytes.buffer);
    return isThere;
  };
  /** Where the damage begins that is gone through; and the last of it that is not zero. */
  let begin = -1;
  let end = 0;
  const close = () => {
    if (begin >= 0) found.faults.push(`Log ${file} is damaged from byte ${begin} to ${end}`);
    begin = -1;
  };
  while (window.offset < offset && await fill(4)) window.at += 4;
  if (offset === 0 && await fill(HEAD_BYTES)) window.at += HEAD_BYTES;
  while (await fill(4)) {
    const isHead = await fill(GROUP_BYTES) && isGroupHead(words, window.at >>> 2);
    const length = isHead ? words[window.at >>> 2] + GROUP_BYTES + MARK_BYTES : 0;
    if (!isHead || !await fill(length) || !isGroup(words, window.at >>> 2)) {
      if (words[window.at >>> 2] !== 0) {
        if (begin < 0) begin = window.offset;
        end = window.offset + 4;
      }
      window.at += 4;
      continue;
    }
    close();
    const at = window.at >>> 2;
    take(file, words, at, length, found, sight);
    window.at += length;
  }
  close();
}

/** Takes a group that is whole. */
function take(
  file: string,
  words: Uint32Array<ArrayBuffer>,
  at: number,
  length: number,
  found: Survey,
  sight: Sighting,
): void {
  const lsn = groupLsn(words, at);
  const records = words[at + 1];
  if (lsn <= found.lsn) return; // what an older file left
  if (lsn > found.lsn + 1) {
    found.faults.push(
      `Records ${found.lsn + 1} to ${lsn - 1} cannot be read: they came before what is in ${file}`,
    );
  }
  found.lsn = lsn + records - 1;
  sight(words, at + GROUP_WORDS, at + GROUP_WORDS + words[at] / 4, records);
  if (records === 0) return;
  found.groups++;
  found.records += records;
  found.bytes += length;
}
