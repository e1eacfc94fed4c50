// The ingest streams of Karma 1.x: those that its idempotency file remembers as committed, and those
// of the log.
//
// Invariant: a stream's chunks are 1 to `lastChunk`, each with its fingerprint. A chunk whose tree's
// snapshot holds it already counts for its stream all the same; a stream that replaces a series has
// its own tree until its end, which no snapshot holds.
// Trade-off: of a chunk that is held nobody can tell whether Karma 1.x refused it for an overflow; it counts
// as taken in, and another one of its number as refused.
// Karma 1.x cuts the beginnings of open streams off its log at a snapshot of everything, and then
// can't start; nobody can tell what the rest of such a stream means, so it is refused by name.

import { NameTable } from "../bytes/mod.ts";
import { Tree } from "../tree/mod.ts";
import { DamagedError } from "../errors.ts";
import type { Batch } from "./batch.ts";
import type { Entry } from "./entry.ts";
import { beginFingerprint, chunkFingerprint } from "./fingerprint.ts";
import type { JsonReader } from "./json_reader.ts";
import type { Series } from "./series.ts";
import {
  HELD,
  leftOut,
  type MigrationReport,
  type Outcome,
  refused,
  REPLAYED,
} from "./migration_report.ts";

const MODES = ["add", "set", "replace_series"] as const;
type Mode = typeof MODES[number];

export interface Stream {
  readonly id: string;
  readonly mode: Mode;
  readonly granularity: string | null;
  /** The tree that its chunks are for; null before the first. */
  tree: string | null;
  lastChunk: number;
  readonly beginFingerprint: string;
  /** In hexadecimal, of chunk 1 and so on. */
  readonly chunkFingerprints: string[];
  /** Seconds since 1970; null while it is open. */
  committed: number | null;
  /** What takes the tree's place at the end; null: nothing does, or no chunk came yet. */
  staged: Tree | null;
  /** Items in the chunks of `staged`. */
  items: number;
}

const MEMBERS = new NameTable([
  "stream_id",
  "mode",
  "granularity",
  "series_name",
  "last_chunk_seq",
  "begin_fingerprint",
  "committed_at_unix",
  "chunk_fingerprints",
]);

export class Ingest {
  readonly #series: Series;
  readonly #report: MigrationReport;
  readonly #nowSeconds: number;
  readonly #open = new Map<string, Stream>();
  /** In the order in which they were committed. */
  readonly #committed = new Map<string, Stream>();
  /** Those of the file, which holds all of their entries up to `heldLsn`. */
  readonly #held = new Set<string>();
  heldLsn = 0;

  constructor(series: Series, report: MigrationReport, nowSeconds: number) {
    this.#series = series;
    this.#report = report;
    this.#nowSeconds = nowSeconds;
  }

