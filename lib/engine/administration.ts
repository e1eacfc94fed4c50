// Administration: health, figures, the upkeep of the registry, checkpoints of sources, and reports of reconciliations.

import { type Data, Real, type Reply, type ReplyBound, type Request } from "../command/mod.ts";
import { type Clock, pace } from "../host/mod.ts";
import {
  CHECKPOINT,
  type Checkpoint,
  type DedupState,
  encodeNote,
  PRUNE,
} from "../idempotency/mod.ts";
import type { Statistics, StatsState } from "../metrics/mod.ts";
import { isApplied, type StateWriter } from "../state/mod.ts";
import type { Forest } from "../tree/mod.ts";
import type { Wal } from "../wal/mod.ts";

interface AdministrationParts {
  readonly forest: Forest;
  readonly dedup: DedupState;
  readonly stateWriter: StateWriter;
  readonly wal: Wal;
  readonly clock: Clock;
  readonly statistics: Statistics;
  /** How many dumps there are. */
  readonly dumpCount: () => Promise<number>;
  /** Bytes of memory that the process holds. */
  readonly memoryBytes: () => number;
  /** Resolves when the registry is not being dumped. */
  readonly dedupIdle: () => Promise<void>;
  readonly bound: ReplyBound;
}

/** Answers that are forgotten in one go: it takes half a millisecond for a thousand. */
const PRUNED_AT_ONCE_MAX = 2000;

export class Administration {
  readonly #parts: AdministrationParts;
  readonly #began = performance.now();

  constructor(parts: AdministrationParts) {
    this.#parts = parts;
  }

  health(reply: Reply): void {
    reply.object({
      status: "ok",
      uptime_seconds: this.#uptime(),
      role: "master",
      wal_enabled: this.#parts.stateWriter.isCounted,
    });
  }

