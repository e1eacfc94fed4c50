// The forest: all trees of this process, in the order of their creation.
//
// Trees with hidden names are there for whoever made them, until they get a name that clients know.
//
// Invariant: every tree is in three tables, under its name, the hash of its name's bytes, and its
// number. A number is a small one that no other tree has now; a serial one that no other ever had.
// Trade: tables by hash and by number, because a request carries bytes, and making a string of them to find a tree
// would cost as much as everything else an increment does; and so would a name in the log.

import { assert } from "../assert.ts";
import { Budget } from "../bytes/budget.ts";
import { equals } from "../bytes/name_table.ts";
import { free } from "./blocks.ts";
import { Tree } from "./tree.ts";
import { HIDDEN, isHidden } from "./tree_name.ts";

const HIDDEN_BYTE = HIDDEN.charCodeAt(0);

/** Words of dropped trees that are freed in one go: a megabyte takes some 80 µs. */
const FREED_AT_ONCE_WORDS = 1 << 20;

/** How many trees there can be: records of the log have 24 bits for a number. */
export const TREES_MAX = 1 << 24;

export class Forest {
  readonly #byName = new Map<string, Tree>();
  readonly #byHash = new Map<number, Tree[]>();
  readonly #byNumber: (Tree | null)[] = [];
  /** The one that a client found last: the next will mostly ask for the same. */
  #last: Tree | null = null;
  /** Numbers below the highest that no tree has, and some that one has again. */
  #free: number[] = [];
  /** Arrays of trees that are gone. */
  #gone: Uint32Array<ArrayBuffer>[] = [];
  /** The serial that the next new tree will have. */
  nextSerial = 1;
  /** What the trees may take, and all that is kept beside them. */
  readonly budget: Budget;

  constructor(budget = new Budget()) {
    this.budget = budget;
  }

  /** All trees, oldest first. */
  trees(): Tree[] {
    return [...this.#byName.values()];
  }

  /** All trees that clients know of, oldest first. */
  visible(): Tree[] {
    return this.trees().filter(({ name }) => !isHidden(name));
  }

  /** The tree of a name. */
  named(name: string): Tree | null {
    return this.#byName.get(name) ?? null;
  }

  /** The tree that clients call bytes[start..end): they may write the name of a hidden one, too. */
  find(bytes: Uint8Array, start: number, end: number): Tree | null {
    const last = this.#last;
    if (last !== null && equals(last.nameBytes, bytes, start, end)) return last;
    if (bytes[start] === HIDDEN_BYTE) return null;
    const trees = this.#byHash.get(hash(bytes, start, end));
    if (trees === undefined) return null;
    for (let index = 0; index < trees.length; index++) {
      if (equals(trees[index].nameBytes, bytes, start, end)) return this.#last = trees[index];
    }
    return null;
  }

  /** The tree that has a number; null when none has. */
  at(number: number): Tree | null {
    return this.#byNumber[number] ?? null;
  }

  /** A number for a tree that is to come; null when there are as many trees as there can be. */
  freeNumber(): number | null {
    while (this.#free.length > 0) {
      const number = this.#free[this.#free.length - 1];
      if (this.at(number) === null) return number;
      this.#free.pop();
    }
    return this.#byNumber.length < TREES_MAX ? this.#byNumber.length : null;
  }

  /** Whether a tree is (still) in the forest. */
  has(tree: Tree): boolean {
    return this.#byName.get(tree.name) === tree;
  }

  /** Creates an empty tree; there must be none of that name. */
  create(name: string, number?: number, serial?: number): Tree {
    const tree = new Tree(name, this.budget);
    this.put(tree, number, serial);
    return tree;
  }

  /** Puts a tree in the place of the one with its name, or behind all others. */
  put(tree: Tree, number = this.freeNumber()!, serial = this.nextSerial): void {
    const old = this.#byName.get(tree.name);
    if (old !== undefined) this.#forget(old);
    tree.blocks.charge(this.budget);
    assert(this.at(number) === null, "a number belongs to one tree");
    tree.number = number;
    tree.serial = serial;
    this.nextSerial = Math.max(this.nextSerial, serial + 1);
    for (let gap = this.#byNumber.length; gap < number; gap++) {
      this.#byNumber.push(null);
      this.#free.push(gap);
    }
    this.#byNumber[number] = tree;
    this.#byName.set(tree.name, tree); // an existing name keeps its place
    this.#hash(tree);
  }

  /** Gives a tree another name, and the place of the tree that has it. */
  adopt(tree: Tree, name: string): void {
    const old = this.#byName.get(name);
    if (old !== undefined) this.#forget(old);
    this.#byName.delete(tree.name);
    this.#unhash(tree);
    tree.rename(name);
    this.#byName.set(name, tree); // an existing name keeps its place
    this.#hash(tree);
  }

  remove(tree: Tree): void {
    this.#byName.delete(tree.name);
    this.#forget(tree);
  }

  /**
   * Frees some of the memory of trees that are gone; true: there is more. It counts in no budget any more, but
   * a dropped reference alone would wait for the collector.
   */
  reclaim(): boolean {
    for (let words = 0; words < FREED_AT_ONCE_WORDS && this.#gone.length > 0;) {
      const array = this.#gone.pop()!;
      words += array.length;
      free(array);
    }
    return this.#gone.length > 0;
  }

  #forget(tree: Tree): void {
    this.#byNumber[tree.number] = null;
    this.#free.push(tree.number);
    this.#unhash(tree);
    this.#gone.push(...tree.clear());
    tree.blocks.charge(new Budget());
    this.reclaim();
  }

  #hash(tree: Tree): void {
    const key = hash(tree.nameBytes, 0, tree.nameBytes.length);
    const others = this.#byHash.get(key);
    if (others === undefined) this.#byHash.set(key, [tree]);
    else others.push(tree);
  }

  #unhash(tree: Tree): void {
    this.#last = null;
    const key = hash(tree.nameBytes, 0, tree.nameBytes.length);
    const others = this.#byHash.get(key)!.filter((other) => other !== tree);
    if (others.length > 0) this.#byHash.set(key, others);
    else this.#byHash.delete(key);
  }
}

/** FNV-1a over the bytes of a name. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
  return hash;
}
