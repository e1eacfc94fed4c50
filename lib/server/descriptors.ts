// Descriptors: some are kept back for the files of dumps, for when connections have taken all others.
//
// Invariant: those that are kept back are given up at most until as many, and some more, can be had again.
// Trade-off: whether there are any is found out by opening them, since the system tells no count.

/** Something that holds a file descriptor. */
interface Spare {
  close(): void;
}

/** Kept back for the files of a dump. */
const SPARES = 8;

/** So many more must be free before connections may take them again, or they would at once be short. */
const MARGIN = 8;

export class Descriptors {
  readonly #open: () => Spare;
  readonly #spares: Spare[] = [];

  /** `open` opens one, or throws if there is none. */
  constructor(open: () => Spare) {
    this.#open = open;
  }

  /** Keeps some back. Throws what `open` throws if that can't be done. */
  hold(): void {
    while (this.#spares.length < SPARES) this.#spares.push(this.#open());
  }

  /** Gives those up that are kept back. False: there are none. */
  release(): boolean {
    const spares = this.#spares.splice(0);
    for (const spare of spares) spare.close();
    return spares.length > 0;
  }

  /** Keeps some back again if there are enough. */
  recover(): boolean {
    const opened: Spare[] = [];
    try {
      while (this.#spares.length + opened.length < SPARES + MARGIN) opened.push(this.#open());
    } catch {
      for (const spare of opened) spare.close();
      return false;
    }
    for (const spare of opened.splice(SPARES - this.#spares.length)) spare.close();
    this.#spares.push(...opened);
    return true;
  }
}
