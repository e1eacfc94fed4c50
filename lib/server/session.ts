// A session: one client's connection, from its first byte to its last.
//
// Invariant: every request gets its reply, in the order of the requests. Nothing is read while replies wait to be
// written, so a client that does not read holds no more memory than its buffers. No reply leaves before the state
// that it reveals is as durable as the policy promises. One read, one commit and one write are awaited for all the
// requests that a read brings.

import type { ReceiveBuffer, SendBuffer } from "../bytes/mod.ts";
import type { Backend } from "./backend.ts";
import type { BufferBound } from "./buffer_bound.ts";
import type { Connection, SessionLimits } from "./connection.ts";
import { Activity, type Leaver } from "./drain.ts";
import { SEND_BYTES, SLICE_BYTES } from "./exchange.ts";
import type { Exchange, ExchangePool } from "./exchange.ts";
import { CALL_WORK, type Job, type TurnBudget } from "./turn_budget.ts";
import { type Envelope, frameWhole } from "../protocol/mod.ts";
import { linger, part } from "./farewell.ts";
import { answerTo, type Foreign, foreignLine, isTls } from "./foreign.ts";
import { type Gate, type Stranger, STRANGER_BYTES_BUSY } from "./gate.ts";
import { Holding, type Owner } from "./holding.ts";
import { tooLong, tooMuchAtOnce } from "./refusals.ts";
import { Quota } from "./round_robin.ts";
import { Speech } from "./speech.ts";
import { complete } from "./long_reply.ts";

/**
 * "pause": a reply takes time, or there is much to do; "refused": no more is read from this client; "http": it speaks
 * HTTP, and the connection is another's from here on.
 */
type State = "done" | "pause" | "refused" | "http";

export class Session implements Job, Owner, Stranger, Leaver {
  readonly #connection: Connection;
  #backend: Backend;
  readonly #exchanges: ExchangePool;
  readonly #holding: Holding;
  readonly #received: ReceiveBuffer;
  readonly #limits: SessionLimits;
  readonly #turnBudget: TurnBudget;
  readonly #gate: Gate;
  isStranger: boolean;
  readonly #quota = new Quota();
  tag = 0;
  /** Of what the last read brought: whether it was the end, the work so far, where replies go, and how far they are. */
  #isEnded = false;
  #worked = 0;
  #exchange: Exchange | null = null;
  #state: State = "done";
  readonly #speech: Speech;
  /** Whether it has turned out that the client speaks another protocol. */
  #isForeign = false;
  /** What came, of a client that speaks HTTP: the connection stays open at the end of `run`. */
  handedOver: Uint8Array<ArrayBuffer> | null = null;
  #closed = false;
  /** Whether a call of the connection is awaited, and so what fails is the connection. */
  isTalking = false;
  #isDismissed = false;
  readonly activity = new Activity();
  /** When the client came. */
  readonly since = performance.now();
  idle = false;

  constructor(
    connection: Connection,
    backend: Backend,
    exchanges: ExchangePool,
    turnBudget: TurnBudget,
    limits: SessionLimits,
    gate: Gate,
    bound: BufferBound,
    envelope: Envelope | null = null,
  ) {
    this.#connection = connection;
    this.#speech = new Speech(envelope, limits.protocols);
    this.#backend = backend;
    this.#exchanges = exchanges;
    this.#turnBudget = turnBudget;
    this.#limits = limits;
    this.#gate = gate;
    this.isStranger = !gate.isOpen;
    this.#holding = new Holding(bound, limits.requestBytesMax, this);
    this.#received = this.#holding.received;
    if (!this.isStranger) return;
    this.#received.limit(limits.requestBytesMax, STRANGER_BYTES_BUSY);
    gate.enter(this);
  }

  /** Serves the client until it leaves, or is refused, or `close`. */
  async run(): Promise<void> {
    try {
      await this.#serve();
    } catch (error) {
      if (!this.isTalking) throw error; // the connection may fail at any time, the rest is our mistake
    } finally {
      if (this.handedOver === null) this.close();
      else if (this.isStranger) this.#gate.leave(this);
      this.#holding.release();
    }
  }

