// The limits of a request: how much may be used of what, in which window. In arrays that are used
// again, since every consumption has some.
//
// Invariant: `count` limits are whole, and those on one counter have one cost.

import type { Window } from "./window.ts";

/** The most limits of one request. */
export const LIMITS_MAX = 16;

/** What becomes of a cost that does not fit: nothing, as much as fits, or all of it. */
export type LimitMode = "reject" | "saturate" | "force";

const WORDS = 8;
const NAME_START = 0;
const NAME_END = 1;
export const MAX = 2;
export const COST = 4;
export const SUBJECT = 6;

export class Limits {
  count = 0;
  /** Whether the request has a key, for limits without one of their own. */
  hasCommonKey = false;
  readonly #words = new Uint32Array(WORDS * LIMITS_MAX);
  readonly #windows: Window[] = [];
  /** Whether a limit names its own key; if not, it is the request's. */
  readonly #hasKey: boolean[] = [];

  clear(): void {
    this.count = 0;
    this.hasCommonKey = false;
  }

  /** Begins a limit, without a key of its own; the rest is to be put. */
  push(): number {
    this.#hasKey[this.count] = false;
    return this.count++;
  }

  /** Lets a limit be on the tree with the name bytes[start..end) of the request, over a window. */
  place(index: number, start: number, end: number, window: Window): void {
    this.#words[WORDS * index + NAME_START] = start;
    this.#words[WORDS * index + NAME_END] = end;
    this.#windows[index] = window;
  }

  /** Gives a limit its MAX, COST or SUBJECT: the key that it is on. */
  put(index: number, field: number, lo: number, hi: number): void {
    this.#words[WORDS * index + field] = lo;
    this.#words[WORDS * index + field + 1] = hi;
  }

  /** Notes that a limit has a key of its own. */
  own(index: number): void {
    this.#hasKey[index] = true;
  }

  lo(index: number, field: number): number {
    return this.#words[WORDS * index + field];
  }

  hi(index: number, field: number): number {
    return this.#words[WORDS * index + field + 1];
  }

  nameStart(index: number): number {
    return this.#words[WORDS * index + NAME_START];
  }

  nameEnd(index: number): number {
    return this.#words[WORDS * index + NAME_END];
  }

  window(index: number): Window {
    return this.#windows[index];
  }

  hasKey(index: number): boolean {
    return this.#hasKey[index];
  }

  /** Whether all limits have a key. */
  get areKeyed(): boolean {
    for (let index = 0; index < this.count; index++) {
      if (!this.hasCommonKey && !this.#hasKey[index]) return false;
    }
    return true;
  }

  /** The first limit on the same counter as this one, which may be itself. */
  first(index: number, bytes: Uint8Array): number {
    for (let other = 0; other < index; other++) if (this.#isSame(other, index, bytes)) return other;
    return index;
  }

  #isSame(a: number, b: number, bytes: Uint8Array): boolean {
    if (!this.hasCommonKey && this.#hasKey[a] !== this.#hasKey[b]) return false;
    if (this.lo(a, SUBJECT) !== this.lo(b, SUBJECT)) return false;
    if (this.hi(a, SUBJECT) !== this.hi(b, SUBJECT)) return false;
    const [startA, startB] = [this.nameStart(a), this.nameStart(b)];
    const length = this.nameEnd(a) - startA;
    if (length !== this.nameEnd(b) - startB) return false;
    for (let at = 0; at < length; at++) if (bytes[startA + at] !== bytes[startB + at]) return false;
    return true;
  }
}
