// Ingest: items in numbered chunks, for a stream that adds to a tree, sets its days, or replaces it.
//
// Invariant: the items of a chunk, and the note that it was taken in, are one group of the WAL. A stream that replaces a
// tree fills a hidden one, which takes the tree's place in one step. Before anything is changed, the reply is
// known and known to fit.

import { u64ToBigInt } from "../bytes/mod.ts";
import {
  type Data,
  ITEM_WORDS,
  type Reply,
  type ReplyBound,
  type Request,
} from "../command/mod.ts";
import type { Clock } from "../host/mod.ts";
import {
  CHUNKS_MAX,
  type DedupState,
  encodeNote,
  type Mode,
  STREAM,
  type Stream,
  type StreamChange,
} from "../idempotency/mod.ts";
import type { Statistics } from "../metrics/mod.ts";
import {
  batchRecords,
  isApplied,
  overflow,
  type StateWriter,
  type TreeResolver,
} from "../state/mod.ts";
import { type Forest, HIDDEN, type Tree, TREE_NAME_RULE, treeName } from "../tree/mod.ts";
import { chunkFingerprintOf } from "./fingerprint.ts";

interface IngestLimits {
  readonly streamsMax: number;
  /** Items that all open streams may have staged together. */
  readonly stagedItemsMax: number;
}

/** More than a note of the registry takes: an id, a tree's name, a fingerprint. */
const NOTE_BYTES_MAX = 4096;

const encoder = new TextEncoder();

export class Ingest {
  readonly #forest: Forest;
  readonly #dedup: DedupState;
  readonly #stateWriter: StateWriter;
  readonly #treeResolver: TreeResolver;
  readonly #clock: Clock;
  readonly #statistics: Statistics;
  readonly #bound: ReplyBound;
  readonly #limits: IngestLimits;

  constructor(
    forest: Forest,
    dedup: DedupState,
    stateWriter: StateWriter,
    treeResolver: TreeResolver,
    clock: Clock,
    statistics: Statistics,
    bound: ReplyBound,
    limits: IngestLimits,
  ) {
    this.#forest = forest;
    this.#dedup = dedup;
    this.#stateWriter = stateWriter;
    this.#treeResolver = treeResolver;
    this.#clock = clock;
    this.#statistics = statistics;
    this.#bound = bound;
    this.#limits = limits;
  }

