// Hollow trees: trees without counters, for a check that reads a whole directory and has no memory for its data.
//
// Invariant: they are created, renamed, replaced and dropped as other trees are, and never hold a counter. So
// everything that the WAL says about trees is checked as at a start, and each branch of a dump by itself. Only
// totals that exceed 2^64-1 over several records are not noticed.

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
