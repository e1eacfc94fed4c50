// The forest: all trees of this process, in the order of their serials, oldest first.
//
// Trees with hidden names are visible only to their creator until they get a name that clients know.
//
// Invariant: every tree is in three tables, by the hash of its name's bytes, by its number, and by its serial. A number is
// small and unique among the present trees; a serial was never used before.
// Trade-off: there are tables by hash and by number because a request carries bytes: making a string of them would cost
// as much as the rest of an increment, and so would a name in each record of the WAL. The tables are typed arrays: in a
// Map each tree took 150 bytes more, and a single growth step of a million entries took 0.1 s.

import { assert } from "../assert.ts";
import { Budget, HashIndex, NameIndex } from "../bytes/mod.ts";
import { Ages } from "./ages.ts";
import { BesideTrees } from "./beside_trees.ts";
import { checkNames } from "./check.ts";
import { GoneTrees } from "./gone_trees.ts";
import { NamedTree, partsOf } from "./named_tree.ts";
import { Names } from "./names.ts";
import { type KeyCount, UNCOUNTED } from "./ranges.ts";
import { RecentTrees } from "./recent_trees.ts";
import { Tree } from "./tree.ts";
import { HIDDEN, isHidden, ownerSerialOf } from "./tree_name.ts";

const HIDDEN_BYTE = HIDDEN.charCodeAt(0);

/** How many trees there can be: records of the log have 24 bits for a number. */
const TREES_MAX = 1 << 24;

const encoder = new TextEncoder();
/** Scratch: the bytes of a name. */
let encoded = new Uint8Array(1024);