  stats(reply: Reply): void {
    reply.pending = this.#state().then((state) => {
      reply.object(this.#parts.statistics.stats(state));
    });
  }

  metrics(reply: Reply): void {
    reply.pending = this.#state().then((state) => {
      reply.object(this.#parts.statistics.metrics(state));
    });
  }

  /** Forgets answers, some at a time. */
  prune(request: Request, reply: Reply): void {
    const before = Math.ceil(request.details.get("time") as number);
    reply.pending = this.#prune(
      before,
      request.pageSize === 0 ? Infinity : request.pageSize,
      reply,
    );
  }

  async #prune(before: number, limit: number, reply: Reply): Promise<void> {
    const { stateWriter, dedup, statistics, dedupIdle } = this.#parts;
    const rest = pace();
    let deleted = 0;
    for (let isMore = true; isMore && deleted < limit; await rest()) {
      await dedupIdle(); // a dump under way is not to miss some that the next ones leave
      const most = Math.min(PRUNED_AT_ONCE_MAX, limit - deleted);
      const leave = Math.max(0, dedup.records.size - most);
      if (!isApplied(stateWriter.note(PRUNE, encodeNote({ before, leave })), reply)) return;
      deleted += dedup.pruned;
      isMore = dedup.pruned === most;
    }
    statistics.idempotencyPruned += deleted;
    reply.object({ deleted });
  }

  checkpoint(request: Request, reply: Reply): void {
    const { dedup, stateWriter, clock } = this.#parts;
    const source = request.text("source");
    const { checkpoints } = dedup;
    if (!checkpoints.hasRoom(source)) {
      return reply.fail("validation_error", "There are too many sources");
    }
    const checkpoint = {
      source,
      offset: request.details.get("offset") as string | null,
      event: request.details.get("event") as string | null,
      updated: Math.floor(clock.now() / 1000),
    };
    reply.object(toldOf(checkpoint));
    if (!this.#parts.bound.fits(reply)) return;
    if (!isApplied(checkpoints.hasMemory(checkpoint) ? "done" : "memory", reply)) return;
    isApplied(stateWriter.note(CHECKPOINT, encodeNote(checkpoint)), reply);
  }

  checkpoints(request: Request, reply: Reply): void {
    const source = request.details.get("source") as string | undefined;
    if (source !== undefined) {
      const one = this.#parts.dedup.checkpoints.find(source);
      return reply.object(listOf(one === null ? 0 : 1, one === null ? [] : [toldOf(one)]));
    }
    reply.list(this.allCheckpoints());
  }

  /** All checkpoints: they may be ten thousand of some kilobytes. */
  allCheckpoints(): Data {
    const all = this.#parts.dedup.checkpoints.all();
    return listOf(all.length, all.map(toldOf));
  }

  reconcile(request: Request, reply: Reply): void {
    const { statistics, clock } = this.#parts;
    const count = (name: string) => request.details.get(name) as bigint;
    statistics.reconciled(
      count("checked_points"),
      count("mismatch_count"),
      count("absolute_drift"),
      count("max_abs_delta"),
      Math.floor(clock.now() / 1000),
    );
    reply.shape = "ok";
  }

  /**
   * What a server without replicas tells of them; `latest`: where dumps are, and where that list goes on;
   * `checkpoints`: all of them.
   */
  replication(
    lastLsn: number,
    latest: { rows: Data; next: Record<string, Data> },
    checkpoints: Data,
  ): Data {
    const { wal, stateWriter, dedup } = this.#parts;
    const counts = ["attempt", "success", "error"];
    const none = (prefix: string): Record<string, Data> => ({
      ...Object.fromEntries(counts.map((count) => [`${prefix}_${count}_count`, 0])),
      ...Object.fromEntries(counts.map((count) => [last(`${prefix}_${count}_unix`), 0])),
      [last(`${prefix}_error`)]: null,
    });
    return {
      role: "master",
      wal_enabled: stateWriter.isCounted,
      wal_current_lsn: wal.lsn,
      wal_bytes: wal.bytes,
      replayed_lsn: 0,
      replication_lag_entries: 0,
      replication_entries_applied: 0,
      replication_last_received_unix: 0,
      ...none("replication_poll"),
      ...none("replication_bootstrap"),
      last_snapshot_lsn: lastLsn,
      latest_snapshots: latest.rows,
      ...latest.next,
      recovery: checkpoints,
      recovery_checkpoint_count: dedup.checkpoints.count,
    };
  }

  async #state(): Promise<StatsState> {
    const { forest, dedup, stateWriter, wal, dumpCount, memoryBytes } = this.#parts;
    return {
      uptimeSeconds: this.#uptime().value,
      trees: forest.visibleCount,
      keys: forest.keys,
      windowKeys: forest.beside.keys,
      dumpCount: await dumpCount(),
      walEnabled: stateWriter.isCounted,
      walBytes: wal.bytes,
      lsn: wal.lsn,
      memoryBytes: memoryBytes(),
      memoryUsed: forest.budget.used,
      memoryMax: forest.budget.max,
      activeStreams: dedup.streams.openCount,
      stagedItems: dedup.streams.stagedItems,
      committedStreams: dedup.streams.committedCount,
      answers: dedup.records.size,
      checkpoints: dedup.checkpoints.count,
      lastCheckpointSeconds: dedup.checkpoints.lastUpdated,
      connections: this.#parts.statistics.connections,
    };
  }

  #uptime(): Real {
    return new Real((performance.now() - this.#began) / 1000);
  }
}

/** `replication_poll_error_unix` → `replication_last_poll_error_unix` */
function last(name: string): string {
  return name.replace("replication_", "replication_last_");
}

function listOf(count: number, rows: Data): Data {
  return { checkpoint_count: count, checkpoints: rows };
}

function toldOf({ source, offset, event, updated }: Checkpoint): Data {
  return { source, offset, event_id: event, updated_at_unix: updated };
}
