// A batch of dumps: trees are written to files side by side, and one sync of the WAL and one of the directory
// serve all of them.
//
//   encode tree ─► create, write, sync ─┐   (several files at once)
//   encode tree ─► create, write, sync ─┼─► sync the WAL ─► names ─► sync the directory
//   ...                                 ┘
//
// Invariant: a dump gets its name only when its file is on the disk and the WAL is, as far as the dump has seen it. It
// counts only when its name is on the disk too. If one fails, the others are not affected and its tree still
// counts as changed. The dump of a tree that is dropped or replaced meanwhile is given up.
// Trade-off: the first dump of a batch is complete only with the last. One at a time, 50 000 small trees took
// 109 s; in batches of 256 they take 12.

import { join } from "@std/path";
import { orHostError } from "../errors.ts";
import { AssertionFailed } from "../assert.ts";
import { type Clock, type Disk, nextTurn, type Writing } from "../host/mod.ts";
import { partsOf, type Tree } from "../tree/mod.ts";
import { type DumpFile, dumpFileName, parseDumpFileName, temporaryName } from "./file_name.ts";
import type { Entry } from "./files.ts";
import type { DumpHead } from "./format.ts";
import type { DumpIndex } from "./dump_index.ts";
import { type WalSource, writeTree } from "./tree_io.ts";

/** How many files are written at once: the runtime has 32 threads for what blocks. */
const FILES_AT_ONCE = 32;

/** Branches of the trees of one batch, together, but for one tree that has more: some 16 MiB. */
const BATCH_BRANCHES = 256;

/** Encoding gives way after so long. */
const SLICE_MS = 2;

/** What has become of a tree that was to be dumped. */
export interface DumpOutcome {
  readonly tree: Tree;
  /** Its dump; null: it has not changed since its last one, or it is gone, or `error` says why there is none. */
  readonly entry: Entry | null;
  readonly error: unknown;
}

/** The `error` of a draft whose tree was dropped or replaced before all of it was written. */
const GONE = Symbol("gone");

/** A dump on its way to its name. */
interface Draft {
  readonly tree: Tree;
  /** What it was called when its turn came: a hidden tree may get another name meanwhile. */
  readonly name: string;
  readonly temporary: string;
  readonly markLsn: number;
  readonly seconds: number;
  written: { head: DumpHead; bytes: number } | null;
  entry: Entry | null;
  error: unknown;
}

/** Takes from a list of trees, from an index on, those of the next batch. */
export function batchFrom(trees: readonly Tree[], from: number): readonly Tree[] {
  let branches = 0;
  let to = from;
  for (; to < trees.length; to++) {
    branches += branchesOf(trees[to]);
    if (branches > BATCH_BRANCHES && to > from) break;
  }
  return trees.slice(from, to);
}

function branchesOf(tree: Tree): number {
  return partsOf(tree).reduce((sum, { branches }) => sum + branches.length, 0);
}

export class BatchWriter {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #dumpIndex: DumpIndex;

  constructor(directory: string, disk: Disk, clock: Clock, dumpIndex: DumpIndex) {
    this.#directory = directory;
    this.#disk = disk;
    this.#clock = clock;
    this.#dumpIndex = dumpIndex;
  }

  /** Dumps trees, which may go on changing. Nothing else may write dumps meanwhile. */
  async write(trees: readonly Tree[], wal: WalSource): Promise<DumpOutcome[]> {
    await this.#dumpIndex.look(); // names are to be newer than all that is there
    const drafts = await this.#writeFiles(trees, wal);
    await this.#all(drafts, () => wal.sync());
    await this.#name(drafts);
    await this.#all(drafts, () => this.#disk.syncDirectory(this.#directory));
    for (const draft of drafts) {
      if (draft.entry === null || draft.error !== null) await this.#discard(draft);
    }
    return drafts.map(({ tree, entry, error }) => {
      return { tree, entry: error === null ? entry : null, error: error === GONE ? null : error };
    });
  }

  /** Brings all files to the disk, under temporary names. */
  async #writeFiles(trees: readonly Tree[], wal: WalSource): Promise<Draft[]> {
    const drafts: Draft[] = [];
    const lanes = new Lanes(FILES_AT_ONCE);
    let began = performance.now();
    for (const [index, tree] of trees.entries()) {
      if (lanes.areFull) {
        await lanes.free();
        began = performance.now();
      } else if (performance.now() - began > SLICE_MS) {
        await nextTurn();
        began = performance.now();
      }
      const draft = this.#draft(tree, index);
      drafts.push(draft);
      // A small one is encoded at once, as of one record; a large one a branch at a time, as it is written.
      if (branchesOf(tree) > 1) await this.#attempt(draft, () => this.#stream(draft, wal));
      else {
        const chunks: Uint8Array<ArrayBuffer>[] = [];
        await this.#attempt(draft, () => this.#encode(draft, inMemory(chunks), wal));
        lanes.begin(() => this.#attempt(draft, () => this.#writeFile(draft, chunks)));
      }
    }
    await lanes.done();
    return drafts;
  }

