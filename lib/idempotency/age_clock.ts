// The age clock: the time by which what is kept grows old.
//
// Idempotency keys are kept for a day or so. If they aged by the machine's clock alone, a clock that is set ahead by
// mistake, and then right again, would forget all of them, and a repeated request would count twice.
//
// Invariant: the age clock is never ahead of the machine's, and advances at most a tenth faster than time passes.
// Trade-off: after a correction by a large step, such as that of a machine that starts in 1970, it stays behind
// until the process ends, and what was kept meanwhile is too old for the next one.

/** While it is behind, it advances so much faster than time passes, so that it catches up after a suspension. */
const CATCHING_UP = 1.1;

export class AgeClock {
  readonly #wallMs: () => number;
  readonly #steadyMs: () => number;
  #ms: number;
  #steady: number;

  /** `wallMs`: milliseconds since 1970; `steadyMs`: milliseconds from any moment on, which nobody sets. */
  constructor(wallMs: () => number, steadyMs: () => number) {
    this.#wallMs = wallMs;
    this.#steadyMs = steadyMs;
    this.#ms = wallMs();
    this.#steady = steadyMs();
  }

  /** Seconds since 1970. */
  seconds(): number {
    const steady = this.#steadyMs();
    const passed = Math.max(0, steady - this.#steady);
    this.#ms = Math.min(this.#wallMs(), this.#ms + CATCHING_UP * passed);
    this.#steady = steady;
    return Math.floor(this.#ms / 1000);
  }
}
