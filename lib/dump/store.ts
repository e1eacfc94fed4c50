// The store of dumps: the `.tree` files in the data directory.
//
// Invariant: a dump becomes visible whole or not at all: it is written beside, synced, renamed, and
// the directory synced. No dump is ever overwritten; the newest of a tree has the highest seconds,
// even where two are made in one second or the clock went back.
// Trade: dumps are written one at a time, since they share the disk, and one temporary file.

import { join } from "@std/path";
import { AssertionFailed } from "../assert.ts";
import { DamagedError, HostError } from "../errors.ts";
import { type Clock, pace } from "../host/clock.ts";
import type { Disk } from "../host/disk.ts";
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
import { FRAME_FIRST_BYTE } from "./frame.ts";
import { readOriginal } from "./original.ts";
import { readHead, readTree, writeTree } from "./transfer.ts";
import { Window } from "./window.ts";

/** Where a dump is written before it has its name; what a crash left there is overwritten. */
const TEMPORARY = ".karma-dump.tmp";

/** Restoring comes before serving: there is nobody to give way to. */
const nobodyWaits = () => Promise.resolve();

export class DumpStore {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #pool: BlockPool;
  readonly #log: (line: string) => void;
  /** The seconds of each tree's newest dump that this process knows of. */
  readonly #newestSeconds = new Map<string, number>();
  #learned = false;
  #loading: Promise<unknown> = Promise.resolve();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(
    directory: string,
    disk: Disk,
    clock: Clock,
    pool: BlockPool,
    log: (line: string) => void,
  ) {
    this.#directory = directory;
    this.#disk = disk;
    this.#clock = clock;
    this.#pool = pool;
    this.#log = log;
  }

  /** The file names of all dumps, newest first, those of one second by name. */
  async list(): Promise<string[]> {
    return (await this.#dumps()).map(({ file }) => file);
  }

  /** Dumps a tree, after the dumps that were asked for before; returns the file's name. */
  write(tree: Tree): Promise<string> {
    const written = this.#writing.then(() => this.#write(tree));
    this.#writing = written.catch(() => {}); // the next dump is not this one's failure
    return written;
  }

  /** Loads a dump by its file's name; null when there is no such file here, as for every path. */
  load(file: string): Promise<Tree | null> {
    // One at a time, since each takes the memory of a whole tree.
    const loaded = this.#loading.then(() => this.#load(file, pace()));
    this.#loading = loaded.catch(() => {});
    return loaded;
  }

  async #load(file: string, pause: () => Promise<void>): Promise<Tree | null> {
    if (!isPlainName(file)) return null;
    const reading = await this.#told(`Dump ${file} could not be opened`, () => {
      return this.#disk.open(join(this.#directory, file));
    });
    if (reading === null) return null;
    try {
      return await this.#told(
        `Dump ${file} could not be read`,
        () => this.#read(new Window(reading), file, pause),
      );
    } catch (error) {
      if (!(error instanceof DamagedError) || error.message.startsWith(`Dump ${file} `)) {
        throw error;
      }
      throw new DamagedError(`Dump ${file} is damaged: ${error.message}`, { cause: error });
    } finally {
      reading.close();
    }
  }

  /** The newest dump of each tree, in the order of the trees' names. */
  async restore(): Promise<Tree[]> {
    const newest = new Map<string, DumpFile>();
    for (const dump of await this.#learn()) {
      if (!newest.has(dump.group)) newest.set(dump.group, dump);
    }
    const trees: Tree[] = [];
    for (const group of [...newest.keys()].sort()) {
      const { file } = newest.get(group)!;
      const tree = await this.#load(file, nobodyWaits);
      if (tree === null) throw new DamagedError(`Dump ${file} cannot be loaded by that name`);
      trees.push(tree);
    }
    return trees;
  }

  /** Lists all dumps, newest first, and notes the newest seconds of each tree. */
  async #learn(): Promise<DumpFile[]> {
    const dumps = await this.#dumps();
    for (const dump of dumps) this.#note(dump);
    this.#learned = true;
    return dumps;
  }

  #note({ group, seconds }: DumpFile): void {
    this.#newestSeconds.set(group, Math.max(seconds, this.#newestSeconds.get(group) ?? 0));
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
    return dumps.sort((a, b) => b.seconds - a.seconds || (a.file < b.file ? -1 : 1));
  }

  async #write(tree: Tree): Promise<string> {
    return await this.#told(`Tree "${tree.name}" could not be dumped`, async () => {
      if (!this.#learned) await this.#learn();
      const now = Math.floor(this.#clock.now() / 1000);
      const temporary = join(this.#directory, TEMPORARY);
      const dump = await this.#unusedName(now, tree.name);
      try {
        await this.#writeFile(temporary, tree, now);
        await this.#disk.rename(temporary, join(this.#directory, dump.file));
      } catch (error) {
        // What is on a full disk in vain must not stay there. That it can't be removed tells nothing new.
        await this.#disk.remove(temporary).catch(() => {});
        throw error;
      }
      await this.#disk.syncDirectory(this.#directory);
      this.#note(dump);
      return dump.file;
    });
  }

  async #writeFile(path: string, tree: Tree, now: number): Promise<void> {
    const file = await this.#disk.create(path);
    try {
      await writeTree(tree, now, file);
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
    let seconds = Math.max(now, (this.#newestSeconds.get(named(now).group) ?? 0) + 1);
    while (await this.#disk.exists(join(this.#directory, named(seconds).file))) seconds++;
    return named(seconds);
  }

  async #read(window: Window, file: string, pause: () => Promise<void>): Promise<Tree> {
    const name = dumpedName(file);
    const named = new TextEncoder().encode(name);
    if (treeName(named, 0, named.length) === null) {
      throw new DamagedError("its name is not that of a tree");
    }
    const dump = parseDumpFileName(file);
    if (dump !== null) this.#note(dump);
    if (!await window.fill(1)) throw new DamagedError("it is empty");
    if (window.bytes[window.at] === FRAME_FIRST_BYTE) {
      const { tree } = await readHead(window);
      const shortened = dump?.tree === null;
      // A dump that was given another name is a dump of another tree.
      return await readTree(window, shortened ? tree : name, this.#pool, pause);
    }
    const tree = new Tree(name, this.#pool);
    await readOriginal(window, file, tree, this.#log, pause);
    return tree;
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

/** Whether a name may be that of a file here: no path, not hidden, and not longer than names can be. */
function isPlainName(file: string): boolean {
  const bytes = new TextEncoder().encode(file).length;
  return !file.startsWith(".") && !/[/\p{Cc}]/u.test(file) && bytes <= FILE_NAME_BYTES_MAX;
}
