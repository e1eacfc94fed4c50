// Durations, counted in classes that are 1 % wide, so that percentiles of millions take a few KB.
//
// Invariant: a percentile is at most 1 % above the duration that it is of.

const RATIO = 1.01;
const LEAST_MS = 0.001;
/** Up to 1000 s. */
const CLASSES = Math.ceil(Math.log(1e9) / Math.log(RATIO)) + 2;

export class Histogram {
  readonly #counts = new Uint32Array(CLASSES);
  count = 0;
  #max = 0;

  /** Counts a duration. */
  add(ms: number): void {
    const place = Math.ceil(Math.log(Math.max(ms, LEAST_MS) / LEAST_MS) / Math.log(RATIO));
    this.#counts[Math.min(place, CLASSES - 1)]++;
    this.count++;
    if (ms > this.#max) this.#max = ms;
  }

  /** The duration that a share of all, from 0 to 1, did not pass; 0 if there are none. */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (let place = 0; place < CLASSES; place++) {
      seen += this.#counts[place];
      if (seen >= wanted) return Math.min(LEAST_MS * RATIO ** place, this.#max);
    }
    return 0;
  }

  get max(): number {
    return this.#max;
  }
}
