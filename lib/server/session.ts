// A session: one client's connection, from its first byte to its last.
//
// Invariant: every request gets its reply, in the order of the requests, and nothing is read while
// replies wait to be written: a client that doesn't read is not read from, and holds no more memory
// than its buffers. No reply leaves before what it tells is as safe as promised. One read is awaited
// for all the requests that it brings, one commit and one write for all their replies.

import { ReceiveBuffer } from "../bytes/receive_buffer.ts";
import { writeCounters } from "../dialect/response.ts";
import type { Engine } from "../engine/engine.ts";
import { Exchange, type ExchangePool, SEND_BYTES } from "./exchange.ts";
import type { TurnCounter } from "./fairness.ts";

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
  readonly #turns: TurnCounter;
  #closed = false;
  /** Whether a call of the connection is awaited, and so what fails is the connection. */
  #talking = false;
  /** How many reads have been waited for: unchanged while the client sends nothing. */
  reads = 0;
  /** Whether it waits for the client, all requests answered. */
  idle = false;

  constructor(
    connection: Connection,
    engine: Engine,
    exchanges: ExchangePool,
    turns: TurnCounter,
    requestBytesMax: number,
  ) {
    this.#connection = connection;
    this.#engine = engine;
    this.#exchanges = exchanges;
    this.#turns = turns;
    this.#requestBytesMax = requestBytesMax;
    this.#received = new ReceiveBuffer(requestBytesMax);
  }

  /** Serves the client until it leaves, or is refused, or `close`. */
  async run(): Promise<void> {
    try {
      await this.#serve();
    } catch (error) {
      if (!this.#talking) throw error; // the connection may fail at any time, the rest is our mistake
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

  async #serve(): Promise<void> {
    for (let ended = false, refused = false; !ended;) {
      this.idle = this.#talking = true;
      this.reads++;
      const count = await this.#connection.read(this.#received.space());
      this.idle = this.#talking = false;
      if (this.#closed) return; // what came in that moment is not begun: the last dumps may be
      if (count === null) ended = true;
      else this.#received.filled(count);
      const exchange = this.#exchanges.take();
      try {
        while (this.#answer(exchange, ended) === "pause") await this.#pause(exchange);
        refused = exchange.reply.code === "request_too_large";
        await this.#engine.settled();
        // Written here, not in a function of its own: one promise less for each read.
        const { out } = exchange;
        this.#talking = true;
        for (let at = 0; at < out.length;) {
          at += await this.#connection.write(out.view(at));
        }
        this.#talking = false;
        if (this.#turns.isUsedUp((count ?? 0) + out.length)) await this.#turns.giveWay();
      } finally {
        this.#exchanges.give(exchange);
      }
      if (refused) return await this.#linger();
    }
  }

  /** Answers the frames that are there, up to one that something must be awaited for. */
  #answer(exchange: Exchange, ended: boolean): "done" | "pause" {
    const received = this.#received;
    const { request, reply, out, dialect } = exchange;
    this.#engine.beginTurn();
    for (;;) {
      let frame = received.next();
      if (frame === "none" && ended) frame = received.last();
      if (frame === "none") return "done";
      reply.clear();
      if (frame === "too long") {
        reply.fail("request_too_large", `Request exceeds ${this.#requestBytesMax} bytes`);
      } else if (dialect.decode(received.bytes, received.start, received.end, request, reply)) {
        this.#engine.execute(request, reply);
        if (reply.pending !== null) return "pause";
      }
      dialect.encode(request, reply, out);
      if (frame === "too long") return "done";
      if (reply.walk !== null || out.length >= SEND_BYTES) return "pause";
    }
  }

  /** Sends what was answered, and completes a reply that takes time or is long. */
  async #pause(exchange: Exchange): Promise<void> {
    const { request, reply, out, dialect } = exchange;
    const { pending } = reply;
    try {
      await this.#flush(exchange);
    } finally {
      await pending; // it fills in the reply, which must stay ours until then
    }
    if (pending !== null) dialect.encode(request, reply, out);
    if (reply.walk === null) return;
    // A branch of the tree at a time, however long the whole reply is.
    while (writeCounters(reply, request.dayFrom, request.dayTo, out) === "more") {
      if (out.length >= SEND_BYTES) await this.#flush(exchange);
    }
    dialect.encodeEnd(out);
  }

  async #flush({ out }: Exchange): Promise<void> {
    await this.#engine.settled();
    this.#talking = true;
    for (let at = 0; at < out.length;) {
      at += await this.#connection.write(out.view(at));
    }
    this.#talking = false;
    const usedUp = this.#turns.isUsedUp(out.length);
    out.clear();
    if (usedUp) await this.#turns.giveWay();
  }

  /**
   * Lets a refused client read its reply: a connection that is closed while bytes lie unread is
   * reset, and the reply with it.
   */
  async #linger(): Promise<void> {
    const cut = setTimeout(() => this.close(), LINGER_MS);
    this.#talking = true;
    try {
      await this.#connection.closeWrite();
      const rest = new Uint8Array(SEND_BYTES);
      for (let count = await this.#connection.read(rest); count !== null;) {
        if (this.#turns.isUsedUp(count)) await this.#turns.giveWay();
        count = await this.#connection.read(rest);
      }
    } finally {
      clearTimeout(cut);
    }
  }
}
