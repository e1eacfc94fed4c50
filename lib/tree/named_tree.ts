// Named trees: the counters of a tree whose keys are names. A tree has one beside it from its first named counter on, a
// tree like any other whose keys are the ids of names (names.ts).
//
//   tree "users"   42 ─► days ...           named tree   id 7 ─► days ...       names   7 = "user:9f2c"
//
// So branches, records, sweeps and dumps are the same for both, and numbers cost what they cost without names.
//
// Invariant: each counter is counted once with its name in `names`, from `nameCounter` on until it is forgotten or
// compacted. The named tree of a tree has a name that tells its owner's serial, and goes with it.
// Trade-off: the keys of one tree lie in two, so whoever reads a whole tree reads both, numbers first.

import { assert } from "../assert.ts";
import { type Budget, LANE } from "../bytes/mod.ts";
import { MemoryFullError } from "../errors.ts";
import type { Names } from "./names.ts";
import { Tree } from "./tree.ts";
import { Walk } from "./walk.ts";

const DAY_MAX = 0xffffffff;

export class NamedTree extends Tree {
  override names: Names;

  constructor(name: string, names: Names, budget?: Budget) {
    super(name, budget);
    this.names = names;
  }

  /** Creates a counter without days under an id and a name, unless it is there. False: refused, no change. */
  nameCounter(idLo: number, idHi: number, name: Uint8Array): boolean {
    if (!super.touch(idLo, idHi)) return false;
    if (this.created) this.names.retain(idLo, idHi, name);
    return true;
  }

  override add(idLo: number, idHi: number, day: number, lo: number, hi: number): boolean {
    return this.#named(super.add(idLo, idHi, day, lo, hi), idLo, idHi);
  }

  override subtract(idLo: number, idHi: number, day: number, lo: number, hi: number): boolean {
    return this.#named(super.subtract(idLo, idHi, day, lo, hi), idLo, idHi);
  }

  override touch(idLo: number, idHi: number): boolean {
    return this.#named(super.touch(idLo, idHi), idLo, idHi);
  }

  override forget(idLo: number, idHi: number): void {
    const isThere = this.locate(idLo, idHi) >= 0;
    super.forget(idLo, idHi);
    if (isThere) this.names.release(idLo, idHi);
  }

  /** A counter comes with its name. One that came with a change, as after the loss of a record, goes again. */
  #named(done: boolean, idLo: number, idHi: number): boolean {
    if (!this.created) return done;
    this.removeDays(idLo, idHi, 0, DAY_MAX);
    super.forget(idLo, idHi);
    this.created = false;
    assert(false, "a counter has a name before it is changed");
  }
}

/** A tree, and its named tree if it has one. */
export function partsOf(tree: Tree): readonly Tree[] {
  return tree.named === null ? [tree] : [tree, tree.named];
}

/**
 * Copies all counters of a tree, which has names of its own, to another one, with the ids that their names have there;
 * `nextId` gives new ones.
 *
 * @throws {MemoryFullError} If there is no memory for all of them
 */
export async function copyNamed(
  from: NamedTree,
  to: NamedTree,
  nextId: () => number,
  rest: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const walk = new Walk(from);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      const name = from.names.nameOf(branch.keyLo(slot), branch.keyHi(slot)).slice();
      const isKnown = to.names.find(name, 0, name.length);
      const id = isKnown ? to.names.idHi * LANE + to.names.idLo : nextId();
      const [idLo, idHi] = [id % LANE, Math.floor(id / LANE)];
      let isDone = to.nameCounter(idLo, idHi, name);
      for (let index = 0; isDone && index < branch.count(slot); index++) {
        const lo = branch.valueLo(slot, index);
        isDone = to.add(idLo, idHi, branch.day(slot, index), lo, branch.valueHi(slot, index));
      }
      if (!isDone) throw new MemoryFullError("no memory for names");
    }
    await rest();
  }
}
