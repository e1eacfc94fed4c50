// The trees as the log's entries name them, and what a batch does to one. A series whose snapshot
// holds an entry already is left alone.

import { type Forest, type Tree, treeName } from "../tree/mod.ts";
import { addAll, type Batch, Sums } from "./batch.ts";
import type { Coverage } from "./coverage.ts";
import type { Entry } from "./entry.ts";
import { HELD, type Outcome, refused, REPLAYED } from "./migration_report.ts";

export class Series {
  readonly forest: Forest;
  readonly coverage: Coverage;
  readonly sums = new Sums();
  /** After `find`: the series' name, its tree if there is one, and whether the entry is held. */
  name = "";
  tree: Tree | null = null;
  isHeld = false;

  constructor(forest: Forest, coverage: Coverage) {
    this.forest = forest;
    this.coverage = coverage;
  }

  /** Finds the series that an entry names. False: no tree can have that name. */
  find({ bytes, nameStart, nameEnd, lsn }: Entry): boolean {
    this.tree = nameStart < 0 ? null : this.forest.find(bytes, nameStart, nameEnd);
    const name = this.tree?.name ?? (nameStart < 0 ? null : treeName(bytes, nameStart, nameEnd));
    this.name = name ?? "";
    this.isHeld = this.coverage.holds(this.name, lsn);
    return name !== null;
  }

  /** The tree that was found, created if need be. */
  created(): Tree {
    return this.tree ??= this.forest.create(this.name);
  }

  addAll(entry: Entry, batch: Batch): Outcome {
    if (batch.hasZero) return refused("an item of a batch that adds is zero");
    return this.#change(entry, batch, () => {
      const tree = this.created();
      if (!addAll(tree, batch)) return false;
      this.sums.grow(tree, Number(batch.total));
      return true;
    });
  }

  /** `isCreated` tells whether a batch without items creates the tree too. */
  setAll(entry: Entry, batch: Batch, isCreated: boolean): Outcome {
    return this.#change(entry, batch, () => {
      if (batch.count === 0 && !isCreated) return true;
      return this.sums.setAll(this.created(), batch);
    });
  }

  #change(entry: Entry, batch: Batch, change: () => boolean): Outcome {
    if (this.isHeld) return HELD;
    const isNew = this.tree === null;
    if (batch.total < 1n << 64n && change()) return REPLAYED;
    if (isNew && this.tree !== null) this.forest.remove(this.tree);
    return refused(`${entry.command}, a sum would pass 18446744073709551615`);
  }
}
