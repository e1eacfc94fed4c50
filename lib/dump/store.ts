// The store of dumps: the `.tree` files in the data directory.
//
// Invariant: a dump becomes visible whole or not at all: it is written beside, synced, renamed, and
// the directory synced. No dump is ever overwritten; the newest of a tree has the highest seconds,
// even where two are made in one second or the clock went back. A dump is only visible when the
// log is on the disk as far as the dump has seen it: neither is ever ahead of what a restart finds.
// Trade: dumps are written one at a time, since they share the disk, and one temporary file.

import { join } from "@std/path";
import { AssertionFailed } from "../assert.ts";
import { DamagedError, HostError, sentenceOf } from "../errors.ts";
import { type Clock, pace } from "../host/clock.ts";
import type { Disk, Reading } from "../host/disk.ts";
import { Window } from "../host/window.ts";
import type { BlockPool } from "../tree/block_pool.ts";
import { Tree } from "../tree/tree.ts";
import { treeName } from "../tree/tree_name.ts";
import {
  dumpedName,
  type DumpFile,
  dumpFileName,
  FILE_NAME_BYTES_MAX,
  parseDumpFileName,
} from "./file_name.ts";
import { beginsFrame, beginsMap } from "./frame.ts";
import { readOriginal } from "./original.ts";
import type { Head } from "./format.ts";
import { Coverage } from "./coverage.ts";
import { type Dumped, type Journal, readHead, readTree, writeTree } from "./transfer.ts";

/** Where a dump is written before it has its name; what a crash left there is overwritten. */
const TEMPORARY = ".karma-dump.tmp";

/** Restoring comes before serving: there is nobody to give way to. */
const nobodyWaits = () => Promise.resolve();

/** A dump that is known to be there, and its head once it was looked at; null: it is no dump of ours. */
interface Entry extends DumpFile {
  head?: Head | null;
}

/** A dump that was looked for. */
export interface Found extends Dumped {
  readonly file: string;
}

