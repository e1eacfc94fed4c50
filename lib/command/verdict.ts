// A verdict: what becomes of a cost under some limits.
//
// Most are reused. Invariant: of each limit of the request it tells what is used, the moment at which that
// changes, and, where the limit refused, the moment from which the cost fits.

import { Limits, LIMITS_MAX } from "./limits.ts";

/** The moment of what never happens. */
export const NEVER = Infinity;

export class Verdict {
  isAllowed = false;
  /** The lanes of what was applied, or would be. */
  readonly applied = new Uint32Array(2);
  /** The first limit that refused; -1: none did. */
  deniedBy = -1;
  /** Two lanes for each limit. */
  readonly used = new Uint32Array(2 * LIMITS_MAX);
  readonly hasRefused: boolean[] = [];
  /** When what is used of each limit becomes less by itself, in milliseconds since 1970, or NEVER. */
  readonly resetsAtMs = new Float64Array(LIMITS_MAX);
  /** When the cost will fit; only of limits that refused. */
  readonly retryAtMs = new Float64Array(LIMITS_MAX);
  /** Empty: there is none. */
  receipt = "";
  #limits = new Limits();

  get limits(): Limits {
    return this.#limits;
  }

  /** Begins one under these limits, which must not change before it is written. */
  begin(limits: Limits): void {
    this.#limits = limits;
    this.receipt = "";
  }
}
