// The damage of a directory in full: everything that is damaged, what follows damage in the WAL, and what would be
// lost if Karma went on from what can be read.
//
// Invariant: nothing on the disk is changed. Trade-off: it reads everything up to three times, and takes the memory
// that a server with the same data takes.

import { join } from "@std/path";
import { DamagedError, HostError, sentenceOf } from "../errors.ts";
import type { Disk } from "../host/mod.ts";
import { CREATE, decodeCatalog, nameAt, NOTE, PUT, recordWords } from "../state/mod.ts";
import { Forest } from "../tree/mod.ts";
import { segmentLsn, survey } from "../wal/mod.ts";
import type { Opening } from "./integrity_check.ts";
import type { Recovery } from "./recovery.ts";

/** A directory, and what opens its data. */
export interface Place {
  readonly directory: string;
  readonly disk: Disk;
  readonly open: Opening;
}

export interface Damage {
  /** What has read all that can be read. */
  readonly recovery: Recovery;
  readonly faults: readonly string[];
  /** What lies behind, and when it was written. */
  readonly notes: readonly string[];
  readonly losses: readonly string[];
  /** The damaged files of dumps. */
  readonly files: ReadonlySet<string>;
  readonly trees: number;
  readonly keys: number;
}

/** So many names of trees are told. */
const NAMES_MAX = 20;

/** Reads all that can be read of a damaged directory, and tells the rest. */
export async function assessDamage(place: Place): Promise<Damage> {
  const passOver = new Set<string>();
  const told: string[] = [];
  for (;;) {
    const forest = new Forest();
    const { recovery } = place.open(place.disk, forest);
    try {
      const rescue = await recovery.rescue(passOver);
      const behind = await behindDamage(place, recovery, forest);
      const trees = forest.visible();
      return {
        recovery,
        faults: [...told, ...rescue.faults, ...behind.faults],
        notes: behind.notes,
        losses: [...behind.losses, ...rescue.losses],
        files: new Set([...passOver, ...rescue.files]),
        trees: trees.length,
        keys: trees.reduce((sum, tree) => sum + tree.keys, 0),
      };
    } catch (error) {
      if (!(error instanceof DamagedError) || error.file === null) throw error;
      passOver.add(error.file);
      told.push(error.message);
    }
  }
}

interface Behind {
  readonly faults: string[];
  readonly notes: string[];
  readonly losses: string[];
}

/** What lies behind the place where damage ended the log. */
async function behindDamage(
  { directory, disk }: Place,
  recovery: Recovery,
  forest: Forest,
): Promise<Behind> {
  const { damage, lsn } = recovery;
  if (damage === null) return { faults: [], notes: [], losses: [] };
  const names = new Map(forest.trees().map(({ number, name }) => [number, name]));
  const counts = new Map<string, number>();
  const count = (words: Uint32Array<ArrayBuffer>, from: number, to: number, records: number) => {
    if (records === 0) {
      const bytes = new Uint8Array(words.buffer, 4 * from, 4 * (to - from));
      for (const { number, name } of decodeCatalog(bytes).trees) names.set(number, name);
    }
    for (let at = from; records > 0; records--) {
      const size = recordWords(words, at);
      if (size === 0) return;
      const kind = words[at] & 0xff;
      const number = words[at] >>> 8;
      if (kind === CREATE || kind === PUT) names.set(number, nameAt(words, at));
      if (kind !== NOTE) {
        const name = JSON.stringify(names.get(number) ?? `number ${number}`);
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      at += size;
    }
  };
  const found = await survey(directory, disk, damage, lsn, count);
  const notes = [`Behind record ${lsn}, where the log is damaged, ${readable(found)}`];
  const trees = [...counts].sort(([, a], [, b]) => b - a).map(([name, records]) => {
    return `${name} (${records})`;
  });
  if (trees.length > 0) {
    const more = trees.length > NAMES_MAX ? ` and ${trees.length - NAMES_MAX} more` : "";
    notes.push(`They are of trees ${trees.slice(0, NAMES_MAX).join(", ")}${more}`);
  }
  notes.push(...await times(directory, disk, damage.file));
  const losses = [`All that came after record ${lsn} of the log is left out`];
  return { faults: found.faults, notes, losses };
}

function readable({ groups, records, bytes, lsn }: {
  groups: number;
  records: number;
  bytes: number;
  lsn: number;
}): string {
  if (records === 0) return "no more records can be read";
  return `${records} records in ${groups} groups (${bytes} bytes) can still be read, up to ${lsn}`;
}

/** When the damaged file of the log, and the one before it, were written. */
async function times(directory: string, disk: Disk, file: string): Promise<string[]> {
  try {
    const files = (await disk.list(directory)).filter((name) => segmentLsn(name) !== null).sort();
    const [before, last] = await Promise.all([files[files.indexOf(file) - 1], file].map((name) => {
      return name === undefined ? null : disk.writtenAt(join(directory, name));
    }));
    if (last === null) return [];
    const since = before === null ? "" : `, and the file before it at ${iso(before)}`;
    return [`Log ${file} was last written at ${iso(last)}${since}`];
  } catch (error) {
    throw new HostError(`Log ${file} could not be looked at`, sentenceOf(error));
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
