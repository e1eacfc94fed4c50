// The files of dumps, for reading.
//
// Invariant: nothing is changed, and only files in the directory itself are opened: hidden names and paths are
// refused. A failure of the system becomes a HostError that says what was being done, and a faulty file a DamagedError
// that names it.

import { join } from "@std/path";
import { asHostError, DamagedError, orHostError } from "../errors.ts";
import { type Disk, type Reading, ReadWindow } from "../host/mod.ts";
import { type DumpFile, FILE_NAME_BYTES_MAX } from "./file_name.ts";
import type { DumpHead } from "./format.ts";
import { beginsFrame, beginsMap } from "./frame.ts";
import { readHead } from "./tree_io.ts";

/** A dump that is known to be there. */
export interface Entry extends DumpFile {
  /** Known once it was looked at; null: it is no dump of ours. */
  head?: DumpHead | null;
  bytes?: number;
  /** The record of its log up to which all of it holds every record; known of those written or restored here. */
  leastLsn?: number;
}

/** What there is to tell of a file that is named as a dump. */
export interface Description {
  readonly tree: string;
  readonly file: string;
  readonly seconds: number;
  readonly bytes: number;
  /** Null: it is a dump of another Karma, or not a dump. */
  readonly head: DumpHead | null;
  /** Why it is not a dump; null: it begins as one. */
  readonly fault: string | null;
}

/** A file that is read at once: some 0.05 ms. */
const SMALL_BYTES = 65536;

export class DumpFiles {
  readonly #directory: string;
  readonly #disk: Disk;

  constructor(directory: string, disk: Disk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  /** The head of a dump; null when it is none of ours, or not there. */
  async head(entry: Entry): Promise<DumpHead | null> {
    if (entry.head !== undefined) return entry.head;
    return entry.head = await this.open(entry.file, (window) => describeFile(window, entry));
  }

  /** Whether a file is a link to another, perhaps to one outside of the directory. */
  isLink(file: string): Promise<boolean> {
    return orHostError(`Dump ${file} could not be looked at`, () => {
      return this.#disk.isLink(join(this.#directory, file));
    });
  }

  /** Some bytes of a dump, fewer at its end; null when there is no such file. */
  bytes(file: string, offset: number, count: number): Promise<Uint8Array | null> {
    return this.#opened(file, offset, async (reading) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(count, reading.size - offset)));
      for (let at = 0; at < bytes.length;) {
        const read = await reading.read(bytes.subarray(at));
        if (read === null) throw new DamagedError("it has become shorter");
        at += read;
      }
      return bytes;
    });
  }

  /** Reads a file; null when there is none of that name here. */
  open<T>(file: string, read: (window: ReadWindow) => Promise<T>): Promise<T | null> {
    return this.#opened(file, 0, (reading) => read(new ReadWindow(reading)));
  }

  /**
   * As `open`, without waiting for the disk if the file is small: at a start there may be ten thousand, and
   * opening, asking, reading and closing one took 0.4 ms.
   */
  async openNow<T>(file: string, read: (window: ReadWindow) => Promise<T>): Promise<T | null> {
    if (!isPlainName(file)) return null;
    const bytes = this.#readNow(file);
    if (bytes === "large") return await this.open(file, read);
    return bytes === null ? null : await this.#read(file, () => read(new ReadWindow(bytes)));
  }

  #readNow(file: string): Uint8Array<ArrayBuffer> | "large" | null {
    try {
      return this.#disk.readNow(join(this.#directory, file), SMALL_BYTES);
    } catch (error) {
      throw asHostError(`Dump ${file} could not be read`, error);
    }
  }

  async #opened<T>(
    file: string,
    offset: number,
    read: (reading: Reading) => Promise<T>,
  ): Promise<T | null> {
    if (!isPlainName(file)) return null;
    const reading = await orHostError(`Dump ${file} could not be opened`, () => {
      return this.#disk.open(join(this.#directory, file), offset);
    });
    if (reading === null) return null;
    try {
      return await this.#read(file, () => read(reading));
    } finally {
      reading.close();
    }
  }

  /** Reads from a file; what is wrong with it is said with its name. */
  async #read<T>(file: string, read: () => Promise<T>): Promise<T> {
    try {
      return await orHostError(`Dump ${file} could not be read`, read);
    } catch (error) {
      if (!(error instanceof DamagedError) || error.dump === file) throw error;
      const message = `Dump ${file} is damaged: ${error.message}`;
      throw new DamagedError(message, { cause: error, dump: file });
    }
  }
}

/** Begins to read a dump into what is known of it; returns its head, null if it is none of ours. */
export async function beginDump(window: ReadWindow, entry: Entry | null): Promise<DumpHead | null> {
  if (entry !== null) entry.bytes = window.left;
  if (!await window.fill(1)) throw new DamagedError("it is empty");
  return await beginsFrame(window) ? await readHead(window) : null;
}

/** As `beginDump`, where more than its head is not looked at if it is none of ours. */
export async function describeFile(window: ReadWindow, entry: Entry): Promise<DumpHead | null> {
  const head = await beginDump(window, entry);
  if (head !== null || await beginsMap(window)) return entry.head = head;
  throw new DamagedError("it does not begin as a dump does");
}

/** What no name of a file here has. */
const NO_NAME = /[/\p{Cc}]/u;

/** Whether a name may be that of a file here: no path, not hidden, and not longer than names can be. */
export function isPlainName(file: string): boolean {
  if (file.startsWith(".") || NO_NAME.test(file)) return false;
  // No character takes more than three bytes for each of its units.
  return 3 * file.length <= FILE_NAME_BYTES_MAX ||
    new TextEncoder().encode(file).length <= FILE_NAME_BYTES_MAX;
}
