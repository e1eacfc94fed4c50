// The bound of buffers: limits the memory of all connections' incomplete requests and unread replies.
//
// Invariant: the buffers of all connections hold at most `bytesMax`, plus at most what one turn of
// the loop answers. When there is no room, the connection that holds most while it waits for its
// client is closed first; among equals, the one that has waited longest. A request that is larger
// than every waiting one is refused itself. Unauthenticated connections (gate.ts) together hold at
// most a sixteenth, by the same rule among themselves.
//
// Trade-off: the connection to close is found by a scan of all that hold more than an idle one.
// The scan runs only when the bound is reached, and takes some 10 ns a connection.

import { BufferPool } from "../bytes/mod.ts";
import { nudgeCollector } from "../host/mod.ts";

/** How often spare buffers are released, in ms. */
const TRIM_MS = 5000;

/** After this many released bytes V8 is nudged to collect them, in NUDGES steps. */
const COLLECTED_BYTES_MIN = 32 << 20;
const NUDGES = 40;

/** A connection that may hold more memory than an idle one. */
export interface BufferHolder {
  /** Bytes of its buffers. */
  readonly heldBytes: number;
  /**
   * Since when it has been waiting for its client to send the rest of a request or to read a reply
   * (`performance.now()`, ms); 0: it is working or idle.
   */
  readonly waitsSince: number;
  /** Whether it has not been authenticated yet. */
  readonly isStranger: boolean;
  /** Closes it at once. */
  cut(): void;
}

/** Connections that hold less are never closed for their memory. */
export const HOLDER_BYTES_MIN = 8192;

/** A connection that has waited for less may just be slow; it counts at FRESH_WEIGHT of its size. */
const STALE_MS = 1000;
const FRESH_WEIGHT = 0.25;

/** Share of all buffers for unauthenticated connections, counting those above HOLDER_BYTES_MIN. */
const STRANGERS_PART = 1 / 16;

/** Tracks the buffers of all connections, and closes connections when the bound is reached. */
export class BufferBound {
  readonly pool: BufferPool;
  readonly bytesMax: number;
  readonly #holders = new Set<BufferHolder>();
  /** Bytes of the connections that were cut and have not ended yet. */
  readonly #leaving = new Map<BufferHolder, number>();
  #leavingBytes = 0;
  /** Releases what is only kept for reuse. */
  readonly #trim: () => void;
  #trimmedAt = 0;
  /** Bytes released since the last nudge of V8, and nudges still to be made. */
  #dropped = 0;
  #nudges = 0;

  constructor(bytesMax: number, pool = new BufferPool(), trim = () => {}) {
    this.bytesMax = bytesMax;
    this.pool = pool;
    this.#trim = trim;
  }

  /** Bytes that the buffers of all connections hold. */
  get heldBytes(): number {
    return this.pool.held;
  }

  /**
   * Whether buffers should be kept as small as possible. From a quarter of the bound on, buffers of
   * idle connections don't grow, which leaves three quarters to connections that can be closed.
   */
  get isTight(): boolean {
    return this.pool.held > this.bytesMax / 4;
  }

  /** Registers a connection that holds more than an idle one. */
  enter(holder: BufferHolder): void {
    this.#holders.add(holder);
  }

  /** Removes a connection that holds no more than an idle one, or has ended. */
  leave(holder: BufferHolder): void {
    this.#holders.delete(holder);
    this.#leavingBytes -= this.#leaving.get(holder) ?? 0;
    this.#leaving.delete(holder);
  }

  /** Releases spare buffers and nudges V8 to return memory. Call it a few times a second. */
  tick(now: number): void {
    if (now - this.#trimmedAt >= TRIM_MS) {
      this.#trimmedAt = now;
      this.#trim();
      this.pool.trim();
    }
    this.#dropped += this.pool.acquireDropped();
    if (this.#dropped >= COLLECTED_BYTES_MIN) {
      this.#dropped = 0;
      this.#nudges = NUDGES;
    }
    if (this.#nudges === 0) return;
    this.#nudges--;
    nudgeCollector();
  }

  /**
   * Makes room for a buffer of `asker` to become `length` bytes long. Returns false if there is no
   * room even after other connections were closed.
   */
  admits(length: number, asker: BufferHolder): boolean {
    const heldMin = Math.max(length, HOLDER_BYTES_MIN);
    if (asker.isStranger && !this.#makeStrangersRoom(length, asker, heldMin)) return false;
    return this.#makeRoom(this.pool.cost(length), asker, heldMin);
  }

  /** Makes room for a reply that is already in its buffer. */
  makeRoom(asker: BufferHolder): void {
    this.#makeRoom(0, asker, HOLDER_BYTES_MIN);
  }

  /** Makes room for `bytes` by closing connections that hold at least `heldMin`. */
  #makeRoom(bytes: number, asker: BufferHolder, heldMin: number): boolean {
    if (this.#fits(bytes)) return true;
    this.#trim();
    this.pool.trim();
    const now = performance.now();
    while (!this.#fits(bytes)) {
      const holder = this.#largest(asker, heldMin, now, false);
      if (holder === null) return false;
      this.#cut(holder);
    }
    return true;
  }

  /** Makes room for `bytes` by closing unauthenticated connections. */
  #makeStrangersRoom(bytes: number, asker: BufferHolder, heldMin: number): boolean {
    let held = bytes;
    for (const holder of this.#holders) if (holder.isStranger) held += holder.heldBytes;
    const now = performance.now();
    while (held > this.bytesMax * STRANGERS_PART) {
      const holder = this.#largest(asker, heldMin, now, true);
      if (holder === null) return false;
      held -= holder.heldBytes;
      this.#cut(holder);
    }
    return true;
  }

  #cut(holder: BufferHolder): void {
    this.#leaving.set(holder, holder.heldBytes);
    this.#leavingBytes += holder.heldBytes;
    this.#holders.delete(holder);
    holder.cut();
  }

  #fits(bytes: number): boolean {
    return this.pool.held + bytes - this.#leavingBytes <= this.bytesMax;
  }

  #largest(
    asker: BufferHolder,
    heldMin: number,
    now: number,
    areStrangers: boolean,
  ): BufferHolder | null {
    let largest: BufferHolder | null = null;
    for (const holder of this.#holders) {
      if (holder === asker || holder.waitsSince === 0 || holder.heldBytes < heldMin) continue;
      if (areStrangers && !holder.isStranger) continue;
      if (largest === null || isBefore(holder, largest, now)) largest = holder;
    }
    return largest;
  }
}

/** Whether `one` is to be closed before `other`. */
function isBefore(one: BufferHolder, other: BufferHolder, now: number): boolean {
  const difference = weightOf(one, now) - weightOf(other, now);
  return difference > 0 || difference === 0 && one.waitsSince < other.waitsSince;
}

function weightOf({ heldBytes, waitsSince }: BufferHolder, now: number): number {
  return now - waitsSince >= STALE_MS ? heldBytes : FRESH_WEIGHT * heldBytes;
}
