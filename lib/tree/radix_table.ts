// A radix table over the branches of a tree: the leading bits of a key give the few branches that may own it.
//
//   bucket     0  1  2  3  4  5 ...        the key's leading bits, as many as the last start has
//   firsts     0  0  1  2  2  3 ...        the branch that owns the first key of the bucket
//
// Ids that were given out in order, and random ones, are spread evenly, so one or two of thousands of branches are left.
// In a binary search over all of them, the processor would mispredict every other step.
//
// Invariant: the branch of a key is one of first(bucket)..first(bucket + 1). Trade-off: the table is rebuilt after
// a layout, which takes microseconds beside hundreds for the layout. If keys are so uneven that one bucket has most
// of the branches, nothing is gained.

/** Buckets for a branch, at least: few of them then have more than one start. */
const BUCKETS_PER_BRANCH = 2;

const NONE = new Uint32Array(0);

export class RadixTable {
  /** Whether the starts have changed since `learn`. */
  isStale = true;
  #firsts = NONE;
  /** The bucket of all keys behind those of the others. */
  #last = 0;
  /** How many bits of a key are no part of its bucket. */
  #shift = 0;
  #hiMax = 0;

  /** Learns the first keys of so many branches, which ascend from 0. */
  learn(startsLo: Uint32Array, startsHi: Uint32Array, count: number): void {
    const buckets = 1 << (32 - Math.clz32(BUCKETS_PER_BRANCH * count));
    if (this.#firsts.length < buckets + 2) this.#firsts = new Uint32Array(2 * buckets + 2);
    const [lo, hi] = [startsLo[count - 1], startsHi[count - 1]];
    const bits = hi > 0 ? 64 - Math.clz32(hi) : 32 - Math.clz32(lo);
    this.#shift = Math.max(0, bits - (31 - Math.clz32(buckets)));
    this.#hiMax = hi;
    this.#last = 0xffffffff;
    this.#last = this.bucketOf(lo, hi) + 1;
    const firsts = this.#firsts;
    let at = 0; // of the first bucket that the next start may begin in
    for (let index = 1; index < count; index++) {
      const bucket = this.bucketOf(startsLo[index], startsHi[index]);
      while (at <= bucket) firsts[at++] = index - 1;
    }
    while (at <= this.#last + 1) firsts[at++] = count - 1;
    this.isStale = false;
  }

  bucketOf(lo: number, hi: number): number {
    const shift = this.#shift;
    if (hi > this.#hiMax) return this.#last;
    const bucket = shift >= 32 ? hi >>> (shift - 32) : (hi << (32 - shift) | lo >>> shift) >>> 0;
    return bucket < this.#last ? bucket : this.#last;
  }

  /** The branch that owns the first key of a bucket. */
  first(bucket: number): number {
    return this.#firsts[bucket];
  }
}
