// Directories as Karma 1.x leaves them, on a disk in memory, and what ours makes of them.

import { assert } from "@std/assert";
import { DumpStore } from "../../lib/dump/store.ts";
import { LegacyDirectory } from "../../lib/legacy/directory.ts";
import { checkTree } from "../../lib/tree/check.ts";
import { Forest } from "../../lib/tree/forest.ts";
import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import { Walk } from "../../lib/tree/walk.ts";
import type { Tree } from "../../lib/tree/tree.ts";
import { MemoryDisk } from "./memory_disk.ts";

export const NOW_SECONDS = 1_800_000_000;
const DIRECTORY = "/data";
const encoder = new TextEncoder();

/** Trees by name, as `key day value` in order; a counter without days is `key`. */
export type Contents = Record<string, string[]>;

export interface Taken {
  readonly karma1: LegacyDirectory;
  readonly forest: Forest;
  readonly contents: Contents;
}

/** A line of the log. `entry` is JSON without its braces. */
export function line(lsn: number, entry: string): string {
  return `{"v":2,"lsn":${lsn},"entry":{"v":2,${entry}}}\n`;
}

/** A file of metadata. */
export function metadata(tree: string, file: string, seconds: number, lsn: number): string {
  return JSON.stringify({ tree, file, timestamp: seconds, last_lsn: lsn, bytes: 0 }) + "\n";
}

/** A disk with these files. */
export function diskWith(files: Record<string, string | Uint8Array>): MemoryDisk {
  const disk = new MemoryDisk(DIRECTORY);
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? encoder.encode(content) : content;
    disk.put(`${DIRECTORY}/${name}`, bytes);
  }
  return disk;
}

/** Reads the newest snapshots and then what is beside them; nothing on the disk may change. */
export async function take(disk: MemoryDisk): Promise<Taken> {
  const forest = new Forest();
  const clock = { now: () => 1000 * NOW_SECONDS, today: () => 20270115 };
  const dumps = new DumpStore(DIRECTORY, disk, clock, 0, () => {});
  const newest = await dumps.newest();
  for (const dump of newest) forest.put((await dumps.restore(dump)).tree);
  const karma1 = await LegacyDirectory.open(DIRECTORY, disk);
  assert(karma1 !== null, "there is something of Karma 1.x");
  const snapshots = newest.map(({ file, tree }) => ({ file, tree: tree! }));
  await karma1.replay(forest, snapshots, NOW_SECONDS);
  assert(disk.filesOpen === 0, "all files are closed");
  return { karma1, forest, contents: contentsOf(forest) };
}

/** As `take`, of a directory that has only a log. */
export async function takeLog(log: string): Promise<Taken> {
  return await take(diskWith({ "karma.wal": log }));
}

export function contentsOf(forest: Forest): Contents {
  return Object.fromEntries(forest.trees().map((tree) => [tree.name, cellsOf(tree)]));
}

export function cellsOf(tree: Tree): string[] {
  checkTree(tree);
  const cells: string[] = [];
  const walk = new Walk(tree);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    const keys = walk.keys(branch);
    for (let at = 0; at < keys.length; at += 2) {
      const slot = branch.locate(keys[at], keys[at + 1]);
      const key = u64ToBigInt(keys[at], keys[at + 1]);
      if (branch.count(slot) === 0) cells.push(`${key}`);
      for (let index = 0; index < branch.count(slot); index++) {
        const value = u64ToBigInt(branch.valueLo(slot, index), branch.valueHi(slot, index));
        cells.push(`${key} ${branch.day(slot, index)} ${value}`);
      }
    }
  }
  return cells;
}
