// A tree to a file and back, a branch at a time, so that other work runs in between.
//
// Invariant: reading gives a complete, consistent dump or a DamagedError. A dump holds each branch as it was when
// it was written, and every counter exactly once. For each branch it says which record of the WAL was the last that
// the branch held then.

import { compareU64, SendBuffer } from "../bytes/mod.ts";
import type { ReadWindow, Writing } from "../host/mod.ts";
import { Columns, HollowTree, NamedTree, namedTreeName, partsOf, Tree, Walk } from "../tree/mod.ts";
import { DamagedError, MemoryFullError } from "../errors.ts";
import { Coverage } from "./coverage.ts";
import {
  type BranchPart,
  type Counts,
  decodeBranch,
  decodeEnd,
  decodeHead,
  type DumpHead,
  encodeBranch,
  encodeEnd,
  encodeHead,
} from "./format.ts";
import { framed, nextPayload } from "./frame.ts";

/** The log that a dump belongs to. */
export interface WalSource {
  readonly id: string;
  /** The number of the last record. */
  readonly lsn: number;
  /** Brings every record so far to the disk. */
  sync(): Promise<void>;
}

/**
 * Writes a dump of a tree, which may go on changing, under a name that it had; returns its head and how
 * long the file is. null: the tree went before all of it was written, and what was written is no dump.
 */
export async function writeTree(
  tree: Tree,
  seconds: number,
  file: Writing,
  wal: WalSource,
  name = tree.name,
): Promise<{ head: DumpHead; bytes: number } | null> {
  const counts: Counts = { branches: 0, keys: 0, cells: 0 };
  const { serial, named } = tree;
  const head = { tree: name, seconds, log: wal.id, serial, lsn: wal.lsn };
  let bytes = 0;
  const write = async (payload: Uint8Array) => {
    const frame = framed(payload);
    bytes += frame.length;
    await file.write(frame);
  };
  await write(encodeHead(head, named !== null));
  for (const part of partsOf(tree)) {
    for (const { payload, columns } of parts(part, () => wal.lsn)) {
      counts.branches++;
      counts.keys += columns.keyCount;
      counts.cells += columns.cellCount;
      await write(payload);
    }
  }
  // A tree that goes is emptied at once, so the walk ended early. Without its end a file is no dump.
  if (tree.isGone) return null;
  await write(encodeEnd(counts));
  return { head, bytes };
}

/** The branches of a tree, which may go on changing, each encoded when its turn comes. */
export function* parts(
  tree: Tree,
  lsn: () => number,
): Generator<{ payload: Uint8Array; columns: Columns }> {
  const columns = new Columns();
  const walk = new Walk(tree);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    columns.take(walk, branch);
    const names = tree instanceof NamedTree ? namesOf(tree, columns) : null;
    yield { payload: encodeBranch(walk.startLo, walk.startHi, columns, lsn(), names), columns };
  }
}

/** The names of all keys in columns, each behind its length. */
function namesOf({ names }: NamedTree, { keys, keyCount }: Columns): Uint8Array {
  const bytes = new SendBuffer(1024);
  for (let at = 0; at < 2 * keyCount; at += 2) {
    const name = names.nameOf(keys[at], keys[at + 1]);
    bytes.byte(name.length);
    bytes.raw(name);
  }
  return bytes.bytes.slice(0, bytes.length);
}

/** Reads the head of a dump. */
export async function readHead(window: ReadWindow): Promise<DumpHead> {
  const payload = await nextPayload(window);
  if (payload === null) throw new DamagedError("it is empty");
  return decodeHead(payload);
}

/** The most that a branch takes for each key, and for each cell. */
const WORDS_PER_KEY = 8;
const WORDS_PER_CELL = 3;

/** Builds a tree of branches that come one after the other, in ascending order of their keys. */
export class TreeBuilder {
  readonly tree: Tree;
  readonly coverage = new Coverage();
  readonly found: Counts = { branches: 0, keys: 0, cells: 0 };
  /** The branch whose end is not known yet. */
  #part: BranchPart | null = null;

  /** Into an empty tree; a hollow one stays empty, and each branch is only looked at. */
  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** Adds a branch. */
  add(part: BranchPart): void {
    const { startLo, startHi } = part;
    if (this.#part === null && (startLo !== 0 || startHi !== 0)) {
      throw new DamagedError("its first branch is missing");
    }
    const last = this.#part;
    if (last !== null && compareU64(startLo, startHi, last.startLo, last.startHi) <= 0) {
      throw new DamagedError("its branches do not ascend");
    }
    this.#append(startLo, startHi);
    this.#part = part;
  }

  /** The tree of all the branches. */
  finish(): Tree {
    if (this.#part === null) throw new DamagedError("its first branch is missing");
    this.#append(0, 0);
    return this.tree;
  }

  #append(endLo: number, endHi: number): void {
    if (this.#part === null) return;
    const { columns, startLo, startHi, lsn, names } = this.#part;
    const words = WORDS_PER_KEY * columns.keyCount + WORDS_PER_CELL * columns.cellCount;
    if (!this.tree.blocks.hasRoom(words)) throw new MemoryFullError("no memory for a dump");
    const branch = columns.branch(this.tree.blocks, startLo, startHi, endLo, endHi);
    if (this.tree instanceof HollowTree) this.tree.blocks.release(branch);
    else this.tree.append({ branch, startLo, startHi });
    if (this.tree instanceof NamedTree) {
      const { names: kept } = this.tree;
      names!.forEach((name, at) =>
        kept.retain(columns.keys[2 * at], columns.keys[2 * at + 1], name)
      );
    }
    this.coverage.push(startLo, startHi, lsn);
    this.found.branches++;
    this.found.keys += columns.keyCount;
    this.found.cells += columns.cellCount;
  }
}

/** A tree from a dump, and what of the log it holds. */
export interface Dumped {
  readonly tree: Tree;
  readonly coverage: Coverage;
  /** Its named tree, if it has one, which is not beside it yet. */
  readonly named: Omit<Dumped, "named"> | null;
}

/** Reads what comes after the head into an empty tree, and its named counters into that of `makeNamed`. */
export async function readTree(
  window: ReadWindow,
  empty: Tree,
  pause: () => Promise<void> = () => Promise.resolve(),
  makeNamed = () => new Tree(namedTreeName(0)),
): Promise<Dumped> {
  const builder = new TreeBuilder(empty);
  let namedBuilder: TreeBuilder | null = null;
  let payload = await payloadOf(window);
  for (let part = decodeBranch(payload); part !== null; part = decodeBranch(payload)) {
    if (part.names !== null) (namedBuilder ??= new TreeBuilder(makeNamed())).add(part);
    else if (namedBuilder === null) builder.add(part);
    else throw new DamagedError("numbers come behind names");
    payload = await payloadOf(window);
    await pause();
  }
  const tree = builder.finish();
  const namedTree = namedBuilder?.finish();
  const counts = decodeEnd(payload);
  for (const count of ["branches", "keys", "cells"] as const) {
    const found = builder.found[count] + (namedBuilder?.found[count] ?? 0);
    if (counts[count] === found) continue;
    throw new DamagedError(`it should hold ${counts[count]} ${count} and holds ${found}`);
  }
  if (await window.fill(1)) throw new DamagedError("something follows its end");
  const named = namedTree === undefined
    ? null
    : { tree: namedTree, coverage: namedBuilder!.coverage };
  return { tree, coverage: builder.coverage, named };
}

async function payloadOf(window: ReadWindow): Promise<Uint8Array> {
  const payload = await nextPayload(window);
  if (payload === null) throw new DamagedError("its end is missing");
  return payload;
}
