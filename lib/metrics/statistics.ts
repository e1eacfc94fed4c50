// Statistics: what the server has done since it started, and the two ways to tell it, `system.stats`
// and `system.metrics`, with the names and the order of Karma 1.x.
//
// Invariant: each figure is in one list, with its name in both, so that they never disagree.
// Trade-off: the counters are plain fields, incremented where things happen, without a call. They are
// exact up to 2^53; what clients report to be added up may be more, and is in bigints.

import { type Data, Real } from "../command/mod.ts";

/** What the engine knows when it is asked. */
export interface StatsState {
  readonly uptimeSeconds: number;
  readonly trees: number;
  readonly keys: number;
  /** Counters of windows below a day. */
  readonly windowKeys: number;
  readonly dumpCount: number;
  readonly walEnabled: boolean;
  readonly walBytes: number;
  readonly lsn: number;
  readonly memoryBytes: number;
  /** What it takes of what it may take, by its own account. */
  readonly memoryUsed: number;
  readonly memoryMax: number;
  readonly checkpoints: number;
  readonly lastCheckpointSeconds: number;
  readonly activeStreams: number;
  readonly stagedItems: number;
  readonly committedStreams: number;
  /** Answers that are kept under idempotency keys. */
  readonly answers: number;
  readonly connections: number;
}

/** How long something took, the last time and on average. */
class Duration {
  #lastMs = 0;
  #sumMs = 0;
  #count = 0;

