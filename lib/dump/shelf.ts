// The shelf: which dumps are in the data directory, and what their heads say.
//
// Invariant: nothing is changed here. What is known of a file stays true, since no dump is ever
// overwritten; that it is still there only the disk knows. A name that is a path, or hidden, is
// nobody's.

import { join } from "@std/path";
import { AssertionFailed } from "../assert.ts";
import { DamagedError, HostError } from "../errors.ts";
import type { Disk, Reading } from "../host/disk.ts";
import { Window } from "../host/window.ts";
import {
  dumpedName,
  type DumpFile,
  FILE_NAME_BYTES_MAX,
  isHiddenDump,
  parseDumpFileName,
} from "./file_name.ts";
import type { Head } from "./format.ts";
import { beginsFrame, beginsMap } from "./frame.ts";
import { readHead } from "./transfer.ts";

/** A dump that is known to be there, and once it was looked at its head; null: it is no dump of ours. */
export interface Entry extends DumpFile {
  head?: Head | null;
  bytes?: number;
}

/** What there is to tell of a file that is named as a dump. */
export interface Description {
  readonly tree: string;
  readonly file: string;
  readonly seconds: number;
  readonly bytes: number;
  /** Null: it is a dump of another Karma, or not a dump. */
  readonly head: Head | null;
  /** Why it is not a dump; null: it begins as one. */
  readonly fault: string | null;
}

export class Shelf {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #tell: (line: string) => void;
  /** The dumps of each tree that this process knows of, newest first; null: not looked yet. */
  #groups: Map<string, Entry[]> | null = null;
  /** Files whose names the operator was told to be wrong. */
  readonly #strays = new Set<string>();

  constructor(directory: string, disk: Disk, tell: (line: string) => void) {
    this.#directory = directory;
    this.#disk = disk;
    this.#tell = tell;
  }

