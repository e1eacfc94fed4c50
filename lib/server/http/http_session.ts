// An HTTP session: a connection whose first line was a request line of HTTP. Its bytes are relayed to a server of the
// runtime and back, and each request that this reads is carried out by a session of its own. Requests with heads that
// are known by then (channel.ts) are not relayed: one more session, which stays, carries them out.
//
// Invariant: the connection is one of the acceptor's like all others: it counts, and is drained, cut and expired as
// they are. Of what the client sends no more lies here than one read. A head without an end, a request whose rest does
// not come and a connection without requests are bounded in bytes or time.
// Trade-off: what lies in the runtime and in the kernel's buffers between the two is not counted as memory; it is
// bounded by HEAD_BYTES_MAX and by the system.

import { AssertionFailed } from "../../assert.ts";
import type { BufferPool } from "../../bytes/mod.ts";
import { HostError } from "../../errors.ts";
import { type HttpServer, nextTurn, type openHttpServer, sleep } from "../../host/mod.ts";
import type { Envelope } from "../../protocol/mod.ts";
import type { Backend } from "../backend.ts";
import type { Connection, SessionLimits } from "../connection.ts";
import { Activity, type Leaver } from "../drain.ts";
import { UNAVAILABLE } from "../foreign.ts";
import type { Gate } from "../gate.ts";
import type { Session } from "../session.ts";
import { CALL_WORK, type TurnBudget } from "../turn_budget.ts";
import type { BodyConnection } from "./body_connection.ts";
import { Channel, type ChannelOwner } from "./channel.ts";
import type { Asker, Handler } from "./handler.ts";
import type { Meaning } from "./known_heads.ts";

/** What is relayed at once of a response. A read that fills it makes it larger; idle connections keep the smaller size. */
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
  readonly open: typeof openHttpServer;
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

export class HttpSession implements Asker, ChannelOwner, Leaver {
  readonly #connection: Connection;
  readonly #shared: HttpShared;
  readonly #channel: Channel;
  /** That of requests with known heads, and those of all others that are carried out. */
  readonly #own: Session;
  readonly #sessions = new Set<Session>();
  #server: HttpServer | null = null;
  /** Bytes that have come since a request was understood, and how many were. */
  #unheardBytes = 0;
  #heard = 0;
  #isWriting = false;
  writing: Promise<void> | null = null;
  /** What `expire` has seen last, and when it saw it first. */
  #seen = "";
  #seenSince = 0;
  /** Whether nothing more is forwarded. */
  #isOver = false;
  #isClosed = false;
  #lingering: ReturnType<typeof setTimeout> | undefined;
  /** Resolves when the runtime answers no more. */
  #relayed = () => {};
  readonly #relaying = new Promise<void>((resolve) => this.#relayed = resolve);
  readonly activity = new Activity();

  /** `first`: what has come already. */
  constructor(connection: Connection, first: Uint8Array<ArrayBuffer>, shared: HttpShared) {
    this.#connection = connection;
    this.#shared = shared;
    this.#channel = new Channel(connection, this, first, shared.pool);
    this.#own = shared.session(this.#channel, this.#channel.envelope);
  }

  get remoteAddr(): object | undefined {
    return this.#connection.remoteAddr;
  }

