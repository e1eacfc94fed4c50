// A session: one client's connection, from its first byte to its last.
//
// Invariant: every request gets its reply, in the order of the requests, and nothing is read while
// replies wait to be written: a client that doesn't read is not read from, and holds no more memory
// than its buffers. One read is awaited for all the requests that it brings, and one write for all
// their replies.

import { ReceiveBuffer } from "../bytes/receive_buffer.ts";
import { writeCounters } from "../dialect/response.ts";
import type { Engine } from "../engine/engine.ts";
import { Exchange, type ExchangePool, SEND_BYTES } from "./exchange.ts";

/** What a session needs of a TCP connection. */
export interface Connection {
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Tells the client that no more will come. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** How long a refused client may go on sending before its connection is cut, reply unread or not. */
const LINGER_MS = 1000;

export class Session {
  readonly #connection: Connection;
  readonly #engine: Engine;
  readonly #exchanges: ExchangePool;
  readonly #received: ReceiveBuffer;
  readonly #requestBytesMax: number;
  #closed = false;
  /** How many reads have been waited for: unchanged while the client sends nothing. */
  reads = 0;
  /** Whether it waits for the client, all requests answered. */
  idle = false;

  constructor(
    connection: Connection,
    engine: Engine,
    exchanges: ExchangePool,
    requestBytesMax: number,
  ) {
    this.#connection = connection;
    this.#engine = engine;
    this.#exchanges = exchanges;
    this.#requestBytesMax = requestBytesMax;
    this.#received = new ReceiveBuffer(requestBytesMax);
  }

  /** Serves the client until it leaves, or is refused, or `close`. */
  async run(): Promise<void> {
    try {
      while (await this.#turn());
    } catch (error) {
      if (!isLost(error)) throw error; // a client may go at any time; anything else is our mistake
    } finally {
      this.close();
    }
  }

  /** Cuts the connection. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  /** One read and the replies to what it brought. False: the session is over. */
  async #turn(): Promise<boolean> {
    this.idle = true;
    this.reads++;
    const count = await this.#connection.read(this.#received.space());
    this.idle = false;
    if (count !== null) this.#received.filled(count);
    const exchange = this.#exchanges.take();
    try {
      const accepted = await this.#answer(exchange, count === null);
      await this.#flush(exchange);
      if (!accepted) await this.#linger();
      return accepted && count !== null;
    } finally {
      this.#exchanges.give(exchange);
    }
  }

  /** Answers all frames that are there. False: one was too long, and said so. */
  async #answer(exchange: Exchange, ended: boolean): Promise<boolean> {
    const received = this.#received;
    const { request, reply, out, dialect } = exchange;
    this.#engine.beginTurn();
    for (;;) {
      let frame = received.next();
      if (frame === "none" && ended) frame = received.last();
      if (frame === "none") return true;
      reply.clear();
      if (frame === "too long") {
        reply.fail("request_too_large", `Request exceeds ${this.#requestBytesMax} bytes`);
        dialect.encode(request, reply, out);
        return false;
      }
      if (dialect.decode(received.bytes, received.start, received.end, request, reply)) {
        this.#engine.execute(request, reply);
        if (reply.pending !== null) await this.#wait(exchange);
      }
      dialect.encode(request, reply, out);
      if (reply.walk !== null) await this.#stream(exchange);
      if (out.length >= SEND_BYTES) await this.#flush(exchange);
    }
  }

  /** Sends what was answered before, and waits for a reply that takes time. */
  async #wait(exchange: Exchange): Promise<void> {
    await this.#flush(exchange);
    await exchange.reply.pending;
    this.#engine.beginTurn();
  }

  /** Sends a reply of any length, as it is made: a branch of the tree at a time. */
  async #stream(exchange: Exchange): Promise<void> {
    const { request, reply, out, dialect } = exchange;
    while (writeCounters(reply, request.dayFrom, request.dayTo, out) === "more") {
      if (out.length >= SEND_BYTES) await this.#flush(exchange);
    }
    dialect.encodeEnd(out);
    await this.#flush(exchange);
    this.#engine.beginTurn();
  }

  async #flush({ out }: Exchange): Promise<void> {
    for (let at = 0; at < out.length;) {
      at += await this.#connection.write(out.bytes.subarray(at, out.length));
    }
    out.clear();
  }

  /**
   * Lets a refused client read its reply: a connection that is closed while bytes lie unread is
   * reset, and the reply with it.
   */
  async #linger(): Promise<void> {
    const cut = setTimeout(() => this.close(), LINGER_MS);
    try {
      await this.#connection.closeWrite();
      const rest = new Uint8Array(SEND_BYTES);
      while (await this.#connection.read(rest) !== null);
    } finally {
      clearTimeout(cut);
    }
  }
}

/** Errors that mean that the connection is gone. */
const LOST = new Set([
  "BadResource",
  "BrokenPipe",
  "ConnectionAborted",
  "ConnectionReset",
  "Interrupted",
  "NotConnected",
  "TimedOut",
  "UnexpectedEof",
]);

function isLost(error: unknown): boolean {
  return error instanceof Error && LOST.has(error.name);
}
