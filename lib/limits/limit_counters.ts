// The counters of limits: where the one of a limit is, and how it is made when it is charged for the first time.
//
// Invariant: what is created is noted, so that it can be taken back with the charge (state/undo.ts).

import { type Limits, type Reply, SUBJECT } from "../command/mod.ts";
import { isApplied, NamedCounters, type StateWriter } from "../state/mod.ts";
import { type Forest, type Tree, treeName } from "../tree/mod.ts";

export class LimitCounters {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;
  readonly #named: NamedCounters;
  readonly #id = new Uint32Array(2);

  constructor(forest: Forest, stateWriter: StateWriter) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
    this.#named = new NamedCounters(forest, stateWriter);
  }

  /** The tree that the counter of a limit is in, where its key is a name, whose id goes to the limits. Null: none is. */
  locateName(owner: Tree, index: number, limits: Limits, name: Uint8Array): Tree | null {
    const id = this.#id;
    const tree = this.#named.find(owner, name, 0, name.length, id);
    if (tree === null) id[0] = id[1] = 0;
    limits.identify(index, id[0], id[1]);
    return tree;
  }

  /** Charges the day of a limit's counter; `owner` is null where the tree is to be created. False: the reply says why not. */
  charge(
    owner: Tree | null,
    index: number,
    limits: Limits,
    day: number,
    lo: number,
    hi: number,
    reply: Reply,
  ): boolean {
    const found = owner ?? this.#create(limits.name(index), reply);
    if (found === null || lo === 0 && hi === 0) return found !== null;
    const tree = this.#countersOf(found, index, limits, reply);
    if (tree === null) return false;
    const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
    if (!isApplied(this.#stateWriter.add(tree, keyLo, keyHi, day, lo, hi), reply)) return false;
    this.#stateWriter.undo.added(tree, keyLo, keyHi, day, lo, hi);
    return true;
  }

  /** The tree that a counter is to be charged in; one of a name is created. Null: the reply says why not. */
  #countersOf(owner: Tree, index: number, limits: Limits, reply: Reply): Tree | null {
    const name = limits.keyName(index);
    if (name === null) return owner;
    const tree = this.#named.create(owner, name, 0, name.length, this.#id, reply);
    if (tree !== null) limits.identify(index, this.#id[0], this.#id[1]);
    return tree;
  }

  /** The tree of a name, which is created unless an earlier limit of this request created it. */
  #create(bytes: Uint8Array, reply: Reply): Tree | null {
    const name = treeName(bytes, 0, bytes.length)!;
    const tree = this.#forest.named(name);
    if (tree !== null) return tree;
    if (!isApplied(this.#stateWriter.create(name), reply)) return null;
    const made = this.#forest.named(name)!;
    this.#stateWriter.undo.made(made);
    return made;
  }
}
