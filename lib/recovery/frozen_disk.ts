// A frozen disk: the files as they are at one moment, for a reader beside a server that goes on writing.
//
// Invariant: nothing that is added later can be seen: neither new files nor new bytes of the WAL, which grows. So a
// reader finds what a start at that moment would have found, except that files may still be removed. Nothing can
// be written. Trade-off: reads are small, and give way to other work.

import { basename } from "@std/path";
import { assert } from "../assert.ts";
import { HostError } from "../errors.ts";
import { type Disk, pace, type Reading } from "../host/mod.ts";
import { MARK_FILE, segmentLsn, type Wal } from "../wal/mod.ts";

/** What is done with so many bytes takes a millisecond or two. */
const READ_BYTES_MAX = 65536;

function refuse(): never {
  assert(false, "the disk of an examination is only read");
}

export class FrozenDisk implements Disk {
  readonly #disk: Disk;
  readonly #directory: string;
  /** The files in the directory, but for the log's. */
  readonly #names: ReadonlySet<string>;
  /** The bytes of each file of the log. */
  readonly #segments: ReadonlyMap<string, number>;
  readonly #pause = pace();

  private constructor(
    disk: Disk,
    directory: string,
    names: ReadonlySet<string>,
    segments: ReadonlyMap<string, number>,
  ) {
    this.#disk = disk;
    this.#directory = directory;
    this.#names = names;
    this.#segments = segments;
  }

  /** The disk as it is now; it holds every record of the log so far. */
  static async of(disk: Disk, directory: string, wal: Wal): Promise<FrozenDisk> {
    // The log last: it must be as far as what is in the files.
    const files = await disk.list(directory).catch((error) => {
      throw new HostError(`Directory ${directory} could not be listed`, error);
    });
    // The mark goes on with the log, and may be ahead of what it is now.
    const names = files.filter((name) => segmentLsn(name) === null && name !== MARK_FILE);
    await wal.sync();
    const segments = wal.segments.map(({ file, bytes }): [string, number] => [file, bytes]);
    return new FrozenDisk(disk, directory, new Set(names), new Map(segments));
  }

  list(directory: string): Promise<string[]> {
    if (directory !== this.#directory) return this.#disk.list(directory);
    return Promise.resolve([...this.#names, ...this.#segments.keys()]);
  }

  /** Reads that block would stop whoever is served meanwhile. */
  readNow(): "large" {
    return "large";
  }

  changedAt(): Promise<number> {
    return Promise.resolve(0);
  }

  async open(path: string, offset = 0): Promise<Reading | null> {
    const name = basename(path);
    const bytes = this.#segments.get(name) ?? (this.#names.has(name) ? Infinity : 0);
    const reading = bytes === 0 ? null : await this.#disk.open(path, offset);
    if (reading === null) return null;
    const size = Math.min(bytes, reading.size);
    let left = size - offset;
    return {
      size,
      read: async (into) => {
        await this.#pause();
        if (left <= 0) return null;
        const read = await reading.read(into.subarray(0, Math.min(left, READ_BYTES_MAX)));
        left -= read ?? 0;
        return read;
      },
      close: () => reading.close(),
    };
  }

  writtenAt(path: string): Promise<number | null> {
    return this.#disk.writtenAt(path);
  }

  exists(path: string): Promise<boolean> {
    return this.#disk.exists(path);
  }

  isLink(path: string): Promise<boolean> {
    return this.#disk.isLink(path);
  }

  check(): void {}

  readonly create = refuse;
  readonly rename = refuse;
  readonly remove = refuse;
  readonly syncDirectory = refuse;
  readonly makeDirectory = refuse;
  readonly truncate = refuse;
  readonly append = refuse;
  readonly renameNow = refuse;
  readonly removeNow = refuse;
  readonly syncDirectoryNow = refuse;
  readonly existsNow = refuse;
  readonly isThereNow = refuse;
}
