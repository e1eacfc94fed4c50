// An HTTP session: a connection whose first line was a request line of HTTP. Its bytes are relayed to a server of the
// runtime and back, and each request that this reads is carried out by a session of its own.
//
// Invariant: the connection is one of the acceptor's like all others: it counts, and is drained, cut and expired as
// they are. Of what the client sends no more lies here than one read. A head without an end, a request whose rest does
// not come and a connection without requests are bounded in bytes or time.
// Trade-off: what lies in the runtime and in the kernel's buffers between the two is not counted as memory; it is
// bounded by HEAD_BYTES_MAX and by the system.

import { AssertionFailed } from "../../assert.ts";
import type { BufferPool } from "../../bytes/mod.ts";
import { HostError } from "../../errors.ts";
import { type HttpServer, type HttpServers, nextTurn, sleep } from "../../host/mod.ts";
import type { Envelope } from "../../protocol/mod.ts";
import type { Backend } from "../backend.ts";
import type { Connection, SessionLimits } from "../connection.ts";
import { Activity, type Leaver } from "../drain.ts";
import { UNAVAILABLE } from "../foreign.ts";
import type { Gate, Stranger } from "../gate.ts";
import type { Session } from "../session.ts";
import { CALL_WORK, type TurnBudget } from "../turn_budget.ts";
import type { BodyConnection } from "./body_connection.ts";
import type { Asker, Handler } from "./handler.ts";

/** What is relayed at once. A read that fills it makes it larger; idle connections keep the smaller size. */
const RELAY_BYTES_MIN = 4096;
const RELAY_BYTES_MAX = 65536;

/**
 * The most bytes that are forwarded before the runtime has understood a request, twice what servers commonly allow a
 * head, and how many turns of the loop it has for that.
 */
const HEAD_BYTES_MAX = 16384;
const HEAD_TURNS = 64;

/** What a request takes beside its session, in bytes' worth of work: some 30 µs. */
const REQUEST_WORK = 4096;

/** How long a connection may stay without a request: longer than load balancers keep theirs (60 s). */
const KEEP_ALIVE_MS = 75_000;

/** How long a client whose server has ended may keep sending. */
const LINGER_MS = 1000;

/** How often it is looked whether all is answered that a client asked before it ended its side. */
const LOOK_MS = 20;

/** What the sessions of HTTP share. */
export interface HttpShared {
  readonly servers: HttpServers;
  readonly handler: Handler;
  readonly limits: SessionLimits;
  readonly gate: Gate;
  readonly turnBudget: TurnBudget;
  readonly pool: BufferPool;
  /** Notes that a client could not be served. */
  failed(error: HostError, connection: Connection): void;
  /** Makes the session of a request. */
  session(connection: Connection, envelope: Envelope): Session;
}

export class HttpSession implements Asker, Stranger, Leaver {
  readonly #connection: Connection;
  readonly #shared: HttpShared;
  /** Those of the requests that are carried out. */
  readonly #sessions = new Set<Session>();
  #server: HttpServer | null = null;
  /** The work that it has had, which its requests go on from. */
  #tag = 0;
  /** Bytes that have come since a request was understood, since when they wait, and when something was sent last. */
  #unheardBytes = 0;
  #unheardSince = 0;
  #quietSince: number;
  /** Since when a write waits for the client; 0: none does. */
  #writeSince = 0;
  #isStranger: boolean;
  /** Whether nothing more is forwarded. */
  #isOver = false;
  #isClosed = false;
  #lingering: ReturnType<typeof setTimeout> | undefined;
  readonly activity = new Activity();
  readonly since: number;

