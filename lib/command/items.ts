// The items of a batch, or of any other list in a request, in one reused array.
//
//   item      key (2) | day | value (2)          for changes
//   key       key (2)
//   counter   start and end of the tree's name in the request | key (2)
//
// A key that is a name has its span in the request in place of the two lanes (`markName`, `isName`).
//
// Invariant: the first `count` items are complete and of one kind; `total` is the sum of their values.

import { LANE, LANE_MAX } from "../bytes/mod.ts";

export const ITEM_WORDS = 5;
export const KEY_WORDS = 2;
export const COUNTER_WORDS = 4;

/** The initial size of the array, which it returns to after a long batch. */
const BEGIN_WORDS = 64;
const KEPT_WORDS = 65536;

export class Items {
  count = 0;
  words = new Uint32Array(BEGIN_WORDS);
  readonly total = new Uint32Array(2);
  /** Whether the sum of all values passes 2^64-1. */
  isBeyond = false;
  /** Whether some value is zero. */
  hasZero = false;
  /** Whether some key is a name. */
  hasNames = false;
  #named = new Uint8Array(0);
  #length = 0;

  clear(): void {
    this.count = 0;
    this.hasNames = false;
    this.#length = 0;
    this.total[0] = this.total[1] = 0;
    this.isBeyond = this.hasZero = false;
    if (this.words.length > KEPT_WORDS) this.words = new Uint32Array(BEGIN_WORDS);
  }

  /** Notes that the key of the last item is a name. */
  markName(): void {
    if (!this.hasNames) this.#named.fill(0);
    this.hasNames = true;
    if (this.#named.length < this.count) {
      const larger = new Uint8Array(2 * this.count);
      larger.set(this.#named);
      this.#named = larger;
    }
    this.#named[this.count - 1] = 1;
  }

  /** Whether the key of an item is a name. */
  isName(index: number): boolean {
    return this.hasNames && this.#named[index] === 1;
  }

  /** Appends a change of a counter's day. */
  pushItem(keyLo: number, keyHi: number, day: number, lo: number, hi: number): void {
    const at = this.#room(ITEM_WORDS);
    const { words, total } = this;
    words[at] = keyLo;
    words[at + 1] = keyHi;
    words[at + 2] = day;
    words[at + 3] = lo;
    words[at + 4] = hi;
    const sumLo = total[0] + lo;
    const carry = sumLo > LANE_MAX ? 1 : 0;
    const sumHi = total[1] + hi + carry;
    total[0] = sumLo - carry * LANE;
    total[1] = sumHi;
    if (sumHi > LANE_MAX) this.isBeyond = true;
    if (lo === 0 && hi === 0) this.hasZero = true;
  }

  pushKey(lo: number, hi: number): void {
    const at = this.#room(KEY_WORDS);
    this.words[at] = lo;
    this.words[at + 1] = hi;
  }

  pushCounter(nameStart: number, nameEnd: number, keyLo: number, keyHi: number): void {
    const at = this.#room(COUNTER_WORDS);
    this.words[at] = nameStart;
    this.words[at + 1] = nameEnd;
    this.words[at + 2] = keyLo;
    this.words[at + 3] = keyHi;
  }

  #room(words: number): number {
    const at = this.#length;
    this.#length += words;
    this.count++;
    if (this.#length > this.words.length) {
      const larger = new Uint32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    return at;
  }
}