  #draft(tree: Tree, index: number): Draft {
    return {
      tree,
      name: tree.name,
      temporary: join(this.#directory, temporaryName(index)),
      markLsn: tree.markLsn,
      seconds: Math.floor(this.#clock.now() / 1000),
      written: null,
      entry: null,
      error: null,
    };
  }

  async #encode(draft: Draft, file: Writing, wal: WalSource): Promise<void> {
    const { tree, seconds, name } = draft;
    // In the same moment as the head is made, which says so.
    tree.mark(wal.lsn);
    draft.written = await writeTree(tree, seconds, file, wal, name);
    if (draft.written === null) draft.error = GONE;
  }

  async #stream(draft: Draft, wal: WalSource): Promise<void> {
    const file = await this.#disk.create(draft.temporary);
    try {
      await this.#encode(draft, file, wal);
      if (draft.error === null) await file.sync();
    } finally {
      file.close();
    }
  }

  async #writeFile(draft: Draft, chunks: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    const file = await this.#disk.create(draft.temporary);
    try {
      file.writeNow(joined(chunks));
      await file.sync();
    } finally {
      file.close();
    }
  }

  /** Gives all files that are on the disk their names. */
  async #name(drafts: readonly Draft[]): Promise<void> {
    const taken = new Set<string>();
    const lanes = new Lanes(FILES_AT_ONCE);
    for (const draft of drafts) {
      if (draft.error !== null) continue;
      await lanes.free();
      lanes.begin(() =>
        this.#attempt(draft, async () => {
          const dump = this.#unusedName(draft, taken);
          await this.#disk.rename(draft.temporary, join(this.#directory, dump.file));
          const { head, bytes } = draft.written!;
          draft.entry = { ...dump, head, bytes, leastLsn: head.lsn };
        })
      );
    }
    await lanes.done();
  }

  /** A name for a dump that is newer than all others of its tree, and that no file has by now. */
  #unusedName({ seconds: now, name }: Draft, taken: Set<string>): DumpFile {
    const named = (seconds: number): DumpFile => {
      const dump = parseDumpFileName(dumpFileName(seconds, name));
      if (dump === null) throw new Error("the newest dump's name leaves no later second");
      return dump;
    };
    const newest = this.#dumpIndex.group(named(now).group)[0];
    for (let seconds = Math.max(now, (newest?.seconds ?? 0) + 1);; seconds++) {
      const dump = named(seconds);
      if (taken.has(dump.file) || this.#dumpIndex.named(dump.file) !== null) continue;
      taken.add(dump.file);
      // The list may be some seconds old, and somebody may have put a file there since.
      if (this.#disk.existsNow(join(this.#directory, dump.file))) continue;
      return dump;
    }
  }

  /** Does something for all dumps that have not failed, which fail with it. */
  async #all(drafts: readonly Draft[], work: () => Promise<void>): Promise<void> {
    const whole = drafts.filter(({ error }) => error === null);
    if (whole.length === 0) return;
    try {
      await work();
    } catch (error) {
      for (const draft of whole) await this.#attempt(draft, () => Promise.reject(error));
    }
  }

  /** Does something for a dump; what goes wrong is noted with it, unless it is our mistake. */
  async #attempt(draft: Draft, work: () => Promise<void>): Promise<void> {
    if (draft.error !== null) return;
    try {
      const failure = `Tree ${JSON.stringify(draft.name)} could not be dumped`;
      await orHostError(failure, work);
    } catch (error) {
      draft.error = error;
    }
  }

  /** There is no dump: its tree is as it was before. */
  async #discard({ tree, temporary, markLsn, entry, error }: Draft): Promise<void> {
    tree.isChanged = true;
    tree.markLsn = markLsn;
    if (tree.named !== null) tree.named.isChanged = true;
    if (error instanceof AssertionFailed) throw error;
    // What is on a full disk in vain must not stay there. That it can't be removed tells nothing new.
    if (entry === null) await this.#disk.remove(temporary).catch(() => {});
  }
}

/** Work that is done a few at a time, and never fails. */
export class Lanes {
  readonly #count: number;
  #busy = 0;
  #wake = () => {};

  constructor(count: number) {
    this.#count = count;
  }

  get areFull(): boolean {
    return this.#busy >= this.#count;
  }

  begin(work: () => Promise<void>): void {
    this.#busy++;
    work().finally(() => {
      this.#busy--;
      this.#wake();
    });
  }

  /** Resolves when there is room for more; for one caller at a time, as the next. */
  async free(): Promise<void> {
    while (this.areFull) await new Promise<void>((wake) => this.#wake = wake);
  }

  /** Resolves when nothing is under way. */
  async done(): Promise<void> {
    while (this.#busy > 0) await new Promise<void>((wake) => this.#wake = wake);
  }
}

/** A file that is collected in memory. */
function inMemory(chunks: Uint8Array<ArrayBuffer>[]): Writing {
  return {
    write(bytes) {
      chunks.push(bytes);
      return Promise.resolve();
    },
    writeNow: (bytes) => void chunks.push(bytes),
    sync: () => Promise.resolve(),
    close: () => {},
  };
}

function joined(chunks: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
