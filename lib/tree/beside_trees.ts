// Trees beside others: hidden trees that go with a tree, one for each purpose, such as what is counted below a day.
//
// Invariant: a tree beside another has a name that tells the serial of its owner, which leads to it by its purpose as
// long as both are in the forest.
// Trade-off: one whose owner is gone stays until somebody drops it: a crash may leave one, and replay has to find it.

import { assert } from "../assert.ts";
import type { KeyCount } from "./ranges.ts";
import type { Tree } from "./tree.ts";
import { besideOf } from "./tree_name.ts";

export class BesideTrees {
  readonly #trees = new Set<Tree>();
  readonly #tally: KeyCount = { keys: 0 };
  readonly #after: (serial: number) => Tree | null;

  /** `after`: the oldest tree with a serial above one. */
  constructor(after: (serial: number) => Tree | null) {
    this.#after = after;
  }

  /** All of them, also those whose owners are gone; a walk over them may pause. */
  get trees(): ReadonlySet<Tree> {
    return this.#trees;
  }

  /** How many counters they have. */
  get keys(): number {
    return this.#tally.keys;
  }

  /** The tree that one goes with; null: it is gone, or the tree goes with none. */
  ownerOf({ name }: Tree): Tree | null {
    const place = besideOf(name);
    const owner = place === null ? null : this.#after(place.serial - 1);
    return owner !== null && owner.serial === place!.serial ? owner : null;
  }

  /** Notes a tree that has come, if it goes with another one. */
  enter(tree: Tree): void {
    const place = besideOf(tree.name);
    if (place === null) return;
    this.#trees.add(tree);
    tree.tally = this.#tally;
    tree.tally.keys += tree.keys;
    const owner = this.ownerOf(tree);
    if (owner !== null) (owner.beside ??= new Map()).set(place.purpose, tree);
  }

  /** Notes that a tree leaves; its counters are the caller's to count. */
  leave(tree: Tree): void {
    if (!this.#trees.delete(tree)) return;
    this.ownerOf(tree)?.beside?.delete(besideOf(tree.name)!.purpose);
  }

  /** Asserts the invariant; `trees` are all that the forest has. */
  check(trees: readonly Tree[]): void {
    const all = trees.filter(({ name }) => besideOf(name) !== null);
    assert(all.length === this.#trees.size, "trees beside others are known");
    const keys = all.reduce((sum, tree) => sum + tree.keys, 0);
    assert(this.keys === keys, "their counters are counted");
    for (const tree of all) {
      const owner = this.ownerOf(tree);
      const found = owner?.beside?.get(besideOf(tree.name)!.purpose);
      assert(owner === null || found === tree, "a tree is found beside its own");
    }
  }
}

/** The hidden trees that go with a tree and with its named tree. */
export function besidesOf({ beside, named }: Tree): Tree[] {
  return [...named?.beside?.values() ?? [], ...beside?.values() ?? []];
}
