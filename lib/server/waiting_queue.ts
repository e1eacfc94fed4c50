// The queue of waiting sessions: the lowest tag comes first, and among equal tags the earliest arrival.
//
// Invariant: it is a binary heap: each place comes after its parent, by tag and then by arrival.
// Trade-off: a list would take constant time if all tags were equal. Finding a place among five thousand takes some
// 0.3 µs, and the least work that one of them then does takes 10.

import { assert } from "../assert.ts";

interface Tagged {
  readonly tag: number;
}

interface Entry<T> {
  readonly value: T;
  readonly tag: number;
  readonly arrival: number;
}

export class WaitingQueue<T extends Tagged> {
  readonly #heap: Entry<T>[] = [];
  #arrivals = 0;

  get length(): number {
    return this.#heap.length;
  }

  push(value: T): void {
    const entry = { value, tag: value.tag, arrival: this.#arrivals++ };
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  /** Takes out the first one. */
  shift(): T {
    const heap = this.#heap;
    assert(heap.length > 0, "Nobody waits");
    const { value } = heap[0];
    const last = heap.pop()!;
    const { length } = heap;
    if (length === 0) return value;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return value;
  }

  /** Asserts the invariant. */
  check(): void {
    const heap = this.#heap;
    for (let at = 1; at < heap.length; at++) {
      assert(isBefore(heap[(at - 1) >> 1], heap[at]), `Place ${at} is before its parent`);
    }
  }
}

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.tag < b.tag || a.tag === b.tag && a.arrival < b.arrival;
}
