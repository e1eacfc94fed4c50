// Checkpoints: how far the events of each source were taken in, as whoever takes them in told.
//
// Invariant: a source has one checkpoint, the last that was told. There are at most SOURCES_MAX.

import { assert } from "../assert.ts";
import { Budget } from "../bytes/budget.ts";

/** The most sources: a name and two texts of a kilobyte each make 30 MB of them. */
export const SOURCES_MAX = 10_000;

/** What a checkpoint takes beside its texts. */
const OBJECT_BYTES = 320;

export interface Checkpoint {
  readonly source: string;
  readonly offset: string | null;
  readonly event: string | null;
  /** Seconds since 1970. */
  readonly updated: number;
}

const encoder = new TextEncoder();

export class Checkpoints {
  readonly #bySource = new Map<string, Checkpoint>();
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
    return this.#bySource.get(source) ?? null;
  }

  /** All, by the bytes of their sources. */
  all(): Checkpoint[] {
    const named = [...this.#bySource.values()].map((checkpoint) => {
      return { checkpoint, bytes: encoder.encode(checkpoint.source) };
    });
    return named.sort((a, b) => compareBytes(a.bytes, b.bytes)).map(({ checkpoint }) => checkpoint);
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
    this.#bySource.set(checkpoint.source, checkpoint);
    this.lastUpdated = Math.max(this.lastUpdated, checkpoint.updated);
  }

  /** Asserts the invariant. */
  check(): void {
    assert(this.count <= SOURCES_MAX, "there are not too many checkpoints");
    for (const [source, checkpoint] of this.#bySource) {
      assert(checkpoint.source === source, "a checkpoint is found by its source");
    }
  }
}

function bytesOf({ source, offset, event }: Checkpoint): number {
  return OBJECT_BYTES + 2 * (source.length + (offset?.length ?? 0) + (event?.length ?? 0));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return a[at] - b[at];
  return a.length - b.length;
}