  get last(): Real {
    return new Real(this.#lastMs);
  }

  get average(): Real {
    return new Real(this.#count === 0 ? 0 : this.#sumMs / this.#count);
  }

  /** So many took so long together. */
  note(count: number, ms: number): void {
    this.#lastMs = ms / count;
    this.#sumMs += ms;
    this.#count += count;
  }
}

export class Statistics {
  commands = 0;
  errors = 0;
  queryTimeouts = 0;
  batchReads = 0;
  batchReadKeys = 0;
  batchWrites = 0;
  batchWriteItems = 0;
  retentions = 0;
  compactions = 0;
  ingestChunksApplied = 0;
  ingestChunksSkipped = 0;
  ingestChunksRejected = 0;
  ingestItemsApplied = 0;
  idempotencyHits = 0;
  idempotencyConflicts = 0;
  idempotencyPruned = 0;
  idempotencyWrites = 0;
  /** How many clients there are now. */
  connections = 0;
  readonly command = new Duration();
  readonly ingestChunk = new Duration();
  readonly idempotencyWrite = new Duration();
  reconciliations = 0;
  reconciledPoints = 0n;
  mismatches = 0n;
  drift = 0n;
  lastReconciledSeconds = 0;
  lastReconciledPoints = 0n;
  lastMismatches = 0n;
  lastDrift = 0n;
  lastDeltaMax = 0n;

  /** A turn answered so many requests in so many milliseconds. */
  turn(requests: number, ms: number): void {
    if (requests === 0) return;
    this.commands += requests;
    this.command.note(requests, ms);
  }

  /** A chunk was taken in, or skipped. */
  ingestMs(ms: number): void {
    this.ingestChunk.note(1, ms);
  }

  /** An answer was kept. */
  idempotencyWriteMs(ms: number): void {
    this.idempotencyWrite.note(1, ms);
  }

  /** A client compared counters with where they came from, and reports what it found. */
  reconciled(
    points: bigint,
    mismatches: bigint,
    drift: bigint,
    deltaMax: bigint,
    seconds: number,
  ): void {
    this.reconciliations++;
    this.reconciledPoints += points;
    this.mismatches += mismatches;
    this.drift += drift;
    this.lastReconciledSeconds = seconds;
    this.lastReconciledPoints = points;
    this.lastMismatches = mismatches;
    this.lastDrift = drift;
    this.lastDeltaMax = deltaMax;
  }

  /** The object that answers `system.stats`. */
  stats(state: StatsState): Data {
    const told: Record<string, Data> = {};
    for (const [name, , value] of FIGURES) if (name !== null) told[name] = value(this, state);
    return told;
  }

  /** The text that answers `system.metrics`, in the format of Prometheus. */
  metrics(state: StatsState): string {
    let text = "";
    for (const [name, metric, value] of FIGURES) {
      if (metric === null) continue;
      const figure = value(this, state);
      // What is a word in one is a label in the other.
      const told = typeof figure === "string" ? `{${name}="${figure}"} 1` : ` ${figure}`;
      text += `# TYPE ${metric} ${metric.endsWith("_total") ? "counter" : "gauge"}\n`;
      text += `${metric}${told}\n`;
    }
    return text;
  }
}

type Figure = readonly [
  /** Its name in `system.stats`; null: it is not told there. */
  name: string | null,
  /** Its name in `system.metrics`, with the ending `_total` if it only grows; null likewise. */
  metric: string | null,
  value: (done: Statistics, now: StatsState) => Data,
];

const none = () => 0;

/** What a server without replicas tells of how it asked another for something. */
function asked(what: string): Figure[] {
  const name = `replication_${what}`;
  const last = `replication_last_${what}`;
  return [
    [`${name}_attempt_count`, `karma_${name}_attempts_total`, none],
    [`${name}_success_count`, `karma_${name}_success_total`, none],
    [`${name}_error_count`, `karma_${name}_errors_total`, none],
    [`${last}_attempt_unix`, `karma_${last}_attempt_unix`, none],
    [`${last}_success_unix`, `karma_${last}_success_unix`, none],
    [`${last}_error_unix`, `karma_${last}_error_unix`, none],
    [`${last}_error`, null, () => null],
  ];
}

/** Of an average and a last duration the former comes first in one, and last in the other. */
const commandAverage = ({ command }: Statistics) => command.average;

const FIGURES: readonly Figure[] = [
  ["uptime_seconds", "karma_uptime_seconds", (_, now) => new Real(now.uptimeSeconds)],
  ["trees", "karma_trees", (_, now) => now.trees],
  ["keys", "karma_keys", (_, now) => now.keys],
  ["dump_count", "karma_dumps", (_, now) => now.dumpCount],
  ["role", "karma_role", () => "master"],
  ["wal_enabled", null, (_, now) => now.walEnabled],
  ["wal_bytes", "karma_wal_bytes", (_, now) => now.walBytes],
  ["wal_current_lsn", "karma_wal_current_lsn", (_, now) => now.lsn],
  ["replication_replayed_lsn", "karma_replication_replayed_lsn", none],
  ["replication_lag_entries", "karma_replication_lag_entries", none],
  ["replication_entries_applied", "karma_replication_entries_applied_total", none],
  ["replication_last_received_unix", "karma_replication_last_received_unix", none],
  ...asked("poll"),
  ...asked("bootstrap"),
  ["memory_bytes", "karma_memory_bytes", (_, now) => now.memoryBytes],
  ["command_count", "karma_commands_total", (done) => done.commands],
  ["error_count", "karma_errors_total", (done) => done.errors],
  ["query_timeout_count", "karma_query_timeouts_total", (done) => done.queryTimeouts],
  ["batch_read_count", "karma_batch_reads_total", (done) => done.batchReads],
  ["batch_read_key_count", "karma_batch_read_keys_total", (done) => done.batchReadKeys],
  ["batch_write_count", "karma_batch_writes_total", (done) => done.batchWrites],
  ["batch_write_item_count", "karma_batch_write_items_total", (done) => done.batchWriteItems],
  ["retention_count", "karma_retention_operations_total", (done) => done.retentions],
  ["compact_count", "karma_compactions_total", (done) => done.compactions],
  [
    "reconciliation_run_count",
    "karma_reconciliation_runs_total",
    (done) => done.reconciliations,
  ],
  [
    "reconciliation_checked_points",
    "karma_reconciliation_checked_points_total",
    (done) => done.reconciledPoints,
  ],
  [
    "reconciliation_mismatch_count",
    "karma_reconciliation_mismatches_total",
    (done) => done.mismatches,
  ],
  [
    "reconciliation_absolute_drift",
    "karma_reconciliation_absolute_drift_total",
    (done) => done.drift,
  ],
  [
    "reconciliation_last_run_unix",
    "karma_reconciliation_last_run_unix",
    (done) => done.lastReconciledSeconds,
  ],
  [
    "reconciliation_last_checked_points",
    "karma_reconciliation_last_checked_points",
    (done) => done.lastReconciledPoints,
  ],
  [
    "reconciliation_last_mismatch_count",
    "karma_reconciliation_last_mismatches",
    (done) => done.lastMismatches,
  ],
  [
    "reconciliation_last_absolute_drift",
    "karma_reconciliation_last_absolute_drift",
    (done) => done.lastDrift,
  ],
  [
    "reconciliation_last_max_abs_delta",
    "karma_reconciliation_last_max_abs_delta",
    (done) => done.lastDeltaMax,
  ],
  ["recovery_checkpoint_count", "karma_recovery_checkpoints", (_, now) => now.checkpoints],
  [
    "recovery_last_checkpoint_unix",
    "karma_recovery_last_checkpoint_unix",
    (_, now) => now.lastCheckpointSeconds,
  ],
  ["latency_ms_avg", null, commandAverage],
  ["latency_ms_last", "karma_command_latency_ms", (done) => done.command.last],
  [null, "karma_command_latency_ms_average", commandAverage],
  ["ingest_active_streams", "karma_ingest_active_streams", (_, now) => now.activeStreams],
  [
    "ingest_chunks_applied",
    "karma_ingest_chunks_applied_total",
    (done) => done.ingestChunksApplied,
  ],
  [
    "ingest_chunks_skipped",
    "karma_ingest_chunks_skipped_total",
    (done) => done.ingestChunksSkipped,
  ],
  [
    "ingest_chunks_rejected",
    "karma_ingest_chunks_rejected_total",
    (done) => done.ingestChunksRejected,
  ],
  ["ingest_items_applied", "karma_ingest_items_applied_total", (done) => done.ingestItemsApplied],
  ["ingest_latency_ms_last", "karma_ingest_chunk_latency_ms", (done) => done.ingestChunk.last],
  [
    "ingest_latency_ms_avg",
    "karma_ingest_chunk_latency_ms_average",
    (done) => done.ingestChunk.average,
  ],
  ["idempotency_record_count", "karma_idempotency_records", (_, now) => now.answers],
  ["idempotency_hits", "karma_idempotency_hits_total", (done) => done.idempotencyHits],
  [
    "idempotency_conflicts",
    "karma_idempotency_conflicts_total",
    (done) => done.idempotencyConflicts,
  ],
  ["idempotency_pruned", "karma_idempotency_pruned_total", (done) => done.idempotencyPruned],
  ["idempotency_write_count", "karma_idempotency_writes_total", (done) => done.idempotencyWrites],
  [
    "idempotency_write_latency_ms_last",
    "karma_idempotency_write_latency_ms",
    (done) => done.idempotencyWrite.last,
  ],
  [
    "idempotency_write_latency_ms_avg",
    "karma_idempotency_write_latency_ms_average",
    (done) => done.idempotencyWrite.average,
  ],
  [
    "idempotency_committed_stream_count",
    "karma_idempotency_committed_streams",
    (_, now) => now.committedStreams,
  ],
  // These are ours.
  [null, "karma_memory_used_bytes", (_, now) => now.memoryUsed],
  [null, "karma_memory_limit_bytes", (_, now) => now.memoryMax],
  [null, "karma_ingest_staged_items", (_, now) => now.stagedItems],
  [null, "karma_window_counters", (_, now) => now.windowKeys],
  [null, "karma_connections", (_, now) => now.connections],
];