  /** All streams, those that were committed first. */
  all(): Stream[] {
    return [...this.#committed.values(), ...this.#open.values()];
  }

  /** Reads a committed stream of the idempotency file. */
  readCommitted(reader: JsonReader): void {
    let [id, mode, granularity, tree]: (string | null)[] = [null, null, null, null];
    let [lastChunk, committed, begin] = [0, 0, ""];
    const prints = new Map<string, string>();
    reader.object(MEMBERS, (index) => {
      if (index === 0) id = reader.text();
      else if (index === 1) mode = reader.text();
      else if (index === 2) granularity = reader.textOrNull();
      else if (index === 3) tree = reader.textOrNull();
      else if (index === 4) lastChunk = reader.integer();
      else if (index === 5) begin = reader.text();
      else if (index === 6) committed = reader.integer();
      else reader.entries((sequence) => prints.set(sequence, reader.text()));
    });
    const name = JSON.stringify(id);
    if (id === null || !isMode(mode)) throw new DamagedError(`stream ${name} has no id or mode`);
    const chunkFingerprints = Array.from({ length: Math.min(lastChunk, prints.size) }, (_, at) => {
      return prints.get(`${at + 1}`) ?? "";
    });
    if (chunkFingerprints.length < lastChunk || chunkFingerprints.includes("")) {
      throw new DamagedError(`stream ${name} lacks the fingerprint of a chunk`);
    }
    const rest = { beginFingerprint: begin, chunkFingerprints, committed, staged: null, items: 0 };
    this.#committed.set(id, { id, mode, granularity, tree, lastChunk, ...rest });
    this.#held.add(id);
  }

  /** Lets an entry happen. */
  replay(entry: Entry, batch: Batch): Outcome {
    const id = entry.text("stream_id");
    if (id === null) return leftOut("the id of its ingest stream is no UTF-8");
    if (entry.lsn <= this.heldLsn && this.#held.has(id)) return HELD;
    if (entry.command === "ingest_begin") return this.#begin(id, entry);
    const committed = this.#committed.get(id);
    if (committed !== undefined) return this.#repeat(committed, entry, batch);
    const stream = this.#open.get(id);
    if (stream === undefined) {
      const name = JSON.stringify(id);
      return refused(`the log has no beginning of ingest stream ${name}; it has to be sent anew`);
    }
    if (entry.command === "ingest_chunk") return this.#chunk(stream, entry, batch);
    if (entry.command === "ingest_commit") return this.#commit(stream, entry);
    this.#open.delete(id);
    return REPLAYED;
  }

  #begin(id: string, entry: Entry): Outcome {
    const mode = entry.text("mode");
    const granularity = entry.text("granularity");
    const known = this.#committed.get(id) ?? this.#open.get(id);
    if (known !== undefined) {
      if (known.mode === mode && known.granularity === granularity) return REPLAYED;
      return refused(`ingest stream ${JSON.stringify(id)} is there with other parameters`);
    }
    if (!isMode(mode)) return refused(`there is no ingest mode ${mode ?? ""}`);
    this.#open.set(id, {
      id,
      mode,
      granularity,
      tree: null,
      lastChunk: 0,
      beginFingerprint: beginFingerprint(id, mode, granularity),
      chunkFingerprints: [],
      committed: null,
      staged: null,
      items: 0,
    });
    return REPLAYED;
  }

  /** An entry of a stream that was committed before: nothing happens, if it says the same again. */
  #repeat(stream: Stream, entry: Entry, batch: Batch): Outcome {
    const { id, chunkFingerprints } = stream;
    const name = JSON.stringify(id);
    if (entry.command === "ingest_commit") return REPLAYED;
    if (entry.command === "ingest_abort") return refused(`ingest stream ${name} is committed`);
    const sequence = entry.integer("chunk_seq");
    if (this.#print(stream, sequence, entry, batch) === chunkFingerprints[sequence - 1]) {
      return REPLAYED;
    }
    return refused(`ingest stream ${name} was committed with other chunks`);
  }

  #chunk(stream: Stream, entry: Entry, batch: Batch): Outcome {
    const { id, mode, lastChunk, chunkFingerprints } = stream;
    const series = this.#series;
    const what = `chunk of ingest stream ${JSON.stringify(id)}`;
    if (!series.find(entry)) {
      this.#open.delete(id); // its later chunks would not fit
      return leftOut(`no tree can have the name in a ${what}`);
    }
    const sequence = entry.integer("chunk_seq");
    const print = this.#print(stream, sequence, entry, batch);
    if (stream.tree !== null && stream.tree !== series.name) return refused(`${what}, other tree`);
    if (sequence <= lastChunk) {
      const isSame = print === chunkFingerprints[sequence - 1];
      return isSame ? REPLAYED : refused(`${what}, was there with other items`);
    }
    if (sequence !== lastChunk + 1) return refused(`${what}, not the next`);
    stream.tree = series.name; // also if its items are refused
    let outcome: Outcome;
    if (mode === "replace_series") {
      stream.staged ??= new Tree(series.name);
      outcome = series.sums.setAll(stream.staged, batch) ? REPLAYED : refused(`${what}, overflow`);
    } else {
      outcome = mode === "add" ? series.addAll(entry, batch) : series.setAll(entry, batch, true);
    }
    if (outcome.kind === "refused") return outcome;
    if (outcome !== HELD) this.#report.leaveOut(batch.beyond, entry.lsn);
    stream.lastChunk++;
    stream.items += stream.staged === null ? 0 : batch.count;
    chunkFingerprints.push(print);
    return outcome;
  }

  #commit(stream: Stream, entry: Entry): Outcome {
    const { id, mode, tree } = stream;
    let outcome = REPLAYED;
    if (mode === "replace_series") {
      if (tree === null) return refused(`ingest stream ${JSON.stringify(id)} has no chunk`);
      const { forest, coverage } = this.#series;
      if (coverage.holds(tree, entry.lsn)) outcome = HELD;
      else forest.put(stream.staged ?? new Tree(tree));
    }
    this.#open.delete(id);
    this.#committed.set(id, { ...stream, committed: this.#nowSeconds, staged: null, items: 0 });
    return outcome;
  }

  #print({ id }: Stream, sequence: number, entry: Entry, batch: Batch): string {
    batch.readItems(entry.bytes, entry.list("items"));
    return chunkFingerprint(id, entry.seriesText(), sequence, batch);
  }
}

function isMode(mode: string | null): mode is Mode {
  return MODES.some((known) => known === mode);
}