  /** The dumps that are there, newest first, those of one second by name; none of hidden trees. */
  async dumps(): Promise<DumpFile[]> {
    return (await this.#all()).filter((dump) => !isHiddenDump(dump));
  }

  /** The dumps of each tree that are known, newest first. */
  async groups(): Promise<Map<string, Entry[]>> {
    return this.#groups ??= grouped(await this.#all());
  }

  /** Remembers a dump; returns what is known of it. */
  async note(entry: Entry): Promise<Entry> {
    const groups = await this.groups();
    const entries = groups.get(entry.group) ?? [];
    const known = entries.find(({ file }) => file === entry.file);
    if (known !== undefined) return known;
    entries.push(entry);
    groups.set(entry.group, entries.sort(newestFirst));
    return entry;
  }

  /** Forgets a dump that was removed. */
  async forget({ group, file }: Entry): Promise<void> {
    const groups = await this.groups();
    const others = groups.get(group)!.filter((entry) => entry.file !== file);
    if (others.length > 0) groups.set(group, others);
    else groups.delete(group);
  }

  /** The head of a dump; null when it is none of ours, or not there. */
  async head(entry: Entry): Promise<Head | null> {
    if (entry.head !== undefined) return entry.head;
    return entry.head = await this.open(entry.file, (window) => meet(window, entry));
  }

  /** The newest dump of each tree, in the order of the trees' names. */
  async latest(): Promise<Description[]> {
    const groups = grouped(await this.dumps());
    const descriptions: Description[] = [];
    for (const group of [...groups.keys()].sort()) {
      const description = await this.describe(groups.get(group)![0].file);
      if (description !== null) descriptions.push(description);
    }
    return descriptions;
  }

  /** Describes a dump; null when no dump of a tree that is not hidden has that name. */
  async describe(file: string): Promise<Description | null> {
    const dump = isPlainName(file) ? parseDumpFileName(file) : null;
    if (dump === null || isHiddenDump(dump)) return null;
    const known = (await this.groups()).get(dump.group) ?? [];
    const entry: Entry = known.find((other) => other.file === file) ?? dump;
    let fault: string | null = null;
    const head = await this.head(entry).catch((error) => {
      if (!(error instanceof DamagedError)) throw error;
      fault = error.message;
      return null;
    });
    const { seconds, bytes } = entry;
    if (bytes === undefined) return null;
    return { tree: dump.tree ?? head?.tree ?? dumpedName(file), file, seconds, bytes, head, fault };
  }

  /** Whether a file is a link to another, perhaps to one outside of the directory. */
  isLink(file: string): Promise<boolean> {
    return this.told(`Dump ${file} could not be looked at`, () => {
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
  open<T>(file: string, read: (window: Window) => Promise<T>): Promise<T | null> {
    return this.#opened(file, 0, (reading) => read(new Window(reading)));
  }

  /** Does something with the disk; what the system says becomes a HostError that says what for. */
  async told<T>(failure: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const known = error instanceof DamagedError || error instanceof HostError;
      if (known || error instanceof AssertionFailed) throw error;
      throw new HostError(failure, error);
    }
  }

  async #all(): Promise<DumpFile[]> {
    const names = await this.told("Dumps could not be listed", () => {
      return this.#disk.list(this.#directory);
    });
    const dumps: DumpFile[] = [];
    for (const name of names) {
      if (name.startsWith(".") || !name.endsWith(".tree")) continue;
      const dump = parseDumpFileName(name);
      if (dump === null) {
        if (this.#strays.has(name)) continue;
        this.#strays.add(name);
        this.#tell(`File ${name} is left alone: it is not named SECONDS_TREE.tree`);
      } else dumps.push(dump);
    }
    return dumps.sort(newestFirst);
  }

  async #opened<T>(
    file: string,
    offset: number,
    read: (reading: Reading) => Promise<T>,
  ): Promise<T | null> {
    if (!isPlainName(file)) return null;
    const reading = await this.told(`Dump ${file} could not be opened`, () => {
      return this.#disk.open(join(this.#directory, file), offset);
    });
    if (reading === null) return null;
    try {
      return await this.told(`Dump ${file} could not be read`, () => read(reading));
    } catch (error) {
      if (!(error instanceof DamagedError) || error.message.startsWith(`Dump ${file} `)) {
        throw error;
      }
      throw new DamagedError(`Dump ${file} is damaged: ${error.message}`, { cause: error });
    } finally {
      reading.close();
    }
  }
}

/** Begins to read a dump into what is known of it; returns its head, null if it is none of ours. */
export async function beginDump(window: Window, entry: Entry | null): Promise<Head | null> {
  if (entry !== null) entry.bytes = window.left;
  if (!await window.fill(1)) throw new DamagedError("it is empty");
  return await beginsFrame(window) ? await readHead(window) : null;
}

/** As `beginDump`, where more than its head is not looked at if it is none of ours. */
export async function meet(window: Window, entry: Entry): Promise<Head | null> {
  const head = await beginDump(window, entry);
  if (head !== null || await beginsMap(window)) return entry.head = head;
  throw new DamagedError("it does not begin as a dump does");
}

function grouped(dumps: DumpFile[]): Map<string, Entry[]> {
  const groups = new Map<string, Entry[]>();
  for (const dump of dumps) {
    const others = groups.get(dump.group);
    if (others === undefined) groups.set(dump.group, [dump]);
    else others.push(dump);
  }
  return groups;
}

function newestFirst(a: DumpFile, b: DumpFile): number {
  return b.seconds - a.seconds || (a.file < b.file ? -1 : 1);
}

/** Whether a name may be that of a file here: no path, not hidden, and not longer than names can be. */
function isPlainName(file: string): boolean {
  const bytes = new TextEncoder().encode(file).length;
  return !file.startsWith(".") && !/[/\p{Cc}]/u.test(file) && bytes <= FILE_NAME_BYTES_MAX;
}
