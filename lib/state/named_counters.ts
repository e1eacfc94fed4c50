// Named counters: finds the counter whose key is a name, and creates it.
//
// Invariant: the record that names a counter is the first of its records, so the log of a tree alone tells its names. A
// counter is created only where the change that it is for cannot be refused any more for want of memory.
// Trade-off: each tree that has a counter of a name logs the name once more, so names need no dump of their own.

import { LANE } from "../bytes/mod.ts";
import type { Reply } from "../command/mod.ts";
import { type Forest, namedTreeName, Tree } from "../tree/mod.ts";
import { isApplied } from "./outcome.ts";
import type { StateWriter } from "./state_writer.ts";

/** The longest name. */
const NAME_BYTES_MAX = 255;

/** Where counters are looked for that there are none of: it stays empty. */
const NOWHERE = new Tree("");

export class NamedCounters {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;

  constructor(forest: Forest, stateWriter: StateWriter) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
  }

  /** The tree that the counter with the name bytes[start..end) is in; its id goes to `id`. Null: there is none. */
  find(
    { named }: Tree,
    bytes: Uint8Array,
    start: number,
    end: number,
    id: Uint32Array,
  ): Tree | null {
    const { names } = this.#forest;
    if (named === null || !names.find(bytes, start, end)) return null;
    id[0] = names.idLo;
    id[1] = names.idHi;
    return named.count(id[0], id[1]) < 0 ? null : named;
  }

  /** As `find`; an empty tree where there is none. */
  seek(owner: Tree, bytes: Uint8Array, start: number, end: number, id: Uint32Array): Tree {
    id[0] = id[1] = 0;
    return this.find(owner, bytes, start, end, id) ?? NOWHERE;
  }

  /** As `find`, but creates the counter where there is none. Null: the reply says why that is refused. */
  create(
    owner: Tree,
    bytes: Uint8Array,
    start: number,
    end: number,
    id: Uint32Array,
    reply: Reply,
  ): Tree | null {
    const found = this.find(owner, bytes, start, end, id);
    if (found !== null) return found;
    const writer = this.#stateWriter;
    const name = namedTreeName(owner.serial);
    const isFirst = owner.named === null;
    const outcome = !writer.reserve(3, NAME_BYTES_MAX, 1)
      ? "full"
      : !writer.hasRoomFor(name)
      ? "memory"
      : isFirst
      ? writer.create(name)
      : "done";
    if (!isApplied(outcome, reply)) return null;
    if (isFirst) writer.undo.made(owner.named!);
    const { names, nextSerial } = this.#forest;
    // Only now: what a sweep took away has taken its name along by the time that it was looked for.
    const known = names.find(bytes, start, end) ? names.idHi * LANE + names.idLo : nextSerial;
    const named = owner.named!;
    if (!isApplied(writer.name(named, known, bytes.subarray(start, end)), reply)) return null;
    writer.undo.named(named, known % LANE, Math.floor(known / LANE));
    id[0] = known % LANE;
    id[1] = Math.floor(known / LANE);
    return named;
  }
}
