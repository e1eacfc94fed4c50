// A holding: what the buffers of one connection hold, and since when they have waited for its client.
//
// Invariant: a connection that holds more than HOLDER_BYTES_MIN is registered with the bound of buffers, and is closed if
// the bound demands it. Trade-off: it stays registered until it ends, even if it holds less by then.

import { ReceiveBuffer, type SendBuffer } from "../bytes/mod.ts";
import type { Connection, SessionLimits } from "./connection.ts";
import type { TurnBudget } from "./turn_budget.ts";
import { growInTurn, type Payer, READ_BYTES_MAX, readInTurn } from "./in_turn.ts";
import { type BufferBound, type BufferHolder, HOLDER_BYTES_MIN } from "./buffer_bound.ts";

/** Who has so much of a request, and not all of it, reads on when its turn has come. */
const LARGE_PART_BYTES = 8192;

/** Whose buffers these are. */
export interface Owner extends Payer {
  /** Whether no right token has been shown yet. */
  readonly isStranger: boolean;
  /** Whether it waits for its client to send. */
  readonly idle: boolean;
  /** Ends the connection for others' sake. */
  cut(): void;
}

export class Holding implements BufferHolder {
  readonly received: ReceiveBuffer;
  readonly #bound: BufferBound;
  readonly #owner: Owner;
  #isKnown = false;
  #isGrowing = false;
  #sending: SendBuffer | null = null;
  /** Since when the rest of a request is waited for, any request, or a write; 0: it isn't. */
  partSince = 0;
  readSince = 0;
  writeSince = 0;

  constructor(bound: BufferBound, requestBytesMax: number, owner: Owner) {
    this.#bound = bound;
    this.#owner = owner;
    this.received = new ReceiveBuffer(requestBytesMax, bound.pool);
  }

  get isStranger(): boolean {
    return this.#owner.isStranger;
  }

  get heldBytes(): number {
    return this.received.bytes.length + (this.#sending?.bytes.length ?? 0);
  }

  get waitsSince(): number {
    if (this.#sending !== null) return this.writeSince;
    const isWaiting = this.#owner.idle || this.#isGrowing;
    return isWaiting && this.received.hasPart ? this.partSince : 0;
  }

  /** Whether the client has kept it waiting for too long. */
  isLate(now: number, { requestTimeoutMs, readTimeoutMs, writeTimeoutMs }: SessionLimits): boolean {
    const isOver = (since: number, ms: number) => ms > 0 && since > 0 && now - since > ms;
    const isReading = isOver(this.partSince, requestTimeoutMs) ||
      isOver(this.readSince, readTimeoutMs);
    return this.#owner.idle && isReading || isOver(this.writeSince, writeTimeoutMs);
  }

  cut(): void {
    this.#owner.cut();
  }

  /** Whether the buffer should grow before it is read into; where memory is tight it may shrink instead. */
  wantsMore(): boolean {
    const { isTight } = this.#bound;
    if (isTight) this.received.shrink();
    return this.received.wantsMore(isTight);
  }

  /** Makes the buffer larger, giving way meanwhile. False: it is full, and there is no room for more. */
  async grow(turnBudget: TurnBudget): Promise<boolean> {
    const { received } = this;
    if (!this.#bound.admits(received.largerSize, this)) return !received.isFull;
    if (received.largerSize >= HOLDER_BYTES_MIN) this.#enter();
    if (received.left < LARGE_PART_BYTES) {
      received.growWhole();
      return true;
    }
    this.#isGrowing = true; // in turns, and so for long when many do: it may have to go meanwhile
    await growInTurn(received, turnBudget, this.#owner);
    this.#isGrowing = false;
    return true;
  }

  /** Where to read into. It grows no more by itself. */
  space(): Uint8Array<ArrayBuffer> {
    const space = this.received.space(true);
    return this.received.left < LARGE_PART_BYTES ? space : space.subarray(0, READ_BYTES_MAX);
  }

  /** Reads into `space`: at once, or, in the midst of a large request, when its turn has come. */
  read(
    connection: Connection,
    space: Uint8Array<ArrayBuffer>,
    turnBudget: TurnBudget,
  ): Promise<number | null> {
    if (this.received.left < LARGE_PART_BYTES) return connection.read(space);
    return readInTurn(connection, space, turnBudget, this.#owner);
  }

  /** Notes since when a part of a request lies there. `isNew`: something came before it in the same read. */
  notePart(isNew: boolean): void {
    if (!this.received.hasPart) this.partSince = 0;
    else if (isNew || this.partSince === 0) this.partSince = performance.now();
  }

  /** A write begins. `isTimed`: somebody wants to know when it did. */
  beginWrite(out: SendBuffer, isTimed: boolean): void {
    this.#sending = out;
    const isLarge = out.bytes.length >= HOLDER_BYTES_MIN;
    if (isLarge || isTimed) this.writeSince = performance.now();
    if (!isLarge) return;
    this.#enter();
    this.#bound.makeRoom(this);
  }

  endWrite(): void {
    this.#sending = null;
    this.writeSince = 0;
  }

  /** The connection has ended, and nobody reads into the buffer any more. */
  release(): void {
    this.#bound.leave(this);
    this.received.release();
  }

  #enter(): void {
    if (this.#isKnown) return;
    this.#isKnown = true;
    this.#bound.enter(this);
  }
}
