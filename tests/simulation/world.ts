// The world of one process: Karma as main.ts puts it together, over a watched disk, in simulated
// time, from its start to the moment that it ends.
//
// Invariant: whatever it promises to anybody is noted in its past at that moment, and nothing is
// noted once it `isOver`. What should not happen becomes `fault`. Trade-off: requests come as lines, and
// replies are looked at as the engine gives them, without sessions and sockets.

import { lineOf } from "../../lib/bytes/line.ts";
import { SendBuffer } from "../../lib/bytes/send_buffer.ts";
import { Reply } from "../../lib/command/reply.ts";
import { Request } from "../../lib/command/request.ts";
import { JsonReplyWriter } from "../../lib/protocol/json/response.ts";
import { codecOf, writeWhole } from "../support/codec.ts";
import { DedupStore } from "../../lib/dump/dedup_store.ts";
import { encodeCatalog } from "../../lib/state/catalog.ts";
import { Checkpointer } from "../../lib/recovery/checkpointer.ts";
import { Recovery } from "../../lib/recovery/recovery.ts";
import { Statistics } from "../../lib/metrics/statistics.ts";
import type { WalOptions } from "../../lib/wal/hooks.ts";
import type { WalPosition } from "../../lib/wal/reader.ts";
import { HostError } from "../../lib/errors.ts";
import { HostClock } from "../../lib/host/clock.ts";
import { AgeClock } from "../../lib/idempotency/age_clock.ts";
import { type DedupLimits, DedupState } from "../../lib/idempotency/dedup_state.ts";
import { checkTree } from "../../lib/tree/check.ts";
import type { MemoryDisk } from "../support/memory_disk.ts";
import { countersOf, difference, stateOf, withoutTree, withTree } from "./model.ts";
import {
  type Bounds,
  type Change,
  type Ending,
  expectedAt,
  faultOfDump,
  faultOfEnd,
  faultOfFiles,
  faultOfRegistry,
  faultOfTrees,
  Past,
} from "./past.ts";
import { registryDifference, registryOf } from "./registry_model.ts";
import type { SimulatedTime } from "./simulated_time.ts";
import { WatchedDisk } from "./watched_disk.ts";
import {
  WatchedDumps,
  WatchedEngine,
  WatchedForest,
  WatchedLedger,
  WatchedLog,
} from "./witnesses.ts";

export const DIRECTORY = "/karma";

/** A start takes no simulated time but for delays of the disk: beyond, something waits for ever. */
const PATIENCE_MS = 120_000;

/** What is not short for the sake of the simulation. */
const LIMITS = {
  queryTimeoutMs: 0,
  replyBytesMax: 1 << 20,
  streamsMax: 1000,
  stagedItemsMax: 1000,
  retentionDays: 0,
};

/** What nobody asks for here, but for the calendar. */
const OUTSIDE = {
  calendar: new HostClock("UTC"),
  memoryBytes: () => 0,
  examine: (): Promise<never> => Promise.reject(new Error("Nothing is examined here")),
  archive: (): Promise<never> => Promise.reject(new Error("Nothing is backed up here")),
};

export interface Settings extends WalOptions, DedupLimits {
  readonly wal: boolean;
  readonly dumpsKept: number;
}

/** What a process ended with, or could have. */
export interface Moment {
  readonly disk: MemoryDisk;
  readonly bounds: Bounds;
  readonly time: number;
  readonly today: number;
  readonly where: string;
  readonly settings: Settings;
}

export class World {
  readonly disk: WatchedDisk;
  readonly time: SimulatedTime;
  readonly forest = new WatchedForest();
  readonly dedup: DedupState;
  readonly settings: Settings;
  /** What was told to the operator. */
  readonly told: string[] = [];
  /** Set by `start`. */
  engine!: WatchedEngine;
  checkpointer!: Checkpointer;
  log!: WatchedLog;
  stateWriter!: WatchedLedger;
  past!: Past;
  /** The date as YYYYMMDD. */
  today: number;
  /** The first thing that should not have happened. */
  fault: string | null = null;
  /** Whether the disk works: then no request may fail for it. */
  isCalm = true;
  isServing = false;
  isOver = false;
  /** Why a promise could not be kept. */
  lost: Error | null = null;
  /** How many requests are under way. */
  pending = 0;
  /** Is told of every moment at which the process could end. */
  onMoment: (where: string) => void = () => {};
  readonly #dumps: WatchedDumps;
  readonly #dedupStore: DedupStore;
  readonly #dialect = codecOf();
  readonly #tell = (line: string) => void this.told.push(line);
  /** The lines of the requests that were carried out, or wait for it. */
  readonly #lines = new WeakMap<Request, string>();
  /** Until it serves, what the one before it has left. */
  #bounds: Bounds;
  readonly #ending: Ending;
  readonly #clock: { now(): number; today(): number };

