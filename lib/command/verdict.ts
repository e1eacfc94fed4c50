// A verdict: what a request's limits say about its cost.
//
// Invariant: for each limit it holds how much is used, the moment at which that falls by itself, and, if the
// limit refused, the moment from which the cost fits. The verdict of a single key is reused.

import { LANE, LANE_MAX } from "../bytes/mod.ts";
import { Limits, LIMITS_MAX, MAX } from "./limits.ts";
import type { Threshold } from "./threshold.ts";

/** Stands for a moment that never comes. */
export const NEVER = Infinity;

export class Verdict {
  isAllowed = false;
  /** The lanes of the cost that was applied, or would be. */
  readonly applied = new Uint32Array(2);
  /** The first limit that refused; -1: none did. */
  deniedBy = -1;
  /** Two lanes for each limit. */
  readonly used = new Uint32Array(2 * LIMITS_MAX);
  /** Likewise, what is carried over to its max; good for limits that may have something carried over. */
  readonly carried = new Uint32Array(2 * LIMITS_MAX);
  readonly hasRefused: boolean[] = [];
  /** When it is given, in ms since 1970. */
  nowMs = 0;
  /** For each limit, when its use falls by itself, in ms since 1970, or NEVER. */
  readonly resetsAtMs = new Float64Array(LIMITS_MAX);
  /** For each limit that refused, when the cost will fit, in ms since 1970, or NEVER. */
  readonly retryAtMs = new Float64Array(LIMITS_MAX);
  /** Which thresholds were crossed, for each limit that has some; good for limits of which one has. */
  readonly crossed: (readonly Threshold[] | null)[] = [];
  /** Whether only what a caller acts on is told. */
  isBrief = false;
  /** Whether `applied` may be a part of what was asked for. */
  isPart = false;
  /** The receipt's text; empty if there is none. */
  receipt = "";
  #limits = new Limits();
  readonly #rest = new Uint32Array(2);
  readonly #least = new Uint32Array(2);

  get limits(): Limits {
    return this.#limits;
  }

  /** Starts a verdict on these limits, which must not change before it is written, at a moment. */
  begin(limits: Limits, nowMs: number, isBrief = false, isPart = false): void {
    this.#limits = limits;
    this.nowMs = nowMs;
    this.isBrief = isBrief;
    this.isPart = isPart;
    if (this.crossed.length > 0) this.crossed.length = 0;
    this.receipt = "";
  }

  /** The lanes of what a limit leaves. Ours, until the next call. */
  remaining(index: number): Uint32Array {
    const limits = this.#limits;
    const { used, carried } = this;
    let maxLo = limits.lo(index, MAX);
    let maxHi = limits.hi(index, MAX);
    const { max, carry } = limits.set.limits[index];
    if (carry !== null) { // of several verdicts on the same limits each has its own
      const sumLo = max[0] + carried[2 * index];
      maxLo = sumLo % LANE;
      maxHi = max[1] + carried[2 * index + 1] + (sumLo >= LANE ? 1 : 0);
    }
    const usedLo = used[2 * index];
    const borrow = maxLo < usedLo ? 1 : 0;
    const restHi = maxHi - used[2 * index + 1] - borrow;
    const rest = this.#rest;
    rest[0] = restHi < 0 ? 0 : maxLo - usedLo + borrow * LANE;
    rest[1] = Math.max(0, restHi);
    return rest;
  }

  /** The lanes of what the limit leaves that leaves least. */
  leastRemaining(): Uint32Array {
    const least = this.#least;
    least.fill(LANE_MAX);
    for (let index = 0; index < this.#limits.count; index++) {
      const rest = this.remaining(index);
      if (rest[1] < least[1] || rest[1] === least[1] && rest[0] < least[0]) least.set(rest);
    }
    return least;
  }

  /** In how many milliseconds all limits that refused have room, or NEVER. */
  retryAfterMs(): number {
    let last = this.nowMs;
    for (let index = 0; index < this.#limits.count; index++) {
      if (this.hasRefused[index]) last = Math.max(last, this.retryAtMs[index]);
    }
    return last - this.nowMs;
  }
}
