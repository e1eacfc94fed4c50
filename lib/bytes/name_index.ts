// Names of objects that have small numbers: their bytes, one name after the other in pages.
//
//   page    | head | bytes ... | head | bytes ... | gone ...  | head | bytes ... | free |
//   head    bytes of the name | the upper 16 bits of its hash
//
// Invariant: the name with a number is at its place in `#places`; 0: there is none.
// Trade-off: an array for each name would cost 350 bytes; here a name costs its own bytes and four. Removed names
// leave gaps. Once gaps are more than half, names move to new pages, a few with each change, so that no change takes
// long; the old pages are freed when all have moved.

import { assert } from "../assert.ts";
import type { KeyedHash } from "./keyed_hash.ts";

const PAGE_WORDS = 16384;
const PAGE_SHIFT = 14;

/** Names that move with each change while gaps are closed: all have moved long before as many are added. */
const MOVED_AT_ONCE = 8;

/** Fewer words in gaps are not worth it. */
const GAPS_MIN = PAGE_WORDS;

const LENGTH = 0xffff;

interface Page {
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  /** Names of an older generation than that of all are to move. */
  readonly generation: number;
}

export class NameIndex {
  #pages: (Page | null)[] = [];
  /** Where there is no page any more. */
  readonly #freePages: number[] = [];
  #generation = 0;
  /** Where the next name goes: its page, and the word there. */
  #page = 0;
  #word = PAGE_WORDS;
  /** Of each number: 1 + the word where its name's head is, counted over all pages. */
  #places = new Uint32Array(16);
  /** Numbers are below it. */
  #end = 0;
  /** Words of the names that are there, and of those that are gone from pages of this generation. */
  #words = 0;
  #gaps = 0;
  /** The next number whose name may have to move; none while it is at `#end`. */
  #moving = 0;
  #isMoving = false;

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return 4 * ((this.#pages.length - this.#freePages.length) * PAGE_WORDS + this.#places.length);
  }

  /** Gives a number, which has none, a name. */
  add(number: number, hash: number, bytes: Uint8Array, start: number, end: number): void {
    while (number >= this.#places.length) this.#places = doubled(this.#places);
    assert(this.#places[number] === 0, "a number has one name");
    this.#end = Math.max(this.#end, number + 1);
    const words = wordsOf(end - start);
    const place = this.#take(words);
    const page = this.#pageOf(place);
    const word = place & PAGE_WORDS - 1;
    page.words[word] = headOf(end - start, hash);
    for (let at = start, to = 4 * word + 4; at < end; at++, to++) page.bytes[to] = bytes[at];
    this.#places[number] = place + 1;
    this.#words += words;
    this.#closeGaps();
  }

  /** Takes a number's name away. */
  remove(number: number): void {
    const place = this.#places[number] - 1;
    assert(place >= 0, "a name that goes is there");
    const page = this.#pageOf(place);
    const words = wordsOf(page.words[place & PAGE_WORDS - 1] & LENGTH);
    this.#places[number] = 0;
    this.#words -= words;
    if (page.generation === this.#generation) this.#gaps += words;
    this.#closeGaps();
  }

  /** Whether bytes[start..end), of that hash, are the name of a number, which has one. */
  is(number: number, hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    const place = this.#places[number] - 1;
    const page = this.#pageOf(place);
    const word = place & PAGE_WORDS - 1;
    if (page.words[word] !== headOf(end - start, hash)) return false;
    const name = page.bytes;
    for (let at = start, from = 4 * word + 4; at < end; at++, from++) {
      if (name[from] !== bytes[at]) return false;
    }
    return true;
  }

  /** The hash of the name of a number, which has one. */
  hashOf(number: number, hash: KeyedHash): number {
    const place = this.#places[number] - 1;
    const page = this.#pageOf(place);
    const word = place & PAGE_WORDS - 1;
    return hash.of(page.bytes, 4 * word + 4, 4 * word + 4 + (page.words[word] & LENGTH));
  }

  /** Asserts the invariant, and that no more lies in gaps than may. */
  check(): void {
    let words = 0;
    for (let number = 0; number < this.#end; number++) {
      const place = this.#places[number] - 1;
      if (place < 0) continue;
      words += wordsOf(this.#pageOf(place).words[place & PAGE_WORDS - 1] & LENGTH);
    }
    assert(words === this.#words, "the words of names are counted");
    const pages = this.#pages.filter((page) => page !== null);
    assert(pages.length === this.#pages.length - this.#freePages.length, "free pages are counted");
    const isOld = pages.some(({ generation }) => generation !== this.#generation);
    assert(isOld === this.#isMoving, "old pages are there while names move");
    const most = Math.max(2 * this.#words, this.#words + GAPS_MIN);
    assert(this.#isMoving || this.#words + this.#gaps <= most, "gaps are closed");
  }

  #pageOf(place: number): Page {
    return this.#pages[place >>> PAGE_SHIFT]!;
  }

  /** Finds a place for so many words. */
  #take(words: number): number {
    if (this.#word + words > PAGE_WORDS) {
      this.#gaps += PAGE_WORDS - this.#word;
      const array = new Uint32Array(PAGE_WORDS);
      const bytes = new Uint8Array(array.buffer);
      this.#page = this.#freePages.pop() ?? this.#pages.length;
      this.#pages[this.#page] = { words: array, bytes, generation: this.#generation };
      this.#word = 0;
    }
    const place = (this.#page << PAGE_SHIFT | this.#word) >>> 0;
    this.#word += words;
    return place;
  }

  /** Moves some names, if gaps are being closed or must be. */
  #closeGaps(): void {
    if (!this.#isMoving) {
      if (this.#gaps <= Math.max(GAPS_MIN, this.#words)) return;
      this.#isMoving = true;
      this.#moving = 0;
      this.#generation++;
      this.#word = PAGE_WORDS;
      this.#gaps = 0;
    }
    const end = Math.min(this.#end, this.#moving + MOVED_AT_ONCE);
    for (; this.#moving < end; this.#moving++) this.#move(this.#moving);
    if (this.#moving < this.#end) return;
    this.#pages.forEach((page, index) => {
      if (page === null || page.generation === this.#generation) return;
      this.#pages[index] = null;
      this.#freePages.push(index);
    });
    this.#isMoving = false;
  }

  /** Moves the name of a number to a page of this generation. */
  #move(number: number): void {
    const place = this.#places[number] - 1;
    if (place < 0) return;
    const { words, generation } = this.#pageOf(place);
    if (generation === this.#generation) return;
    const from = place & PAGE_WORDS - 1;
    const count = wordsOf(words[from] & LENGTH);
    const moved = this.#take(count);
    this.#pageOf(moved).words.set(words.subarray(from, from + count), moved & PAGE_WORDS - 1);
    this.#places[number] = moved + 1;
  }
}

/** The words of a name of so many bytes, with its head. */
function wordsOf(length: number): number {
  return 1 + Math.ceil(length / 4);
}

function headOf(length: number, hash: number): number {
  return (hash & ~LENGTH | length) >>> 0;
}

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}
