// The store of dumps: the `.tree` files in the data directory.
//
// Invariant: a dump becomes visible whole or not at all: it is written beside, synced, renamed, and
// the directory synced. No dump is ever overwritten; the newest of a tree has the highest seconds,
// even where two are made in one second or the clock went back. A dump is only visible when the
// log is on the disk as far as the dump has seen it: neither is ever ahead of what a restart finds.
// Trade: dumps are written one at a time, since they share the disk, and one temporary file.

import { join } from "@std/path";
import { AssertionFailed } from "../assert.ts";
import { DamagedError, sentenceOf } from "../errors.ts";
import { type Clock, pace } from "../host/clock.ts";
import type { Disk } from "../host/disk.ts";
import type { Window } from "../host/window.ts";
import { Tree } from "../tree/tree.ts";
import { isHidden } from "../tree/tree_name.ts";
import { Coverage } from "./coverage.ts";
import {
  dumpableName,
  dumpedName,
  type DumpFile,
  dumpFileName,
  isHiddenDump,
  parseDumpFileName,
} from "./file_name.ts";
import type { Head } from "./format.ts";
import { readOriginal } from "./original.ts";
import { beginDump, type Entry, meet, Shelf } from "./shelf.ts";
import { type Dumped, type Journal, readTree, writeTree } from "./transfer.ts";

/** Where a dump is written before it has its name; what a crash left there is overwritten. */
const TEMPORARY = ".karma-dump.tmp";

/** Restoring comes before serving: there is nobody to give way to. */
const nobodyWaits = () => Promise.resolve();

/** A dump that was looked for. */
export interface Found extends Dumped {
  readonly file: string;
}

