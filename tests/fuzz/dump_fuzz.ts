// Random trees to a dump and back, and dumps that were damaged in every way a file can be.
//
// What is read back is what was written. Of a damaged dump either a DamagedError comes, or, where
// the damage was made to look like a dump again, a tree that keeps every invariant of a tree.

import { decode, encode } from "@std/msgpack";
import { assert, assertEquals } from "@std/assert";
import { highLane, lowLane, u64ToBigInt } from "../../lib/bytes/u64.ts";
import { framed } from "../../lib/dump/frame.ts";
import { readHead, readTree, writeTree } from "../../lib/dump/tree_io.ts";
import { ReadWindow } from "../../lib/host/read_window.ts";
import { DamagedError } from "../../lib/errors.ts";
import { checkTree } from "../../lib/tree/check.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { Walk } from "../../lib/tree/walk.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { Random } from "../support/random.ts";

const FILE = "/dumps/fuzz.tree";
const FRAME_HEAD_BYTES = 12;

type Bytes = Uint8Array<ArrayBuffer>;
export type Contents = Map<bigint, Map<number, bigint>>;

/** The counters of a tree and their days, as plain maps. */
export function contentsOf(tree: Tree): Contents {
  const contents: Contents = new Map();
  const walk = new Walk(tree);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    const keys = walk.keys(branch).slice();
    for (let at = 0; at < keys.length; at += 2) {
      const slot = branch.locate(keys[at], keys[at + 1]);
      const days = new Map<number, bigint>();
      for (let index = 0; index < branch.count(slot); index++) {
        const value = u64ToBigInt(branch.valueLo(slot, index), branch.valueHi(slot, index));
        days.set(branch.day(slot, index), value);
      }
      contents.set(u64ToBigInt(keys[at], keys[at + 1]), days);
    }
  }
  return contents;
}

/** Compares counter by counter: the difference of two large maps would take minutes to print. */
export function assertContents(actual: Contents, expected: Contents, what = "contents"): void {
  for (const [key, days] of expected) assertEquals(actual.get(key), days, `${what}: key ${key}`);
  assertEquals(actual.size, expected.size, what);
}

/** A tree of one of many shapes, from empty to several branches and counters of many days. */
export function randomTree(random: Random): Tree {
  const tree = new Tree("fuzz");
  const keys = random.pick([0, 1, 2, 20, 20, 200, 200, 4000]);
  const days = random.pick([1, 7, 40, 1000]);
  const bits = random.pick([1, 8, 20, 40, 60]);
  const step = random.pick([1n, 3n, 1n << 32n, 0x9e3779b97f4a7c15n]);
  const changes = random.pick([keys, 5 * keys, keys === 0 ? 0 : 2000]);
  const base = random.pick([0n, 0xfffffff0n, (1n << 64n) - 4000n]);
  const oddDays = random.chance(0.2);
  for (let change = 0; change < changes; change++) {
    const key = BigInt.asUintN(64, base + BigInt(random.below(keys)) * step);
    const number = random.below(days);
    const day = oddDays
      ? (number * 0x9e3779b1) >>> 0
      : 20200101 + Math.floor(number / 28) % 12 * 100 + number % 28 +
        Math.floor(number / 336) * 10000;
    const value = random.chance(0.05) ? 0n : random.u64() >> BigInt(64 - 1 - random.below(bits));
    tree.add(lowLane(key), highLane(key), day, lowLane(value), highLane(value));
    if (random.chance(0.02)) tree.removeDays(lowLane(key), highLane(key), 0, day);
  }
  if (random.chance(0.2)) tree.sweep(20200115, 20200120);
  return tree;
}

