// Karma inside the test's own process: its engine, log and dumps over a disk in memory and a clock
// that stands still until it is moved, and sessions whose connections are played by the test.
//
// Invariant: a session reads exactly the chunks that were pushed, one a read, and its writes are
// taken in odd parts, so that neither side may count on how TCP cuts. Trade-off: what the operating
// system does (sockets, files, signals) is not here; tests/integration has that.

import { Budget } from "../../lib/bytes/budget.ts";
import { Access } from "../../lib/command/access.ts";
import { codecMaker } from "../../lib/protocol/codec.ts";
import type { Envelope } from "../../lib/protocol/protocol.ts";
import { JsonReplyWriter } from "../../lib/protocol/json/response.ts";
import { DedupStore } from "../../lib/dump/dedup_store.ts";
import { DumpStore } from "../../lib/dump/store.ts";
import { encodeCatalog } from "../../lib/state/catalog.ts";
import { Archive } from "../../lib/recovery/archive.ts";
import { Checkpointer } from "../../lib/recovery/checkpointer.ts";
import { Engine } from "../../lib/engine/engine.ts";
import {
  checkBeside,
  type CheckReport,
  HOLLOW_LIMITS,
  type Opening,
} from "../../lib/recovery/integrity_check.ts";
import { StateWriter } from "../../lib/state/state_writer.ts";
import { Recovery } from "../../lib/recovery/recovery.ts";
import { Statistics } from "../../lib/metrics/statistics.ts";
import { FrozenDisk } from "../../lib/recovery/frozen_disk.ts";
import { HostClock } from "../../lib/host/clock.ts";
import type { Calendar } from "../../lib/host/time_zone.ts";
import { Wal } from "../../lib/wal/wal.ts";
import type { WalOptions } from "../../lib/wal/hooks.ts";
import { AgeClock } from "../../lib/idempotency/age_clock.ts";
import { DedupState } from "../../lib/idempotency/dedup_state.ts";
import { BufferBound } from "../../lib/server/buffer_bound.ts";
import { ExchangePool } from "../../lib/server/exchange.ts";
import { Gate } from "../../lib/server/gate.ts";
import { Notices } from "../../lib/server/notices.ts";
import { TurnBudget } from "../../lib/server/turn_budget.ts";
import type { Connection } from "../../lib/server/connection.ts";
import { Session } from "../../lib/server/session.ts";
import { Forest } from "../../lib/tree/forest.ts";
import { MemoryDisk } from "./memory_disk.ts";

const DIRECTORY = "/dumps";

/** The calendar of days that begin at midnight in Greenwich. */
const UTC = new HostClock("UTC");

/** What the command line's defaults are. */
const LIMITS = {
  queryTimeoutMs: 1000,
  replyBytesMax: 1 << 20,
  streamsMax: 1000,
  stagedItemsMax: 10_000_000,
  dumpsKept: 5,
  retentionDays: 0,
  memoryBytesMax: Infinity,
  batchItemsMax: 10_000,
  protocols: new Set(["json" as const]),
  requestBytesMax: 1 << 20,
  requestTimeoutMs: 0,
  readTimeoutMs: 0,
  writeTimeoutMs: 0,
  idempotencyRecordsMax: 1_000_000,
  idempotencyBytesMax: Infinity,
  ageMaxSeconds: 604_800,
  streamsKeptMax: 1000,
  treesMax: 1_000_000,
};

/** Longer than any timer of a session that is not refused. */
const TIMERS_MS = 20;

/** The most that a connection takes at once: prime, so that cuts fall everywhere. */
const WRITE_BYTES_MAX = 4099;

const encoder = new TextEncoder();

export interface LocalOptions extends Partial<WalOptions>, Partial<typeof LIMITS> {
  /** Whether counts go into the log. */
  readonly wal?: boolean;
  /** The tokens, of everything and of reading. */
  readonly token?: string;
  readonly readToken?: string;
  /** When days begin; at midnight in Greenwich. */
  readonly calendar?: Calendar;
}

