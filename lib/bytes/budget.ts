// The budget: how much memory the process takes, and how much it may take.
//
//   held      trees, names, answers, streams, checkpoints: whoever keeps some adds it, and takes it off again
//   buffers   of connections, likewise
//   beside    what the process needs whatever it keeps
//
// Invariant: `held` and `buffers` are what was added and not taken off. Arrays are counted exactly; for objects
// and tables each part has a figure per piece that was measured.
// Trade-off: nothing is refused here. Whoever is about to grow asks whether it fits, and refuses what it was
// asked for before it changes anything. So what needs no memory costs nothing, and what the log or a dump
// holds is read however much it is.

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
