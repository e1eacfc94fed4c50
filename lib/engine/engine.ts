// The engine: executes decoded requests on the state, one at a time.
//
// Invariant: `execute` is synchronous, so nothing runs between a check and its change. Work that needs files or
// many turns continues as the reply's `pending`, from a state of its own. A request that fails has changed nothing. No
// reply may leave before `settled` resolves.

import {
  type OperationId,
  OPERATIONS,
  type Reply,
  ReplyBound,
  type ReplyWriter,
  type Request,
} from "../command/mod.ts";
import type { DedupStore, DumpStore } from "../dump/mod.ts";
import type { Calendar, Clock } from "../host/mod.ts";
import type { AgeClock, DedupState } from "../idempotency/mod.ts";
import { UsageLimits } from "../limits/mod.ts";
import type { Statistics } from "../metrics/mod.ts";
import type { Archive, Checkpointer, CheckReport } from "../recovery/mod.ts";
import { applyRangeDeletes, type StateWriter, SweepOrder, TreeResolver } from "../state/mod.ts";
import { type Forest, partsOf, type Tree } from "../tree/mod.ts";
import type { Wal } from "../wal/mod.ts";
import { Administration } from "./administration.ts";
import { Backup } from "./backup.ts";
import { Batches } from "./batches.ts";
import { Counters } from "./counters.ts";
import { Ingest } from "./ingest.ts";
import {
  infoOf,
  type InspectionResult,
  keysOf,
  type Span,
  summaryOf,
  topOf,
} from "./inspection.ts";
import { Idempotency } from "./idempotency.ts";
import { ReadingQueue } from "./reading_queue.ts";
import { Retention } from "./retention.ts";
import { Snapshots } from "./snapshots.ts";
import { TreeList } from "./tree_list.ts";

const decoder = new TextDecoder();

type Execute = (request: Request, reply: Reply) => unknown;

/** What an engine works with. */
interface EngineParts {
  readonly forest: Forest;
  readonly dedup: DedupState;
  readonly stateWriter: StateWriter;
  readonly wal: Wal;
  readonly dumps: DumpStore;
  readonly dedupStore: DedupStore;
  readonly checkpointer: Checkpointer;
  readonly clock: Clock;
  /** By which idempotency keys and receipts grow old. */
  readonly ages: AgeClock;
  readonly calendar: Calendar;
  readonly statistics: Statistics;
  /** Bytes of memory that the process holds. */
  readonly memoryBytes: () => number;
  /** Examines what a start would find now. */
  readonly examine: () => Promise<CheckReport>;
  /** What a start would need to come to the state as it is now. */
  readonly archive: () => Promise<Archive>;
  /** Writes what answers are kept as. */
  readonly replyWriter: ReplyWriter;
}

export interface EngineLimits {
  /** How long a reading of a whole tree may take; 0: as long as it takes. */
  readonly queryTimeoutMs: number;
  /** How long a reply may be in protocol v2; 0: as long as it is. */
  readonly replyBytesMax: number;
  readonly streamsMax: number;
  readonly stagedItemsMax: number;
  readonly dumpsKept: number;
  /** How many days before today are kept; 0: all. */
  readonly retentionDays: number;
}

export class Engine {
  readonly isReady = true;
  readonly statistics: Statistics;
  readonly backup: Backup;
  readonly #forest: Forest;
  readonly #wal: Wal;
  readonly #clock: Clock;
  readonly #limits: EngineLimits;
  readonly #treeResolver: TreeResolver;
  readonly #treeList: TreeList;
  readonly #counters: Counters;
  readonly #batches: Batches;
  readonly #usageLimits: UsageLimits;
  readonly #once: Idempotency;
  readonly #table: readonly Execute[];
  #today = 0;
  #nowMs = 0;
  readonly #sweeps = new SweepOrder();
  readonly #retention: Retention;
  readonly #readingQueue = new ReadingQueue();

