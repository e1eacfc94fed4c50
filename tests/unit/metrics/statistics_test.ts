// What the server did, as told in both ways: the original's answers, and every figure in its place.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { SendBuffer } from "../../../lib/bytes/send_buffer.ts";
import type { Data } from "../../../lib/command/data.ts";
import { writeData } from "../../../lib/protocol/json/data.ts";
import { Statistics, type StatsState } from "../../../lib/metrics/statistics.ts";
import { readTranscript } from "../../support/transcript.ts";

/** As a client would see it: members, their order, and how numbers are written. */
function text(json: Data): string {
  const out = new SendBuffer(64);
  writeData(json, out);
  return new TextDecoder().decode(out.view(0));
}

const NOTHING: StatsState = {
  uptimeSeconds: 0,
  trees: 0,
  keys: 0,
  windowKeys: 0,
  dumpCount: 0,
  walEnabled: false,
  walBytes: 0,
  lsn: 0,
  memoryBytes: 0,
  memoryUsed: 0,
  memoryMax: 0,
  checkpoints: 0,
  lastCheckpointSeconds: 0,
  activeStreams: 0,
  stagedItems: 0,
  committedStreams: 0,
  answers: 0,
  connections: 0,
};

/** What our metrics have and those of the original don't. */
const OURS = "# TYPE karma_memory_used_bytes gauge\nkarma_memory_used_bytes 0\n" +
  "# TYPE karma_memory_limit_bytes gauge\nkarma_memory_limit_bytes 0\n" +
  "# TYPE karma_ingest_staged_items gauge\nkarma_ingest_staged_items 0\n" +
  "# TYPE karma_window_counters gauge\nkarma_window_counters 0\n" +
  "# TYPE karma_connections gauge\nkarma_connections 1\n";

Deno.test("statistics: the answers of the original, byte for byte", () => {
  const { cases } = readTranscript(new URL("../../golden/v2/", import.meta.url), "basic");
  const recorded = (name: string) => cases.find((row) => row.name === name)!.expect;
  const success = (response: string) =>
    `{"protocol_version":2,"success":true,"response":${response},"error_code":null}`;
  const state: StatsState = {
    ...NOTHING,
    trees: 6,
    keys: 8,
    windowKeys: 0,
    walEnabled: true,
    walBytes: 2274,
    lsn: 22,
    memoryBytes: 684032,
    connections: 1,
  };
  const statistics = new Statistics();
  statistics.errors = 3;
  statistics.turn(56, 12.518361999999998); // a sum of doubles, as the original's was
  statistics.turn(1, 0.049674);
  statistics.turn(0, 5);
  const stats = statistics.stats({ ...state, uptimeSeconds: 0.0364912 });
  assertEquals(success(text(stats)), recorded("stats"));
  statistics.turn(1, 0.263183);
  const metrics = statistics.metrics({ ...state, uptimeSeconds: 0.036904506 });
  assert(metrics.endsWith(OURS));
  assertEquals(success(text(metrics.slice(0, -OURS.length))), recorded("metrics"));
});

/** Every figure another number. */
function busy(): [Statistics, StatsState] {
  const statistics = new Statistics();
  Object.assign(statistics, {
    errors: 101,
    queryTimeouts: 102,
    batchReads: 103,
    batchReadKeys: 104,
    batchWrites: 105,
    batchWriteItems: 106,
    retentions: 107,
    compactions: 108,
    ingestChunksApplied: 109,
    ingestChunksSkipped: 110,
    ingestChunksRejected: 111,
    ingestItemsApplied: 112,
    idempotencyHits: 113,
    idempotencyConflicts: 114,
    idempotencyPruned: 115,
    idempotencyWrites: 116,
  });
  statistics.turn(7, 7 * 1.5);
  statistics.turn(1, 5.5);
  statistics.ingestMs(7.25);
  statistics.ingestMs(0.25);
  statistics.idempotencyWriteMs(8);
  statistics.idempotencyWriteMs(9.5);
  statistics.reconciled(3n, 2n, 900n, 800n, 1_800_000_000);
  statistics.reconciled((1n << 63n) - 1n, 5n, (1n << 63n) - 1n, 77n, 1_800_000_001);
  return [statistics, {
    uptimeSeconds: 12,
    trees: 201,
    keys: 202,
    windowKeys: 0,
    dumpCount: 203,
    walEnabled: true,
    walBytes: 204,
    lsn: 205,
    memoryBytes: 206,
    memoryUsed: 215,
    memoryMax: 214,
    checkpoints: 207,
    lastCheckpointSeconds: 208,
    activeStreams: 209,
    stagedItems: 210,
    committedStreams: 211,
    answers: 212,
    connections: 213,
  }];
}

