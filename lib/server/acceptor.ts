// The acceptor: accepts connections, starts their sessions, and ends them all at shutdown.
//
// Invariant: a failure of one connection, or a lack of file descriptors, never ends the accept loop
// or another session. When descriptors run out, the reserved ones are released for dumps, and the
// number of connections is capped at the current one; once a second the acceptor tries to reserve
// descriptors again and to lift the cap.

import { assert } from "../assert.ts";
import { Budget, BufferPool } from "../bytes/mod.ts";
import type { Access } from "../command/mod.ts";
import type { Backend } from "./backend.ts";
import { nextTurn, openHttpServer, sleep } from "../host/mod.ts";
import { codecMaker, type Envelope, errorLine } from "../protocol/mod.ts";
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
import type { HttpOptions } from "./http/admission.ts";
import { Handler } from "./http/handler.ts";
import { HttpSession, type HttpShared } from "./http/http_session.ts";

/** The part of a TCP connection that the acceptor uses. */
export interface Newcomer extends Connection {
  setNoDelay?(noDelay: boolean): void;
  setKeepAlive?(keepAlive: boolean): void;
}

interface Listener {
  accept(): Promise<Newcomer>;
  close(): void;
  /** Options of the acceptor; see docs/operations.md for those of the command line. */
}

export interface AcceptorOptions extends SessionLimits, HttpOptions {
  readonly connectionsMax: number;
  readonly noDelay: boolean;
  /** Whether TCP keep-alive is on, so that vanished clients are detected. */
  readonly keepAlive: boolean;
  readonly access: Access;
  /** How long a connection may stay unauthenticated, in ms; 0: no limit. */
  readonly authTimeoutMs: number;
  readonly batchItemsMax: number;
  /** Bound of the buffers of all connections together, in bytes. */
  readonly bufferBytesMax: number;
  /** Bound of a reply of protocol v2, in bytes; 0: no limit. */
  readonly replyBytesMax: number;
}

/** Turns of the event loop in which connections are still accepted at shutdown; each accepts several. */
const ACCEPT_TURNS = 10;

/** Interval of the checks for timeouts, and of other periodic work. */
const TICK_MS = 250;

/** Cost of accepting a connection, in work units (bytes): some 60 µs. */
const ACCEPT_WORK = 8192;

/** Connections accepted before other work gets its turn: of 500 that came together, all were accepted. */
const ACCEPTS_A_TURN = 16;

/** Delay before accepting again after a failure that may last. */
const RETRY_MS = 100;

/** How often the acceptor tries to reserve descriptors again. */
const RECOVER_MS = 1000;

const NOT_ACCEPTED = "Connection could not be accepted";
const REFUSED = "Connection refused";

/** Accepts connections, and owns their sessions and what the sessions share. */
export class Acceptor {
  readonly #listeners: readonly Listener[];
  #backend: Backend;
  readonly #options: AcceptorOptions;
  readonly #descriptors: Descriptors;
  readonly #notices: Notices;
  readonly #gate: Gate;
  readonly #bound: BufferBound;
  readonly #sessions = new Set<Session | HttpSession>();
  readonly #http: HttpShared;
  readonly #exchanges: ExchangePool;
  readonly #turnBudget: TurnBudget;
  /** Cap on connections while descriptors are short; Infinity: no cap. */
  #affordable = Infinity;
  /** When descriptors were last tried, in ms. */
  #lookedAt = 0;
  #stopping = false;

  constructor(
    listeners: readonly Listener[],
    backend: Backend,
    options: AcceptorOptions,
    descriptors: Descriptors,
    log: (line: string) => void,
    budget = new Budget(),
  ) {
    this.#listeners = listeners;
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
    this.#http = {
      open: openHttpServer,
      handler: new Handler(options, () => this.#busy()),
      limits: options,
      gate: this.#gate,
      turnBudget: this.#turnBudget,
      pool,
      failed: (error, connection) => {
        this.#notices.note(error.what, `${sentenceOf(error.cause)}; from ${addressOf(connection)}`);
      },
      session: (connection, envelope) => this.#session(connection, envelope),
    };
  }