  constructor(parts: EngineParts, limits: EngineLimits, tell: (line: string) => void) {
    const { forest, dedup, stateWriter, wal, clock, statistics } = parts;
    this.statistics = statistics;
    this.#forest = forest;
    this.#wal = wal;
    this.#clock = clock;
    this.#limits = limits;
    const { retentionDays: days, queryTimeoutMs } = limits;
    const kept = [parts.ages, parts.calendar, days] as const;
    this.#retention = new Retention(forest, stateWriter, this.#sweeps, ...kept);
    const resolver = this.#treeResolver = new TreeResolver(forest, stateWriter);
    const bound = new ReplyBound(parts.replyWriter, limits.replyBytesMax);
    this.#treeList = new TreeList(forest, bound);
    this.#counters = new Counters(forest, stateWriter, resolver, statistics, queryTimeoutMs);
    const batches = this.#batches = new Batches(forest, stateWriter, resolver, statistics);
    this.#once = new Idempotency(dedup, stateWriter, parts.ages, statistics, parts.replyWriter);
    this.#usageLimits = new UsageLimits(parts, bound);
    const ingest = new Ingest(
      forest,
      dedup,
      stateWriter,
      resolver,
      clock,
      statistics,
      bound,
      limits,
    );
    this.backup = new Backup({ ...parts, bound }, tell);
    const snapshots = new Snapshots({ ...parts, bound }, limits, tell);
    const administration = new Administration({
      ...parts,
      dumpCount: () => snapshots.count(),
      dedupIdle: () => parts.dedupStore.idle(),
      bound,
    });
    const functions = {
      ...this.#functions(this.#counters, batches, ingest, snapshots, administration),
      consume: (request: Request, reply: Reply) => this.#usageLimits.consume(request, reply),
      checkLimits: (request: Request, reply: Reply) => this.#usageLimits.check(request, reply),
      refund: (request: Request, reply: Reply) => this.#usageLimits.refund(request, reply),
    } satisfies Record<OperationId, Execute>;
    this.#table = OPERATIONS.map(({ id }) => functions[id]);
  }

  /** Looks at the clock: to be called when requests come in, before they are executed. */
  beginTurn(): void {
    // The moment first: it must not be later than the day.
    this.#counters.nowMs = this.#nowMs = this.#clock.now();
    this.#counters.today = this.#batches.today = this.#today = this.#clock.today();
    this.#usageLimits.beginTurn(this.#today, this.#nowMs);
  }

  /** Deletes days that are too old, once a day; see `Retention`. Returns what the operator is told; empty: nothing. */
  async retain(): Promise<string> {
    const { trees, kept } = await this.#retention.run();
    this.statistics.retentions += trees;
    return trees === 0 ? "" : `Days before ${kept} deleted, in ${trees} trees`;
  }

  /** Carries out a request; see `Reply` for where the answer is. */
  execute(request: Request, reply: Reply): void {
    if (request.operation.sweeps) reply.pending = this.#sweep(request, reply);
    else this.carryOut(request, reply);
  }

