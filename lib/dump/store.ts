// The store of dumps: the `.tree` files in the data directory.
//
// Invariant: a dump is visible only when it is complete: it is written under another name, synced and renamed, and
// the directory is synced. No dump is ever overwritten, nor a file that somebody else put there under its name
// before the rename begins. The newest dump of a tree has the highest seconds, even if two are made within a second
// or the clock goes back. A dump is visible only when the WAL is on the disk as far as the dump has seen it, so
// neither is ahead of what a restart finds.
// Trade-off: dumps are written in batches (batch.ts), since they share the disk.

import { join } from "@std/path";
import { assert, AssertionFailed } from "../assert.ts";
import { DamagedError, sentenceOf } from "../errors.ts";
import { type Clock, type Disk, pace, type ReadWindow } from "../host/mod.ts";
import { readOriginalDump } from "../legacy/mod.ts";
import { isHidden, namedTreeName, Tree } from "../tree/mod.ts";
import { Coverage } from "./coverage.ts";
import { BatchWriter, type DumpOutcome, Lanes } from "./batch.ts";
import {
  dumpableName,
  dumpedName,
  type DumpFile,
  groupOf,
  isHiddenDump,
  parseDumpFileName,
} from "./file_name.ts";
import { beginDump, describeFile, type Entry } from "./files.ts";
import type { DumpHead } from "./format.ts";
import { DumpIndex } from "./dump_index.ts";
import { type Dumped, readTree, type WalSource } from "./tree_io.ts";

/** Old dumps that are removed at once. */
const REMOVED_AT_ONCE = 32;

/** Restoring comes before serving: there is nobody to give way to. */
const nobodyWaits = () => Promise.resolve();

/** A dump that was looked for. */
export interface NewestDump extends Dumped {
  readonly file: string;
}

