// A cache of what lists of arguments mean: clients send the same limits with every command, and need not have them
// read and checked each time.
//
// Invariant: `find` returns a meaning only if the bytes equal those it was kept for.
// Trade-off: a list is looked up by its length and a few of its bytes; of lists that are alike in those, only the latest
// few are kept.

/** Lists that are alike differ in the limits of a client's plans: so many plans. */
const ALIKE_MAX = 8;
const PLACES = 64;
const SAMPLES = 8;

/** Longer lists are not remembered. */
const BYTES_MAX = 2048;

interface Known<T> {
  readonly bytes: Uint8Array;
  readonly meaning: T;
}

export class SpanCache<T> {
  readonly #places: Known<T>[][] = Array.from({ length: PLACES }, () => []);

  find(bytes: Uint8Array, start: number, end: number): T | null {
    const alike = this.#places[place(bytes, start, end)];
    for (let index = 0; index < alike.length; index++) {
      if (isAt(alike[index].bytes, bytes, start, end)) return alike[index].meaning;
    }
    return null;
  }

  keep(bytes: Uint8Array, start: number, end: number, meaning: T): void {
    if (end - start > BYTES_MAX) return;
    const alike = this.#places[place(bytes, start, end)];
    alike.unshift({ bytes: bytes.slice(start, end), meaning });
    alike.length = Math.min(alike.length, ALIKE_MAX);
  }
}

function isAt(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let at = known.length - 1; at >= 0; at--) if (known[at] !== bytes[start + at]) return false;
  return true;
}

function place(bytes: Uint8Array, start: number, end: number): number {
  const step = Math.max(1, (end - start) >>> 3);
  let mixed = end - start;
  for (let sample = 1, at = start + step; sample < SAMPLES && at < end; sample++, at += step) {
    mixed = Math.imul(mixed, 31) + bytes[at] | 0;
  }
  return (mixed ^ mixed >>> 8) & PLACES - 1;
}
