// The state machine: applies records to the state, for requests and in replay alike.
//
// Invariant: a record is refused whole, or applied whole, and needs nothing but the state before it, so the same
// records lead to the same state. Live, a request is written as a record first; the record is then applied,
// and appended to the WAL if that worked.

import { assert } from "../assert.ts";
import { decodeBranch, TreeBuilder } from "../dump/mod.ts";
import type { DedupState } from "../idempotency/mod.ts";
import { type Forest, HollowTree, NamedTree, type Tree } from "../tree/mod.ts";
import {
  ADD,
  ADOPT,
  bytesAt,
  COMPACT,
  CREATE,
  DROP,
  NAME,
  nameAt,
  NOTE,
  PUT,
  REMOVE,
  ROWS,
  serialAt,
  SET,
  STAGE,
  SUBTRACT,
  SWEEP,
  TOUCH,
} from "./record.ts";

export class StateMachine {
  readonly #forest: Forest;
  readonly #dedup: DedupState;
  /** Staged trees by serial: those that records build, and those that are complete already. */
  readonly #staged = new Map<number, TreeBuilder | Tree>();

  constructor(forest: Forest, dedup: DedupState) {
    this.#forest = forest;
    this.#dedup = dedup;
  }

  /** Stages a tree that is complete already: the next `put` with its serial takes it. */
  stage(serial: number, tree: Tree): void {
    this.#staged.set(serial, tree);
  }

  /** Whether a tree with that serial is staged. */
  isStaged(serial: number): boolean {
    return this.#staged.has(serial);
  }

  /** Discards a staged tree. */
  unstage(serial: number): void {
    const staged = this.#staged.get(serial);
    this.#staged.delete(serial);
    if (staged instanceof TreeBuilder) this.#forest.discard(staged.tree);
  }

  /** Discards all staged trees: nothing is to come of them. */
  unstageAll(): void {
    for (const serial of this.#staged.keys()) this.unstage(serial);
  }

  /**
   * Applies the record at words[at]. Returns false if its tree refused it; then nothing has changed.
   *
   * A record of all counters leaves those with keys from `limit` upward alone; a limit of zero is none.
   */
  apply(words: Uint32Array<ArrayBuffer>, at: number, limitLo = 0, limitHi = 0): boolean {
    const head = words[at];
    switch (head & 0xff) {
      case ADD: {
        const tree = this.#tree(head);
        const lo = words[at + 4];
        return tree.add(words[at + 1], words[at + 2], words[at + 3], lo, words[at + 5]);
      }
      case SUBTRACT: {
        const tree = this.#tree(head);
        const lo = words[at + 4];
        return tree.subtract(words[at + 1], words[at + 2], words[at + 3], lo, words[at + 5]);
      }
      case TOUCH:
        return this.#tree(head).touch(words[at + 1], words[at + 2]);
      case REMOVE:
        this.#tree(head).removeDays(words[at + 1], words[at + 2], words[at + 3], words[at + 4]);
        return true;
      case SWEEP:
        this.#tree(head).sweep(words[at + 1], words[at + 2], limitLo, limitHi);
        return true;
      case COMPACT:
        this.#tree(head).compact(limitLo, limitHi);
        return true;
      case SET: {
        const tree = this.#tree(head);
        const lo = words[at + 4];
        return tree.set(words[at + 1], words[at + 2], words[at + 3], lo, words[at + 5]);
      }
      case NAME: {
        const tree = this.#tree(head);
        if (tree instanceof HollowTree) return true;
        assert(tree instanceof NamedTree, "names belong to named trees");
        return tree.nameCounter(words[at + 1], words[at + 2], bytesAt(words, at));
      }
      case NOTE:
        this.#dedup.apply(words[at + 1], words, at + 4, words[at + 3]);
        return true;
      default:
        this.#applyToForest(words, at);
        return true;
    }
  }

  #applyToForest(words: Uint32Array<ArrayBuffer>, at: number): void {
    const number = words[at] >>> 8;
    switch (words[at] & 0xff) {
      case CREATE:
        this.#forest.create(nameAt(words, at), number, serialAt(words, at));
        return;
      case DROP:
        this.#forest.remove(this.#tree(words[at]));
        return;
      case STAGE: {
        const builder = new TreeBuilder(this.#forest.makeTree(nameAt(words, at)));
        this.#staged.set(serialAt(words, at), builder);
        return;
      }
      case ROWS: {
        const builder = this.#staged.get(serialAt(words, at));
        const part = decodeBranch(bytesAt(words, at));
        assert(builder instanceof TreeBuilder && part !== null, "rows belong to a staged tree");
        builder.add(part);
        return;
      }
      case PUT: {
        const serial = serialAt(words, at);
        const staged = this.#staged.get(serial);
        assert(staged !== undefined, "a tree is staged before it is put");
        this.#staged.delete(serial);
        const tree = staged instanceof TreeBuilder ? staged.finish() : staged;
        this.#forest.put(tree, number, serial);
        return;
      }
      case ADOPT:
        this.#forest.adopt(this.#tree(words[at]), nameAt(words, at));
        return;
    }
    assert(false, "there is no other kind of change");
  }

  #tree(head: number): Tree {
    const tree = this.#forest.at(head >>> 8);
    assert(tree !== null, "a change names a tree that is there");
    tree.isChanged = true; // even if the change is refused then: it costs a dump, and no branch here
    return tree;
  }
}