export class Forest {
  /** How many trees clients may have. Those who create some for them ask first (`room`). */
  readonly #treesMax: number;
  readonly #byNumber: (Tree | null)[] = [];
  readonly #names = new NameIndex();
  /** Of a tree with number n the place n + 1. */
  readonly #places: HashIndex = new HashIndex((place) => {
    return this.#names.hashOf(place - 1, this.#places.hash);
  });
  readonly #ages = new Ages();
  #hidden = 0;
  /** Hidden trees that go with others. */
  readonly beside = new BesideTrees((serial) => this.after(serial));
  readonly #tally: KeyCount = { keys: 0 };
  readonly #recent = new RecentTrees();
  /** Numbers below the highest that no tree has, and some that one has again. */
  #free: number[] = [];
  /** Changes whenever a tree comes or goes, or gets another name. */
  version = 0;
  #nextSerial = 1;
  /** All keys that are names. */
  readonly names: Names;
  readonly #gone: GoneTrees;
  /** What the trees may take, and all that is kept beside them. */
  readonly budget: Budget;

  constructor(budget = new Budget(), treesMax = TREES_MAX) {
    this.budget = budget;
    this.names = new Names(budget);
    this.#gone = new GoneTrees(this.names);
    this.#treesMax = treesMax;
  }

  /** The serial that the next new tree will have, or the id of the next new name. */
  get nextSerial(): number {
    return Math.max(this.#nextSerial, this.names.lastId + 1);
  }

  set nextSerial(serial: number) {
    this.#nextSerial = serial;
  }

  /** How many trees clients know of. */
  get visibleCount(): number {
    return this.#ages.count - this.#hidden;
  }

  /** How many counters the trees have that clients know of, as each of them counts its own. */
  get keys(): number {
    return this.#tally.keys;
  }

  /** How many more trees clients may have; negative where the log has more of them. */
  get room(): number {
    return this.#treesMax - this.visibleCount;
  }

  /** Bytes of memory that the tables take; trees themselves not included. */
  get bytes(): number {
    return this.#names.bytes + this.#places.bytes + this.#ages.bytes + 8 * this.#byNumber.length;
  }

  /** The oldest tree with a serial above one, which may be that of a tree that is gone: 0 begins a walk. */
  after(serial: number): Tree | null {
    const number = this.#ages.next(serial);
    return number < 0 ? null : this.#byNumber[number];
  }

  /** Likewise, of those that clients know of. */
  visibleAfter(serial: number): Tree | null {
    let tree = this.after(serial);
    while (tree !== null && isHidden(tree.name)) tree = this.after(tree.serial);
    return tree;
  }

  /**
   * All trees but the named ones, which are with their owners, oldest first. Of many this takes long: who can be
   * interrupted goes by `after`, and comes by the named ones too.
   */
  trees(): Tree[] {
    const trees: Tree[] = [];
    for (let tree = this.after(0); tree !== null; tree = this.after(tree.serial)) {
      if (ownerSerialOf(tree.name) < 0) trees.push(tree);
    }
    return trees;
  }

  /** All trees that clients know of, oldest first; as `trees`. */
  visible(): Tree[] {
    return this.trees().filter(({ name }) => !isHidden(name));
  }

  /** The tree of a name. */
  named(name: string): Tree | null {
    const length = encode(name);
    return this.#find(encoded, 0, length);
  }

  /** The tree that clients call bytes[start..end): they may write the name of a hidden one, too. */
  find(bytes: Uint8Array, start: number, end: number): Tree | null {
    const recent = this.#recent.find(bytes, start, end);
    if (recent !== null) return recent;
    if (bytes[start] === HIDDEN_BYTE && end > start) return null;
    const tree = this.#find(bytes, start, end);
    if (tree !== null) this.#recent.keep(tree, bytes, start, end);
    return tree;
  }

  #find(bytes: Uint8Array, start: number, end: number): Tree | null {
    const places = this.#places;
    const hash = places.hash.of(bytes, start, end);
    for (let place = places.first(hash); place !== 0; place = places.next()) {
      if (this.#names.is(place - 1, hash, bytes, start, end)) return this.#byNumber[place - 1];
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
    return this.at(tree.number) === tree;
  }

  /** Creates an empty tree; there must be none of that name. */
  create(name: string, number?: number, serial?: number): Tree {
    const tree = this.makeTree(name);
    this.put(tree, number, serial);
    return tree;
  }

  /** An empty tree that is not in the forest yet. */
  makeTree(name: string): Tree {
    const ownerSerial = ownerSerialOf(name);
    if (ownerSerial < 0) return new Tree(name, this.budget);
    const names = ownerSerial > 0 ? this.names : new Names(this.budget);
    return new NamedTree(name, names, this.budget);
  }

  /** Puts a tree there, and removes the one that has its name. */
  put(tree: Tree, number = this.freeNumber()!, serial = this.nextSerial): void {
    const old = this.named(tree.name);
    if (old !== null) this.remove(old);
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
    this.#ages.add(serial, number);
    this.#enter(tree);
    const ownerSerial = ownerSerialOf(tree.name);
    if (ownerSerial >= 0) this.#join(tree, this.after(ownerSerial - 1));
  }

  /** Gives a tree another name, and removes the one that has it. */
  adopt(tree: Tree, name: string): void {
    const old = this.named(name);
    if (old !== null) this.remove(old);
    this.#leave(tree);
    tree.rename(name);
    this.#enter(tree);
  }

  remove(tree: Tree): void {
    assert(this.has(tree), "a tree that is removed is there");
    if (tree.named !== null) this.remove(tree.named);
    tree.named = null;
    this.#leave(tree);
    this.#ages.remove(tree.serial);
    this.#byNumber[tree.number] = null;
    this.#free.push(tree.number);
    this.discard(tree);
  }

  /** Frees the memory of a tree that is not, or not any more, in the forest. */
  discard(tree: Tree): void {
    this.#gone.add(tree);
  }

  /** Frees some of the memory of trees that are gone; true: there is more. */
  reclaim(): boolean {
    return this.#gone.reclaim();
  }

  /** Asserts the invariant. */
  check(): void {
    const trees = this.trees().flatMap((tree) => partsOf(tree));
    this.#names.check();
    this.#places.check(trees.length);
    for (const tree of trees) {
      assert(this.at(tree.number) === tree, "a tree is found by its number");
      assert(this.named(tree.name) === tree, "a tree is found by its name");
    }
    const visible = this.visible();
    assert(this.visibleCount === visible.length, "visible trees are counted");
    const keys = visible.reduce((sum, { keys, named }) => sum + keys + (named?.keys ?? 0), 0);
    assert(this.keys === keys, "the counters of visible trees are counted");
    this.beside.check(trees);
    while (this.reclaim());
    checkNames(this.names, trees);
  }

  /** Lets a tree be found by its name. */
  #enter(tree: Tree): void {
    this.version++;
    const { number, name } = tree;
    const length = encode(name);
    this.#names.add(number, this.#places.hash.of(encoded, 0, length), encoded, 0, length);
    this.#places.add(number + 1);
    if (isHidden(name)) {
      this.#hidden++;
      this.beside.enter(tree);
    } else {
      this.#tell(tree);
    }
  }

  /** Puts a named tree beside its owner. */
  #join(tree: Tree, owner: Tree | null): void {
    assert(owner?.serial === ownerSerialOf(tree.name), "a named tree has an owner");
    owner.named = tree;
    if (!isHidden(owner.name)) this.#tell(tree);
  }

  /** Lets the counters of a tree count among those that clients know of. */
  #tell(tree: Tree): void {
    tree.tally = this.#tally;
    tree.tally.keys += tree.keys;
    if (tree.named !== null) this.#tell(tree.named);
  }

  #leave(tree: Tree): void {
    this.version++;
    const { number, name } = tree;
    if (isHidden(name)) this.#hidden--;
    this.beside.leave(tree);
    if (tree.tally !== UNCOUNTED) {
      tree.tally.keys -= tree.keys;
      tree.tally = UNCOUNTED;
    }
    this.#places.remove(number + 1);
    this.#names.remove(number);
    this.#recent.clear();
  }
}

/** Writes the bytes of a name to `encoded`; returns how many there are. */
function encode(name: string): number {
  if (3 * name.length > encoded.length) encoded = new Uint8Array(3 * name.length);
  return encoder.encodeInto(name, encoded).written;
}