const BUSY: [member: string, metric: string, value: string][] = [
  ["uptime_seconds", "uptime_seconds", "12.0"],
  ["trees", "trees", "201"],
  ["keys", "keys", "202"],
  ["dump_count", "dumps", "203"],
  ["wal_bytes", "wal_bytes", "204"],
  ["wal_current_lsn", "wal_current_lsn", "205"],
  ["memory_bytes", "memory_bytes", "206"],
  ["command_count", "commands_total", "8"],
  ["error_count", "errors_total", "101"],
  ["query_timeout_count", "query_timeouts_total", "102"],
  ["batch_read_count", "batch_reads_total", "103"],
  ["batch_read_key_count", "batch_read_keys_total", "104"],
  ["batch_write_count", "batch_writes_total", "105"],
  ["batch_write_item_count", "batch_write_items_total", "106"],
  ["retention_count", "retention_operations_total", "107"],
  ["compact_count", "compactions_total", "108"],
  ["reconciliation_run_count", "reconciliation_runs_total", "2"],
  // These sums pass what a double holds, and what the original does.
  [
    "reconciliation_checked_points",
    "reconciliation_checked_points_total",
    "9223372036854775810",
  ],
  ["reconciliation_mismatch_count", "reconciliation_mismatches_total", "7"],
  [
    "reconciliation_absolute_drift",
    "reconciliation_absolute_drift_total",
    "9223372036854776707",
  ],
  ["reconciliation_last_run_unix", "reconciliation_last_run_unix", "1800000001"],
  [
    "reconciliation_last_checked_points",
    "reconciliation_last_checked_points",
    "9223372036854775807",
  ],
  ["reconciliation_last_mismatch_count", "reconciliation_last_mismatches", "5"],
  [
    "reconciliation_last_absolute_drift",
    "reconciliation_last_absolute_drift",
    "9223372036854775807",
  ],
  ["reconciliation_last_max_abs_delta", "reconciliation_last_max_abs_delta", "77"],
  ["recovery_checkpoint_count", "recovery_checkpoints", "207"],
  ["recovery_last_checkpoint_unix", "recovery_last_checkpoint_unix", "208"],
  ["latency_ms_avg", "command_latency_ms_average", "2.0"],
  ["latency_ms_last", "command_latency_ms", "5.5"],
  ["ingest_active_streams", "ingest_active_streams", "209"],
  ["ingest_chunks_applied", "ingest_chunks_applied_total", "109"],
  ["ingest_chunks_skipped", "ingest_chunks_skipped_total", "110"],
  ["ingest_chunks_rejected", "ingest_chunks_rejected_total", "111"],
  ["ingest_items_applied", "ingest_items_applied_total", "112"],
  ["ingest_latency_ms_last", "ingest_chunk_latency_ms", "0.25"],
  ["ingest_latency_ms_avg", "ingest_chunk_latency_ms_average", "3.75"],
  ["idempotency_record_count", "idempotency_records", "212"],
  ["idempotency_hits", "idempotency_hits_total", "113"],
  ["idempotency_conflicts", "idempotency_conflicts_total", "114"],
  ["idempotency_pruned", "idempotency_pruned_total", "115"],
  ["idempotency_write_count", "idempotency_writes_total", "116"],
  ["idempotency_write_latency_ms_last", "idempotency_write_latency_ms", "9.5"],
  ["idempotency_write_latency_ms_avg", "idempotency_write_latency_ms_average", "8.75"],
  ["idempotency_committed_stream_count", "idempotency_committed_streams", "211"],
];

Deno.test("statistics: every figure is under its names, and exact", () => {
  const [statistics, state] = busy();
  const stats = text(statistics.stats(state));
  const metrics = statistics.metrics(state);
  for (const [member, metric, value] of BUSY) {
    assertMatch(stats, new RegExp(`[{,]"${member}":${value}[,}]`), member);
    assertMatch(metrics, new RegExp(`^karma_${metric} ${value}$`, "m"), metric);
  }
  assertMatch(metrics, /^karma_ingest_staged_items 210$/m);
  assertMatch(metrics, /^karma_connections 213$/m);
  assertMatch(metrics, /^karma_memory_used_bytes 215$/m);
  assertMatch(metrics, /^karma_memory_limit_bytes 214$/m);
  // All else is of other servers.
  const told = new Set(["role", "wal_enabled", ...BUSY.map(([member]) => member)]);
  for (const member of Object.keys(JSON.parse(stats))) {
    assert(told.has(member) || member.startsWith("replication_"), member);
  }
});

Deno.test("statistics: metrics are what Prometheus reads, each once", () => {
  const [statistics, state] = busy();
  const lines = statistics.metrics(state).split("\n");
  assertEquals(lines.pop(), "");
  const names = new Set<string>();
  for (let at = 0; at < lines.length; at += 2) {
    const [, name, kind] = lines[at].match(/^# TYPE ([a-z_]+) (gauge|counter)$/)!;
    assertMatch(lines[at + 1], new RegExp(`^${name}(\\{role="master"\\})? \\d+(\\.\\d+)?$`));
    assertEquals(kind, name.endsWith("_total") ? "counter" : "gauge");
    assert(!names.has(name), name);
    names.add(name);
  }
});

Deno.test("statistics: without anything that took time, durations are zero", () => {
  const statistics = new Statistics();
  statistics.turn(0, 3);
  const stats = text(statistics.stats(NOTHING));
  for (const what of ["latency", "ingest_latency", "idempotency_write_latency"]) {
    assertMatch(stats, new RegExp(`"${what}_ms_avg":0\\.0[,}]`));
    assertMatch(stats, new RegExp(`"${what}_ms_last":0\\.0[,}]`));
  }
});
