// Ingest streams: items that arrive in numbered chunks, each of which is taken in once, however often it is sent.
//
// Invariant: the chunks of a stream are 1 to `lastChunk`, each with its fingerprint. A stream that replaces a tree
// fills another one (`staged`), which takes the tree's place at the commit. The caller checks a change before it is
// made, and making it never fails, so replay gives the same.
// Trade-off: committed streams are remembered, so that a client that missed the reply can ask again, but only the
// latest of them and only for a limited time.

import { assert } from "../assert.ts";
import { Budget } from "../bytes/mod.ts";

export type Mode = "add" | "set" | "replace_series";

/** Words of a chunk's fingerprint. */
export const PRINT_WORDS = 4;

/** The most chunks of a stream: a thousand million items, 1.6 MB of fingerprints. */
export const CHUNKS_MAX = 100_000;

/** What a stream takes beside its fingerprints: its names, of 256 characters each, and the object. */
const OBJECT_BYTES = 2048;

export interface Stream {
  readonly id: string;
  readonly mode: Mode;
  readonly granularity: string | null;
  /** The tree that its chunks are for; null before the first. */
  tree: string | null;
  /** The name of the tree that is filled instead, until the end; null: there is none. */
  staged: string | null;
  lastChunk: number;
  /** Items in the staged tree's chunks so far. */
  items: number;
  /** Seconds since 1970; null while it is open. */
  committed: number | null;
  prints: Uint32Array<ArrayBuffer>;
}

/** What a change says; see `Streams.apply`. */
export type StreamChange =
  | { kind: "begin"; id: string; mode: Mode; granularity: string | null }
  | {
    kind: "chunk";
    id: string;
    tree: string;
    staged: string | null;
    items: number;
    print: Uint8Array;
  }
  | { kind: "commit"; id: string; seconds: number }
  | { kind: "abort"; id: string };

export class Streams {
  readonly #keptMax: number;
  readonly #ageMaxSeconds: number;
  readonly #budget: Budget;
  readonly #open = new Map<string, Stream>();
  /** In the order in which they were committed. */
  readonly #committed = new Map<string, Stream>();

  /** How many committed streams are kept, and for how long; 0: for ever. */
  constructor(keptMax: number, ageMaxSeconds: number, budget = new Budget()) {
    this.#keptMax = keptMax;
    this.#ageMaxSeconds = ageMaxSeconds;
    this.#budget = budget;
  }

  get openCount(): number {
    return this.#open.size;
  }

  get committedCount(): number {
    return this.#committed.size;
  }

  /** Items that open streams have staged. */
  get stagedItems(): number {
    let items = 0;
    for (const stream of this.#open.values()) if (stream.staged !== null) items += stream.items;
    return items;
  }

  /** The stream with an id, open or committed; null when there is none. */
  find(id: string): Stream | null {
    return this.#open.get(id) ?? this.#committed.get(id) ?? null;
  }

  /** All of them, in an order that `take` may be called in. */
  *all(): Generator<Stream> {
    yield* this.#committed.values();
    yield* this.#open.values();
  }

  /** Whether there is memory for another stream; for another chunk of one, if it is told. */
  hasMemory(stream: Stream | null): boolean {
    if (stream === null) return this.#budget.fits(OBJECT_BYTES);
    const isGrowing = PRINT_WORDS * stream.lastChunk === stream.prints.length;
    return !isGrowing || this.#budget.fits(2 * stream.prints.byteLength + OBJECT_BYTES);
  }

  /** Takes a stream as it is: from a dump. */
  take(stream: Stream): void {
    this.#budget.held += bytesOf(stream);
    const { id, committed } = stream;
    (committed === null ? this.#open : this.#committed).set(id, stream);
  }

  /** Lets a change happen that was checked before. */
  apply(change: StreamChange): void {
    if (change.kind === "begin") {
      const { id, mode, granularity } = change;
      assert(this.find(id) === null, "a stream begins once");
      this.take({
        id,
        mode,
        granularity,
        tree: null,
        staged: null,
        lastChunk: 0,
        items: 0,
        committed: null,
        prints: new Uint32Array(0),
      });
      return;
    }
    const stream = this.#open.get(change.id);
    assert(stream !== undefined, "a stream is open while it changes");
    if (change.kind === "chunk") {
      const before = bytesOf(stream);
      addChunk(stream, change);
      this.#budget.held += bytesOf(stream) - before;
      return;
    }
    this.#open.delete(change.id);
    if (change.kind === "abort") {
      this.#budget.held -= bytesOf(stream);
      return;
    }
    stream.committed = change.seconds;
    stream.staged = null;
    this.#committed.set(change.id, stream);
    this.#forget(change.seconds);
  }

  /** Whether chunk `sequence` of a stream had the fingerprint. */
  isSame({ prints }: Stream, sequence: number, print: Uint8Array): boolean {
    const at = PRINT_WORDS * (sequence - 1);
    const words = new Uint32Array(print.slice(0, 4 * PRINT_WORDS).buffer);
    return words.every((word, index) => word === prints[at + index]);
  }

  /** Asserts the invariant. */
  check(): void {
    for (const [id, stream] of [...this.#open, ...this.#committed]) {
      assert(stream.id === id, "a stream is found by its id");
      assert(!(this.#open.has(id) && this.#committed.has(id)), "a stream is open or committed");
      assert(
        stream.prints.length >= PRINT_WORDS * stream.lastChunk,
        "each chunk has a fingerprint",
      );
      assert(stream.tree !== null || stream.lastChunk === 0, "chunks are for a tree");
      assert(stream.staged === null || stream.mode === "replace_series", "only replacing stages");
    }
    assert(this.#committed.size <= this.#keptMax, "only the latest are kept");
  }

  /** Forgets the oldest of the committed, which are too many or too old. */
  #forget(seconds: number): void {
    const isOld = (age: number) => this.#ageMaxSeconds > 0 && age > this.#ageMaxSeconds;
    for (const [id, stream] of this.#committed) {
      const { committed } = stream;
      if (this.#committed.size <= this.#keptMax && !isOld(seconds - committed!)) return;
      this.#committed.delete(id);
      this.#budget.held -= bytesOf(stream);
    }
  }
}

function bytesOf({ prints }: Stream): number {
  return OBJECT_BYTES + prints.byteLength;
}

function addChunk(
  stream: Stream,
  { tree, staged, items, print }: StreamChange & { kind: "chunk" },
): void {
  const at = PRINT_WORDS * stream.lastChunk;
  if (at === stream.prints.length) {
    const larger = new Uint32Array(Math.max(4 * PRINT_WORDS, 2 * at));
    larger.set(stream.prints);
    stream.prints = larger;
  }
  stream.prints.set(new Uint32Array(print.slice(0, 4 * PRINT_WORDS).buffer), at);
  stream.tree = tree;
  stream.staged = staged;
  stream.lastChunk++;
  stream.items += items;
}
