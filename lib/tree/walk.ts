// A walk over a tree in ascending order of keys, a branch a step, while the tree may change.
//
// Invariant: a key at or after the start that exists during the whole walk is met exactly once.
// Branches may be laid out anew between two steps. So a step begins at a key, not at an index, and covers the keys
// from there to the end of the branch that holds it now. A step joins nearly empty branches with those that follow,
// so the next walk has fewer steps.

import { compareU64, LANE_MAX } from "../bytes/mod.ts";
import type { Branch } from "./branch.ts";
import { sortedKeys } from "./layout.ts";
import type { Tree } from "./tree.ts";

export class Walk {
  readonly tree: Tree;
  /** The first key that the next step will cover, unless this one was the last. */
  nextLo = 0;
  nextHi = 0;
  isDone = false;
  /** The first key that the current step covers. */
  startLo = 0;
  startHi = 0;
  /** How many keys `keys` has told so far. */
  met = 0;

  /** A walk over the keys from `startLo`, `startHi` on; `met` were told of another tree before. */
  constructor(tree: Tree, startLo = 0, startHi = 0, met = 0) {
    this.tree = tree;
    this.met = met;
    this.nextLo = startLo;
    this.nextHi = startHi;
  }

  /** Goes to the next branch, which is whole and swept until anything changes the tree; null at the end. */
  next(): Branch | null {
    if (this.isDone) return null;
    this.startLo = this.nextLo;
    this.startHi = this.nextHi;
    const { tree } = this;
    const index = tree.indexOf(this.startLo, this.startHi);
    tree.join(index);
    if (index + 1 < tree.branches.length) {
      this.nextLo = tree.startLo(index + 1);
      this.nextHi = tree.startHi(index + 1);
    } else {
      this.isDone = true;
    }
    return tree.branchAt(index);
  }

  /** Lets the next step begin behind a key, which the current one got to. */
  goOnBehind(keyLo: number, keyHi: number): void {
    this.isDone = keyLo === LANE_MAX && keyHi === LANE_MAX;
    this.nextLo = keyLo === LANE_MAX ? 0 : keyLo + 1;
    this.nextHi = keyLo === LANE_MAX ? keyHi + 1 : keyHi;
  }

  /** Whether the current step covers a key of its branch: keys below `start` were met before. */
  covers(keyLo: number, keyHi: number): boolean {
    return compareU64(keyLo, keyHi, this.startLo, this.startHi) >= 0;
  }

  /** The keys that the current step covers, ascending, two lanes each; valid until the next call. */
  keys(branch: Branch): Uint32Array {
    const keys = sortedKeys(branch);
    let first = 0;
    while (first < keys.length && !this.covers(keys[first], keys[first + 1])) first += 2;
    this.met += (keys.length - first) / 2;
    return keys.subarray(first);
  }
}
