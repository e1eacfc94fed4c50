// The dump index: the dumps in the data directory, and what their heads say.
//
// Invariant: nothing is changed. What is known of a file stays true, since no dump is ever overwritten; whether the
// file is still there only the disk knows. The directory is listed again when it has changed, so files that an
// operator adds or removes are noticed. Hidden files, and names that are paths, are ignored.
// Trade-off: while dumps are written, a list may be some seconds old. Each dump changes the directory, and listing
// 50 000 files takes a fifth of a second, though on another thread.

import { DamagedError, orHostError } from "../errors.ts";
import { type Disk, pace } from "../host/mod.ts";
import {
  dumpedName,
  type DumpFile,
  isHiddenDump,
  isTemporary,
  parseDumpFileName,
} from "./file_name.ts";
import { type Description, DumpFiles, type Entry, isPlainName } from "./files.ts";
import { firstBehind, OrderedSet } from "./ordered_set.ts";

/** The dumps of a tree, newest first. */
interface Group {
  readonly key: string;
  entries: Entry[];
}

/** How old a list may be while dumps are being written. */
const LIST_AGE_MAX_MS = 5000;

/** Names that are looked at between two looks at the clock: some 0.2 ms. */
const NAMES_AT_ONCE = 256;

export class DumpIndex extends DumpFiles {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #tell: (line: string) => void;
  readonly #byFile = new Map<string, Entry>();
  readonly #groups = new Map<string, Group>();
  /** Those that clients are told of: newest first, those of one second by name; groups by their keys. */
  readonly #order = new OrderedSet<Entry>(newestFirst);
  readonly #groupOrder = new OrderedSet<Group>((a, b) => a.key < b.key ? -1 : 1);
  #visible = 0;
  /** Files that have been told of as nobody's. */
  readonly #strays = new Set<string>();
  /** Files under temporary names that the last list had. */
  leftovers: readonly string[] = [];
  /** As of when the directory was listed last, as the disk tells it, and when that was. */
  #stamp: number | null = null;
  #listedAt = -Infinity;
  #looking: Promise<void> = Promise.resolve();
  #nextLook: Promise<void> | null = null;
  /** Files that have come or gone since the directory was listed. */
  #sinceListed = new Set<string>();
  /** Changes whenever a dump comes or goes. */
  version = 0;
  /** Whether dumps are being written. */
  isBusy = false;

  constructor(directory: string, disk: Disk, tell: (line: string) => void) {
    super(directory, disk);
    this.#directory = directory;
    this.#disk = disk;
    this.#tell = tell;
  }

  /** The dumps that are there, newest first, those of one second by name; none of hidden trees. */
  async dumps(): Promise<readonly DumpFile[]> {
    await this.look();
    return await this.#order.all();
  }

  /** How many those are. */
  async count(): Promise<number> {
    await this.look();
    return this.#visible;
  }

  /** The known dumps of a tree, newest first: of the group that it is in. */
  group(key: string): readonly Entry[] {
    return this.#groups.get(key)?.entries ?? [];
  }

  /** Whether the directory was listed and had none in a group, and none came since. */
  hasNone(key: string): boolean {
    return this.#listedAt !== -Infinity && !this.#groups.has(key);
  }

  /** The keys of all groups, as they come. */
  groupKeys(): string[] {
    return [...this.#groups.keys()];
  }

  /** All known dumps. */
  all(): Entry[] {
    return [...this.#byFile.values()];
  }

  /** The known dump of that file. */
  named(file: string): Entry | null {
    return this.#byFile.get(file) ?? null;
  }

  /** Remembers a dump; returns what is known of it. */
  note(entry: Entry): Entry {
    const known = this.#byFile.get(entry.file);
    if (known !== undefined) return known;
    this.#byFile.set(entry.file, entry);
    this.version++;
    this.#sinceListed.add(entry.file);
    let group = this.#groups.get(entry.group);
    if (group === undefined) {
      group = { key: entry.group, entries: [] };
      this.#groups.set(entry.group, group);
      if (!isHiddenDump(entry)) this.#groupOrder.add(group);
    }
    const { entries } = group;
    entries.splice(firstBehind(entries, (other) => newestFirst(entry, other) < 0), 0, entry);
    if (isHiddenDump(entry)) return entry;
    this.#order.add(entry);
    this.#visible++;
    return entry;
  }

  /** Forgets a dump that was removed. */
  forget(entry: Entry): void {
    if (!this.#byFile.delete(entry.file)) return;
    this.version++;
    this.#sinceListed.add(entry.file);
    const group = this.#groups.get(entry.group)!;
    group.entries = group.entries.filter((other) => other !== entry);
    if (group.entries.length === 0) {
      this.#groups.delete(entry.group);
      this.#groupOrder.remove(group);
    }
    if (isHiddenDump(entry)) return;
    this.#order.remove(entry);
    this.#visible--;
  }

  /** Sees what is in the directory now: lists it, unless no name has changed since it was listed last. */
  look(): Promise<void> {
    // Shared by all who ask before it begins.
    return this.#nextLook ??= this.#looking.then(() => {
      this.#nextLook = null;
      const looking = this.#look();
      this.#looking = looking.catch(() => {});
      return looking;
    });
  }

  /** As `look`, if the directory was never listed. */
  async lookOnce(): Promise<void> {
    if (this.#listedAt === -Infinity) await this.look();
  }

  async #look(): Promise<void> {
    if (this.isBusy && performance.now() - this.#listedAt < LIST_AGE_MAX_MS) return;
    await orHostError("Dumps could not be listed", async () => {
      const stamp = await this.#disk.changedAt(this.#directory);
      if (stamp !== null && stamp === this.#stamp) return;
      const since = this.#sinceListed = new Set();
      await this.#list(await this.#disk.list(this.#directory), since);
      this.#stamp = stamp;
      this.#listedAt = performance.now();
    });
  }

  /** Remembers what is there and forgets what is not, but for files that came or went meanwhile. */
  async #list(names: readonly string[], since: ReadonlySet<string>): Promise<void> {
    const rest = pace();
    const there = new Set<string>();
    const leftovers: string[] = [];
    for (const [index, name] of names.entries()) {
      if (index % NAMES_AT_ONCE === 0) await rest();
      if (isTemporary(name)) leftovers.push(name);
      if (name.startsWith(".") || !name.endsWith(".tree")) continue;
      there.add(name);
      if (this.#byFile.has(name) || since.has(name)) continue;
      const dump = parseDumpFileName(name);
      if (dump !== null) this.note(dump);
      else if (!this.#strays.has(name)) {
        this.#strays.add(name);
        this.#tell(`File ${name} is left alone: it is not named SECONDS_TREE.tree`);
      }
    }
    this.leftovers = leftovers;
    let at = 0;
    for (const [name, entry] of this.#byFile) {
      if (at++ % NAMES_AT_ONCE === 0) await rest();
      if (!there.has(name) && !since.has(name)) this.forget(entry);
    }
  }

  /** The groups of dumps that clients are told of, as they are known, in the order of their keys. */
  async groups(): Promise<readonly Group[]> {
    await this.lookOnce();
    return await this.#groupOrder.all();
  }

  /** Describes a dump; null when no dump of a tree that is not hidden has that name. */
  async describe(file: string): Promise<Description | null> {
    const dump = isPlainName(file) ? parseDumpFileName(file) : null;
    if (dump === null || isHiddenDump(dump)) return null;
    const entry: Entry = this.named(file) ?? dump;
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
}

export function newestFirst(a: DumpFile, b: DumpFile): number {
  return b.seconds - a.seconds || (a.file < b.file ? -1 : 1);
}