  /** `since`: when the client came. */
  constructor(connection: Connection, since: number, shared: HttpShared) {
    this.#connection = connection;
    this.#shared = shared;
    this.since = this.#quietSince = since;
    this.#isStranger = !shared.gate.isOpen;
    if (this.#isStranger) shared.gate.enter(this);
  }

  get remoteAddr(): object | undefined {
    return this.#connection.remoteAddr;
  }

  get idle(): boolean {
    if (this.#writeSince > 0) return false;
    for (const session of this.#sessions) if (!session.idle) return false;
    return true;
  }

  get isTalking(): boolean {
    if (this.#writeSince > 0) return true;
    for (const session of this.#sessions) if (!session.isTalking) return false;
    return true;
  }

  /** Serves the client, of which `first` came already, until it leaves or `close`. */
  async run(first: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      const server = await this.#open();
      if (server === null || this.#isClosed) return;
      await Promise.all([this.#send(server.wire), this.#receive(server.wire, first)]);
    } catch (error) {
      if (error instanceof AssertionFailed) throw error; // the connection may fail at any time
    } finally {
      this.close();
    }
  }

  /** Opens a server; if the host has no room for one, tells the client and returns null. */
  async #open(): Promise<HttpServer | null> {
    try {
      return this.#server = await this.#shared.servers.open((request) => this.#handle(request));
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#shared.failed(error, this.#connection);
      await this.#connection.write(UNAVAILABLE);
      return null;
    }
  }

  /** Lets a session carry out what a request brings. */
  ask(connection: BodyConnection, envelope: Envelope): void {
    const session = this.#shared.session(connection, envelope);
    session.tag = this.#tag;
    this.#sessions.add(session);
    session.run().finally(() => {
      this.#tag = Math.max(this.#tag, session.tag);
      this.#sessions.delete(session);
      this.#quietSince = performance.now();
      if (this.#isStranger && !session.isStranger) this.authenticate();
    });
  }

  /** One of its requests has shown a right token. */
  authenticate(): void {
    this.#isStranger = false;
    this.#shared.gate.leave(this);
  }

  /** Lets another backend carry out what is asked. */
  serve(backend: Backend): void {
    for (const session of this.#sessions) session.serve(backend);
  }

  /** Ends the connection when all that was read is answered. */
  dismiss(): void {
    for (const session of this.#sessions) session.dismiss();
    this.#server?.stop();
  }

  /** Cuts the connection. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#lingering);
    if (this.#isStranger) this.#shared.gate.leave(this);
    for (const session of this.#sessions) session.close();
    this.#server?.close();
    this.#connection.close();
  }

  /** Cuts the connection if its client has kept it waiting for too long, or has nothing to ask. */
  expire(now: number): void {
    const { requestTimeoutMs, readTimeoutMs, writeTimeoutMs } = this.#shared.limits;
    for (const session of this.#sessions) session.expire(now);
    const isOver = (since: number, ms: number) => ms > 0 && since > 0 && now - since > ms;
    if (isOver(this.#writeSince, writeTimeoutMs)) return this.close();
    if (this.#sessions.size > 0) return;
    if (isOver(this.#unheardSince, requestTimeoutMs)) return this.close();
    const keepAliveMs = readTimeoutMs > 0 ? Math.min(readTimeoutMs, KEEP_ALIVE_MS) : KEEP_ALIVE_MS;
    if (this.#unheardBytes === 0 && isOver(this.#quietSince, keepAliveMs)) this.dismiss();
  }

  async #handle(request: Request): Promise<Response> {
    this.#unheardBytes = this.#unheardSince = 0;
    this.#shared.turnBudget.spend(REQUEST_WORK);
    this.#tag += REQUEST_WORK;
    try {
      return await this.#shared.handler.handle(request, this);
    } catch (error) {
      queueMicrotask(() => { // our mistake: the runtime would only make a response of it
        throw error;
      });
      throw error;
    }
  }

  /** Relays what the client sends. */
  async #receive(wire: HttpServer["wire"], first: Uint8Array<ArrayBuffer>): Promise<void> {
    const { turnBudget } = this.#shared;
    await this.#forward(wire, first);
    await this.#pump(async (space) => {
      const turn = turnBudget.giveWay();
      if (turn !== null) await turn;
      const count = await this.#connection.read(space);
      this.activity.noteRead(count ?? 0, space.length);
      turnBudget.read();
      return count;
    }, (bytes) => this.#forward(wire, bytes));
    // The runtime gives up a request whose client has ended its side, so it learns of that at the end.
    for (let calls = -1; !this.#isClosed && (calls !== this.activity.calls || !this.idle);) {
      calls = this.activity.calls;
      await sleep(LOOK_MS);
    }
    await wire.closeWrite().catch(() => {}); // it may have ended by itself
  }

  async #forward(wire: HttpServer["wire"], bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#unheardBytes += bytes.length;
    if (this.#unheardSince === 0) this.#unheardSince = performance.now();
    for (let turn = 0; this.#isUnheard && turn < HEAD_TURNS; turn++) await nextTurn();
    if (this.#isUnheard && !this.#isOver) {
      this.#isOver = true;
      this.dismiss();
    }
    if (this.#isOver) return;
    this.#shared.turnBudget.spend(CALL_WORK + (bytes.length >> 2));
    try {
      for (let at = 0; at < bytes.length;) at += await wire.write(bytes.subarray(at));
    } catch { /* the server has ended: what still comes is dropped */ }
  }

  /** Whether more has come than a head may have, and no request is carried out. */
  get #isUnheard(): boolean {
    return this.#unheardBytes > HEAD_BYTES_MAX && this.#sessions.size === 0;
  }

  /** Relays what the client is answered. */
  async #send(wire: HttpServer["wire"]): Promise<void> {
    const connection = this.#connection;
    await this.#pump((space) => wire.read(space), async (bytes) => {
      this.#writeSince = performance.now();
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
      this.#quietSince = performance.now();
      this.#writeSince = 0;
      this.activity.calls++;
      this.#shared.turnBudget.spend(CALL_WORK + (bytes.length >> 2));
    });
    await connection.closeWrite();
    if (!this.#isClosed) this.#lingering = setTimeout(() => this.close(), LINGER_MS);
  }

  /** Reads and passes on, with a buffer of the pool, until there is no more. */
  async #pump(
    read: (space: Uint8Array<ArrayBuffer>) => Promise<number | null>,
    pass: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
  ): Promise<void> {
    const { pool } = this.#shared;
    let space = pool.acquire(RELAY_BYTES_MIN);
    try {
      for (;;) {
        const count = await read(space);
        if (count === null) return;
        await pass(space.subarray(0, count));
        const isFull = count === space.length && space.length < RELAY_BYTES_MAX;
        const isLarge = count < RELAY_BYTES_MIN && space.length > RELAY_BYTES_MIN;
        if (!isFull && !isLarge) continue;
        pool.release(space);
        space = pool.acquire(isFull ? 2 * space.length : RELAY_BYTES_MIN);
      }
    } finally {
      pool.release(space);
    }
  }
}
