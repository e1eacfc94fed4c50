// A segment that is being written: a file that grows, with space reserved ahead.
//
// Invariant: bytes are written only where space is reserved, and zeros follow them to the end of the file. A
// segment gets its name once its head is written. When it is `synced`, the file and its name are on the disk.

import { join } from "@std/path";
import type { Appending, Disk } from "../host/mod.ts";
import {
  encodeSegmentHead,
  GROUP_WORDS,
  HEAD_WORDS,
  sealGroup,
  segmentFileName,
  SPACE_BYTES,
} from "./format.ts";

/** Space is reserved in such steps: a write of so many zeros takes a quarter of a millisecond. */
const RESERVE_BYTES = 1048576;

/** What a segment is called before it is one; what a crash left there is overwritten. */
export const TEMPORARY = ".karma-log.tmp";

/** A segment that is not written any more. */
export interface SegmentFile {
  readonly file: string;
  readonly lsn: number;
  readonly bytes: number;
}

/** What a segment begins with. */
interface Begin {
  /** The log's id. */
  readonly id: string;
  /** The LSN of the first record. */
  readonly lsn: number;
  /** The last LSN that is known to be on the disk. */
  readonly durable: number;
  readonly preamble: Uint8Array;
  /**
   * Whether what is visible of it must be on the disk at once: where there is no other segment, and where it
   * takes the name of one that is on the disk already, as the log's mark may say.
   */
  readonly isSynced: boolean;
}

export class Segment {
  readonly file: string;
  /** The LSN of its first record. */
  readonly lsn: number;
  readonly #appending: Appending;
  readonly #directory: string;
  readonly #disk: Disk;
  /** Bytes at which it has as much as it should; 0: never. */
  readonly #fullBytes: number;
  /** Bytes written. */
  bytes = 0;
  #reserved = 0;
  #isNamed = false;
  /** How many of its bytes are on the disk, and how many syncs are under way. */
  #synced = 0;
  #syncs = 0;

  /**
   * Begins a segment, which will have some `bytesMax` bytes, 0 being no limit. It goes on until its
   * records have as many bytes as its head: with a catalog of 67 MB (248 000 trees with names of 255
   * bytes) every turn would otherwise begin another segment.
   *
   * @throws What the system says; then nothing is left of it
   */
  constructor(
    directory: string,
    disk: Disk,
    head: Begin,
    bytesMax: number,
  ) {
    this.#directory = directory;
    this.#disk = disk;
    this.lsn = head.lsn;
    this.file = segmentFileName(head.lsn);
    const temporary = join(directory, TEMPORARY);
    const begin = bytesOf(head);
    this.#fullBytes = bytesMax === 0 ? 0 : Math.max(bytesMax, 2 * begin.length);
    this.#appending = disk.append(temporary);
    try {
      const bytes = begin.length + SPACE_BYTES;
      while (this.free < bytes) this.reserve(bytes - this.free);
      this.write(begin);
      if (head.isSynced) this.#appending.syncNow();
      disk.renameNow(temporary, join(directory, this.file));
    } catch (error) {
      this.close();
      disk.removeNow(temporary);
      throw error;
    }
  }

  /** Whether it has as much as it should. */
  get isFull(): boolean {
    return this.#fullBytes > 0 && this.bytes >= this.#fullBytes;
  }

  /** Bytes that can be written without new space. */
  get free(): number {
    return this.#reserved - this.bytes;
  }

  /** Reserves space for so many bytes more than are free, or as many as there is space for. */
  reserve(bytes: number): void {
    const left = this.#fullBytes > 0 ? this.#fullBytes - this.#reserved : RESERVE_BYTES;
    this.#reserved += this.#appending.reserve(Math.max(bytes, Math.min(left, RESERVE_BYTES)));
  }

  /** Writes into what is free. */
  write(bytes: Uint8Array<ArrayBuffer>): void {
    this.#appending.write(bytes);
    this.bytes += bytes.length;
  }

  /** Brings to the disk what was written before. */
  async sync(): Promise<void> {
    const { bytes } = this; // more may be written meanwhile, and need another sync
    this.#syncs++;
    await this.#appending.sync();
    if (!this.#isNamed) await this.#disk.syncDirectory(this.#directory);
    this.#isNamed = true;
    this.#syncs--;
    this.#synced = Math.max(this.#synced, bytes);
  }

  /** As `sync`, and waits for it. */
  syncNow(): void {
    this.#appending.syncNow();
    if (!this.#isNamed) this.#disk.syncDirectoryNow(this.#directory);
    this.#isNamed = true;
    this.#synced = this.bytes;
  }

  /** Whether its name is on the disk. */
  get isNamed(): boolean {
    return this.#isNamed;
  }

  /** Whether all of it is on the disk, and nothing goes on with it. */
  get isSafe(): boolean {
    return this.#isNamed && this.#synced === this.bytes && this.#syncs === 0;
  }

  /** Whether the file is still the one that its name leads to. */
  isThere(): boolean {
    return this.#appending.isAt(join(this.#directory, this.file));
  }

  close(): void {
    this.#appending.close();
  }
}

function bytesOf({ id, lsn, durable, preamble }: Begin): Uint8Array<ArrayBuffer> {
  const end = GROUP_WORDS + Math.ceil(preamble.length / 4);
  const words = new Uint32Array(HEAD_WORDS + end + 1);
  encodeSegmentHead(words, id, lsn);
  new Uint8Array(words.buffer).set(preamble, 4 * (HEAD_WORDS + GROUP_WORDS));
  sealGroup(words.subarray(HEAD_WORDS), end, 0, lsn, durable);
  return new Uint8Array(words.buffer);
}
