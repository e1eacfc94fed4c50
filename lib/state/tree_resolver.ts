// The tree resolver: the tree that a request is about, and what becomes of the request if it isn't there.

import { u64ToBigInt } from "../bytes/mod.ts";
import { ITEM_WORDS, type Items, type Reply, type Request } from "../command/mod.ts";
import { type Forest, type Tree, TREE_NAME_RULE, treeName } from "../tree/mod.ts";
import { NamedCounters } from "./named_counters.ts";
import { isApplied } from "./outcome.ts";
import type { Outcome, StateWriter } from "./state_writer.ts";

export class TreeResolver {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;
  readonly #named: NamedCounters;
  /** Whether the tree that was found last was created for it. */
  isNew = false;
  /** After a batch that made a counter overflow: its key, as texts for people have it. */
  overflowKey: bigint | string = 0n;

  constructor(forest: Forest, stateWriter: StateWriter) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
    this.#named = new NamedCounters(forest, stateWriter);
  }

  /** The tree, created if the request says so. Null: the reply says why, or is that of an empty tree. */
  find(request: Request, reply: Reply): Tree | null {
    const { bytes, nameStart, nameEnd } = request;
    const tree = this.#forest.find(bytes, nameStart, nameEnd);
    this.isNew = tree === null;
    return tree ?? this.#missing(request, reply);
  }

  /**
   * As `find`, of a request about one counter: the tree that this is in, under the key in the request's lanes. A
   * name's id is put there, and the counter is created if it is to be. An empty tree: there is no such counter.
   */
  counter(request: Request, reply: Reply, isCreated: boolean): Tree | null {
    const tree = this.find(request, reply);
    if (!request.isNamed || tree === null) return tree;
    const { bytes, keyStart, keyEnd, lanes } = request;
    return isCreated
      ? this.#named.create(tree, bytes, keyStart, keyEnd, lanes, reply)
      : this.#named.seek(tree, bytes, keyStart, keyEnd, lanes);
  }

  /** Where a counter of a tree is, whose key is words[at...] of an item: a number, or the span of a name. */
  seek(tree: Tree, { bytes, items }: Request, index: number, at: number, id: Uint32Array): Tree {
    const { words } = items;
    id[0] = words[at];
    id[1] = words[at + 1];
    return items.isName(index) ? this.#named.seek(tree, bytes, id[0], id[1], id) : tree;
  }

  /**
   * Does a batch to a tree: creates counters for the names in it, puts their ids in the place of their spans, and then
   * does `change`. Not "done": nothing has changed. There must be room for all of it (`batchRecords`).
   */
  change(tree: Tree, request: Request, reply: Reply, change: () => Outcome): Outcome {
    const { undo } = this.#stateWriter;
    const { hasNames } = request.items;
    if (hasNames) undo.begin();
    const outcome = !hasNames || this.#nameAll(tree, request, reply) ? change() : "memory";
    if (outcome === "overflow") this.overflowKey = this.#keyOf(request.items);
    if (hasNames && outcome !== "done") undo.takeBack();
    undo.end();
    return outcome;
  }

  #nameAll(tree: Tree, { bytes, items }: Request, reply: Reply): boolean {
    const { words, count } = items;
    for (let index = 0, at = 0; index < count; index++, at += ITEM_WORDS) {
      if (!items.isName(index)) continue;
      const id = words.subarray(at, at + 2);
      if (this.#named.create(tree, bytes, id[0], id[1], id, reply) === null) return false;
    }
    return true;
  }

  /** The key of the item that made a batch overflow. */
  #keyOf(items: Items): bigint | string {
    const { overflowIndex } = this.#stateWriter;
    const [lo, hi] = items.words.subarray(ITEM_WORDS * overflowIndex);
    if (!items.isName(overflowIndex)) return u64ToBigInt(lo, hi);
    return JSON.stringify(new TextDecoder().decode(this.#forest.names.nameOf(lo, hi)));
  }

  /** The tree, if it is there; null without a word. */
  peek({ bytes, nameStart, nameEnd }: Request): Tree | null {
    return this.#forest.find(bytes, nameStart, nameEnd);
  }

  #missing(request: Request, reply: Reply): Tree | null {
    const { bytes, nameStart, nameEnd, missing } = request;
    if (missing === "refuse") {
      reply.notFound("Tree", bytes.slice(nameStart, nameEnd));
      return null;
    }
    const name = treeName(bytes, nameStart, nameEnd);
    if (name === null) reply.fail("validation_error", `Field tree_name ${TREE_NAME_RULE}`);
    if (name === null || missing === "empty") return null;
    if (!isApplied(this.#stateWriter.create(name), reply)) return null;
    return this.#forest.find(bytes, nameStart, nameEnd);
  }
}

/** How many records there must be room for beside the changes of a batch's items. */
export function batchRecords({ hasNames, count }: Items): number {
  return hasNames ? 8 + count : 1;
}
