// The memory budget: how much memory the process takes, and how much it may take.
//
//   held      trees, names, idempotency records, streams, checkpoints: their owners add and subtract
//   buffers   of connections, likewise
//   beside    what the process needs in any case
//
// Invariant: `held` and `buffers` are what was added less what was subtracted. Arrays are counted exactly; objects and
// tables by a measured figure for each.
// Trade-off: nothing is refused here. The owner of what is about to grow asks whether it fits, and refuses the request
// before it changes anything. So requests that need no memory pay nothing, and the WAL and dumps are read however
// much they hold.

export class Budget {
  held = 0;
  buffers = 0;
  beside = 0;
  /** What all of it together may be. */
  max: number;
  /** Whether everything fits: while data is read, or a change that was refused is taken back. */
  isLenient = false;

  constructor(max = Infinity) {
    this.max = max;
  }

  get used(): number {
    return this.held + this.buffers + this.beside;
  }

  /** Whether so many bytes more are within what may be taken. */
  isWithin(bytes: number): boolean {
    return this.used + bytes <= this.max;
  }

  /** Whether so many bytes more may be taken now. */
  fits(bytes: number): boolean {
    return this.isLenient || this.isWithin(bytes);
  }

  /** Does something that must not be refused for want of memory. */
  leniently(work: () => void): void {
    const before = this.isLenient;
    this.isLenient = true;
    try {
      work();
    } finally {
      this.isLenient = before;
    }
  }
}
