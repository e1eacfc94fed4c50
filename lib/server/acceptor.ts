// The acceptor: takes connections, starts their sessions, and ends them all when Karma stops.
//
// Invariant: whatever happens to one connection, or to the process's file descriptors, the others
// are served and the loop goes on. When descriptors run out, newcomers are refused from then on
// below that number, so that some stay free for dumps; `spares` are held for that first moment.

import { assert } from "../assert.ts";
import { SendBuffer } from "../bytes/send_buffer.ts";
import { Reply } from "../command/reply.ts";
import { Request } from "../command/request.ts";
import { Access } from "../command/access.ts";
import { Interpreter } from "../dialect/interpreter.ts";
import { Known } from "../dialect/members.ts";
import type { Backend } from "../engine/backend.ts";
import { sentenceOf } from "../errors.ts";
import { nextTurn, sleep } from "../host/clock.ts";
import { ExchangePool } from "./exchange.ts";
import { TurnCounter } from "./fairness.ts";
import { type Connection, Session, type SessionLimits } from "./session.ts";

export interface Listener {
  accept(): Promise<Connection & { setNoDelay(noDelay: boolean): void }>;
  close(): void;
}

/** Something that holds a file descriptor. */
export interface Spare {
  close(): void;
}

export interface AcceptorOptions extends SessionLimits {
  readonly connectionsMax: number;
  readonly noDelay: boolean;
  readonly access: Access;
  readonly batchItemsMax: number;
  /** Of protocol v2; 0: no limit. */
  readonly replyBytesMax: number;
}

/** How often a session is looked at while Karma stops: one that sent nothing meanwhile is done. */
const DRAIN_STEP_MS = 20;

/** When sessions that never pause are cut, between two of their reads if they get there. */
const DRAIN_MS_MAX = 1000;

/** How often sessions are looked at for clients that keep them waiting. */
const EXPIRE_MS = 250;

/** Before accepting is tried again after a failure that no spare descriptor can help. */
const RETRY_MS = 100;

export class Acceptor {
  readonly #listener: Listener;
  #backend: Backend;
  readonly #options: AcceptorOptions;
  readonly #spares: Spare[];
  readonly #log: (line: string) => void;
  readonly #sessions = new Set<Session>();
  readonly #exchanges: ExchangePool;
  readonly #turns: TurnCounter;
  #connectionsMax: number;
  #stopping = false;

  constructor(
    listener: Listener,
    backend: Backend,
    options: AcceptorOptions,
    spares: Spare[],
    log: (line: string) => void,
  ) {
    this.#listener = listener;
    this.#backend = backend;
    this.#turns = new TurnCounter(backend.statistics);
    this.#options = options;
    this.#connectionsMax = options.connectionsMax;
    this.#spares = spares;
    this.#log = log;
    const { access, batchItemsMax, replyBytesMax } = options;
    const known = new Known();
    this.#exchanges = new ExchangePool(() => {
      return new Interpreter(access, batchItemsMax, replyBytesMax, known);
    });
  }

  /** Accepts connections until `stop`. */
  async run(): Promise<void> {
    const { requestTimeoutMs, readTimeoutMs, writeTimeoutMs } = this.#options;
    const expiring = requestTimeoutMs + readTimeoutMs + writeTimeoutMs > 0
      ? setInterval(() => this.#expire(), EXPIRE_MS)
      : 0;
    await this.#acceptAll();
    clearInterval(expiring);
  }

  async #acceptAll(): Promise<void> {
    while (!this.#stopping) {
      try {
        this.#welcome(await this.#listener.accept());
      } catch (error) {
        if (this.#stopping) return;
        // A newcomer that has gone again before it was accepted is an error too, and nobody's.
        if (isExhaustion(error)) await this.#exhausted(error);
        else await nextTurn();
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
    this.#stopping = true;
    this.#listener.close();
    const reads = new Map<Session, number>();
    for (
      let waited = 0;
      this.#sessions.size > 0 && waited < DRAIN_MS_MAX;
      waited += DRAIN_STEP_MS
    ) {
      await sleep(DRAIN_STEP_MS);
      for (const session of this.#sessions) {
        if (session.idle && reads.get(session) === session.reads) session.close();
        reads.set(session, session.reads);
      }
    }
    for (const session of this.#sessions) session.close();
  }

  #expire(): void {
    const now = performance.now();
    for (const session of this.#sessions) session.expire(now);
  }

  #welcome(connection: Connection & { setNoDelay(noDelay: boolean): void }): void {
    if (this.#sessions.size >= this.#connectionsMax) return refuse(connection);
    try {
      if (this.#options.noDelay) connection.setNoDelay(true);
    } catch {
      return connection.close(); // it has gone already
    }
    const session = new Session(
      connection,
      this.#backend,
      this.#exchanges,
      this.#turns,
      this.#options,
    );
    const { statistics } = this.#backend;
    this.#sessions.add(session);
    statistics.connections++;
    session.run().finally(() => {
      this.#sessions.delete(session);
      statistics.connections--;
    });
  }

  /** There are no descriptors left. */
  async #exhausted(error: unknown): Promise<void> {
    const spare = this.#spares.length > 0;
    if (spare) {
      this.#connectionsMax = Math.max(1, Math.min(this.#connectionsMax, this.#sessions.size));
      this.#log(
        `Connection could not be accepted: ${sentenceOf(error)}; ` +
          `from now on at most ${this.#connectionsMax} are taken`,
      );
    }
    for (const held of this.#spares.splice(0)) held.close();
    if (!spare) await sleep(RETRY_MS);
  }
}

/** Whether the process (EMFILE, 24) or the system (ENFILE, 23) has no descriptors left. */
function isExhaustion(error: unknown): boolean {
  return /os error 2[34]\b/.test(sentenceOf(error));
}

const REFUSAL = (() => {
  const reply = new Reply();
  const out = new SendBuffer(128);
  reply.fail("too_many_connections", "Too many connections");
  new Interpreter(new Access(null, null), 0, 0).encode(new Request(), reply, out);
  return out.bytes.slice(0, out.length);
})();

/** Tells a client that there is no room, and closes. */
function refuse(connection: Connection): void {
  connection.write(REFUSAL).catch(() => {}).finally(() => connection.close());
}
