// The list of trees: all names, the oldest tree first, whole or in pages.
//
// Invariant: of trees that are there all the time each is told exactly once. A page begins behind the tree
// that its cursor, a serial, says, be that tree gone; it ends where the reply would grow too long.
// Trade-off: a list is walked with pauses, so it need not be of one moment. While no tree comes or goes, those
// who ask for all share one walk.

import { SendBuffer } from "../bytes/mod.ts";
import { type Request, writeJson } from "../command/mod.ts";
import { pace } from "../host/mod.ts";
import type { Forest } from "../tree/mod.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What stands around the names of a page and around their response, at most. */
const AROUND_BYTES = 256;

/** Names between two looks at the clock. */
const AT_ONCE = 128;

export class TreeList {
  readonly #forest: Forest;
  /** How long a reply may be; 0: as long as it is. */
  readonly #replyBytesMax: number;
  /** The list of all names that is being written. */
  #writing: { version: number; bytesMax: number; text: Promise<Bytes | null> } | null = null;

  constructor(forest: Forest, replyBytesMax: number) {
    this.#forest = forest;
    this.#replyBytesMax = replyBytesMax;
  }

  /** All names, or a page of them; null: too long for a reply. */
  list({ protocol: dialect, pageSize: limit, details }: Request): Promise<Bytes | null> {
    const bytesMax = this.#replyBytesMax || Infinity;
    if (dialect === "v1") return this.#all(Infinity);
    if (limit === 0 && !details.has("cursor")) return this.#all(bytesMax);
    return this.#page(
      limit || Infinity,
      (details.get("cursor") ?? null) as bigint | null,
      bytesMax,
    );
  }

  #all(bytesMax: number): Promise<Bytes | null> {
    const { version } = this.#forest;
    const writing = this.#writing;
    if (writing?.version === version && writing.bytesMax === bytesMax) return writing.text;
    const text = this.#write(0, Infinity, bytesMax).then(({ out, next }) => {
      if (this.#writing?.text === text) this.#writing = null;
      return next === null ? out.view(0) : null;
    });
    this.#writing = { version, bytesMax, text };
    return text;
  }

  async #page(limit: number, cursor: bigint | null, bytesMax: number): Promise<Bytes> {
    const { out, next } = await this.#write(Number(cursor ?? 0n), limit, bytesMax);
    const page = new SendBuffer(out.length + AROUND_BYTES);
    const told = limit === Infinity ? null : limit;
    page.text(`{"limit":${told},"cursor":${cursor},"next_cursor":${next},"trees":`);
    page.raw(out.view(0));
    page.text("}");
    return page.view(0);
  }

  /**
   * Writes names from behind a serial on, as many as are asked for and fit a reply, one at least. `next`: the
   * serial of the last, if there are more.
   */
  async #write(
    after: number,
    limit: number,
    bytesMax: number,
  ): Promise<{ out: SendBuffer; next: number | null }> {
    const forest = this.#forest;
    const out = new SendBuffer(4096);
    const pause = pace();
    let last = after;
    let count = 0;
    out.text("[");
    for (let tree = forest.visibleAfter(after); tree !== null; tree = forest.visibleAfter(last)) {
      const before = out.length;
      if (count > 0) out.text(",");
      writeJson(tree.name, out);
      if (count === limit || count > 0 && out.length + AROUND_BYTES > bytesMax) {
        out.length = before;
        out.text("]");
        return { out, next: last };
      }
      last = tree.serial;
      if (++count % AT_ONCE === 0) await pause();
    }
    out.text("]");
    return { out, next: null };
  }
}