export class LocalKarma {
  readonly disk: MemoryDisk;
  /** What was told to the operator. */
  readonly log: string[] = [];
  /** Likewise of dumps that were made. */
  readonly dumped: string[] = [];
  readonly forest: Forest;
  readonly dedup: DedupState;
  /** Set by `start`. */
  engine!: Engine;
  checkpointer!: Checkpointer;
  wal!: Wal;
  readonly #options: LocalOptions;
  readonly #limits: typeof LIMITS;
  readonly #clock: { now(): number; today(): number };
  readonly #dumps: DumpStore;
  readonly #dedupStore: DedupStore;
  readonly #exchanges: ExchangePool;
  readonly gate: Gate;
  readonly #bound = new BufferBound(1 << 30);
  #turnBudget!: TurnBudget;
  /** The time, as milliseconds since 1970, and the day, as YYYYMMDD; the test moves them. */
  now = Date.UTC(2026, 10, 22, 12);
  today = 20261122;
  /** Why a promise could not be kept: the real process would have ended. */
  lost: Error | null = null;

  constructor(disk = new MemoryDisk(DIRECTORY), options: LocalOptions = {}) {
    this.disk = disk;
    this.#options = options;
    this.#limits = { ...LIMITS, ...options };
    this.#clock = { now: () => this.now, today: () => this.today };
    this.forest = new Forest(new Budget(this.#limits.memoryBytesMax), this.#limits.treesMax);
    const tell = (line: string) => (line.startsWith("Dumped ") ? this.dumped : this.log).push(line);
    const { dumpsKept, batchItemsMax, replyBytesMax } = this.#limits;
    const makeTree = (name: string) => this.forest.makeTree(name);
    this.#dumps = new DumpStore(DIRECTORY, this.disk, this.#clock, dumpsKept, tell, makeTree);
    this.dedup = new DedupState(this.#limits, this.forest.budget);
    this.#dedupStore = new DedupStore(DIRECTORY, disk, this.#clock);
    const access = new Access(options.token ?? null, options.readToken ?? null);
    this.gate = new Gate(access, 0, new Notices(tell));
    this.#exchanges = new ExchangePool(
      codecMaker({ access, itemsMax: batchItemsMax, replyBytesMax }),
    );
  }

  /** What Karma does at start, and ready to serve. */
  static async start(disk?: MemoryDisk, options?: LocalOptions): Promise<LocalKarma> {
    const karma = new LocalKarma(disk, options);
    await karma.start();
    return karma;
  }

  /** Goes from the disk's state on, unless told to begin with an empty one. */
  async start(restore = true): Promise<void> {
    const { forest, disk } = this;
    const tell = (line: string) => (line.startsWith("Dumped ") ? this.dumped : this.log).push(line);
    const dedupStore = this.#dedupStore;
    const { dedup } = this;
    const clock = this.#clock;
    const dumps = this.#dumps;
    const recovery = new Recovery(DIRECTORY, disk, dumps, forest, dedupStore, dedup, clock);
    if (restore) await recovery.read();
    const position = restore ? await recovery.settle(tell) : await recovery.startEmpty(tell);
    const { policy = "no", segmentBytes = 1 << 26, bytesMax = 1 << 30, wal = true } = this.#options;
    this.wal = new Wal(DIRECTORY, { policy, segmentBytes, bytesMax }, position, disk, {
      catalog: (lsn) => encodeCatalog(forest, dedup, lsn),
      onLarge: () => this.checkpointer.shorten(),
      lost: (error) => this.lost = error,
      tell,
    });
    this.wal.begin();
    await this.wal.sync();
    const stateWriter = new StateWriter(forest, dedup, this.wal, wal);
    this.checkpointer = new Checkpointer(
      forest,
      dumps,
      this.wal,
      stateWriter,
      dedupStore,
      dedup,
      tell,
    );
    const { checkpointer } = this;
    const parts = {
      forest,
      dedup,
      stateWriter,
      wal: this.wal,
      dumps,
      dedupStore,
      checkpointer,
      clock,
    };
    const { calendar = UTC } = this.#options;
    const statistics = new Statistics();
    const outside = {
      ages: new AgeClock(() => this.now, () => this.now),
      calendar,
      statistics,
      memoryBytes: () => 0,
      replyWriter: new JsonReplyWriter(),
      examine: () => this.examine(),
      archive: () => Archive.ofLog(disk, DIRECTORY, dumps, this.wal),
    };
    this.engine = new Engine({ ...parts, ...outside }, this.#limits, tell);
    this.#turnBudget = new TurnBudget(this.engine.statistics);
  }

  /** Examines what another start would find now. */
  examine(): Promise<CheckReport> {
    const clock = this.#clock;
    const open: Opening = (disk, forest) => {
      const dedupStore = new DedupStore(DIRECTORY, disk, clock);
      const makeTree = (name: string) => forest.makeTree(name);
      const dumps = new DumpStore(DIRECTORY, disk, clock, 0, () => {}, makeTree);
      const dedup = new DedupState({ ...this.#limits, ...HOLLOW_LIMITS });
      const recovery = new Recovery(DIRECTORY, disk, dumps, forest, dedupStore, dedup, clock);
      return { dumps, recovery };
    };
    return checkBeside(open, this.forest, () => FrozenDisk.of(this.disk, DIRECTORY, this.wal));
  }

  /** Puts a file into the directory of dumps. */
  put(file: string, bytes: Uint8Array): void {
    this.disk.put(`${DIRECTORY}/${file}`, bytes);
  }

  /** The bytes of a file in the directory of dumps. */
  bytesOf(file: string): Uint8Array<ArrayBuffer> {
    return this.disk.bytesOf(`${DIRECTORY}/${file}`);
  }

  /** The names of the files in the directory of dumps, without those of the log and the registry. */
  async files(): Promise<string[]> {
    const files = await this.disk.list(DIRECTORY);
    return files.filter((file) => !/\.(wal|registry)$/.test(file));
  }

  /** A client's end of a new session. */
  connect(): LocalClient {
    const client = new LocalClient();
    client.done = this.serve(client.connection);
    return client;
  }

  /** Serves a connection of the test's until it ends. */
  serve(connection: Connection, envelope: Envelope | null = null): Promise<void> {
    return this.session(connection, envelope).run();
  }

  session(connection: Connection, envelope: Envelope | null): Session {
    return new Session(
      connection,
      this.engine,
      this.#exchanges,
      this.#turnBudget,
      this.#limits,
      this.gate,
      this.#bound,
      envelope,
    );
  }

  /** Waits for the timers of sessions, which must not outlive a test. */
  static async timersDone(): Promise<void> {
    await new Promise((done) => setTimeout(done, TIMERS_MS));
  }
}

export class LocalClient {
  readonly #chunks: Uint8Array[] = [];
  #text = "";
  #ended = false;
  #wake = () => {};
  #heard = () => {};
  /** Resolves when the session has ended. */
  done: Promise<void> = Promise.resolve();

  readonly connection: Connection = {
    read: (into) => this.#read(into),
    write: (bytes) => {
      const part = bytes.subarray(0, WRITE_BYTES_MAX);
      this.#text += latin1(part);
      this.#heard();
      return Promise.resolve(part.length);
    },
    closeWrite: () => Promise.resolve(),
    close: () => {
      this.#ended = true;
      this.#wake();
      this.#heard();
    },
  };

  /** Sends bytes that will come in one read, if there is room for them. */
  push(chunk: string | Uint8Array): void {
    const bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
    if (bytes.length > 0) this.#chunks.push(bytes);
    this.#wake();
  }

  /** Tells the session that no more will come, and waits for its end. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#wake();
    await this.done;
  }

  /** The next line, without its CR LF; "" when the session ends before. */
  async line(): Promise<string> {
    let end: number;
    while ((end = this.#text.indexOf("\r\n")) < 0) {
      if (this.#ended) return "";
      await new Promise<void>((resolve) => this.#heard = resolve);
    }
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 2);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytesOf(line));
  }

  /** Sends a line whole and returns the one that answers it. */
  ask(request: Record<string, unknown>): Promise<string> {
    this.push(`${JSON.stringify(request)}\n`);
    return this.line();
  }

  async #read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const chunk = this.#chunks[0];
    const count = Math.min(chunk.length, into.length);
    into.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    return count;
  }
}

/** Bytes as a text of as many characters: writes are cut anywhere, also within a character. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