export class DumpStore {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #retention: number;
  readonly #tell: (line: string) => void;
  readonly #makeTree: (name: string) => Tree;
  readonly #batches: BatchWriter;
  readonly dumpIndex: DumpIndex;
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
    makeTree = (name: string) => new Tree(name),
  ) {
    this.#directory = directory;
    this.#disk = disk;
    this.#retention = retention;
    this.#tell = tell;
    this.#makeTree = makeTree;
    this.dumpIndex = new DumpIndex(directory, disk, tell);
    this.#batches = new BatchWriter(directory, disk, clock, this.dumpIndex);
  }

  /** The file names of all dumps, newest first, those of one second by name; none of hidden trees. */
  async list(): Promise<string[]> {
    return (await this.dumpIndex.dumps()).map(({ file }) => file);
  }

  /** Dumps a tree that stays, whether it has changed or not; returns the file's name. */
  async write(tree: Tree, wal: WalSource): Promise<string> {
    const [{ entry, error }] = await this.writeAll([tree], wal, "all");
    if (error !== null) throw error;
    assert(entry !== null, "a tree that stays is dumped");
    return entry.file;
  }

  /**
   * Dumps a batch of trees, after the dumps that were asked for before, and removes the oldest dumps
   * of each in the same log when there are more than are to be kept. Of "changed" ones only those that
   * have changed since their last dump, or whose last dump is not there any more.
   */
  writeAll(
    trees: readonly Tree[],
    wal: WalSource,
    which: "all" | "changed",
  ): Promise<DumpOutcome[]> {
    return this.hold(async () => {
      // Only now: a dump of the same tree that was under way is there, or has failed.
      const written = which === "all" ? trees : trees.filter((tree) => !this.#holds(tree, wal));
      const outcomes = written.length === 0 ? [] : await this.#write(written, wal);
      const unchanged = trees.filter((tree) => !written.includes(tree));
      return [...outcomes, ...unchanged.map((tree) => ({ tree, entry: null, error: null }))];
    });
  }

  /** Does something while no dump comes or goes. */
  hold<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => {}); // the next dump is not this one's failure
    return done;
  }

  /**
   * Loads a dump by its file's name, into the tree that `makeTree` makes; null when there is no such file here,
   * as for every path.
   */
  async load(file: string, makeTree = this.#makeTree): Promise<Dumped | null> {
    if (isHidden(dumpedName(file))) return null;
    // One at a time, since each takes the memory of a whole tree.
    const loaded = this.#loading.then(() => this.#load(file, pace(), makeTree));
    this.#loading = loaded.catch(() => {});
    return await loaded;
  }

  /** The newest dump of a tree in a log; null when there is none. A newer one that is damaged throws. */
  async find(tree: string, log: string, serial: number): Promise<NewestDump | null> {
    const isIt = (head: DumpHead | null) => {
      return head?.log === log && head.serial === serial && head.tree === tree;
    };
    await this.dumpIndex.lookOnce();
    for (const entry of this.dumpIndex.group(groupOf(tree))) {
      if (entry.head !== undefined && !isIt(entry.head)) continue;
      // Opened once: at a start there may be ten thousand of them.
      const dumped = await this.dumpIndex.openNow(entry.file, async (window) => {
        return isIt(await describeFile(window, entry))
          ? await readTree(window, this.#makeTree(tree), nobodyWaits, () => this.#makeNamed(serial))
          : null;
      });
      if (dumped === null) continue;
      entry.leastLsn = dumped.coverage.least;
      return { ...dumped, file: entry.file };
    }
    return null;
  }

  /** Whether it is known that no dump is there that may be of a tree of that name. */
  hasNone(tree: string): boolean {
    return this.dumpIndex.hasNone(groupOf(tree));
  }

  /** As `find`, all of them, the newest first; those that are damaged are told, and passed over. */
  async *candidates(
    tree: string,
    log: string,
    serial: number,
    damaged: (file: string, error: DamagedError) => void,
  ): AsyncGenerator<NewestDump> {
    for (const { file } of await this.#entriesOf(tree)) {
      try {
        const dumped = await this.dumpIndex.open(file, async (window) => {
          const head = await beginDump(window, null);
          const isIt = head?.log === log && head.serial === serial && head.tree === tree;
          const makeNamed = () => this.#makeNamed(serial);
          return isIt ? await readTree(window, this.#makeTree(tree), nobodyWaits, makeNamed) : null;
        });
        if (dumped !== null) yield { ...dumped, file };
      } catch (error) {
        if (!(error instanceof DamagedError)) throw error;
        damaged(file, error);
      }
    }
  }

  /** The dumps that are named after a tree, newest first. */
  async #entriesOf(tree: string): Promise<readonly Entry[]> {
    await this.dumpIndex.lookOnce();
    return [...this.dumpIndex.group(groupOf(tree))];
  }

  /** The newest dump of each tree, of whatever log or of none, in the order of the trees' names. */
  async newest(which: "of any" | "of the original" = "of any"): Promise<DumpFile[]> {
    await this.dumpIndex.look();
    const newest: DumpFile[] = [];
    for (const group of this.dumpIndex.groupKeys().sort()) {
      const entries = this.dumpIndex.group(group).filter((entry) => !isHiddenDump(entry));
      for (const entry of entries) {
        if (which !== "of any" && await this.dumpIndex.head(entry) !== null) continue;
        newest.push(entry);
        break;
      }
    }
    return newest;
  }

  /** Removes the dumps in this log of hidden trees that are not to be kept. */
  removeHidden(keep: (tree: string, serial: number) => boolean): Promise<void> {
    return this.hold(async () => {
      await this.dumpIndex.lookOnce();
      const entries = this.dumpIndex.all().filter(isHiddenDump);
      await this.#remove(entries, this.#log, ({ tree, serial }) => !keep(tree, serial));
    });
  }

  /** Loads a dump that `newest` has named, before anybody is served. */
  async restore({ file }: Pick<DumpFile, "file">): Promise<Dumped> {
    const dumped = await this.#load(file, nobodyWaits, this.#makeTree);
    if (dumped === null) throw new DamagedError(`Dump ${file} cannot be loaded by that name`);
    return dumped;
  }

  async #load(
    file: string,
    pause: () => Promise<void>,
    makeTree: (name: string) => Tree,
  ): Promise<Dumped | null> {
    return await this.dumpIndex.open(file, (window) => this.#read(window, file, pause, makeTree));
  }

  /** Removes what crashes have left of dumps that were being written. */
  async removeLeftovers(): Promise<void> {
    for (const file of this.dumpIndex.leftovers) {
      const path = join(this.#directory, file);
      if (await this.#disk.exists(path)) await this.#disk.remove(path);
    }
    this.dumpIndex.leftovers = [];
  }

  /** Whether the newest dump of a tree is of this log and holds all of it. */
  #holds(tree: Tree, wal: WalSource): boolean {
    if (tree.isChanged || tree.named?.isChanged) return false;
    const { head, leastLsn = -1 } = this.dumpIndex.group(groupOf(tree.name))[0] ?? {};
    return head?.log === wal.id && head.serial === tree.serial && head.tree === tree.name &&
      leastLsn >= tree.markLsn;
  }

  async #write(trees: readonly Tree[], wal: WalSource): Promise<DumpOutcome[]> {
    const { dumpIndex } = this;
    dumpIndex.isBusy = true;
    try {
      const outcomes = await this.#batches.write(trees, wal);
      for (const { entry } of outcomes) if (entry !== null) dumpIndex.note(entry);
      this.#log = wal.id;
      await this.#prune(outcomes);
      return outcomes;
    } finally {
      dumpIndex.isBusy = false;
    }
  }

  /** Removes what is more than is to be kept of the dumps, in the log, of trees. Those of others stay. */
  async #prune(outcomes: readonly DumpOutcome[]): Promise<void> {
    if (this.#retention === 0) return;
    const lanes = new Lanes(REMOVED_AT_ONCE);
    for (const { entry } of outcomes) {
      const entries = entry === null ? [] : this.dumpIndex.group(entry.group);
      if (entries.length <= this.#retention) continue;
      let kept = 0;
      // Of trees with long names two may be in one group.
      const isUseless = (head: DumpHead) => {
        return head.tree === entry!.head!.tree && ++kept > this.#retention;
      };
      await lanes.free();
      lanes.begin(() => this.#remove(entries, this.#log, isUseless));
    }
    await lanes.done();
  }

  /** Removes those of some dumps that are of a log and useless. */
  async #remove(
    entries: readonly Entry[],
    log: string,
    isUseless: (head: DumpHead) => boolean,
  ): Promise<void> {
    for (const entry of [...entries]) {
      try {
        const head = await this.dumpIndex.head(entry);
        if (head?.log !== log || !isUseless(head)) continue;
        const path = join(this.#directory, entry.file);
        if (await this.#disk.exists(path)) await this.#disk.remove(path);
        this.dumpIndex.forget(entry);
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

  async #read(
    window: ReadWindow,
    file: string,
    pause: () => Promise<void>,
    makeTree: (name: string) => Tree,
  ): Promise<Dumped> {
    const name = dumpedName(file);
    if (dumpableName(new TextEncoder().encode(name)) === null) {
      throw new DamagedError("its name is not that of a tree");
    }
    const parsed = parseDumpFileName(file);
    const dump = parsed === null ? null : this.dumpIndex.note(parsed);
    const head = await beginDump(window, dump);
    if (dump !== null) dump.head = head;
    if (head !== null) {
      const isShortened = dump?.tree === null;
      // A dump that was given another name is a dump of another tree.
      const empty = makeTree(isShortened ? head.tree : name);
      return await readTree(window, empty, pause, () => makeTree(namedTreeName(0)));
    }
    const tree = makeTree(name);
    await readOriginalDump(window, file, tree, this.#tell, pause);
    return { tree, coverage: new Coverage(), named: null };
  }

  /** For the named counters of a tree in this log. */
  #makeNamed(ownerSerial: number): Tree {
    return this.#makeTree(namedTreeName(ownerSerial));
  }
}
