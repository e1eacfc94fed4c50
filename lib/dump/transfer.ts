// A tree to a file and back, a branch at a time, so that others are served in between.
//
// Invariant: what is read is a whole dump in which everything agrees, or nothing (DamagedError).
// A dump holds each branch as it was when its turn came, and every counter exactly once.

import { compareU64 } from "../bytes/u64.ts";
import { DamagedError } from "../errors.ts";
import type { Writing } from "../host/disk.ts";
import type { BlockPool } from "../tree/block_pool.ts";
import { Columns } from "../tree/columns.ts";
import { Tree } from "../tree/tree.ts";
import { Walk } from "../tree/walk.ts";
import {
  type Counts,
  decodeBranch,
  decodeEnd,
  decodeHead,
  encodeBranch,
  encodeEnd,
  encodeHead,
  type Head,
} from "./format.ts";
import { framed, nextPayload } from "./frame.ts";
import type { Window } from "./window.ts";

/** Writes a dump of a tree, which may go on changing. */
export async function writeTree(tree: Tree, seconds: number, file: Writing): Promise<void> {
  const counts: Counts = { branches: 0, keys: 0, cells: 0 };
  const columns = new Columns();
  const walk = new Walk(tree);
  await file.write(framed(encodeHead({ tree: tree.name, seconds })));
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    columns.take(walk, branch);
    counts.branches++;
    counts.keys += columns.keyCount;
    counts.cells += columns.cellCount;
    await file.write(framed(encodeBranch(walk.startLo, walk.startHi, columns)));
  }
  await file.write(framed(encodeEnd(counts)));
}

/** Reads the head of a dump. */
export async function readHead(window: Window): Promise<Head> {
  const payload = await nextPayload(window);
  if (payload === null) throw new DamagedError("it is empty");
  return decodeHead(payload);
}

/** Reads what comes after the head into a tree of that name. */
export async function readTree(
  window: Window,
  name: string,
  pool: BlockPool,
  pause: () => Promise<void> = () => Promise.resolve(),
): Promise<Tree> {
  const tree = new Tree(name, pool);
  const found: Counts = { branches: 0, keys: 0, cells: 0 };
  let part = decodeBranch(await payloadOf(window));
  let payload = new Uint8Array(0) as Uint8Array;
  if (part === null || part.startLo !== 0 || part.startHi !== 0) {
    throw new DamagedError("its first branch is missing");
  }
  while (part !== null) {
    payload = await payloadOf(window);
    const next = decodeBranch(payload);
    const endLo = next?.startLo ?? 0;
    const endHi = next?.startHi ?? 0;
    const { columns, startLo, startHi } = part;
    if (next !== null && compareU64(endLo, endHi, startLo, startHi) <= 0) {
      throw new DamagedError("its branches do not ascend");
    }
    tree.append({ branch: columns.branch(pool, startLo, startHi, endLo, endHi), startLo, startHi });
    found.branches++;
    found.keys += columns.keyCount;
    found.cells += columns.cellCount;
    part = next;
    await pause();
  }
  const counts = decodeEnd(payload);
  for (const count of ["branches", "keys", "cells"] as const) {
    if (counts[count] === found[count]) continue;
    throw new DamagedError(`it should hold ${counts[count]} ${count} and holds ${found[count]}`);
  }
  if (await window.fill(1)) throw new DamagedError("something follows its end");
  return tree;
}

async function payloadOf(window: Window): Promise<Uint8Array> {
  const payload = await nextPayload(window);
  if (payload === null) throw new DamagedError("its end is missing");
  return payload;
}
