// The list of trees: all names, the oldest tree first, complete or in pages.
//
// Invariant: a tree that exists during the whole walk is listed exactly once. A page begins after the tree whose serial
// is the cursor, even if that tree is gone; it ends where the reply would become too long.
// Trade-off: a list is walked with pauses, so it need not describe one moment. Until a tree is created or dropped,
// clients that ask for the whole list share one walk.

import type { Data, ReplyBound, Request } from "../command/mod.ts";
import { pace } from "../host/mod.ts";
import type { Forest } from "../tree/mod.ts";

/** What stands around the names of a page, and a comma for each, at most. */
const AROUND_BYTES = 256;
const COMMA_BYTES = 1;

/** Names between two looks at the clock. */
const AT_ONCE = 128;

export class TreeList {
  readonly #forest: Forest;
  readonly #bound: ReplyBound;
  /** The list of all names that is being made. */
  #making: { readonly version: number; readonly names: Promise<readonly string[]> } | null = null;

  constructor(forest: Forest, bound: ReplyBound) {
    this.#forest = forest;
    this.#bound = bound;
  }

  /** All names, or a page of them. */
  async list({ isBounded, pageSize, details }: Request): Promise<Data> {
    if (!isBounded || pageSize === 0 && !details.has("cursor")) return await this.#all();
    const limit = pageSize || Infinity;
    const cursor = (details.get("cursor") ?? null) as bigint | null;
    const { names, next } = await this.#walk(Number(cursor ?? 0n), limit, this.#bound.bytesMax);
    return { limit: pageSize || null, cursor, next_cursor: next, trees: names };
  }

  #all(): Promise<readonly string[]> {
    const { version } = this.#forest;
    if (this.#making?.version === version) return this.#making.names;
    const all = this.#walk(0, Infinity, Infinity).then(({ names }) => {
      if (this.#making?.names === all) this.#making = null;
      return names;
    });
    this.#making = { version, names: all };
    return all;
  }

  /**
   * The names from behind a serial on, as many as are asked for and fit a reply, one at least. `next`: the serial of
   * the last, if there are more.
   */
  async #walk(
    after: number,
    limit: number,
    bytesMax: number,
  ): Promise<{ names: readonly string[]; next: number | null }> {
    const forest = this.#forest;
    const names: string[] = [];
    const pause = pace();
    let bytes = AROUND_BYTES;
    let last = after;
    for (let tree = forest.visibleAfter(after); tree !== null; tree = forest.visibleAfter(last)) {
      if (names.length === limit) return { names, next: last };
      if (bytesMax < Infinity) {
        bytes += this.#bound.writer.bytesOf(tree.name) + COMMA_BYTES;
        if (bytes > bytesMax && names.length > 0) return { names, next: last };
      }
      last = tree.serial;
      if (names.push(tree.name) % AT_ONCE === 0) await pause();
    }
    return { names, next: null };
  }
}
