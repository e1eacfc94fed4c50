// The mark: a small file beside the WAL that says how far the WAL reaches at least. It tells a start that the
// last segment is missing; any other missing part shows in the segments themselves.
//
//   log 3f2a9c0d11e7b845 reaches 00000000000000000042.wal and record 41, 9d3e11a0
//
// Invariant: the mark is never ahead of what is on the disk: it is written after a segment and its name have been
// synced, and at a clean stop. So it may be missing or older than the WAL, and a copy of a directory is
// complete if the mark was copied before the WAL. A mark that cannot be read says nothing. It is always
// replaced as a whole, so a crash cannot leave half of it.
//
// Trade-off: the mark covers the last segment only up to its beginning or the last clean stop. That costs one
// write for each segment and none for each change.

import { crc32 } from "node:zlib";
import { join } from "@std/path";
import { sentenceOf } from "../errors.ts";
import { type Disk, replaceFile } from "../host/mod.ts";
import { segmentFileName, segmentLsn } from "./format.ts";

export const MARK_FILE = ".karma-log.mark";
const TEMPORARY = ".karma-mark.tmp";

/** More than a mark is long. */
const BYTES_MAX = 256;

export interface HighWaterMark {
  /** The log's id. */
  readonly id: string;
  /** The LSN that its last segment is named after. */
  readonly segment: number;
  /** A record that is on the disk, as are all before it. */
  readonly lsn: number;
}

export function encodeMark({ id, segment, lsn }: HighWaterMark): Uint8Array<ArrayBuffer> {
  const text = `log ${id} reaches ${segmentFileName(segment)} and record ${lsn}, `;
  return new TextEncoder().encode(`${text}${sumOf(text)}\n`);
}

/** What a mark says; null if it is none, or damaged. */
export function decodeMark(bytes: Uint8Array): HighWaterMark | null {
  const line = new TextDecoder().decode(bytes);
  const found = /^(log ([0-9a-f]{16}) reaches (\d{20}\.wal) and record (\d+), )([0-9a-f]{8})\n$/
    .exec(line);
  if (found === null) return null;
  const [, text, id, file, lsn, sum] = found;
  return sum === sumOf(text) ? { id, segment: segmentLsn(file)!, lsn: Number(lsn) } : null;
}

/** Reads the mark in a directory; null when there is none, or it says nothing. */
export async function readMark(directory: string, disk: Disk): Promise<HighWaterMark | null> {
  const reading = await disk.open(join(directory, MARK_FILE));
  if (reading === null) return null;
  try {
    const bytes = new Uint8Array(BYTES_MAX);
    let count = 0;
    for (let read; (read = await reading.read(bytes.subarray(count))) !== null;) {
      count += read;
      if (count === BYTES_MAX) return null;
    }
    return decodeMark(bytes.subarray(0, count));
  } finally {
    reading.close();
  }
}

/** Removes the mark, because another log is to begin; it is gone on the disk when this returns. */
export async function removeMark(directory: string, disk: Disk): Promise<void> {
  const path = join(directory, MARK_FILE);
  if (!await disk.exists(path)) return;
  await disk.remove(path);
  await disk.syncDirectory(directory);
}

export class Marker {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #tell: (line: string) => void;
  #next: HighWaterMark | null = null;
  #writing: Promise<void> = Promise.resolve();
  #isTold = false;

  constructor(directory: string, disk: Disk, tell: (line: string) => void) {
    this.#directory = directory;
    this.#disk = disk;
    this.#tell = tell;
  }

  /**
   * Writes a mark of what is on the disk already; resolves when it is there. One that cannot be written
   * is told once, and does no harm: the one before is still true.
   */
  write(mark: HighWaterMark): Promise<void> {
    this.#next = mark;
    return this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const mark = this.#next;
    if (mark === null) return; // a later one was written in its place
    this.#next = null;
    try {
      await replaceFile(this.#disk, this.#directory, TEMPORARY, async (file) => {
        await file.write(encodeMark(mark));
        return MARK_FILE;
      });
      this.#isTold = false;
    } catch (error) {
      if (!this.#isTold) this.#tell(`The log's mark could not be written: ${sentenceOf(error)}`);
      this.#isTold = true;
    }
  }
}

function sumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
