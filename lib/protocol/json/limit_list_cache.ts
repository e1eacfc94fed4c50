// The cache of limit lists: clients send the same limits with every request, and need not have them parsed and
// checked each time.
//
// Invariant: `find` returns a list only if the bytes equal those it was read from, up to the list's end.
// Trade-off: a list is looked up by its first bytes, since its end is not known; of lists that begin alike, only the
// latest few are kept.

/** Lists that begin alike differ in the limits of a client's plans: so many plans. */
const ALIKE_MAX = 8;
const PLACES = 64;

/** A list by its first bytes; none that means anything is shorter. */
const BEGIN_BYTES = 36;

/** Longer lists are not remembered: sixteen limits are some 1200 bytes. */
const BYTES_MAX = 2048;

interface Known<T> {
  readonly text: Uint8Array;
  readonly meaning: T;
}

export class LimitListCache<T> {
  readonly #places: Known<T>[][] = Array.from({ length: PLACES }, () => []);

  /** The list that begins at bytes[at] and ends before `end`; null: it is not known. */
  find(bytes: Uint8Array, at: number, end: number): Known<T> | null {
    if (end - at < BEGIN_BYTES) return null;
    const alike = this.#places[place(bytes, at)];
    for (let index = 0; index < alike.length; index++) {
      if (isAt(alike[index].text, bytes, at, end)) return alike[index];
    }
    return null;
  }

  /** Remembers what a list means. */
  keep(text: Uint8Array, meaning: T): void {
    if (text.length < BEGIN_BYTES || text.length > BYTES_MAX) return;
    const alike = this.#places[place(text, 0)];
    alike.unshift({ text, meaning });
    alike.length = Math.min(alike.length, ALIKE_MAX);
  }
}

function isAt(text: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  const { length } = text;
  if (at + length > end) return false;
  // From the end: lists that begin alike are told apart soonest there.
  for (let index = length - 1; index >= 0; index--) {
    if (text[index] !== bytes[at + index]) return false;
  }
  return true;
}

function place(bytes: Uint8Array, at: number): number {
  let mixed = 0;
  for (let step = 12; step < BEGIN_BYTES; step += 4) {
    mixed = Math.imul(mixed, 31) + bytes[at + step] | 0;
  }
  return (mixed ^ mixed >>> 8) & PLACES - 1;
}