  get idle(): boolean {
    if (this.#isWriting || !this.#own.idle) return false;
    for (const session of this.#sessions) if (!session.idle) return false;
    return true;
  }

  get isTalking(): boolean {
    if (this.#isWriting) return true;
    for (const session of this.#sessions) if (!session.isTalking) return false;
    return this.#own.isTalking;
  }

  /** Serves the client until it leaves or `close`. */
  async run(): Promise<void> {
    try {
      this.#server = await this.#open();
      if (this.#server === null) this.close();
      const relaying = this.#server === null ? null : this.#relay(this.#server.wire);
      await Promise.all([relaying, this.#own.run()]);
    } finally {
      this.close();
      this.#channel.release();
    }
  }

  /** Opens a server; if the host has no room for one, tells the client and returns null. */
  async #open(): Promise<HttpServer | null> {
    try {
      return await this.#shared.open((request) => this.#handle(request));
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
    session.tag = this.#own.tag;
    this.#sessions.add(session);
    session.run().finally(() => {
      this.#own.tag = Math.max(this.#own.tag, session.tag);
      this.#sessions.delete(session);
      if (this.#own.isStranger && !session.isStranger) this.#shared.gate.admit(this.#own);
    });
  }

  learn(meaning: Meaning, replyBytes: number): void {
    this.#channel.learn(meaning, replyBytes);
  }

  /** Lets another backend carry out what is asked. */
  serve(backend: Backend): void {
    this.#own.serve(backend);
    for (const session of this.#sessions) session.serve(backend);
  }

  /** Ends the connection when all that was read is answered. */
  dismiss(): void {
    for (const session of this.#sessions) session.dismiss();
    this.#own.dismiss();
    this.#server?.stop();
  }

  /** Cuts the connection. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#lingering);
    for (const session of this.#sessions) session.close();
    this.#own.close();
    this.#server?.close();
    this.#connection.close();
  }

  /** Cuts the connection if its client has kept it waiting for too long, or has nothing to ask. */
  expire(now: number): void {
    const { requestTimeoutMs, readTimeoutMs, writeTimeoutMs } = this.#shared.limits;
    for (const session of this.#sessions) session.expire(now);
    const isOver = (ms: number) => ms > 0 && now - this.#seenSince > ms;
    const isPart = this.#unheardBytes > 0 || this.#channel.isPart;
    if (this.#isWriting) {
      if (this.#isSince(now, "writes", this.activity.calls) && isOver(writeTimeoutMs)) this.close();
    } else if (this.#sessions.size > 0) {
      this.#seenSince = now; // that session looks for itself
    } else if (isPart) {
      if (
        this.#isSince(now, "part", this.#heard + this.#channel.reads) && isOver(requestTimeoutMs)
      ) this.close();
    } else if (this.#isSince(now, "idle", this.activity.calls)) {
      const idleMs = readTimeoutMs > 0 ? Math.min(readTimeoutMs, KEEP_ALIVE_MS) : KEEP_ALIVE_MS;
      if (isOver(idleMs)) this.dismiss();
    }
  }

  /** Whether it was seen like this before, and nothing has happened since; if not, it is from now on. */
  #isSince(now: number, what: string, count: number): boolean {
    const seen = `${what} ${count}`;
    if (seen === this.#seen) return true;
    this.#seen = seen;
    this.#seenSince = now;
    return false;
  }

  async #handle(request: Request): Promise<Response> {
    this.#unheardBytes = 0;
    this.#heard++;
    this.#shared.turnBudget.spend(REQUEST_WORK);
    this.#own.tag += REQUEST_WORK;
    this.#channel.hear();
    try {
      return await this.#shared.handler.handle(request, this);
    } catch (error) {
      queueMicrotask(() => { // our mistake: the runtime would only make a response of it
        throw error;
      });
      throw error;
    }
  }

  giveWay(): Promise<void> | null {
    return this.#shared.turnBudget.giveWay();
  }

  noteRead(count: number, space: number): void {
    this.activity.noteRead(count, space);
    this.#shared.turnBudget.read();
  }

  noteWrite(isOver: boolean): void {
    this.#isWriting = !isOver;
    this.activity.calls++;
  }

  async forward(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const wire = this.#server?.wire;
    if (wire === undefined) return; // there was no room for one
    this.#unheardBytes += bytes.length;
    if (this.#isOver) return;
    for (let turn = 0; this.#isUnheard && turn < HEAD_TURNS; turn++) await nextTurn();
    this.#isOver = this.#isUnheard;
    if (this.#isOver) return this.dismiss();
    this.#shared.turnBudget.spend(CALL_WORK + (bytes.length >> 2));
    try {
      for (let at = 0; at < bytes.length;) at += await wire.write(bytes.subarray(at));
    } catch { /* the server has ended: what still comes is dropped */ }
  }

  /** Whether more has come than a head may have, and no request is carried out. */
  get #isUnheard(): boolean {
    return this.#unheardBytes > HEAD_BYTES_MAX && this.#sessions.size === 0;
  }

  async ended(): Promise<void> {
    // The runtime gives up a request whose client has ended its side, so it learns of that at the end.
    for (let calls = -1; !this.#isClosed && (calls !== this.activity.calls || !this.idle);) {
      calls = this.activity.calls;
      await sleep(LOOK_MS);
    }
    if (this.#server === null) return;
    await this.#server.wire.closeWrite().catch(() => {}); // it may have ended by itself
    await this.#relaying;
  }

  /** Sends to the client what the runtime answers. */
  async #send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.noteWrite(false);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    this.noteWrite(true);
    this.writing = null;
    this.#shared.turnBudget.spend(CALL_WORK + (bytes.length >> 2));
  }

  /** Relays what the runtime answers. */
  async #relay(wire: HttpServer["wire"]): Promise<void> {
    try {
      await this.#pump((space) => wire.read(space), async (bytes) => {
        this.#channel.see(bytes);
        await (this.writing = this.#send(bytes));
      });
      await this.#connection.closeWrite();
      if (!this.#isClosed) this.#lingering = setTimeout(() => this.close(), LINGER_MS);
    } catch (error) {
      if (error instanceof AssertionFailed) throw error;
      this.close(); // the connection may fail at any time
    } finally {
      this.#relayed();
    }
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