/** One tree, and so many damaged versions of its dump. */
export async function fuzzDump(seed: number, versions: number): Promise<void> {
  const random = new Random(seed);
  const tree = randomTree(random);
  const dump = await written(tree, random);
  const back = await read(dump, random);
  assert(back instanceof Tree, `a dump is read back: ${back}`);
  checkTree(back);
  assertContents(contentsOf(back), contentsOf(tree));
  for (let version = 0; version < versions; version++) {
    const damaged = damagedBytes(dump, random);
    if (equal(damaged, dump)) continue;
    const error = await read(damaged, random);
    assert(error instanceof DamagedError, `version ${version} is refused`);
    const altered = await read(joined(alteredFrames(dump, random)), random);
    if (altered instanceof Tree) checkUsable(altered, random);
  }
}

async function written(tree: Tree, random: Random): Promise<Bytes> {
  const disk = new MemoryDisk("/dumps");
  const file = await disk.create(FILE);
  const journal = { id: "0123456789abcdef", lsn: 1, sync: () => Promise.resolve() };
  await writeTree(tree, random.below(2 ** 32), file, journal);
  return disk.bytesOf(FILE);
}

/** What reading gives: a tree or the error that says it is damaged; anything else is thrown on. */
async function read(dump: Bytes, random: Random): Promise<Tree | DamagedError> {
  const disk = new MemoryDisk("/dumps");
  disk.put(FILE, dump);
  disk.readBytesMax = random.pick([7, 1000, 100_000, Infinity]) + (dump.length >> 10);
  const window = new ReadWindow((await disk.open(FILE))!);
  try {
    const { tree } = await readHead(window);
    return (await readTree(window, new Tree(tree))).tree;
  } catch (error) {
    if (error instanceof DamagedError) return error;
    throw error;
  }
}

/** A tree that was read from whatever: whole, and it goes on working. */
function checkUsable(tree: Tree, random: Random): void {
  checkTree(tree);
  for (let change = 0; change < 20; change++) {
    const key = random.chance(0.5) ? random.u64() : BigInt(random.below(1000));
    tree.add(lowLane(key), highLane(key), random.pick([20200101, 20300101, 5]), 1, 0);
  }
  checkTree(tree);
  contentsOf(tree);
}

/** Bytes changed without regard to what they mean. */
function damagedBytes(dump: Bytes, random: Random): Bytes {
  const at = random.below(dump.length);
  const count = 1 + random.below(random.pick([1, 4, 100]));
  const frames = framesOf(dump);
  switch (random.below(7)) {
    case 0:
      return joined([dump.subarray(0, at)]);
    case 1:
      return joined([dump.subarray(0, at), dump.subarray(at + count)]);
    case 2:
      return joined([dump.subarray(0, at), dump.subarray(at, at + count), dump.subarray(at)]);
    case 3:
      return joined([dump, dump.subarray(at, at + count)]);
    case 4:
      return joined(frames.toSpliced(random.below(frames.length), 1));
    case 5: {
      const copy = joined([dump]);
      for (let bit = 0; bit < count; bit++) {
        copy[at] ^= 1 << random.below(8);
      }
      return copy;
    }
    default: {
      const copy = joined([dump]);
      copy[at] ^= 1 << random.below(8);
      return copy;
    }
  }
}

/** The frames of a dump, some of them twice, elsewhere, missing or altered, with right checksums. */
function alteredFrames(dump: Bytes, random: Random): Bytes[] {
  let frames = framesOf(dump);
  for (let change = 1 + random.below(3); change > 0; change--) {
    const at = random.below(frames.length);
    const other = random.below(frames.length);
    const kind = random.below(10);
    if (kind === 0) frames = frames.toSpliced(at, 0, frames[other]);
    else if (kind === 1 && frames.length > 1) frames = frames.toSpliced(at, 1);
    else if (kind === 2) [frames[at], frames[other]] = [frames[other], frames[at]];
    else if (kind === 3) frames = frames.toSpliced(at, 0, emptyBranch(random));
    else frames[at] = altered(frames[at], random);
  }
  return random.chance(0.7) ? withRightCounts(frames) : frames;
}