  /** Forgets some of what no window sees any more: to be called once a second. */
  async forgetWindows(): Promise<void> {
    if (await this.#usageLimits.forget()) await this.settled();
  }

  /** Resolves when all that replies may tell by now is as safe as promised. */
  settled(): Promise<void> {
    return this.#wal.settled();
  }

  /** Carries out a request whose turn has come: all that is written here at once belongs together. */
  protected carryOut(request: Request, reply: Reply): unknown {
    const execute = this.#table[request.operation.index];
    if (!request.hasIdempotencyKey) return execute(request, reply);
    const today = request.today(this.#today, this.#nowMs);
    return this.#once.perform(request, reply, today, () => execute(request, reply));
  }

  /** Changes all counters of a tree, or of all trees, when those before it on the same tree are done. */
  #sweep(request: Request, reply: Reply): Promise<void> {
    const { bytes, nameStart, nameEnd, operation } = request;
    const isOfOne = operation.fields.includes("tree");
    const name = isOfOne ? decoder.decode(bytes.subarray(nameStart, nameEnd)) : null;
    return this.#sweeps.run(name, async () => {
      const done = this.carryOut(request, reply);
      const swept = this.#counters.swept.splice(0); // before anything else is executed
      await done;
      for (const tree of swept) await applyRangeDeletes(tree);
    });
  }

  #functions(
    counters: Counters,
    batches: Batches,
    ingest: Ingest,
    snapshots: Snapshots,
    administration: Administration,
  ): Record<Exclude<OperationId, "consume" | "checkLimits" | "refund">, Execute> {
    return {
      ping: (_, reply) => reply.shape = "pong",
      health: (_, reply) => administration.health(reply),
      stats: (_, reply) => administration.stats(reply),
      metrics: (_, reply) => administration.metrics(reply),
      trees: (request, reply) => this.#trees(request, reply),
      create: (request, reply) => this.#create(request, reply),
      drop: (request, reply) => counters.drop(request, reply),
      increment: (request, reply) => counters.increment(request, reply),
      decrement: (request, reply) => counters.decrement(request, reply),
      addAll: (request, reply) => batches.addAll(request, reply),
      setAll: (request, reply) => batches.setAll(request, reply),
      sum: (request, reply) => counters.sum(request, reply),
      sumAll: (request, reply) => batches.sumAll(request, reply),
      sumAcross: (request, reply) => batches.sumAcross(request, reply),
      find: (request, reply) => counters.find(request, reply),
      findAll: (request, reply) => counters.findAll(request, reply),
      reset: (request, reply) => counters.removeDays(request, reply, "ok"),
      resetAll: (request, reply) => counters.sweep(request, reply, "ok"),
      resetKeys: (request, reply) => batches.removeKeys(request, reply),
      delete: (request, reply) => counters.removeDays(request, reply, "true"),
      deleteAll: (request, reply) => counters.sweep(request, reply, "true"),
      deleteKeys: (request, reply) => batches.removeKeys(request, reply),
      compact: (request, reply) => counters.compact(request, reply),
      compactAll: (_, reply) => counters.compactAll(reply),
      deleteBefore: (request, reply) => counters.deleteBefore(request, reply),
      treeInfo: (request, reply) => this.#inspect(request, reply, infoOf, true),
      treeKeys: (request, reply) =>
        this.#inspect(request, reply, (tree, span) => keysOf(tree, request.pageSize, span)),
      treeSummary: (request, reply) => {
        const { hasRange, dayFrom: from, dayTo: to, details } = request;
        const range = hasRange ? { from, to } : null;
        const isCounted = !hasRange && (details.get("cursor") ?? null) === null;
        this.#inspect(request, reply, (tree, span) => summaryOf(tree, range, span), isCounted);
      },
      treeTop: (request, reply) =>
        this.#inspect(request, reply, (tree, span) => {
          return topOf(tree, request.dayFrom, request.dayTo, request.pageSize, span);
        }),
      ingestBegin: (request, reply) => ingest.begin(request, reply),
      ingestChunk: (request, reply) => ingest.chunk(request, reply),
      ingestCommit: (request, reply) => ingest.commit(request, reply),
      ingestAbort: (request, reply) => ingest.abort(request, reply),
      dump: (request, reply) => snapshots.dump(request, reply),
      dumpAll: (request, reply) => snapshots.dumpAll(request, reply),
      dumps: (request, reply) => snapshots.list(request, reply),
      load: (request, reply) => snapshots.load(request, reply),
      snapshotInfo: (request, reply) => snapshots.info(request, reply),
      verify: (_, reply) => snapshots.verify(reply),
      fetch: (request, reply) => snapshots.fetch(request, reply),
      fetchChunk: (request, reply) => snapshots.fetchChunk(request, reply),
      backupBegin: (_, reply) => this.backup.begin(reply),
      backupRead: (request, reply) => this.backup.read(request, reply),
      backupEnd: (_, reply) => this.backup.finish(reply),
      prune: (request, reply) => administration.prune(request, reply),
      checkpoint: (request, reply) => administration.checkpoint(request, reply),
      checkpoints: (request, reply) => administration.checkpoints(request, reply),
      reconcile: (request, reply) => administration.reconcile(request, reply),
      replication: (request, reply) => {
        const checkpoints = administration.allCheckpoints();
        reply.pending = snapshots.tellLatest(request, reply, (lastLsn, latest) => {
          return administration.replication(lastLsn, latest, checkpoints);
        });
      },
    };
  }

  #trees(request: Request, reply: Reply): void {
    reply.pending = this.#treeList.list(request).then((list) => reply.list(list));
  }

  #create(request: Request, reply: Reply): void {
    reply.shape = "ok";
    this.#treeResolver.find(request, reply);
  }

  /**
   * Reads a whole tree, giving way to others, until it is done or has taken too long. `isCounted`: the
   * tree's counts tell all, and nothing has to be read unless a sweep is under way.
   */
  #inspect(
    request: Request,
    reply: Reply,
    read: (tree: Tree, span: Span) => Promise<InspectionResult>,
    isCounted = false,
  ): void {
    const tree = this.#treeResolver.find(request, reply);
    if (tree === null) return;
    const { queryTimeoutMs } = this.#limits;
    const deadline = queryTimeoutMs > 0 ? performance.now() + queryTimeoutMs : Infinity;
    const { details } = request;
    const cursor = (details.get("cursor") ?? null) as bigint | null;
    const span = { cursor, isPartial: details.has("cursor"), deadline };
    const told = isCounted && partsOf(tree).every((part) => part.isSettled())
      ? read(tree, span)
      : this.#readingQueue.run(deadline, () => read(tree, span));
    reply.pending = told.then((told) => {
      if (told === "timeout") return this.timeOut(reply);
      // Whoever is content with parts has had the time of a reading by now; the rows take little.
      reply.list(told, span.isPartial ? Infinity : deadline);
    });
  }

  /** Reads for a reply's walk when there is room for another reading; "timeout": there was none in time. */
  read<Result>(deadline: number, read: () => Promise<Result>): Promise<Result | "timeout"> {
    return this.#readingQueue.run(deadline, read);
  }

  /** Says that a reading took too long. */
  timeOut(reply: Reply): void {
    this.statistics.queryTimeouts++;
    reply.fail("query_timeout", `Query exceeded ${this.#limits.queryTimeoutMs} ms`);
  }
}