export class DumpStore {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #retention: number;
  readonly #tell: (line: string) => void;
  readonly shelf: Shelf;
  /** The log that dumps were written for last. */
  #log = "";
  #loading: Promise<unknown> = Promise.resolve();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(
    directory: string,
    disk: Disk,
    clock: Clock,
    retention: number,
    tell: (line: string) => void,
  ) {
    this.#directory = directory;
    this.#disk = disk;
    this.#clock = clock;
    this.#retention = retention;
    this.#tell = tell;
    this.shelf = new Shelf(directory, disk, tell);
  }

  /** The file names of all dumps, newest first, those of one second by name; none of hidden trees. */
  async list(): Promise<string[]> {
    return (await this.shelf.dumps()).map(({ file }) => file);
  }

  /**
   * Dumps a tree, after the dumps that were asked for before, and removes the oldest of its dumps in
   * the same log when there are more than are to be kept; returns the file's name.
   */
  write(tree: Tree, journal: Journal): Promise<string> {
    return this.hold(() => this.#write(tree, journal));
  }

  /** Does something while no dump comes or goes. */
  hold<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => {}); // the next dump is not this one's failure
    return done;
  }

  /** Loads a dump by its file's name; null when there is no such file here, as for every path. */
  async load(file: string): Promise<Dumped | null> {
    if (isHidden(dumpedName(file))) return null;
    // One at a time, since each takes the memory of a whole tree.
    const loaded = this.#loading.then(() => this.#load(file, pace()));
    this.#loading = loaded.catch(() => {});
    return await loaded;
  }

  /** The newest dump of a tree in a log; null when there is none. A newer one that is damaged throws. */
  async find(tree: string, log: string, serial: number): Promise<Found | null> {
    const isIt = (head: Head | null) => {
      return head?.log === log && head.serial === serial && head.tree === tree;
    };
    const groups = await this.shelf.groups();
    for (const entry of groups.get(groupOf(tree)) ?? []) {
      if (entry.head !== undefined && !isIt(entry.head)) continue;
      // Opened once: at a start there may be ten thousand of them.
      const dumped = await this.shelf.open(entry.file, async (window) => {
        return isIt(await meet(window, entry)) ? await readTree(window, tree, nobodyWaits) : null;
      });
      if (dumped !== null) return { ...dumped, file: entry.file };
    }
    return null;
  }

  /** The newest dump of each tree, of whatever log or of none, in the order of the trees' names. */
  async newest(which: "of any" | "of the original" = "of any"): Promise<DumpFile[]> {
    const groups = await this.shelf.groups();
    const newest: DumpFile[] = [];
    for (const group of [...groups.keys()].sort()) {
      const entries = groups.get(group)!.filter((entry) => !isHiddenDump(entry));
      for (const entry of entries) {
        if (which !== "of any" && await this.shelf.head(entry) !== null) continue;
        newest.push(entry);
        break;
      }
    }
    return newest;
  }

  /** Removes the dumps in this log of hidden trees that are not to be kept. */
  removeHidden(keep: (tree: string, serial: number) => boolean): Promise<void> {
    return this.hold(async () => {
      const entries = [...(await this.shelf.groups()).values()].flat().filter(isHiddenDump);
      await this.#remove(entries, this.#log, ({ tree, serial }) => !keep(tree, serial));
    });
  }

  /** Loads a dump that `newest` has named, before anybody is served. */
  async restore({ file }: DumpFile): Promise<Dumped> {
    const dumped = await this.#load(file, nobodyWaits);
    if (dumped === null) throw new DamagedError(`Dump ${file} cannot be loaded by that name`);
    return dumped;
  }

  async #load(file: string, pause: () => Promise<void>): Promise<Dumped | null> {
    return await this.shelf.open(file, (window) => this.#read(window, file, pause));
  }

  async #write(tree: Tree, journal: Journal): Promise<string> {
    const { name } = tree; // a hidden one may get another meanwhile
    return await this.shelf.told(
      `Tree ${JSON.stringify(name)} could not be dumped`,
      async () => {
        const now = Math.floor(this.#clock.now() / 1000);
        const temporary = join(this.#directory, TEMPORARY);
        const dump = await this.#unusedName(now, name);
        let written: { head: Head; bytes: number };
        try {
          written = await this.#writeFile(temporary, tree, name, now, journal);
          await journal.sync();
          await this.#disk.rename(temporary, join(this.#directory, dump.file));
        } catch (error) {
          // What is on a full disk in vain must not stay there. That it can't be removed tells nothing new.
          await this.#disk.remove(temporary).catch(() => {});
          throw error;
        }
        await this.#disk.syncDirectory(this.#directory);
        await this.shelf.note({ ...dump, ...written });
        this.#log = journal.id;
        await this.#prune(dump.group);
        return dump.file;
      },
    );
  }

  /** Removes what is more than is to be kept of a tree's dumps in the log. Those of others stay. */
  async #prune(group: string): Promise<void> {
    if (this.#retention === 0) return;
    const entries = (await this.shelf.groups()).get(group)!;
    let kept = 0;
    await this.#remove(entries, this.#log, () => ++kept > this.#retention);
  }

  /** Removes those of some dumps that are of a log and useless. */
  async #remove(
    entries: readonly Entry[],
    log: string,
    isUseless: (head: Head) => boolean,
  ): Promise<void> {
    for (const entry of [...entries]) {
      try {
        const head = await this.shelf.head(entry);
        if (head?.log !== log || !isUseless(head)) continue;
        const path = join(this.#directory, entry.file);
        if (await this.#disk.exists(path)) await this.#disk.remove(path);
        await this.shelf.forget(entry);
      } catch (error) {
        if (error instanceof AssertionFailed) throw error;
        if (error instanceof DamagedError) {
          entry.head = null; // it is told once, and stays: whose it was is not known
          this.#tell(error.message);
          continue;
        }
        this.#tell(`Dump ${entry.file} could not be removed: ${sentenceOf(error)}`);
      }
    }
  }

  async #writeFile(
    path: string,
    tree: Tree,
    name: string,
    now: number,
    journal: Journal,
  ): Promise<{ head: Head; bytes: number }> {
    const file = await this.#disk.create(path);
    try {
      const written = await writeTree(tree, now, file, journal, name);
      await file.sync();
      return written;
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
    const newest = (await this.shelf.groups()).get(named(now).group)?.[0];
    let seconds = Math.max(now, (newest?.seconds ?? 0) + 1);
    while (await this.#disk.exists(join(this.#directory, named(seconds).file))) seconds++;
    return named(seconds);
  }

  async #read(window: Window, file: string, pause: () => Promise<void>): Promise<Dumped> {
    const name = dumpedName(file);
    if (dumpableName(new TextEncoder().encode(name)) === null) {
      throw new DamagedError("its name is not that of a tree");
    }
    const parsed = parseDumpFileName(file);
    const dump = parsed === null ? null : await this.shelf.note(parsed);
    const head = await beginDump(window, dump);
    if (dump !== null) dump.head = head;
    if (head !== null) {
      const isShortened = dump?.tree === null;
      // A dump that was given another name is a dump of another tree.
      return await readTree(window, isShortened ? head.tree : name, pause);
    }
    const tree = new Tree(name);
    await readOriginal(window, file, tree, this.#tell, pause);
    return { tree, coverage: new Coverage() };
  }
}

function groupOf(tree: string): string {
  return parseDumpFileName(dumpFileName(0, tree))!.group;
}
