// The catalog: the list of all trees. Every segment of the WAL begins with it, so that replay can start there.
//
//   next serial (2) | trees | for each: number | serial (2) | bytes of the name | name ... | flags
//   | mark of the registry (2) | for each tree: mark (2)
//
// The flags say what is known: 1: what is in the registry is in a dump of it; 2: marks follow. A mark
// is a record's number: what it belongs to has not changed since, so that every dump will do which
// holds that record, however many records came after it. Where there are no marks, dumps must hold
// everything before the segment. Logs of earlier versions end before the flags, or before the marks.
// All words are little endian, names are filled up with zeros to whole words.

import { LANE } from "../bytes/mod.ts";
import type { DedupState } from "../idempotency/mod.ts";
import type { Forest } from "../tree/mod.ts";
import { DamagedError } from "../errors.ts";

const encoder = new TextEncoder();

const HAS_REGISTRY = 1;
const HAS_MARKS = 2;

/** A tree as the catalog has it. `mark`: the record that its dump must hold; null: it doesn't say. */
interface Listed {
  readonly number: number;
  readonly serial: number;
  readonly name: string;
  readonly mark: number | null;
}

interface Catalog {
  readonly nextSerial: number;
  /** The oldest first. */
  readonly trees: readonly Listed[];
  /** Whether the log goes on from a dump of the registry, and the record that this must hold. */
  readonly hasRegistry: boolean;
  readonly registryMark: number | null;
}

/** What can be marked: a tree, the registry. */
interface Marked {
  readonly isChanged: boolean;
  readonly markLsn: number;
}

/** What `decodeCatalogue` reads back, as of the last record `lsn` of the log. */
export function encodeCatalog(
  forest: Forest,
  dedup: DedupState,
  lsn: number,
): Uint8Array<ArrayBuffer> {
  let words = new Uint32Array(16384);
  let bytes = new Uint8Array(words.buffer);
  /** Sees to it that so many words more have room. */
  const reserve = (count: number) => {
    if (at + count <= words.length) return;
    const larger = new Uint32Array(2 * (at + count));
    larger.set(words);
    words = larger;
    bytes = new Uint8Array(words.buffer);
  };
  const marks = [markOf(dedup, lsn)];
  let at = 3;
  for (let tree = forest.after(0); tree !== null; tree = forest.after(tree.serial)) {
    const { number, serial, name } = tree;
    reserve(4 + name.length); // a character is at most three bytes
    const { written } = encoder.encodeInto(name, bytes.subarray(4 * (at + 4)));
    words[at] = number;
    words[at + 1] = serial % LANE;
    words[at + 2] = Math.floor(serial / LANE);
    words[at + 3] = written;
    at += 4 + Math.ceil(written / 4);
    marks.push(markOf(tree, lsn));
  }
  words[0] = forest.nextSerial % LANE;
  words[1] = Math.floor(forest.nextSerial / LANE);
  words[2] = marks.length - 1;
  reserve(1 + 2 * marks.length);
  words[at++] = HAS_REGISTRY | HAS_MARKS;
  for (const mark of marks) {
    words[at++] = mark % LANE;
    words[at++] = Math.floor(mark / LANE);
  }
  return bytes.subarray(0, 4 * at);
}

/** The record that a dump of something must hold. */
function markOf({ isChanged, markLsn }: Marked, lsn: number): number {
  return isChanged ? lsn : markLsn;
}

/** Reads a catalog from bytes whose checksum was right. */
export function decodeCatalog(bytes: Uint8Array): Catalog {
  const words = new Uint32Array(bytes.slice().buffer);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const trees: { number: number; serial: number; name: string; mark: number | null }[] = [];
  let at = 3;
  while (trees.length < words[2]) {
    if (at + 4 > words.length) throw new DamagedError("its catalogue of trees is incomplete");
    const [number, lo, hi, length] = words.subarray(at, at + 4);
    const name = decoder.decode(bytes.subarray(4 * (at + 4), 4 * (at + 4) + length));
    trees.push({ number, serial: hi * LANE + lo, name, mark: null });
    at += 4 + Math.ceil(length / 4);
  }
  const nextSerial = words[1] * LANE + words[0];
  const flags = words[at++] ?? 0;
  const hasRegistry = (flags & HAS_REGISTRY) !== 0;
  if ((flags & HAS_MARKS) === 0) {
    // In another order where a tree has taken the place of one of its name.
    trees.sort((a, b) => a.serial - b.serial);
    return { nextSerial, trees, hasRegistry, registryMark: null };
  }
  if (at + 2 + 2 * trees.length > words.length) {
    throw new DamagedError("its catalogue of trees is incomplete");
  }
  const markAt = (at: number) => words[at + 1] * LANE + words[at];
  trees.forEach((tree, index) => tree.mark = markAt(at + 2 + 2 * index));
  trees.sort((a, b) => a.serial - b.serial);
  return { nextSerial, trees, hasRegistry, registryMark: markAt(at) };
}
