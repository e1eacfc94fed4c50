// The forest: all trees of this process, in the order of their creation.
//
// Invariant: every tree is in both tables, under its name and under the hash of its name's bytes.
// Trade: two tables, because a request carries bytes, and making a string of them to find a tree
// would cost as much as everything else an increment does.

import { equals } from "../bytes/name_table.ts";
import { BlockPool } from "./block_pool.ts";
import { Tree } from "./tree.ts";

export class Forest {
  readonly #byName = new Map<string, Tree>();
  readonly #byHash = new Map<number, Tree[]>();
  /** The memory that the branches of all trees come from. */
  readonly pool = new BlockPool();

  /** All trees, oldest first. */
  trees(): Tree[] {
    return [...this.#byName.values()];
  }

  /** The tree whose name is bytes[start..end). */
  find(bytes: Uint8Array, start: number, end: number): Tree | null {
    const trees = this.#byHash.get(hash(bytes, start, end));
    if (trees === undefined) return null;
    for (let index = 0; index < trees.length; index++) {
      if (equals(trees[index].nameBytes, bytes, start, end)) return trees[index];
    }
    return null;
  }

  /** Whether a tree is (still) in the forest. */
  has(tree: Tree): boolean {
    return this.#byName.get(tree.name) === tree;
  }

  /** Creates an empty tree; there must be none of that name. */
  create(name: string): Tree {
    const tree = new Tree(name, this.pool);
    this.put(tree);
    return tree;
  }

  /** Puts a tree in the place of the one with its name, or behind all others. */
  put(tree: Tree): void {
    const old = this.#byName.get(tree.name);
    if (old !== undefined) this.#forget(old);
    this.#byName.set(tree.name, tree); // an existing name keeps its place
    const key = hash(tree.nameBytes, 0, tree.nameBytes.length);
    const others = this.#byHash.get(key);
    if (others === undefined) this.#byHash.set(key, [tree]);
    else others.push(tree);
  }

  remove(tree: Tree): void {
    this.#byName.delete(tree.name);
    this.#forget(tree);
  }

  #forget(tree: Tree): void {
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
