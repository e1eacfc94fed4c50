// Hollow trees: trees in name only, for whoever reads the whole of a directory to see whether that can be
// done, and has no memory for what is in it.
//
// Invariant: they are created, renamed, replaced and dropped as others are, and never hold a counter. So
// whatever the log says of trees is examined as at a start, and each branch of a dump by itself; only
// sums beyond 2^64-1 over several records go unnoticed.

import { Forest } from "./forest.ts";
import { Tree } from "./tree.ts";

export class HollowTree extends Tree {
  override add(): boolean {
    return true;
  }

  override subtract(): boolean {
    return true;
  }

  override set(): boolean {
    return true;
  }

  override touch(): boolean {
    return true;
  }

  override fill(): boolean {
    return true;
  }

  override removeDays(): void {}

  override sweep(): void {}

  override compact(): void {}
}

export class HollowForest extends Forest {
  override makeTree(name: string): Tree {
    return new HollowTree(name, this.budget);
  }
}
