// The trees that were found last, by name: requests name the same few again and again, often several in turn (the
// limits of a user and of an organisation).
//
// Invariant: an entry is a tree that has that name now; taking a name away clears all entries.
// Trade-off: each name has one place, found by three of its bytes without a key. Names that share a place evict
// each other; clients that choose such names are served by the keyed hash, as without this cache.

import { equals } from "../bytes/mod.ts";
import type { Tree } from "./tree.ts";

const PLACES = 64;
const NOTHING = new Uint8Array();

export class RecentTrees {
  readonly #names: Uint8Array[] = new Array(PLACES).fill(NOTHING);
  readonly #trees: (Tree | null)[] = new Array(PLACES).fill(null);

  /** The tree called bytes[start..end), if it is among them. */
  find(bytes: Uint8Array, start: number, end: number): Tree | null {
    if (start === end) return null;
    const place = placeOf(bytes, start, end);
    return equals(this.#names[place], bytes, start, end) ? this.#trees[place] : null;
  }

  /** Keeps a tree that was found under the name bytes[start..end), of which it takes a copy. */
  keep(tree: Tree, bytes: Uint8Array, start: number, end: number): void {
    const place = placeOf(bytes, start, end);
    this.#names[place] = bytes.slice(start, end);
    this.#trees[place] = tree;
  }

  /** Forgets all: a name went. */
  clear(): void {
    this.#names.fill(NOTHING);
    this.#trees.fill(null);
  }
}

/** Names mostly differ at their end, or in their length. */
function placeOf(bytes: Uint8Array, start: number, end: number): number {
  const mixed = bytes[end - 1] + 7 * bytes[start + (end - start >>> 1)] + 13 * (end - start);
  return mixed & PLACES - 1;
}
