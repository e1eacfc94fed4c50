// Reserved file descriptors, released for the files of dumps when connections have taken all others.
//
// Invariant: once released, descriptors are reserved again only when as many plus a margin are free.
// Trade-off: free descriptors are found by opening some, since the system reports no count.

/** A resource that holds one file descriptor. */
interface Spare {
  close(): void;
}

/** Descriptors reserved for the files of a dump. */
const SPARES = 8;

/** Descriptors that must be free beyond SPARES, or connections would run out again at once. */
const MARGIN = 8;

/** A reserve of file descriptors. */
export class Descriptors {
  readonly #open: () => Spare;
  readonly #spares: Spare[] = [];

  /** `open` opens a descriptor, or throws if there is none. */
  constructor(open: () => Spare) {
    this.#open = open;
  }

  /** Fills the reserve; throws what `open` throws. */
  hold(): void {
    while (this.#spares.length < SPARES) this.#spares.push(this.#open());
  }

  /** Releases the reserve; returns false if it is empty. */
  release(): boolean {
    const spares = this.#spares.splice(0);
    for (const spare of spares) spare.close();
    return spares.length > 0;
  }

  /** Fills the reserve again if enough descriptors are free; returns whether it did. */
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
