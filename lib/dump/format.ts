// What the frames of a dump hold: MessagePack maps with columns, written and read with @std/msgpack.
//
//   head    {format: "karma-dump", version: 1, tree: bin, UTF-8, seconds: UNIX TIME, log: ID,
//            serial: bin 8, lsn: bin 8}
//   branch  {start: bin 8, lsn: bin 8, keys: bin 8n, counts: bin 4n, days: bin 4c, lows: bin 4c,
//            highs: bin 4c or 0}                                     columns of little-endian lanes
//   ...     one a branch, in ascending order of the first keys of their ranges, the first being 0
//   branch  {..., names: bin}     likewise, behind all others: counters whose keys are ids of names
//   end     {branches: bin 8, keys: bin 8, cells: bin 8}             how many came before
//
// `log` is the id of the log that `lsn` counts in, 16 hexadecimal digits, `serial` the tree's number
// in it; dumps of Karma without a log had neither. `lsn` is the number of the last record that a
// branch holds; in the head, of the last one when the dump was begun, which older dumps don't tell.
// `names` are those of the keys, in their order, each as a byte with its length and its bytes. A dump that may have some
// has version 2, all others 1, as before there were any.
// Only strings, bins and integers below 2^32 are used, so that every MessagePack encoder writes the
// same bytes and every decoder reads them back exactly. Invariant: reading gives what was written, or
// a DamagedError.

import { decode, encode } from "@std/msgpack";
import { LANE } from "../bytes/mod.ts";
import { Columns } from "../tree/mod.ts";
import { DamagedError } from "../errors.ts";
import { dumpableName } from "./file_name.ts";

const FORMAT = "karma-dump";
const VERSION = 1;
const VERSION_WITH_NAMES = 2;

/** Columns of so many words are copied word by word. */
const WORDS_ONE_BY_ONE_MAX = 16;

export interface DumpHead {
  readonly tree: string;
  readonly seconds: number;
  /** Empty in dumps of Karma without a log; the serial is 0 then. */
  readonly log: string;
  readonly serial: number;
  /** Every branch holds the records up to this one. 0: it is not known. */
  readonly lsn: number;
}

/** How many branches, keys and cells there are: exact below 2^53. */
export interface Counts {
  branches: number;
  keys: number;
  cells: number;
}

export function encodeHead(
  { tree, seconds, log, serial, lsn }: DumpHead,
  hasNames = false,
): Uint8Array {
  // As bytes: @std/msgpack drops a byte order mark from the beginning of a string.
  const name = new TextEncoder().encode(tree);
  return encode({
    format: FORMAT,
    version: hasNames ? VERSION_WITH_NAMES : VERSION,
    tree: name,
    seconds: seconds >>> 0,
    log,
    serial: lanesOf(serial),
    lsn: lanesOf(lsn),
  });
}

export function decodeHead(payload: Uint8Array): DumpHead {
  const map = decodeMap(payload);
  if (map.format !== FORMAT) throw new DamagedError("it does not begin as a dump of Karma does");
  if (map.version !== VERSION && map.version !== VERSION_WITH_NAMES) {
    throw new DamagedError(`it has version ${map.version}; this Karma reads versions 1 and 2`);
  }
  const { tree, seconds, log = "" } = map;
  const isComplete = tree instanceof Uint8Array && typeof seconds === "number" &&
    typeof log === "string";
  if (!isComplete) {
    throw new DamagedError("its head is incomplete");
  }
  const name = dumpableName(tree);
  if (name === null) throw new DamagedError("its head names no tree");
  const known = (field: string) => map[field] === undefined ? 0 : u64(map, field);
  return { tree: name, seconds, log, serial: known("serial"), lsn: known("lsn") };
}

export function encodeBranch(
  startLo: number,
  startHi: number,
  columns: Columns,
  lsn: number,
  names: Uint8Array | null = null,
): Uint8Array {
  const { keyCount, cellCount } = columns;
  const branch = {
    start: lanes(startLo, startHi),
    lsn: lanesOf(lsn),
    keys: bytesOf(columns.keys, 2 * keyCount),
    counts: bytesOf(columns.counts, keyCount),
    days: bytesOf(columns.days, cellCount),
    lows: bytesOf(columns.lows, cellCount),
    highs: bytesOf(columns.highs, columns.hasHighs ? cellCount : 0),
  };
  return encode(names === null ? branch : { ...branch, names });
}

