// Gone trees: frees the memory of dropped and replaced trees, a little at a time.
//
// Invariant: a tree is empty for all who look from the moment that it is gone. The names of its counters go before
// its memory, in which they are looked up.
// Trade-off: it counts in no budget any more, but a dropped reference alone would wait for the collector.

import { Budget } from "../bytes/mod.ts";
import { free } from "./block_pool.ts";
import type { Branch } from "./branch.ts";
import type { Names } from "./names.ts";
import type { Tree } from "./tree.ts";

/** Words that are freed in one go: a megabyte takes some 80 µs. */
const FREED_AT_ONCE_WORDS = 1 << 20;

type Arrays = Uint32Array<ArrayBuffer>[];

export class GoneTrees {
  readonly #names: Names;
  #arrays: Arrays = [];
  /** Of named trees: branches whose names are still counted. */
  readonly #named: { readonly branches: Branch[]; readonly arrays: Arrays }[] = [];

  /** `names` are those of named trees; a tree may have names of its own, which need not be counted any more. */
  constructor(names: Names) {
    this.#names = names;
  }

  /** Empties a tree, whose memory is to be freed. */
  add(tree: Tree): void {
    const branches = tree.names === this.#names ? [...tree.own] : [];
    if (tree.names !== null && tree.names !== this.#names) tree.names.clear();
    const arrays = tree.clear();
    tree.blocks.charge(new Budget());
    if (branches.length > 0) this.#named.push({ branches, arrays });
    else this.#arrays.push(...arrays);
    this.reclaim();
  }

  /** Frees some of the memory; true: there is more. */
  reclaim(): boolean {
    if (this.#named.length > 0) this.#releaseNames();
    for (let words = 0; words < FREED_AT_ONCE_WORDS && this.#arrays.length > 0;) {
      const array = this.#arrays.pop()!;
      words += array.length;
      free(array);
    }
    return this.#arrays.length > 0 || this.#named.length > 0;
  }

  /** Takes the names of one branch away: some two thousand, in a millisecond. */
  #releaseNames(): void {
    const { branches, arrays } = this.#named[0];
    const branch = branches.pop();
    if (branch === undefined) {
      this.#named.shift();
      this.#arrays.push(...arrays);
      return;
    }
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      this.#names.release(branch.keyLo(slot), branch.keyHi(slot));
    }
  }
}