  /** Accepts connections; resolves after `stop`. */
  async run(): Promise<void> {
    const ticking = setInterval(() => this.#tick(), TICK_MS);
    await Promise.all(this.#listeners.map((listener) => this.#acceptAll(listener)));
    clearInterval(ticking);
  }

  async #acceptAll(listener: Listener): Promise<void> {
    for (let accepted = 1; !this.#stopping; accepted++) {
      try {
        this.#welcome(await listener.accept());
        this.#turnBudget.spend(ACCEPT_WORK);
        if (accepted % ACCEPTS_A_TURN === 0) await this.#turnBudget.giveWay();
      } catch (error) {
        if (this.#stopping) return;
        await this.#failed(error);
      }
    }
  }

  /** Switches all sessions to another backend, which must share the statistics of the current one. */
  serve(backend: Backend): void {
    assert(backend.statistics === this.#backend.statistics, "backends share their statistics");
    backend.beginTurn(); // some sessions may be in the middle of a turn
    this.#backend = backend;
    for (const session of this.#sessions) session.serve(backend);
  }

  /** Stops accepting, lets every session answer the requests that have arrived, and closes them all. */
  async stop(): Promise<void> {
    // Connections that are established by now are accepted: the kernel may hold their requests.
    for (let turn = 0; turn < ACCEPT_TURNS; turn++) await nextTurn();
    this.#stopping = true;
    for (const listener of this.#listeners) listener.close();
    await drain(this.#sessions, HOST_LOOP);
  }

  /** Notes that a client came over TLS, and did not show what it must. */
  handshakeFailed(sentence: string, remoteAddr: object): void {
    this.#notices.note("TLS handshake failed", `${sentence}; from ${addressOf({ remoteAddr })}`);
  }

  /** Why requests are not carried out now; null: they are. */
  #busy(): string | null {
    if (this.#stopping) return "stopping";
    return this.#backend.isReady ? null : "loading";
  }

  /** Periodic work: timeouts, delayed notices, buffer trimming, recovery of descriptors. */
  #tick(): void {
    const now = performance.now();
    for (const session of this.#sessions) session.expire(now);
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
      if (this.#options.noDelay) connection.setNoDelay?.(true);
      if (this.#options.keepAlive) connection.setKeepAlive?.(true);
    } catch {
      return connection.close(); // the client has already disconnected
    }
    const { statistics } = this.#backend;
    statistics.connections++;
    this.#serve(connection).finally(() => statistics.connections--);
  }

  /** Serves a connection until it ends, in the protocol that its first line is in. */
  async #serve(connection: Newcomer): Promise<void> {
    const session = this.#session(connection);
    await this.#run(session, session.run());
    const { handedOver } = session;
    if (handedOver === null) return;
    const http = new HttpSession(connection, handedOver, this.#http);
    await this.#run(http, http.run());
  }

  async #run(session: Session | HttpSession, running: Promise<void>): Promise<void> {
    this.#sessions.add(session);
    try {
      await running;
    } finally {
      this.#sessions.delete(session);
    }
  }

  #session(connection: Connection, envelope: Envelope | null = null): Session {
    return new Session(
      connection,
      this.#backend,
      this.#exchanges,
      this.#turnBudget,
      this.#options,
      this.#gate,
      this.#bound,
      envelope,
    );
  }

  /** Handles a failure to accept. */
  async #failed(error: unknown): Promise<void> {
    if (isOfOne(error)) return await nextTurn();
    this.#notices.note(NOT_ACCEPTED, this.#cause(error));
    // Released descriptors serve dumps, and refusals of further connections.
    const isHelped = isExhaustion(error) && this.#descriptors.release();
    if (!isHelped) await sleep(RETRY_MS);
  }

  /** Returns the text for the operator's log; a lack of descriptors also caps the connections. */
  #cause(error: unknown): string {
    if (!isExhaustion(error)) return sentenceOf(error);
    this.#affordable = Math.max(1, this.#sessions.size);
    this.#lookedAt = performance.now();
    return `${sentenceOf(error)}; for now at most ${this.#affordable} are taken`;
  }
}

/**
 * Whether only the connection being accepted has failed, because its client or its network is gone.
 * Then the loop continues without a delay, since others wait behind it. ENOTCONN (107) comes from a
 * client that resets its connection at once, as health checks of load balancers do: the runtime asks
 * for the peer's address right after accept(2). The other codes are those that accept(2) documents.
 */
function isOfOne(error: unknown): boolean {
  return /os error (64|71|92|95|100|101|103|104|107|112|113)\b/.test(sentenceOf(error));
}

/** Whether the process (EMFILE, 24) or the system (ENFILE, 23) is out of descriptors. */
function isExhaustion(error: unknown): boolean {
  return /os error 2[34]\b/.test(sentenceOf(error));
}

const REFUSAL = errorLine("too_many_connections", "Too many connections");

/** Writes the error `too_many_connections` and closes. */
function refuse(connection: Connection): void {
  connection.write(REFUSAL).catch(() => {}).finally(() => connection.close());
}