/** A branch as it is in a dump: its counters, the first key of its range, its last record. */
export interface BranchPart {
  readonly columns: Columns;
  readonly startLo: number;
  readonly startHi: number;
  readonly lsn: number;
  /** The names of the keys, in their order; null: the keys are numbers. */
  readonly names: readonly Uint8Array[] | null;
}

/** The branch in a payload; null when the payload is the end's. */
export function decodeBranch(payload: Uint8Array): BranchPart | null {
  const map = decodeMap(payload);
  if (map.start === undefined) return null;
  const start = columnOf(map, "start", 2);
  const startLo = wordAt(start, 0);
  const startHi = wordAt(start, 4);
  const lsn = u64(map, "lsn");
  const columns = new Columns();
  columns.counts = words(map, "counts");
  columns.keyCount = columns.counts.length;
  columns.keys = words(map, "keys", 2 * columns.keyCount);
  columns.days = words(map, "days");
  columns.cellCount = columns.days.length;
  columns.lows = words(map, "lows", columns.cellCount);
  columns.highs = words(map, "highs");
  columns.hasHighs = columns.highs.length > 0;
  if (columns.hasHighs && columns.highs.length !== columns.cellCount) {
    throw new DamagedError('its column "highs" has the wrong length');
  }
  const names = map.names === undefined ? null : namesOf(map.names, columns.keyCount);
  return { columns, startLo, startHi, lsn, names };
}

/** The names of so many keys. */
function namesOf(bytes: unknown, count: number): Uint8Array[] {
  if (!(bytes instanceof Uint8Array)) throw new DamagedError("its names are no bytes");
  const names: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 1 + bytes[at];
    if (end === at + 1 || end > bytes.length) throw new DamagedError("a name is incomplete");
    names.push(bytes.subarray(at + 1, end));
    at = end;
  }
  if (names.length !== count) throw new DamagedError("it has more or fewer names than keys");
  return names;
}

export function encodeEnd({ branches, keys, cells }: Counts): Uint8Array {
  return encode({ branches: lanesOf(branches), keys: lanesOf(keys), cells: lanesOf(cells) });
}

export function decodeEnd(payload: Uint8Array): Counts {
  const map = decodeMap(payload);
  return { branches: u64(map, "branches"), keys: u64(map, "keys"), cells: u64(map, "cells") };
}

function decodeMap(payload: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = decode(payload);
  } catch (cause) {
    throw new DamagedError("a frame is not MessagePack", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DamagedError("a frame holds no map");
  }
  return value as Record<string, unknown>;
}

/** The column of that name as words: copied, since decoded bins are not aligned. */
function words(
  map: Record<string, unknown>,
  name: string,
  length?: number,
): Uint32Array<ArrayBuffer> {
  const bytes = columnOf(map, name, length);
  const words = new Uint32Array(bytes.length / 4);
  // V8 keeps arrays of up to 64 bytes in its heap, which is cheap, until their buffer is asked for.
  if (words.length > WORDS_ONE_BY_ONE_MAX) new Uint8Array(words.buffer).set(bytes);
  else for (let at = 0; at < words.length; at++) words[at] = wordAt(bytes, 4 * at);
  return words;
}

/** A number in that field: exact below 2^53. */
function u64(map: Record<string, unknown>, name: string): number {
  const bytes = columnOf(map, name, 2);
  return wordAt(bytes, 4) * LANE + wordAt(bytes, 0);
}

function columnOf(map: Record<string, unknown>, name: string, length?: number): Uint8Array {
  const bytes = map[name];
  if (!(bytes instanceof Uint8Array)) throw new DamagedError(`its column "${name}" is missing`);
  if (bytes.length % 4 !== 0 || length !== undefined && bytes.length !== 4 * length) {
    throw new DamagedError(`its column "${name}" has the wrong length`);
  }
  return bytes;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24) >>> 0;
}

function bytesOf(words: Uint32Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer, words.byteOffset, 4 * length);
}

function lanes(lo: number, hi: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.of(lo, hi).buffer);
}

function lanesOf(count: number): Uint8Array<ArrayBuffer> {
  return lanes(count % LANE, Math.floor(count / LANE));
}
