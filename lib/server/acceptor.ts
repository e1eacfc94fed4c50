// The acceptor: takes connections, starts their sessions, and ends them all when Karma stops.
//
// Invariant: whatever happens to one connection, or to the process's file descriptors, the others
// are served and the loop goes on. When descriptors run out, those that are kept back are freed for dumps,
// and no more connections are taken than there are then; once a second it is tried whether there are
// enough again.

import { assert } from "../assert.ts";
import { Budget, BufferPool } from "../bytes/mod.ts";
import type { Access } from "../command/mod.ts";
import type { Backend } from "./backend.ts";
import { nextTurn, sleep } from "../host/mod.ts";
import { codecMaker, errorLine } from "../protocol/mod.ts";
import { sentenceOf } from "../errors.ts";
import { BufferBound } from "./buffer_bound.ts";
import type { Descriptors } from "./descriptors.ts";
import { drain, HOST_LOOP } from "./drain.ts";
import { ExchangePool } from "./exchange.ts";
import { TurnBudget } from "./turn_budget.ts";
import { addressOf, Gate } from "./gate.ts";
import { Notices } from "./notices.ts";
import type { Connection, SessionLimits } from "./connection.ts";
import { Session } from "./session.ts";

/** What the acceptor needs of a TCP connection. */
export interface Newcomer extends Connection {
  setNoDelay(noDelay: boolean): void;
  setKeepAlive(keepAlive: boolean): void;
}

interface Listener {
  accept(): Promise<Newcomer>;
  close(): void;
}

export interface AcceptorOptions extends SessionLimits {
  readonly connectionsMax: number;
  readonly noDelay: boolean;
  /** Whether the system is to find out which clients have vanished. */
  readonly keepAlive: boolean;
  readonly access: Access;
  /** How long a connection may stay without a right token; 0: no limit. */
  readonly authTimeoutMs: number;
  readonly batchItemsMax: number;
  /** Of the buffers of all connections. */
  readonly bufferBytesMax: number;
  /** Of protocol v2; 0: no limit. */
  readonly replyBytesMax: number;
}

/** How long newcomers are accepted when Karma stops: several are in each turn. */
const ACCEPT_TURNS = 10;

/** How often sessions are looked at for clients that keep them waiting, and what else waits for a time. */
const TICK_MS = 250;

/** What taking a connection costs, in bytes' worth of work: some 60 µs. */
const ACCEPT_WORK = 8192;

/** So many are taken at once before others have their turn: of 500 that came together, all were. */
const ACCEPTS_A_TURN = 16;

/** Before accepting is tried again after a failure that may last. */
const RETRY_MS = 100;

/** How often it is tried whether there are descriptors again. */
const RECOVER_MS = 1000;

const NOT_ACCEPTED = "Connection could not be accepted";
const REFUSED = "Connection refused";

export class Acceptor {
  readonly #listener: Listener;
  #backend: Backend;
  readonly #options: AcceptorOptions;
  readonly #descriptors: Descriptors;
  readonly #notices: Notices;
  readonly #gate: Gate;
  readonly #bound: BufferBound;
  readonly #sessions = new Set<Session>();
  readonly #exchanges: ExchangePool;
  readonly #turnBudget: TurnBudget;
  /** As many as are there may stay: there were no descriptors for more. Infinity: there are enough. */
  #affordable = Infinity;
  /** When that was looked at last. */
  #lookedAt = 0;
  #stopping = false;

  constructor(
    listener: Listener,
    backend: Backend,
    options: AcceptorOptions,
    descriptors: Descriptors,
    log: (line: string) => void,
    budget = new Budget(),
  ) {
    this.#listener = listener;
    this.#backend = backend;
    this.#turnBudget = new TurnBudget(backend.statistics);
    this.#options = options;
    this.#descriptors = descriptors;
    this.#notices = new Notices(log);
    const { access, batchItemsMax, replyBytesMax } = options;
    this.#gate = new Gate(access, options.authTimeoutMs, this.#notices);
    const pool = new BufferPool(budget);
    const codec = codecMaker({ access, itemsMax: batchItemsMax, replyBytesMax });
    this.#exchanges = new ExchangePool(codec, pool);
    this.#bound = new BufferBound(options.bufferBytesMax, pool, () => this.#exchanges.trim());
  }