  /** Lets another backend carry out the requests to come: one whose `beginTurn` has been called. */
  serve(backend: Backend): void {
    this.#backend = backend;
  }

  /** Cuts the connection. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.isStranger) this.#gate.leave(this);
    this.#connection.close();
  }

  /** Ends the connection when all that was read is answered; nothing more is. */
  dismiss(): void {
    this.#isDismissed = true;
    if (this.idle) this.#connection.closeWrite().catch(() => {});
  }

  /** Cuts the connection for others' sake: tells the client so if that can be done at once. */
  cut(): void {
    if (this.idle && this.#received.hasPart) {
      this.#connection.write(this.#noRoom().view(0)).catch(() => {});
    }
    this.close();
  }

  /** Cuts the connection if the client has kept it waiting for too long. */
  expire(now: number): void {
    if (this.#holding.isLate(now, this.#limits)) this.close();
  }

  async #serve(): Promise<void> {
    for (;;) {
      if (this.#isDismissed) {
        this.idle = this.isTalking = true;
        return await part(this.#connection, this.#received, this.activity, this.#turnBudget, this);
      }
      if (this.#holding.wantsMore() && !await this.#holding.grow(this.#turnBudget)) {
        return await this.#deny();
      }
      this.idle = this.isTalking = true;
      if (this.#limits.readTimeoutMs > 0) this.#holding.readSince = performance.now();
      const space = this.#holding.space();
      const count = await this.#holding.read(this.#connection, space, this.#turnBudget);
      this.idle = this.isTalking = false;
      if (this.#closed) return; // what came in that moment is not begun: the last dumps may be
      this.activity.noteRead(count ?? 0, space.length);
      if (this.#isDismissed) continue;
      this.#isEnded = count === null;
      if (count !== null) this.#received.filled(count);
      this.#turnBudget.read();
      this.#worked = CALL_WORK + ((count ?? 0) >> 2);
      try {
        do {
          const turn = this.#turnBudget.run(this); // calls `work`
          if (turn !== null) await turn;
          const exchange = this.#exchange!;
          if (exchange.kept !== null) {
            await complete(exchange, this.#backend, this.#turnBudget, this, this.#flush);
            this.#exchanges.giveRecords(exchange);
          }
          await this.#backend.settled();
          // Written here, not in a function of its own: one promise less for each read.
          const { out } = exchange;
          this.#beginWrite(out);
          for (let at = 0; at < out.length;) at += await this.#connection.write(out.view(at));
          this.#endWrite();
          out.clear();
        } while (this.#state === "pause");
      } finally {
        if (this.#exchange !== null) this.#exchanges.give(this.#exchange);
        this.#exchange = null;
      }
      if (this.#state === "refused") return await this.#linger();
      if (this.#isEnded || this.#state === "http") return;
      const others = this.#turnBudget.roundRobin.wait(this.#quota, this.#worked);
      if (others !== null) await others;
    }
  }

  /** Answers the frames that are there, up to one that something must be awaited for, and no more than a slice. */
  work(): void {
    const exchange = this.#exchange ??= this.#exchanges.take();
    const { out, requests } = exchange;
    const received = this.#received;
    const before = received.left - out.length;
    if (this.#turnBudget.begin()) this.#backend.beginTurn();
    const isServed = this.#speech.isServed(this.#exchanges.records.codec, received);
    this.#state = isServed ? this.#answerAll(exchange) : this.#answerOther(exchange);
    const worked = before - received.left + out.length;
    this.#worked += worked;
    this.#turnBudget.spend(worked);
    this.#turnBudget.answered(exchange.requests - requests - (exchange.kept === null ? 0 : 1));
    this.#speech.isNew &&= exchange.requests === 0;
  }

  #answerAll(exchange: Exchange): State {
    const received = this.#received;
    const { out } = exchange;
    const speech = this.#speech;
    const { envelope } = speech;
    const { request, reply, codec } = this.#exchanges.records;
    const enough = Math.max(0, received.left - SLICE_BYTES);
    request.peer = speech.peer;
    for (;;) {
      const frame = envelope !== null && envelope.isWhole
        ? frameWhole(received, this.#isEnded)
        : codec.frame(received, speech.spoken, this.#isEnded);
      if (frame === "none") return this.#noteRest(exchange);
      if (frame === "too long") {
        tooLong(this.#exchanges.records, speech.spoken, received.frameBytesMax, out);
        return "refused";
      }
      reply.clear();
      exchange.requests++;
      const isDecoded = this.isStranger
        ? this.#gate.decode(this, codec, received, speech.spoken, request, reply, envelope)
        : codec.decode(received, speech.spoken, request, reply, envelope);
      if (isDecoded) {
        this.#backend.execute(request, reply);
      } else if (reply.code === "invalid_json" && envelope === null) {
        const state = this.#turnAway(exchange);
        if (state !== null) return state;
      } else if (reply.code === "unauthorized") this.#gate.unauthorized(this.#connection);
      speech.spoken = request.protocol;
      if (reply.pending !== null || reply.isWalked) { // it is completed before the next is looked at
        this.#exchanges.keep(exchange);
        return "pause";
      }
      codec.encode(request, reply, out);
      if (reply.code !== null) this.#backend.statistics.errors++;
      if (reply.isLast) return "refused";
      if (out.length >= SEND_BYTES || this.#turnBudget.isSliceOver) return "pause";
      if (received.left < enough) return "pause";
    }
  }

  /** Answers a client that may not speak JSON lines, or leaves it to others. */
  #answerOther(exchange: Exchange): State {
    if (this.#received.next() === "none") return this.#noteRest(exchange);
    exchange.requests++;
    return this.#turnAway(exchange) ?? this.#refuse("json", exchange);
  }

  /** Leaves a client that speaks HTTP to whoever serves it, and refuses all that speak what nobody serves; null: neither. */
  #turnAway(exchange: Exchange): State | null {
    const { bytes, start, end, partEnd } = this.#received;
    const foreign = foreignLine(bytes, start, end);
    const isFirst = this.#speech.isNew && exchange.requests === 1;
    if (foreign !== "http" || !isFirst || !this.#limits.protocols.has("http")) {
      return foreign === null ? null : this.#refuse(foreign, exchange);
    }
    this.handedOver = bytes.slice(start, partEnd);
    exchange.requests--; // it is no request of ours
    return "http";
  }

  /** It has shown a right token. */
  authenticate(): void {
    this.isStranger = false;
    this.#received.limit(this.#limits.requestBytesMax);
  }

  /** Answers a client that speaks another protocol, and hears no more of it. */
  #refuse(foreign: Foreign, { out }: Exchange): State {
    this.#isForeign = true;
    this.#backend.statistics.errors++;
    out.raw(answerTo(foreign));
    return "refused";
  }

  /** Notes since when a part of a request lies there, whose rest is to come. */
  #noteRest(exchange: Exchange): State {
    const received = this.#received;
    if (received.hasPart && isTls(received.bytes, received.partStart, received.partEnd)) {
      return this.#refuse("tls", exchange);
    }
    this.#holding.notePart(exchange.requests > 0);
    return "done";
  }

  /** Sends what was answered. */
  readonly #flush = async ({ out }: Pick<Exchange, "out">): Promise<void> => {
    await this.#backend.settled();
    this.#beginWrite(out);
    for (let at = 0; at < out.length;) at += await this.#connection.write(out.view(at));
    this.#endWrite();
    out.clear();
  };

  /** Lets a refused client read its reply. */
  async #linger(): Promise<void> {
    const received = this.#received;
    const lineState = this.#isForeign ? "none" : received.isLineOver ? "over" : "on";
    this.isTalking = true;
    await linger(this.#connection, received, lineState, this.#turnBudget, this, () => this.close());
  }

  /** Tells the client that there is no room for its request. */
  async #deny(): Promise<void> {
    await this.#flush({ out: this.#noRoom() });
    await this.#linger();
  }

  #noRoom(): SendBuffer {
    return tooMuchAtOnce(this.#exchanges.records, this.#speech.spoken, this.isStranger);
  }

  #beginWrite(out: SendBuffer): void {
    this.isTalking = true;
    this.#holding.beginWrite(out, this.#limits.writeTimeoutMs > 0);
  }

  #endWrite(): void {
    this.isTalking = false;
    this.activity.calls++;
    this.#holding.endWrite();
  }
}
