// An ordered set that is walked while many elements come and go: the dumps, newest first, and the trees that have
// dumps, by name.
//
// Invariant: `all` returns what was in the set when it was called, in order, in an array that is never changed
// afterwards, so a walk with pauses sees one moment. Trade-off: changes are only noted, and merged into the order
// by the next call of `all`, with pauses.

import { pace } from "../host/mod.ts";

/** What is sorted at once, and how many steps of a merge come between two looks at the clock: 0.2 ms. */
const RUN = 512;

export class OrderedSet<T> {
  readonly #compare: (a: T, b: T) => number;
  #sorted: readonly T[] = [];
  #added: T[] = [];
  #gone = new Set<T>();
  #settling: Promise<unknown> = Promise.resolve();

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  add(item: T): void {
    this.#added.push(item);
  }

  /** Takes an item away that was added, and will not be again. */
  remove(item: T): void {
    this.#gone.add(item);
  }

  /** All of them, in order. */
  all(): Promise<readonly T[]> {
    const settled = this.#settling.then(() => this.#settle());
    this.#settling = settled;
    return settled;
  }

  async #settle(): Promise<readonly T[]> {
    const [added, gone] = [this.#added, this.#gone];
    if (added.length === 0 && gone.size === 0) return this.#sorted;
    this.#added = [];
    this.#gone = new Set();
    const rest = pace();
    const sorted = await sortedWithPauses(added, this.#compare, rest);
    const merged = await this.#merge(this.#sorted, sorted, rest);
    return this.#sorted = gone.size === 0 ? merged : await without(merged, gone, rest);
  }

  #merge(a: readonly T[], b: readonly T[], rest: () => Promise<void>): Promise<readonly T[]> {
    return mergeWithPauses(a, b, this.#compare, rest);
  }
}

/** The index of the first item of a sorted array for which `isBehind`: all after it are, too. */
export function firstBehind<T>(items: readonly T[], isBehind: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBehind(items[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function without<T>(
  items: readonly T[],
  gone: ReadonlySet<T>,
  rest: () => Promise<void>,
): Promise<readonly T[]> {
  const left: T[] = [];
  for (let at = 0; at < items.length; at++) {
    if (!gone.has(items[at])) left.push(items[at]);
    if (at % RUN === 0) await rest();
  }
  return left;
}

async function sortedWithPauses<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  rest: () => Promise<void>,
): Promise<readonly T[]> {
  let runs: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += RUN) {
    runs.push(items.slice(at, at + RUN).sort(compare));
    await rest();
  }
  while (runs.length > 1) {
    const longer: (readonly T[])[] = [];
    for (let at = 0; at < runs.length; at += 2) {
      const next = runs[at + 1] ?? [];
      longer.push(await mergeWithPauses(runs[at], next, compare, rest));
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

async function mergeWithPauses<T>(
  a: readonly T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
  rest: () => Promise<void>,
): Promise<readonly T[]> {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  const merged: T[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const isFromA = j === b.length || i < a.length && compare(a[i], b[j]) <= 0;
    merged.push(isFromA ? a[i++] : b[j++]);
    if (merged.length % RUN === 0) await rest();
  }
  return merged;
}
