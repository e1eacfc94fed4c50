// What Karma 1.x left in a directory beside its snapshots: a log, idempotency records, checkpoints.
//
//   karma.wal.<first lsn>.segment ..., karma.wal       the log, one entry a line (wal.ts)
//   karma.wal.lsn                                      the last entry that was cut off its beginning
//   SECONDS_TREE.tree.meta.json                        the last entry that a snapshot holds (coverage.ts)
//   karma.idempotency.json                             answers and committed streams (answers.ts)
//   recovery.json                                      checkpoints
//
// Invariant: nothing is changed here. After `replay` the forest is what Karma 1.x would have shown,
// had it been stopped in good order; where that can't be known, or can't be had, `notes` says so. What
// can't be read throws a DamagedError that names the file.

import { NameTable } from "../bytes/mod.ts";
import type { Disk } from "../host/mod.ts";
import type { Forest } from "../tree/mod.ts";
import { DamagedError } from "../errors.ts";
import { type Answer, Answers, FILE, METADATA } from "./answers.ts";
import { Coverage, type Snapshot } from "./coverage.ts";
import { Ingest, type Stream } from "./ingest.ts";
import type { JsonReader } from "./json_reader.ts";
import { Replay } from "./replay.ts";
import { Series } from "./series.ts";
import { Source } from "./source.ts";
import { counted, MigrationReport } from "./migration_report.ts";
import { ACTIVE, segmentsOf, Wal } from "./wal.ts";

const LSN_FILE = "karma.wal.lsn";
const CHECKPOINTS = "recovery.json";
/** How far a slave had followed its master. */
const SLAVE = "karma.replication.lsn";
const INDEX = /^karma\.wal\.\d{20}\.(segment\.)?idx$/;
const OTHERS = [LSN_FILE, `${ACTIVE}.idx`, FILE, METADATA, CHECKPOINTS, SLAVE];

const CHECKPOINT_FILE = new NameTable(["checkpoints"]);
const CHECKPOINT = new NameTable(["source", "offset", "event_id", "updated_at_unix"]);

interface Checkpoint {
  readonly source: string;
  readonly offset: string | null;
  readonly event: string | null;
  /** Seconds since 1970. */
  readonly updated: number;
}

export class LegacyDirectory {
  readonly #source: Source;
  readonly #segments: readonly string[];
  /** All files of Karma 1.x but its snapshots: to be kept aside once they were taken over. */
  readonly files: readonly string[];
  /** Oldest first. */
  answers: readonly Answer[] = [];
  /** Committed ones in their order, then open ones. */
  streams: readonly Stream[] = [];
  readonly checkpoints: Checkpoint[] = [];
  /** Sentences for the operator: what was refused, left out, or can't be known. */
  notes: readonly string[] = [];
  /** What was read, in a line. */
  summary = "";

  private constructor(source: Source, files: readonly string[]) {
    this.#source = source;
    this.#segments = segmentsOf(files);
    const isOther = (file: string) => OTHERS.includes(file) || INDEX.test(file);
    this.files = [...this.#segments, ...files.filter(isOther)];
  }

  /** Looks what is there; null: no log, no idempotency records and no checkpoints. */
  static async open(directory: string, disk: Disk): Promise<LegacyDirectory | null> {
    const source = new Source(directory, disk);
    const files = await source.list();
    const found = segmentsOf(files).length > 0 || files.includes(FILE) ||
      files.includes(CHECKPOINTS);
    return found ? new LegacyDirectory(source, files) : null;
  }

  /** Replays the log onto a forest that holds these snapshots, and reads the rest. */
  async replay(
    forest: Forest,
    snapshots: readonly Snapshot[],
    nowSeconds: number,
  ): Promise<void> {
    const report = new MigrationReport();
    const coverage = new Coverage();
    const series = new Series(forest, coverage);
    const ingest = new Ingest(series, report, nowSeconds);
    const answers = new Answers();
    const whole = await answers.read(this.#source, ingest, report);
    ingest.heldLsn = answers.lsn;
    await coverage.read(this.#source, snapshots, whole, report);
    const wal = new Wal(this.#source, this.#segments, report);
    const replay = new Replay(series, answers, ingest, report, nowSeconds);
    await wal.read((entry) => replay.apply(entry));
    await this.#readCheckpoints();
    await this.#tellGaps(wal, coverage, report);
    this.answers = answers.all();
    this.streams = ingest.all();
    this.notes = report.told();
    this.summary = this.#summarize(wal, report);
  }

  async #readCheckpoints(): Promise<void> {
    await this.#source.readJson(CHECKPOINTS, (reader) => {
      reader.object(CHECKPOINT_FILE, () => {
        reader.array(() => this.checkpoints.push(checkpoint(reader)));
      });
    });
  }

  /** Tells where entries seem to be missing. */
  async #tellGaps({ first }: Wal, coverage: Coverage, report: MigrationReport): Promise<void> {
    const cut = await this.#cutLsn(report);
    if (first > 0) coverage.tell(first, report);
    if (first > cut + 1) {
      const begins = `it begins at entry ${first}, and ${LSN_FILE} says ${cut}`;
      report.notes.push(`Log of Karma 1.x: ${begins}; what came between is missing`);
    }
    if (this.files.includes(SLAVE)) {
      const what =
        "Karma 1.x was a slave here: what it got since its snapshots it kept in memory only";
      report.notes.push(what);
    }
  }

  /** The last entry that was cut off the log's beginning. */
  async #cutLsn(report: MigrationReport): Promise<number> {
    const text = await this.#source.read(LSN_FILE, async (window) => {
      await window.fill(32);
      return new TextDecoder().decode(window.bytes.subarray(window.at, window.end)).trim();
    });
    if (/^\d{1,15}$/.test(text ?? "0")) return Number(text);
    report.notes.push(`File ${LSN_FILE} holds no number and was ignored`);
    return 0;
  }

  #summarize({ first, last }: Wal, { counts }: MigrationReport): string {
    const told = [first === 0 ? "no log entries" : entriesTold(first, last, counts)];
    const committed = this.streams.filter((stream) => stream.committed !== null).length;
    told.push(
      counted(this.answers.length, "idempotency record"),
      `${counted(committed, "committed stream")} and ${this.streams.length - committed} open`,
      counted(this.checkpoints.length, "checkpoint"),
    );
    return told.join(", ");
  }
}

function entriesTold(first: number, last: number, counts: MigrationReport["counts"]): string {
  const { replayed, held, refused, leftOut } = counts;
  const parts = [`${replayed} replayed`, `${held} already in snapshots`];
  if (refused > 0) parts.push(`${refused} that 1.x itself refused`);
  if (leftOut > 0) parts.push(`${leftOut} left out`);
  return `log entries ${first} to ${last} (${parts.join(", ")})`;
}

function checkpoint(reader: JsonReader): Checkpoint {
  let source: string | null = null;
  let [offset, event]: (string | null)[] = [null, null];
  let updated = 0;
  reader.object(CHECKPOINT, (index) => {
    if (index === 0) source = reader.text();
    else if (index === 1) offset = reader.textOrNull();
    else if (index === 2) event = reader.textOrNull();
    else updated = reader.integer();
  });
  if (source === null) throw new DamagedError("a checkpoint has no source");
  return { source, offset, event, updated };
}
