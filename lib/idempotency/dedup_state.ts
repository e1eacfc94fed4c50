// The registry: what is kept beside the trees so that nothing is done twice, that is idempotency records, ingest
// streams and checkpoints of sources.
//
// It is changed by notes: a kind and bytes, which the WAL carries without reading them. An idempotency record is a
// note in words, since every idempotent write makes one; the others are MessagePack.
//
// Invariant: a note that was applied once is never refused, and the same notes give the same registry.

import { decode, encode } from "@std/msgpack";
import { assert } from "../assert.ts";
import { Budget } from "../bytes/mod.ts";
import { IdempotencyRecords } from "./idempotency_records.ts";
import { type Checkpoint, Checkpoints } from "./checkpoints.ts";
import { type StreamChange, Streams } from "./streams.ts";

// Kinds of notes.
export const IDEMPOTENCY_RECORD = 1;
export const PRUNE = 2;
export const STREAM = 3;
export const CHECKPOINT = 4;

/**
 * Not how many go: where a dump was read meanwhile, those too old to be found may be fewer, and
 * others would go in their place.
 */
export interface Prune {
  /** Answers given before, in seconds since 1970, go, the oldest first. */
  readonly before: number;
  /** For as long as there are more answers. */
  readonly leave: number;
}

export interface DedupLimits {
  readonly idempotencyRecordsMax: number;
  /** Bytes of all of them; without it there is no limit. */
  readonly idempotencyBytesMax?: number;
  /** 0: for ever. */
  readonly ageMaxSeconds: number;
  readonly streamsKeptMax: number;
}

export class DedupState {
  readonly records: IdempotencyRecords;
  readonly streams: Streams;
  readonly checkpoints: Checkpoints;
  /** What all of it may take, and the trees. */
  readonly budget: Budget;
  /** Answers that the last prune took away. */
  pruned = 0;
  /** Whether anything may have changed it since it was marked, as of a record of the log. */
  isChanged = true;
  markLsn = -1;

  constructor(limits: DedupLimits, budget = new Budget()) {
    const { idempotencyRecordsMax, idempotencyBytesMax, ageMaxSeconds, streamsKeptMax } = limits;
    this.budget = budget;
    this.records = new IdempotencyRecords(
      idempotencyRecordsMax,
      ageMaxSeconds,
      idempotencyBytesMax,
      budget,
    );
    this.streams = new Streams(streamsKeptMax, ageMaxSeconds, budget);
    this.checkpoints = new Checkpoints(budget);
  }

  /** Notes that it is unchanged since a record, until a note comes. */
  mark(lsn: number): void {
    this.isChanged = false;
    this.markLsn = lsn;
  }

  /** Applies the note of a kind whose bytes are words[at...]. */
  apply(kind: number, words: Uint32Array<ArrayBuffer>, at: number, bytes: number): void {
    this.isChanged = true;
    if (kind === IDEMPOTENCY_RECORD) return this.records.remember(words, at);
    const payload = new Uint8Array(words.buffer, words.byteOffset + 4 * at, bytes);
    const value = decode(payload) as unknown;
    switch (kind) {
      case PRUNE: {
        const { before, leave } = value as Prune;
        this.pruned = this.records.prune(before, Math.max(0, this.records.size - leave));
        return;
      }
      case STREAM:
        return this.streams.apply(value as StreamChange);
      case CHECKPOINT:
        return this.checkpoints.put(value as Checkpoint);
    }
    assert(false, "there is no other kind of note");
  }

  /** Asserts the invariants of its parts. */
  check(): void {
    this.records.check();
    this.streams.check();
    this.checkpoints.check();
  }
}

/** The bytes of a note. */
export function encodeNote(note: Prune | StreamChange | Checkpoint): Uint8Array {
  return encode({ ...note });
}