  /** Accepts connections until `stop`. */
  async run(): Promise<void> {
    const ticking = setInterval(() => this.#tick(), TICK_MS);
    await this.#acceptAll();
    clearInterval(ticking);
  }

  async #acceptAll(): Promise<void> {
    for (let accepted = 1; !this.#stopping; accepted++) {
      try {
        this.#welcome(await this.#listener.accept());
        this.#turnBudget.spend(ACCEPT_WORK);
        if (accepted % ACCEPTS_A_TURN === 0) await this.#turnBudget.giveWay();
      } catch (error) {
        if (this.#stopping) return;
        await this.#failed(error);
      }
    }
  }

  /** Lets another backend, with the same statistics, carry out the requests to come. */
  serve(backend: Backend): void {
    assert(backend.statistics === this.#backend.statistics, "backends share their statistics");
    backend.beginTurn(); // some sessions may be in the midst of a turn
    this.#backend = backend;
    for (const session of this.#sessions) session.serve(backend);
  }

  /** Stops accepting, lets every session answer what has arrived, and closes them all. */
  async stop(): Promise<void> {
    // Who was connected by now is accepted: the system had its requests, too.
    for (let turn = 0; turn < ACCEPT_TURNS; turn++) await nextTurn();
    this.#stopping = true;
    this.#listener.close();
    await drain(this.#sessions, HOST_LOOP);
  }

  /** What is to be done a few times a second. */
  #tick(): void {
    const now = performance.now();
    const { requestTimeoutMs, readTimeoutMs, writeTimeoutMs } = this.#options;
    if (requestTimeoutMs + readTimeoutMs + writeTimeoutMs > 0) {
      for (const session of this.#sessions) session.expire(now);
    }
    this.#gate.expire(now);
    this.#notices.tick(now);
    this.#bound.tick(now);
    if (this.#affordable === Infinity || now - this.#lookedAt < RECOVER_MS) return;
    this.#lookedAt = now;
    if (this.#descriptors.recover()) this.#affordable = Infinity;
  }

  #welcome(connection: Newcomer): void {
    const connectionsMax = Math.min(this.#options.connectionsMax, this.#affordable);
    if (this.#sessions.size >= connectionsMax && !this.#gate.makeRoom(performance.now())) {
      const detail = `${addressOf(connection)}; ${this.#sessions.size} are open`;
      this.#notices.note(REFUSED, detail);
      return refuse(connection);
    }
    try {
      if (this.#options.noDelay) connection.setNoDelay(true);
      if (this.#options.keepAlive) connection.setKeepAlive(true);
    } catch {
      return connection.close(); // it has gone already
    }
    const session = new Session(
      connection,
      this.#backend,
      this.#exchanges,
      this.#turnBudget,
      this.#options,
      this.#gate,
      this.#bound,
    );
    const { statistics } = this.#backend;
    this.#sessions.add(session);
    statistics.connections++;
    session.run().finally(() => {
      this.#sessions.delete(session);
      statistics.connections--;
    });
  }

  /** A connection could not be accepted. */
  async #failed(error: unknown): Promise<void> {
    if (isOfOne(error)) return await nextTurn();
    this.#notices.note(NOT_ACCEPTED, this.#cause(error));
    // Freed for dumps, and for telling newcomers that there is no room.
    const isHelped = isExhaustion(error) && this.#descriptors.release();
    if (!isHelped) await sleep(RETRY_MS);
  }

  /** What keeps connections from being accepted; if it is a lack of descriptors, no more are taken. */
  #cause(error: unknown): string {
    if (!isExhaustion(error)) return sentenceOf(error);
    this.#affordable = Math.max(1, this.#sessions.size);
    this.#lookedAt = performance.now();
    return `${sentenceOf(error)}; for now at most ${this.#affordable} are taken`;
  }
}

/**
 * Whether only the connection that was to be accepted has failed: its client has gone again, or its
 * network has. Others wait behind it, so nothing is waited for. ENOTCONN (107) comes from a client that
 * resets its connection at once, as health checks of load balancers do: the runtime asks for its address
 * right after accept(2), which names the other errors of this kind.
 */
function isOfOne(error: unknown): boolean {
  return /os error (64|71|92|95|100|101|103|104|107|112|113)\b/.test(sentenceOf(error));
}

/** Whether the process (EMFILE, 24) or the system (ENFILE, 23) has no descriptors left. */
function isExhaustion(error: unknown): boolean {
  return /os error 2[34]\b/.test(sentenceOf(error));
}

const REFUSAL = errorLine("too_many_connections", "Too many connections");

/** Tells a client that there is no room, and closes. */
function refuse(connection: Connection): void {
  connection.write(REFUSAL).catch(() => {}).finally(() => connection.close());
}
