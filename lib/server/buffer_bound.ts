// The bound of buffers: how much memory requests that are not whole yet, and replies that nobody reads, take
// over all connections.
//
// Invariant: buffers of all connections hold no more than `bytesMax`, and beyond it at most what one turn
// answers. Where there is no room, the largest of those who keep their buffers waiting goes first, and among
// as large ones who has waited longest. A request that is larger than all that waits is refused itself.
// Connections without a right token (gate.ts) hold no more than a sixteenth, by the same rule among themselves.
//
// Trade-off: who is to go is looked for among all connections that hold more than an idle one. That
// happens only where the bound is reached, and takes some 10 ns for each of them.

import { BufferPool } from "../bytes/mod.ts";
import { nudgeCollector } from "../host/mod.ts";

/** How often what is kept for later is let go. */
const TRIM_MS = 5000;

/** When so many bytes were let go, V8 is told to collect them, in so many steps. */
const COLLECTED_BYTES_MIN = 32 << 20;
const NUDGES = 40;

/** A connection with more memory than an idle one. */
export interface BufferHolder {
  /** Bytes of its buffers. */
  readonly heldBytes: number;
  /**
   * Since when it has been waiting for its client to send the rest of a request, or to read a reply; 0: it is
   * at work, or idle.
   */
  readonly waitsSince: number;
  /** Whether it has not shown a right token yet. */
  readonly isStranger: boolean;
  /** Ends it at once. */
  cut(): void;
}

/** Who holds less is not among those who may have to go. */
export const HOLDER_BYTES_MIN = 8192;

/** Who has not waited for so long may be quick, and counts for a quarter of its size. */
const STALE_MS = 1000;
const FRESH_WEIGHT = 0.25;

/** The part of all buffers that strangers may hold, as far as they hold more than HOLDER_BYTES_MIN each. */
const STRANGERS_PART = 1 / 16;

export class BufferBound {
  readonly pool: BufferPool;
  readonly bytesMax: number;
  readonly #holders = new Set<BufferHolder>();
  /** What those hold that were cut, until they have ended. */
  readonly #leaving = new Map<BufferHolder, number>();
  #leavingBytes = 0;
  /** Lets go what is kept for later only. */
  readonly #trim: () => void;
  #trimmedAt = 0;
  /** Bytes that were let go, and how often V8 is still to be told to collect such. */
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
   * Whether buffers should be no larger than they need to be. From here on those of idle connections don't
   * grow, so three quarters are left to those that can be made to go.
   */
  get isTight(): boolean {
    return this.pool.held > this.bytesMax / 4;
  }

  /** Tells that a connection holds more than an idle one. */
  enter(holder: BufferHolder): void {
    this.#holders.add(holder);
  }

  /** Tells that a connection holds no more than an idle one, or has ended. */
  leave(holder: BufferHolder): void {
    this.#holders.delete(holder);
    this.#leavingBytes -= this.#leaving.get(holder) ?? 0;
    this.#leaving.delete(holder);
  }

  /**
   * Lets go what nobody has used for a while, and sees to it that memory goes back to the system. To be
   * called a few times a second.
   */
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

  /** Makes room so that a buffer of the asker may become so large. False: it may not. */
  admits(length: number, asker: BufferHolder): boolean {
    const heldMin = Math.max(length, HOLDER_BYTES_MIN);
    if (asker.isStranger && !this.#makeStrangersRoom(length, asker, heldMin)) return false;
    return this.#makeRoom(this.pool.cost(length), asker, heldMin);
  }

  /** Makes room for a reply that is there already. */
  makeRoom(asker: BufferHolder): void {
    this.#makeRoom(0, asker, HOLDER_BYTES_MIN);
  }

  /** Makes room for `bytes` by ending connections that hold at least `heldMin`. */
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

  /** Makes room for `bytes` among those of strangers. */
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

/** Whether one connection is to go rather than another. */
function isBefore(one: BufferHolder, other: BufferHolder, now: number): boolean {
  const difference = weightOf(one, now) - weightOf(other, now);
  return difference > 0 || difference === 0 && one.waitsSince < other.waitsSince;
}

function weightOf({ heldBytes, waitsSince }: BufferHolder, now: number): number {
  return now - waitsSince >= STALE_MS ? heldBytes : FRESH_WEIGHT * heldBytes;
}