  constructor(
    disk: MemoryDisk,
    time: SimulatedTime,
    settings: Settings,
    bounds: Bounds,
    ending: Ending,
    today: number,
  ) {
    this.disk = new WatchedDisk(disk);
    this.disk.onOperation = (kind) => this.onMoment(kind);
    this.time = time;
    this.settings = settings;
    // What is lost in a power cut is lost, however the next process ends.
    const acked = ending === "kill" ? bounds.acked : Math.min(bounds.acked, bounds.synced);
    this.#bounds = { ...bounds, acked };
    this.#ending = ending;
    this.today = today;
    this.#clock = {
      now: () => Date.UTC(2026, 10, 22, 12) + this.time.now,
      today: () => this.today,
    };
    const { dumpsKept } = settings;
    this.dedup = new DedupState(settings);
    this.#dedupStore = new DedupStore(DIRECTORY, this.disk, this.#clock);
    this.#dumps = new WatchedDumps(DIRECTORY, this.disk, this.#clock, dumpsKept, this.#tell);
  }

  /** A copy of all that the process would leave if it ended now. */
  moment(where: string): Moment {
    const { time: { now }, today, settings } = this;
    const disk = this.disk.inner.clone();
    disk.latency = () => null;
    return { disk, bounds: this.bounds, time: now, today, where, settings };
  }

  /** What is known now. */
  get bounds(): Bounds {
    return this.isServing ? this.past.bounds(this.log.lsn, this.time.now) : this.#bounds;
  }

  /** Ends the process: nothing that it began goes on. */
  end(): void {
    this.isOver = this.disk.isOff = true;
    this.time.forget();
  }

  /** The time that requests see, in seconds since 1970. */
  get seconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  fail(fault: string): void {
    if (!this.isOver) this.fault ??= fault;
  }

  /** Waits for something of this process, for as long as it lives. */
  async wait(work: Promise<unknown>): Promise<"done" | "over"> {
    let isDone = false;
    work.then(() => isDone = true, (error) => {
      this.fail(error instanceof Error ? error.stack ?? error.message : String(error));
      isDone = true;
    });
    const end = this.time.now + PATIENCE_MS;
    await this.time.quiet();
    while (!isDone && !this.isOver) {
      await this.time.advance(10);
      if (this.time.now < end) continue;
      this.fail("something has waited for two minutes");
      break;
    }
    return this.isOver ? "over" : "done";
  }

  /** What Karma does at start. False: it could not, because the disk fails. */
  async start(): Promise<boolean> {
    let isStarted = true;
    const started = this.#start().catch((error) => {
      if (!this.isCalm && error instanceof HostError) isStarted = false;
      else throw error;
    });
    return await this.wait(started) === "done" && isStarted && this.fault === null;
  }

  async #start(): Promise<void> {
    const { forest, dedup, disk, settings } = this;
    const tell = this.#tell;
    const [dumps, dedupStore, clock] = [this.#dumps, this.#dedupStore, this.#clock];
    const recovery = new Recovery(DIRECTORY, disk, dumps, forest, dedupStore, dedup, clock);
    await recovery.read();
    const position = await recovery.settle(tell);
    if (!await this.#hasRead(position)) return;
    const log = this.log = new WatchedLog(DIRECTORY, settings, position, disk, {
      catalog: (lsn) => encodeCatalog(forest, dedup, lsn),
      onLarge: () => this.checkpointer.shorten(),
      lost: (error) => this.#lose(error),
      tell,
    });
    log.begin();
    await log.sync();
    await recovery.finish(tell);
    if (this.isOver) return;
    this.#serve(position.lsn);
    const stateWriter = this.stateWriter = new WatchedLedger(
      forest,
      dedup,
      log,
      this.past,
      settings,
    );
    stateWriter.onFault = (fault) => this.fail(fault);
    this.checkpointer = new Checkpointer(forest, dumps, log, stateWriter, dedupStore, dedup, tell);
    const { checkpointer } = this;
    const parts = { forest, dedup, stateWriter, wal: log, dumps, dedupStore, checkpointer, clock };
    const { dumpsKept } = settings;
    const replyWriter = new JsonReplyWriter();
    const now = () => clock.now();
    const outside = {
      ...OUTSIDE,
      ages: new AgeClock(now, now),
      statistics: new Statistics(),
      replyWriter,
    };
    this.engine = new WatchedEngine({ ...parts, ...outside }, { ...LIMITS, dumpsKept }, tell);
    this.engine.onBegin = (request) => stateWriter.begin(this.#lines.get(request) ?? null);
    this.engine.onDone = () => stateWriter.done();
    if (disk.inner.filesOpen !== 1 && this.isCalm) {
      this.fail(`${disk.inner.filesOpen} files are open, not only the log`);
    }
  }

  /** What Karma does at its end. */
  async stop(): Promise<void> {
    let failures = 0;
    const stopped = this.checkpointer.dumpAll("a test").then(async (count) => {
      failures = count;
      await this.log.close();
    });
    if (await this.wait(stopped) === "over" || this.lost !== null) return;
    this.past.acked = this.past.synced = this.log.lsn;
    if (!this.isCalm) return;
    const files = await this.files();
    const segments = files.filter((file) => file.endsWith(".wal"));
    const dedupDumps = files.filter((file) => file.endsWith(`-${this.log.id}.registry`));
    if (failures > 0) this.fail(`${failures} dumps could not be made`);
    if (segments.length > 1) this.fail(`After dumps of all, the log is ${segments.join(", ")}`);
    if (dedupDumps.length !== 1) this.fail(`Dumps of the registry are ${dedupDumps.join(", ")}`);
    const { filesOpen } = this.disk.inner;
    // Where the log is always too large, the next dumps may have begun.
    if (filesOpen > (this.settings.bytesMax <= 4096 ? 1 : 0)) {
      this.fail(`${filesOpen} files are open at the end`);
    }
  }

  /** The names of all files, which nobody takes for an operation. */
  async files(): Promise<string[]> {
    const copy = this.disk.inner.clone();
    copy.kill();
    copy.latency = () => null;
    return await copy.list(DIRECTORY);
  }

  /** Compares what was read with what must be there. */
  async #hasRead({ lsn, id }: WalPosition): Promise<boolean> {
    const bounds = this.#bounds;
    const fault = faultOfEnd(bounds, this.#ending, lsn) ??
      faultOfTrees(bounds, lsn, stateOf(this.forest)) ??
      faultOfRegistry(bounds, lsn, this.dedup, this.settings);
    if (fault !== null) this.fail(`After ${this.#ending}: ${fault}`);
    for (const tree of this.forest.trees()) checkTree(tree);
    this.dedup.check();
    const { filesOpen } = this.disk.inner;
    if (filesOpen > 0) this.fail(`${filesOpen} files are open after the recovery of log ${id}`);
    const missing = faultOfFiles(this.#bounds, await this.files(), this.settings.dumpsKept);
    if (missing !== null) this.fail(missing);
    // What a power cut has left, no other takes.
    const synced = this.#ending === "kill" ? this.#bounds.synced : lsn;
    this.#bounds = { ...this.#bounds, lsn, acked: lsn, synced };
    return this.fault === null;
  }

  /** From here on it makes promises of its own. */
  #serve(lsn: number): void {
    const { forest, settings: { policy, wal }, log } = this;
    const dumps = this.#bounds.past.dumps.slice(0, this.#bounds.dumps);
    const { dedup } = expectedAt(this.#bounds, lsn);
    const past = this.past = new Past(lsn, stateOf(forest), dedup, policy, wal, dumps);
    this.isServing = true;
    log.onSynced = (lsn) => {
      if (!this.isOver) past.synced = Math.max(past.synced, lsn);
    };
    forest.onPut = (tree) => {
      const state = { serial: tree.serial, counters: countersOf(tree) };
      past.change(log.lsn + 1, withTree(past.state, tree.name, state));
    };
    forest.onAdopt = (tree, was) => {
      const state = past.state.get(was)!;
      past.change(log.lsn + 1, withTree(withoutTree(past.state, was), tree.name, state));
    };
    forest.onRemove = ({ name }) => past.change(log.lsn + 1, withoutTree(past.state, name));
    this.#dumps.onBegin = () => past.changes.length - 1;
    this.#dumps.onDumped = (file, tree, from) => {
      if (!this.isOver) past.dumped(file, tree.serial, from);
    };
    this.#dumps.onLoaded = (file, { tree }) => {
      const known = past.dumps.find((dump) => dump.file === file);
      const fault = known && faultOfDump(known, countersOf(tree));
      if (fault) this.fail(fault);
    };
  }

  #lose(error: Error): void {
    if (this.isOver) return;
    this.lost = error;
    if (this.isCalm) this.fail(`The log was lost: ${error.message}`);
    this.onMoment("lost");
  }

  /**
   * Carries out a request; a reply that takes time is waited for later. `check` tells what is wrong
   * with the reply, or with the line that it makes; null: nothing.
   */
  execute(line: string, check: (reply: Reply, answer: string) => string | null): void {
    const request = new Request();
    const reply = new Reply();
    const bytes = new TextEncoder().encode(line);
    this.engine.beginTurn();
    if (!this.#dialect.decode(lineOf(bytes), "v1", request, reply)) {
      return this.fail(`${line}: ${reply.text}`);
    }
    const { length } = this.past.changes;
    const before = this.past.changes[length - 1];
    this.#lines.set(request, line);
    this.engine.execute(request, reply);
    const answered = () => {
      if (this.isOver) return;
      const out = new SendBuffer(256);
      if (reply.walk === null && reply.days === null) {
        writeWhole(this.#dialect, request, reply, out);
      }
      const answer = new TextDecoder().decode(out.view(0)).trimEnd();
      const fault = check(reply, answer);
      if (fault !== null) this.fail(`${line}: ${fault}`);
    };
    if (reply.pending === null) {
      const fault = this.#faultOfNothing(reply, before, this.past.changes.length - length);
      if (fault !== null) this.fail(`${line}: ${reply.code}, and ${fault}`);
      return answered();
    }
    this.pending++;
    reply.pending.then(() => {
      this.pending--;
      answered();
      this.settle();
    }, (error) => this.fail(`${line}: ${error.stack}`));
  }

  /** What fails, or was done before, changes nothing. */
  #faultOfNothing(reply: Reply, before: Change, changes: number): string | null {
    if (reply.code === null && reply.isRepeated !== true || changes === 0) return null;
    if (reply.code === "storage_full" || reply.isRepeated) return `there were ${changes} changes`;
    const { state, dedup } = this.past;
    return dedup === before.dedup ? difference(before.state, state) : "the registry changed";
  }

  /** What a session does before it answers. */
  settle(): void {
    if (this.isOver) return;
    const { lsn } = this.log;
    const settled = this.engine.settled();
    if (settled === null) return this.#ack(lsn);
    settled.then(() => this.#ack(lsn));
  }

  #ack(lsn: number): void {
    if (this.isOver) return;
    this.past.ack(lsn, this.time.now);
    this.onMoment("ack");
  }

  /** Waits for all that is under way. */
  async finish(): Promise<void> {
    const end = this.time.now + PATIENCE_MS;
    while (this.pending > 0 && !this.isOver && this.fault === null) {
      await this.time.advance(20);
      if (this.time.now > end) this.fail(`${this.pending} requests are never answered`);
    }
    if (this.isOver || !this.isServing) return;
    const { state, dedup } = this.past;
    const wrong = difference(state, stateOf(this.forest)) ??
      registryDifference(dedup, registryOf(this.dedup), this.settings);
    if (wrong !== null) this.fail(`The state in memory: ${wrong}`);
  }
}
