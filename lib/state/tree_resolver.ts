// The tree resolver: the tree that a request is about, and what becomes of the request if it isn't there.

import type { Reply, Request } from "../command/mod.ts";
import { type Forest, type Tree, TREE_NAME_RULE, treeName } from "../tree/mod.ts";
import { isApplied } from "./outcome.ts";
import type { StateWriter } from "./state_writer.ts";

export class TreeResolver {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;
  /** Whether the tree that was found last was created for it. */
  isNew = false;

  constructor(forest: Forest, stateWriter: StateWriter) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
  }

  /** The tree, created if the request says so. Null: the reply says why, or is that of an empty tree. */
  find(request: Request, reply: Reply): Tree | null {
    const { bytes, nameStart, nameEnd } = request;
    const tree = this.#forest.find(bytes, nameStart, nameEnd);
    this.isNew = tree === null;
    return tree ?? this.#missing(request, reply);
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
