// Checkpoints of sources: how far the events of each source have been taken in, as the importer reported it.
//
// Invariant: a source has one checkpoint, the last that was reported. There are at most SOURCES_MAX, in the order of
// the bytes of their sources: sorting ten thousand for each reader took 20 ms.

import { assert } from "../assert.ts";
import { Budget } from "../bytes/mod.ts";

/** The most sources: a name and two texts of a kilobyte each make 30 MB of them. */
export const SOURCES_MAX = 10_000;

/** What a checkpoint takes beside its texts. */
const OBJECT_BYTES = 384;

export interface Checkpoint {
  readonly source: string;
  readonly offset: string | null;
  readonly event: string | null;
  /** Seconds since 1970. */
  readonly updated: number;
}

/** A source, and its last checkpoint. */
interface Source {
  readonly name: string;
  last: Checkpoint;
}

export class Checkpoints {
  readonly #bySource = new Map<string, Source>();
  readonly #sorted: Source[] = [];
  readonly #budget: Budget;
  /** When the last one was told; 0: none was. */
  lastUpdated = 0;

  constructor(budget = new Budget()) {
    this.#budget = budget;
  }

  get count(): number {
    return this.#bySource.size;
  }

  find(source: string): Checkpoint | null {
    return this.#bySource.get(source)?.last ?? null;
  }

  /** All as they are now, by the bytes of their sources. */
  all(): Checkpoint[] {
    return this.#sorted.map(({ last }) => last);
  }

  /** Whether a checkpoint of a source can be put. */
  hasRoom(source: string): boolean {
    return this.#bySource.has(source) || this.count < SOURCES_MAX;
  }

  /** Whether there is memory for one. */
  hasMemory(checkpoint: Checkpoint): boolean {
    const old = this.find(checkpoint.source);
    const more = bytesOf(checkpoint) - (old === null ? 0 : bytesOf(old));
    return more <= 0 || this.#budget.fits(more);
  }

  put(checkpoint: Checkpoint): void {
    const old = this.find(checkpoint.source);
    this.#budget.held += bytesOf(checkpoint) - (old === null ? 0 : bytesOf(old));
    this.#set(checkpoint);
    this.lastUpdated = Math.max(this.lastUpdated, checkpoint.updated);
  }

  /** Asserts the invariant. */
  check(): void {
    assert(this.count <= SOURCES_MAX, "there are not too many checkpoints");
    for (const [source, { name, last }] of this.#bySource) {
      assert(name === source && last.source === source, "a checkpoint is found by its source");
    }
    assert(this.#sorted.length === this.count, "all sources are in order");
    for (let at = 1; at < this.#sorted.length; at++) {
      const isAfter = compareTexts(this.#sorted[at - 1].name, this.#sorted[at].name) < 0;
      assert(isAfter, "sources are in order");
    }
  }

  #set(checkpoint: Checkpoint): void {
    const known = this.#bySource.get(checkpoint.source);
    if (known !== undefined) {
      known.last = checkpoint;
      return;
    }
    const source = { name: checkpoint.source, last: checkpoint };
    this.#sorted.splice(this.#placeOf(source.name), 0, source);
    this.#bySource.set(source.name, source);
  }

  /** Where a new source belongs in the order. */
  #placeOf(name: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareTexts(this.#sorted[middle].name, name) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function bytesOf({ source, offset, event }: Checkpoint): number {
  return OBJECT_BYTES + 2 * (source.length + (offset?.length ?? 0) + (event?.length ?? 0));
}

/** Compares texts as their bytes in UTF-8 compare, which is by code points. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [unitA, unitB] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (unitA !== unitB) return rankOf(unitA) - rankOf(unitB);
  }
  return a.length - b.length;
}

/** Halves of surrogate pairs stand for code points behind all that have one unit. */
function rankOf(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
