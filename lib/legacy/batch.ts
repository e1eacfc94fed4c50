// The items or keys of one entry, and how Karma 1.x takes them in.
//
//   item   key (2) | bucket (2) | value (2)
//   key    key (2)
//
// Invariant: a batch changes a tree whole or not at all. A bucket beyond 32 bits is no day here: the
// items that have one are left out, since nothing else would be better for the others.
// Karma 1.x holds a batch_set to the sum of the whole series. To spare us that sum, `Sums` keeps a
// bound for it, and only where that comes near 2^64 are the exact sums added up.

import { assert } from "../assert.ts";
import { INTEGER, JsonScanner, u64ToBigInt } from "../bytes/mod.ts";
import { type Tree, Walk } from "../tree/mod.ts";
import { DamagedError } from "../errors.ts";

export const ITEM_WORDS = 6;
export const KEY_WORDS = 2;
const U64_MAX = (1n << 64n) - 1n;
/** Far enough from 2^64 for sums that are rounded. */
const BOUND_MAX = 2 ** 63;

export class Batch {
  count = 0;
  words = new Uint32Array(64);
  /** The sum of all values. */
  total = 0n;
  hasZero = false;
  /** Items whose bucket is no day here. */
  beyond = 0;
  readonly #scanner = new JsonScanner();

  /** Reads `[[key, bucket, value], ...]`. */
  readItems(bytes: Uint8Array<ArrayBufferLike>, [start, end]: [number, number]): void {
    const scanner = this.#begin(bytes, start, end);
    let lows = 0;
    let highs = 0;
    for (let more = scanner.element(true); more > 0; more = scanner.element(false)) {
      const at = this.#room(ITEM_WORDS);
      if (!scanner.openArray()) throw new DamagedError("an item in it is no list");
      for (let index = 0; index < 3; index++) {
        if (scanner.element(index === 0) !== 1) {
          throw new DamagedError("an item in it is too short");
        }
        this.#number(at + 2 * index);
      }
      if (scanner.element(false) !== 0) throw new DamagedError("an item in it is too long");
      const { words } = this;
      if (words[at + 3] !== 0) this.beyond++;
      if (words[at + 4] === 0 && words[at + 5] === 0) this.hasZero = true;
      lows += words[at + 4];
      highs += words[at + 5];
    }
    this.total = (BigInt(highs) << 32n) + BigInt(lows);
  }

  /** Reads `[key, ...]`. */
  readKeys(bytes: Uint8Array<ArrayBufferLike>, [start, end]: [number, number]): void {
    const scanner = this.#begin(bytes, start, end);
    for (let more = scanner.element(true); more > 0; more = scanner.element(false)) {
      this.#number(this.#room(KEY_WORDS));
    }
  }

  clear(): void {
    this.count = this.beyond = 0;
    this.total = 0n;
    this.hasZero = false;
  }

  #begin(bytes: Uint8Array<ArrayBufferLike>, start: number, end: number): JsonScanner {
    this.clear();
    this.#scanner.open(bytes, start, end);
    this.#scanner.openArray();
    return this.#scanner;
  }

  #number(at: number): void {
    if (this.#scanner.value() !== INTEGER) throw new DamagedError("a list in it lacks a number");
    this.words.set(this.#scanner.lanes, at);
  }

  #room(words: number): number {
    const at = words * this.count++;
    if (at + words > this.words.length) {
      const larger = new Uint32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    return at;
  }
}

/** Adds all items. False: a total would pass 2^64-1, and nothing changed. */
export function addAll(tree: Tree, { count, words }: Batch): boolean {
  const created = new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    const at = ITEM_WORDS * index;
    if (words[at + 3] !== 0) continue;
    const [keyLo, keyHi, day] = [words[at], words[at + 1], words[at + 2]];
    if (!tree.add(keyLo, keyHi, day, words[at + 4], words[at + 5])) {
      takeBack(tree, words, index, created);
      return false;
    }
    created[index] = tree.created ? 1 : 0;
  }
  return true;
}

function takeBack(tree: Tree, words: Uint32Array, count: number, created: Uint8Array): void {
  for (let index = count - 1; index >= 0; index--) {
    const at = ITEM_WORDS * index;
    if (words[at + 3] !== 0) continue;
    tree.subtract(words[at], words[at + 1], words[at + 2], words[at + 4], words[at + 5]);
    if (created[index] === 1) tree.forget(words[at], words[at + 1]);
  }
}

/** Bounds for the sums of all values in a tree. */
export class Sums {
  readonly #bounds = new WeakMap<Tree, number>();

  /** Takes note of what was added to a tree. */
  grow(tree: Tree, by: number): void {
    const bound = this.#bounds.get(tree);
    if (bound !== undefined) this.#bounds.set(tree, bound + by);
  }

  /** Sets all items. False: the sum of the tree would pass 2^64-1, and nothing changed. */
  setAll(tree: Tree, batch: Batch): boolean {
    if (batch.total > U64_MAX) return false;
    const by = Number(batch.total);
    let bound = this.#bounds.get(tree) ?? Infinity;
    if (bound + by >= BOUND_MAX) bound = Number(sumOf(tree));
    const isFar = bound + by < BOUND_MAX;
    const done = isFar || this.#fits(tree, batch);
    this.#bounds.set(tree, bound + (done ? by : 0));
    if (!done) return false;
    const { words } = batch;
    for (const at of isFar ? inOrder(batch) : lastOfEach(batch)) {
      const [keyLo, keyHi, day] = [words[at], words[at + 1], words[at + 2]];
      const isSet = tree.set(keyLo, keyHi, day, words[at + 4], words[at + 5]);
      assert(isSet, "a counter is never more than its tree");
    }
    return true;
  }

  /** Whether the sum stays within 2^64-1 at each step. */
  #fits(tree: Tree, batch: Batch): boolean {
    const { words } = batch;
    const old = new Uint32Array(2);
    let sum = sumOf(tree);
    for (const at of lastOfEach(batch)) {
      tree.sum(words[at], words[at + 1], words[at + 2], words[at + 2], old);
      sum += u64ToBigInt(words[at + 4], words[at + 5]) - u64ToBigInt(old[0], old[1]);
      if (sum > U64_MAX) return false;
    }
    return true;
  }
}

/** Where the items are. */
function* inOrder({ count, words }: Batch): Generator<number> {
  for (let at = 0; at < ITEM_WORDS * count; at += ITEM_WORDS) if (words[at + 3] === 0) yield at;
}

/** Where the items are that count: of those for one day of a counter the last, in the place of the first. */
function lastOfEach(batch: Batch): Iterable<number> {
  const last = new Map<string, number>();
  const { words } = batch;
  for (const at of inOrder(batch)) {
    last.set(`${words[at]} ${words[at + 1]} ${words[at + 2]}`, at);
  }
  return last.values();
}

function sumOf(tree: Tree): bigint {
  const sum = new Uint32Array(2);
  let total = 0n;
  const walk = new Walk(tree);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      branch.sum(slot, 0, branch.count(slot), sum);
      total += u64ToBigInt(sum[0], sum[1]);
    }
  }
  return total;
}