export class DumpStore {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #pool: BlockPool;
  readonly #retention: number;
  readonly #log: (line: string) => void;
  /** The dumps of each tree that this process knows of, newest first; null: not looked yet. */
  #groups: Map<string, Entry[]> | null = null;
  #loading: Promise<unknown> = Promise.resolve();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(
    directory: string,
    disk: Disk,
    clock: Clock,
    pool: BlockPool,
    retention: number,
    log: (line: string) => void,
  ) {
    this.#directory = directory;
    this.#disk = disk;
    this.#clock = clock;
    this.#pool = pool;
    this.#retention = retention;
    this.#log = log;
  }

  /** The file names of all dumps, newest first, those of one second by name. */
  async list(): Promise<string[]> {
    return (await this.#dumps()).map(({ file }) => file);
  }

  /**
   * Dumps a tree, after the dumps that were asked for before, and removes the oldest of its dumps in
   * the same log when there are more than are to be kept; returns the file's name.
   */
  write(tree: Tree, journal: Journal): Promise<string> {
    const written = this.#writing.then(() => this.#write(tree, journal));
    this.#writing = written.catch(() => {}); // the next dump is not this one's failure
    return written;
  }

  /** Loads a dump by its file's name; null when there is no such file here, as for every path. */
  load(file: string): Promise<Dumped | null> {
    // One at a time, since each takes the memory of a whole tree.
    const loaded = this.#loading.then(() => this.#load(file, pace()));
    this.#loading = loaded.catch(() => {});
    return loaded;
  }

  /** The newest dump of a tree in a log; null when there is none. A newer one that is damaged throws. */
  async find(tree: string, log: string, serial: number): Promise<Found | null> {
    const groups = await this.#learn();
    for (const entry of groups.get(groupOf(tree)) ?? []) {
      const head = await this.#head(entry);
      if (head?.log !== log || head.serial !== serial || head.tree !== tree) continue;
      const dumped = await this.#load(entry.file, nobodyWaits);
      if (dumped !== null) return { ...dumped, file: entry.file };
    }
    return null;
  }

  /** The newest dump of each tree, of whatever log, in the order of the trees' names. */
  async newest(_which?: "of the original"): Promise<DumpFile[]> {
    const groups = await this.#learn();
    return [...groups.keys()].sort().map((group) => groups.get(group)![0]);
  }

  removeHidden(_keep: (name: string, serial: number) => boolean): Promise<void> {
    return Promise.resolve();
  }

  /** Loads a dump that `newest` has named, before anybody is served. */
  async restore({ file }: DumpFile): Promise<Dumped> {
    const dumped = await this.#load(file, nobodyWaits);
    if (dumped === null) throw new DamagedError(`Dump ${file} cannot be loaded by that name`);
    return dumped;
  }

  async #load(file: string, pause: () => Promise<void>): Promise<Dumped | null> {
    return await this.#open(file, (window) => this.#read(window, file, pause));
  }

  async #head(entry: Entry): Promise<Head | null> {
    if (entry.head !== undefined) return entry.head;
    return entry.head = await this.#open(entry.file, async (window) => {
      if (!await window.fill(1)) throw new DamagedError("it is empty");
      if (await beginsFrame(window)) return await readHead(window);
      if (await beginsMap(window)) return null;
      throw new DamagedError("it does not begin as a dump does");
    });
  }

  async #open<T>(file: string, read: (window: Window) => Promise<T>): Promise<T | null> {
    if (!isPlainName(file)) return null;
    const reading: Reading | null = await this.#told(`Dump ${file} could not be opened`, () => {
      return this.#disk.open(join(this.#directory, file));
    });
    if (reading === null) return null;
    try {
      return await this.#told(`Dump ${file} could not be read`, () => read(new Window(reading)));
    } catch (error) {
      if (!(error instanceof DamagedError) || error.message.startsWith(`Dump ${file} `)) {
        throw error;
      }
      throw new DamagedError(`Dump ${file} is damaged: ${error.message}`, { cause: error });
    } finally {
      reading.close();
    }
  }

  async #learn(): Promise<Map<string, Entry[]>> {
    if (this.#groups !== null) return this.#groups;
    const groups = new Map<string, Entry[]>();
    for (const dump of await this.#dumps()) {
      const others = groups.get(dump.group);
      if (others === undefined) groups.set(dump.group, [dump]);
      else others.push(dump);
    }
    return this.#groups = groups;
  }

  async #note(entry: Entry): Promise<void> {
    const groups = await this.#learn();
    const entries = groups.get(entry.group) ?? [];
    if (entries.some(({ file }) => file === entry.file)) return;
    entries.push(entry);
    groups.set(entry.group, entries.sort(newestFirst));
  }

  async #dumps(): Promise<DumpFile[]> {
    const names = await this.#told("Dumps could not be listed", () => {
      return this.#disk.list(this.#directory);
    });
    const dumps: DumpFile[] = [];
    for (const name of names) {
      if (name.startsWith(".") || !name.endsWith(".tree")) continue;
      const dump = parseDumpFileName(name);
      if (dump === null) this.#log(`File ${name} is left alone: it is not named SECONDS_TREE.tree`);
      else dumps.push(dump);
    }
    return dumps.sort(newestFirst);
  }

  async #write(tree: Tree, journal: Journal): Promise<string> {
    return await this.#told(`Tree "${tree.name}" could not be dumped`, async () => {
      const { serial } = tree;
      const now = Math.floor(this.#clock.now() / 1000);
      const temporary = join(this.#directory, TEMPORARY);
      const dump = await this.#unusedName(now, tree.name);
      try {
        await this.#writeFile(temporary, tree, now, journal);
        await journal.sync();
        await this.#disk.rename(temporary, join(this.#directory, dump.file));
      } catch (error) {
        // What is on a full disk in vain must not stay there. That it can't be removed tells nothing new.
        await this.#disk.remove(temporary).catch(() => {});
        throw error;
      }
      await this.#disk.syncDirectory(this.#directory);
      await this.#note({
        ...dump,
        head: { tree: tree.name, seconds: now, log: journal.id, serial },
      });
      await this.#prune(dump.group, journal.id);
      return dump.file;
    });
  }

  /** Removes what is more than is to be kept of a tree's dumps in a log. Those of others stay. */
  async #prune(group: string, log: string): Promise<void> {
    if (this.#retention === 0) return;
    const entries = this.#groups!.get(group)!;
    let kept = 0;
    for (const entry of [...entries]) {
      try {
        if ((await this.#head(entry))?.log !== log || ++kept <= this.#retention) continue;
        const path = join(this.#directory, entry.file);
        if (await this.#disk.exists(path)) await this.#disk.remove(path);
        entries.splice(entries.indexOf(entry), 1);
      } catch (error) {
        if (error instanceof AssertionFailed) throw error;
        if (error instanceof DamagedError) {
          entry.head = null; // it is told once, and stays: whose it was is not known
          this.#log(error.message);
          continue;
        }
        this.#log(`Dump ${entry.file} could not be removed: ${sentenceOf(error)}`);
      }
    }
  }

  async #writeFile(path: string, tree: Tree, now: number, journal: Journal): Promise<void> {
    const file = await this.#disk.create(path);
    try {
      await writeTree(tree, now, file, journal);
      await file.sync();
    } finally {
      file.close();
    }
  }

  /** A name for a dump that is newer than all others of its tree. */
  async #unusedName(now: number, tree: string): Promise<DumpFile> {
    const named = (seconds: number): DumpFile => {
      const dump = parseDumpFileName(dumpFileName(seconds, tree));
      if (dump === null) throw new Error("the newest dump's name leaves no later second");
      return dump;
    };
    const newest = (await this.#learn()).get(named(now).group)?.[0];
    let seconds = Math.max(now, (newest?.seconds ?? 0) + 1);
    while (await this.#disk.exists(join(this.#directory, named(seconds).file))) seconds++;
    return named(seconds);
  }

  async #read(window: Window, file: string, pause: () => Promise<void>): Promise<Dumped> {
    const name = dumpedName(file);
    const named = new TextEncoder().encode(name);
    if (treeName(named, 0, named.length) === null) {
      throw new DamagedError("its name is not that of a tree");
    }
    const dump = parseDumpFileName(file);
    if (dump !== null) await this.#note(dump);
    if (!await window.fill(1)) throw new DamagedError("it is empty");
    if (await beginsFrame(window)) {
      const { tree } = await readHead(window);
      const shortened = dump?.tree === null;
      // A dump that was given another name is a dump of another tree.
      return await readTree(window, shortened ? tree : name, this.#pool, pause);
    }
    const tree = new Tree(name, this.#pool);
    await readOriginal(window, file, tree, this.#log, pause);
    return { tree, coverage: new Coverage() };
  }

  /** Does something with the disk; what the system says becomes a HostError that says what for. */
  async #told<T>(failure: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const known = error instanceof DamagedError || error instanceof HostError;
      if (known || error instanceof AssertionFailed) throw error;
      throw new HostError(failure, error);
    }
  }
}

function groupOf(tree: string): string {
  return parseDumpFileName(dumpFileName(0, tree))!.group;
}

function newestFirst(a: DumpFile, b: DumpFile): number {
  return b.seconds - a.seconds || (a.file < b.file ? -1 : 1);
}

/** Whether a name may be that of a file here: no path, not hidden, and not longer than names can be. */
function isPlainName(file: string): boolean {
  const bytes = new TextEncoder().encode(file).length;
  return !file.startsWith(".") && !/[/\p{Cc}]/u.test(file) && bytes <= FILE_NAME_BYTES_MAX;
}
