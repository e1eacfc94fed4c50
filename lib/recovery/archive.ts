// An archive: the files that a start needs, one behind the other, as one sequence of bytes that can be read from anywhere.
//
//     {"file":"1795393585_api_requests.tree","bytes":70144}⏎     a line of JSON, then so many bytes
//     ...
//     {"file":"00000000000000000042.wal","bytes":1187}⏎
//     ...
//
// Invariant: what is read from it is what it was made of, as long as the files stay; segments of the WAL end where
// they did at that moment, with some space behind the last. Trade-off: a file is opened for each part that is read, and
// nothing is kept open between.

import { join } from "@std/path";
import type { DumpStore } from "../dump/mod.ts";
import { DamagedError, HostError, orHostError } from "../errors.ts";
import { type Disk, pace } from "../host/mod.ts";
import { MARK_FILE, type Wal } from "../wal/mod.ts";

/** More than the head of a group: a WAL without space at its end looks cut. */
const SPACE_BYTES = 4096;

/** How the names of dumps of the registry end. */
const REGISTRY_ENDING = ".registry";

interface Entry {
  readonly file: string;
  /** Of the file; what is missing there is space. */
  readonly bytes: number;
  readonly space: number;
}

/** Where an entry is in the archive. */
interface Place extends Entry {
  readonly head: Uint8Array<ArrayBuffer>;
  readonly start: number;
  readonly end: number;
}

const encoder = new TextEncoder();

export class Archive {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #places: readonly Place[];
  /** The last record of the WAL that it holds; null: that is not known. */
  readonly lsn: number | null;

  private constructor(
    disk: Disk,
    directory: string,
    entries: readonly Entry[],
    lsn: number | null,
  ) {
    this.#disk = disk;
    this.#directory = directory;
    this.lsn = lsn;
    let end = 0;
    this.#places = entries.map((entry) => {
      const { file, bytes, space } = entry;
      const head = encoder.encode(JSON.stringify({ file, bytes: bytes + space }) + "\n");
      const start = end;
      end += head.length + bytes + space;
      return { ...entry, head, start, end };
    });
  }

  get files(): number {
    return this.#places.length;
  }

  get bytes(): number {
    return this.#places.at(-1)?.end ?? 0;
  }

  /** All files of a directory that nobody changes, but for those of its lock and of unfinished writes. */
  static async ofDirectory(disk: Disk, directory: string): Promise<Archive> {
    const names = (await disk.list(directory)).filter((name) => {
      return name === MARK_FILE || !name.startsWith(".");
    });
    const entries: Entry[] = [];
    for (const file of names.sort()) {
      const bytes = await sizeOf(disk, join(directory, file));
      entries.push({ file, bytes, space: 0 });
    }
    return new Archive(disk, directory, entries, null);
  }

  /**
   * What a start would need to bring back the state as it is now: the newest dumps, and the WAL up to its last record. No
   * dump may come or go while it is made and read.
   */
  static async ofLog(disk: Disk, directory: string, dumps: DumpStore, wal: Wal): Promise<Archive> {
    const entries = await newestDumps(dumps, wal.id);
    for (const file of await disk.list(directory)) {
      if (!file.endsWith(REGISTRY_ENDING)) continue;
      entries.push({ file, bytes: await sizeOf(disk, join(directory, file)), space: 0 });
    }
    await wal.sync();
    const { lsn, segments } = wal;
    segments.forEach(({ file, bytes }, at) => {
      entries.push({ file, bytes, space: at === segments.length - 1 ? SPACE_BYTES : 0 });
    });
    return new Archive(disk, directory, entries, lsn);
  }

  /**
   * Reads so many bytes, fewer at the end.
   *
   * @throws {HostError} If a file cannot be read, or is not as it was
   */
  async read(offset: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    const into = new Uint8Array(Math.max(0, Math.min(count, this.bytes - offset)));
    let at = 0;
    for (let index = this.#placeAt(offset); at < into.length; index++) {
      const place = this.#places[index];
      at += await this.#readPlace(place, offset + at - place.start, into.subarray(at));
    }
    return into;
  }

  /** The entry that holds a byte. */
  #placeAt(offset: number): number {
    let [low, high] = [0, this.#places.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#places[middle].end > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Fills an array from a place in an entry on, as far as it goes; returns how much that was. */
  async #readPlace(place: Place, from: number, into: Uint8Array<ArrayBuffer>): Promise<number> {
    const { head, start, end, file, bytes } = place;
    const count = Math.min(into.length, end - start - from);
    const headPart = head.subarray(from, from + count);
    into.set(headPart);
    const offset = Math.max(0, from - head.length);
    const wanted = Math.min(count - headPart.length, Math.max(0, bytes - offset));
    if (wanted > 0) {
      const path = join(this.#directory, file);
      const part = into.subarray(headPart.length, headPart.length + wanted);
      await orHostError(`${file} could not be read`, () => fill(this.#disk, path, offset, part));
    }
    return count; // what is left is space, and the array is of zeros
  }
}

async function fill(
  disk: Disk,
  path: string,
  offset: number,
  into: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const reading = await disk.open(path, offset);
  if (reading === null) throw new Error("it is not there any more");
  try {
    for (let at = 0; at < into.length;) {
      const read = await reading.read(into.subarray(at));
      if (read === null) throw new Error("it is shorter than it was");
      at += read;
    }
  } finally {
    reading.close();
  }
}

/** The newest dump of each tree in a log, those that are hidden included. */
async function newestDumps({ dumpIndex }: DumpStore, log: string): Promise<Entry[]> {
  await dumpIndex.look();
  const entries: Entry[] = [];
  const rest = pace();
  for (const key of dumpIndex.groupKeys()) {
    const done = new Set<number>();
    for (const entry of dumpIndex.group(key)) {
      const head = await dumpIndex.head(entry).catch((error) => {
        if (error instanceof DamagedError) return null; // an older one will do, as it would for a start
        throw error;
      });
      if (head?.log !== log || done.has(head.serial) || entry.bytes === undefined) continue;
      done.add(head.serial);
      entries.push({ file: entry.file, bytes: entry.bytes, space: 0 });
    }
    await rest();
  }
  return entries;
}

async function sizeOf(disk: Disk, path: string): Promise<number> {
  const reading = await orHostError(`${path} could not be opened`, () => disk.open(path));
  if (reading === null) {
    throw new HostError(`${path} could not be opened`, "it is not there any more");
  }
  reading.close();
  return reading.size;
}