function framesOf(dump: Bytes): Bytes[] {
  const frames: Bytes[] = [];
  const view = new DataView(dump.buffer, dump.byteOffset);
  for (let at = 0; at < dump.length;) {
    const end = at + FRAME_HEAD_BYTES + view.getUint32(at + 8);
    frames.push(dump.slice(at, end));
    at = end;
  }
  return frames;
}

type Fields = Record<string, ReturnType<typeof decode>>;

/** What a frame holds, if that is a map. */
function fieldsOf(frame: Bytes): Fields | null {
  try {
    const value = decode(frame.subarray(FRAME_HEAD_BYTES));
    const isMap = typeof value === "object" && value !== null && !Array.isArray(value) &&
      !(value instanceof Uint8Array);
    return isMap ? value as Fields : null;
  } catch {
    return null;
  }
}

/** The frame with one of its fields altered. */
function altered(frame: Bytes, random: Random): Bytes {
  const fields = fieldsOf(frame);
  if (fields === null || random.chance(0.1)) {
    const payload = frame.slice(FRAME_HEAD_BYTES);
    if (payload.length > 0) payload[random.below(payload.length)] ^= 1 << random.below(8);
    return framed(payload.subarray(random.chance(0.1) ? 1 : 0));
  }
  const name = random.pick(Object.keys(fields).concat("other"));
  const field = fields[name];
  if (random.chance(0.1)) delete fields[name];
  else if (random.chance(0.2)) fields[name] = random.pick([0, -1, 1.5, "text", null, [], {}, 5n]);
  else if (field instanceof Uint8Array) fields[name] = alteredColumn(field, random);
  else if (typeof field === "number") fields[name] = random.below(2 ** 32);
  else if (typeof field === "string") {
    fields[name] = random.pick(["", "x".repeat(300), "\0", field]);
  }
  return framed(encode(fields));
}

function alteredColumn(column: Uint8Array, random: Random): Bytes {
  const copy = new Uint8Array(column);
  const at = 4 * random.below((copy.length >> 2) || 1);
  switch (random.below(6)) {
    case 0:
      return joined([copy.subarray(0, at), copy.subarray(at + random.pick([1, 4, 8]))]);
    case 1:
      return joined([copy, copy.subarray(at, at + random.pick([1, 4, 8]))]);
    case 2:
      return copy.fill(random.pick([0, 1, 255]), at, at + 4);
    case 3:
      return joined([copy.subarray(at, at + 4), copy.subarray(0, at), copy.subarray(at + 4)]);
    default:
      if (copy.length > 0) copy[at + random.below(2)] ^= 1 << random.below(8);
      return copy;
  }
}

/** A branch without counters, which could stand anywhere, of a range that begins anywhere. */
function emptyBranch(random: Random): Bytes {
  const none = new Uint8Array(0);
  const start = new Uint8Array(8);
  if (random.chance(0.8)) start[random.below(8)] = random.below(256);
  const lsn = new Uint8Array(8);
  return framed(
    encode({ start, lsn, keys: none, counts: none, days: none, lows: none, highs: none }),
  );
}

/** The frames with an end that tells what is in them. */
function withRightCounts(frames: Bytes[]): Bytes[] {
  const count = { branches: 0, keys: 0, cells: 0 };
  return frames.map((frame) => {
    const fields = fieldsOf(frame);
    if (fields?.counts instanceof Uint8Array && fields.days instanceof Uint8Array) {
      count.branches++;
      count.keys += fields.counts.length / 4;
      count.cells += fields.days.length / 4;
    }
    if (fields === null || !("branches" in fields)) return frame;
    const lanes = (value: number) => new Uint8Array(Uint32Array.of(value, 0).buffer);
    const { branches, keys, cells } = count;
    return framed(encode({ branches: lanes(branches), keys: lanes(keys), cells: lanes(cells) }));
  });
}

function joined(parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