  begin(request: Request, reply: Reply): void {
    const id = request.text("stream");
    const mode = request.text("mode") as Mode;
    const granularity = request.details.get("granularity") as string | null;
    const stream = this.#dedup.streams.find(id);
    if (stream !== null) {
      if (stream.mode === mode && stream.granularity === granularity) {
        return reply.object(statusOf(stream));
      }
      const was = stream.committed === null ? "already exists" : "was already committed";
      return reply.fail("idempotency_conflict", `Ingest stream ${was} with different parameters`);
    }
    const { streamsMax } = this.#limits;
    if (this.#dedup.streams.openCount >= streamsMax) {
      const sentence = `There are ${streamsMax} open ingest streams: commit or abort one first`;
      return reply.fail("validation_error", sentence);
    }
    reply.object(statusOf({ id, mode, tree: null, granularity, committed: null, lastChunk: 0 }));
    if (this.#bound.fits(reply) && this.#hasRoom(reply, 0)) {
      if (!this.#hasMemory(reply, null)) return;
      this.#note({ kind: "begin", id, mode, granularity });
    }
  }

  chunk(request: Request, reply: Reply): void {
    const began = performance.now();
    const id = request.text("stream");
    const stream = this.#dedup.streams.find(id);
    if (stream === null) reply.notFound("Ingest stream", encoder.encode(id));
    else this.#chunk(stream, request, reply);
    if (reply.code !== null) this.#statistics.ingestChunksRejected++;
    else this.#statistics.ingestMs(performance.now() - began);
  }

  commit(request: Request, reply: Reply): void {
    const id = request.text("stream");
    const stream = this.#dedup.streams.find(id);
    if (stream === null) return reply.notFound("Ingest stream", encoder.encode(id));
    if (stream.committed !== null) return reply.object(statusOf(stream));
    const staged = this.#staged(stream);
    if (stream.mode === "replace_series" && staged === null) {
      return reply.fail("validation_error", "Cannot commit empty replace_series stream");
    }
    const { lastChunk } = stream;
    reply.object({ stream_id: id, status: "committed", last_chunk_seq: lastChunk });
    if (!this.#bound.fits(reply) || !this.#hasRoom(reply, 0)) return;
    if (staged !== null && !isApplied(this.#stateWriter.adopt(staged, stream.tree!), reply)) return;
    this.#note({ kind: "commit", id, seconds: this.#seconds() });
  }

  abort(request: Request, reply: Reply): void {
    const id = request.text("stream");
    const stream = this.#dedup.streams.find(id);
    if (stream === null || stream.committed !== null) {
      return reply.notFound("Ingest stream", encoder.encode(id));
    }
    const { lastChunk } = stream;
    reply.object({ stream_id: id, status: "aborted", last_chunk_seq: lastChunk });
    if (!this.#bound.fits(reply) || !this.#hasRoom(reply, 0)) return;
    const staged = this.#staged(stream);
    if (staged !== null) this.#stateWriter.drop(staged);
    this.#note({ kind: "abort", id });
  }

  #chunk(stream: Stream, request: Request, reply: Reply): void {
    const { items } = request;
    const sequence = request.details.get("sequence") as number;
    const print = chunkFingerprintOf(request);
    const isKnown = sequence <= stream.lastChunk;
    const isSame = isKnown && this.#dedup.streams.isSame(stream, sequence, print);
    const refusal = isSame ? null : this.#refusal(stream, request, sequence, isKnown);
    if (refusal !== null) return reply.fail(refusal[0], refusal[1]);
    const told = { stream_id: stream.id, chunk_seq: sequence, skipped: isSame };
    if (isSame) {
      const committed = stream.committed !== null;
      this.#statistics.ingestChunksSkipped++;
      return reply.object({ ...told, committed, applied: 0, total: 0 });
    }
    const total = u64ToBigInt(items.total[0], items.total[1]);
    reply.object({ ...told, applied: items.count, total });
    if (!this.#bound.fits(reply) || !this.#hasRoom(reply, items.count, batchRecords(items))) return;
    if (!this.#hasMemory(reply, stream)) return;
    if (!this.#take(stream, request, reply, print)) return;
    this.#statistics.ingestChunksApplied++;
    this.#statistics.ingestItemsApplied += items.count;
    this.#statistics.batchWrites++;
    this.#statistics.batchWriteItems += items.count;
  }

  /** Why a chunk that was not taken in before can't be now; null if it can. */
  #refusal(
    stream: Stream,
    request: Request,
    sequence: number,
    isKnown: boolean,
  ): ["validation_error" | "idempotency_conflict", string] | null {
    const { mode, tree, staged, committed } = stream;
    const { items, bytes, nameStart, nameEnd } = request;
    if (committed !== null) {
      return ["idempotency_conflict", "Ingest stream was already committed with different chunks"];
    }
    const name = treeName(bytes, nameStart, nameEnd);
    if (name === null) return ["validation_error", `Field tree_name ${TREE_NAME_RULE}`];
    if (tree !== null && name !== tree) {
      return ["validation_error", `Ingest stream is already bound to series ${tree}`];
    }
    if (isKnown) {
      return ["idempotency_conflict", "Ingest chunk was already used with different payload"];
    }
    if (sequence !== stream.lastChunk + 1) {
      return ["validation_error", "Field chunk_seq must be the next chunk"];
    }
    if (sequence > CHUNKS_MAX) return ["validation_error", "Field chunk_seq exceeds max size"];
    if (mode === "add" && items.hasZero) {
      return ["validation_error", "Batch item value must be greater than 0"];
    }
    if (items.isBeyond) return ["validation_error", "Batch total overflow"];
    const { stagedItemsMax } = this.#limits;
    const isStaging = mode === "replace_series";
    if (isStaging && this.#dedup.streams.stagedItems + items.count > stagedItemsMax) {
      const state = staged === null ? "" : ": commit or abort";
      return ["validation_error", `Staged items would exceed ${stagedItemsMax}${state}`];
    }
    return null;
  }

  /** Takes in a chunk's items, and notes that. False: the reply says why not. */
  #take(stream: Stream, request: Request, reply: Reply, print: Uint8Array): boolean {
    const { items } = request;
    const { id, mode } = stream;
    const isStaging = mode === "replace_series";
    const staged = isStaging ? stream.staged ?? `${HIDDEN}staged-${this.#forest.nextSerial}` : null;
    const tree = staged === null
      ? this.#treeResolver.find(request, reply)
      : this.#hidden(staged, reply);
    if (tree === null) return false;
    const isNew = staged === null ? this.#treeResolver.isNew : stream.staged === null;
    const change = mode === "add" ? "addAll" : "setAll";
    const work = () => this.#stateWriter[change](tree, items);
    const outcome = this.#treeResolver.change(tree, request, reply, work);
    if (outcome === "overflow") {
      const day = items.words[ITEM_WORDS * this.#stateWriter.overflowIndex + 2];
      overflow(reply, "in batch item ", this.#treeResolver.overflowKey, day);
    }
    if (outcome !== "done" && isNew) this.#stateWriter.drop(tree);
    if (!isApplied(outcome, reply)) return false;
    const { bytes, nameStart, nameEnd } = request;
    const name = treeName(bytes, nameStart, nameEnd)!;
    const counted = items.count;
    this.#note({
      kind: "chunk",
      id,
      tree: name,
      staged,
      items: counted,
      print: print.slice(0, 16),
    });
    return true;
  }

  /** The hidden tree of a name, created if need be. */
  #hidden(name: string, reply: Reply): Tree | null {
    const tree = this.#forest.named(name);
    if (tree !== null) return tree;
    return isApplied(this.#stateWriter.create(name), reply) ? this.#forest.named(name) : null;
  }

  #staged({ staged }: Stream): Tree | null {
    return staged === null ? null : this.#forest.named(staged);
  }

  /** Makes room for a tree, a stream's change and so many items; if there is none, the reply says so. */
  #hasRoom(reply: Reply, items: number, records = 0): boolean {
    const isRoom = this.#stateWriter.reserve(3 + records, NOTE_BYTES_MAX, items);
    return isApplied(isRoom ? "done" : "full", reply);
  }

  #hasMemory(reply: Reply, stream: Stream | null): boolean {
    return isApplied(this.#dedup.streams.hasMemory(stream) ? "done" : "memory", reply);
  }

  #note(change: StreamChange): void {
    this.#stateWriter.note(STREAM, encodeNote(change));
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

type Status = Pick<Stream, "id" | "mode" | "tree" | "granularity" | "committed" | "lastChunk">;

function statusOf({ id, mode, tree, granularity, committed, lastChunk }: Status): Data {
  return {
    stream_id: id,
    mode,
    series: tree,
    granularity,
    status: committed === null ? "active" : "already_committed",
    last_chunk_seq: lastChunk,
  };
}
