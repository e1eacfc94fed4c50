// Idempotency records: answers to requests with an idempotency key, so that a retry gets the same answer and is not
// carried out again. record_words.ts describes the words of one.
//
//   page     answer | answer | dead | answer | ... free    65536 words; an answer lies in one page
//   place    slot of the page << 16 | word in the page
//
// Invariant: a key has one answer, found by its place. Answers are kept in the order of arrival, up to a number
// and up to a number of bytes. A page without live answers is freed, wherever it stands. The bytes are those of the
// answers alone, so that replay, which may lay them out in other pages, forgets the same ones.
// Trade-off: dead answers take room as long as one in their page lives. Answers die in the order of arrival,
// unless the clock goes back, so that is a page or two.

import { assert } from "../assert.ts";
import { Budget, HashIndex } from "../bytes/mod.ts";
import {
  ANSWER_HEAD_WORDS,
  answerWords,
  CREATED,
  DAY,
  isAnswer,
  isDead,
  KEY_BYTES,
  LENGTHS,
  PRINT,
  writeAnswer,
} from "./record_words.ts";

export { ANSWER_HEAD_WORDS, answerWords, isAnswer, writeAnswer };

const PAGE_WORDS = 65536;
/** The most that go for their age when one comes: after a quiet week a million may be too old. */
export const EXPIRED_AT_ONCE_MAX = 1024;

interface Page {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly bytes: Uint8Array;
  readonly slot: number;
  /** Pages are numbered as they are begun. */
  readonly number: number;
  /** Answers before `first` are dead; at `end` the free words begin. */
  first: number;
  end: number;
  alive: number;
  /** No answer in the page was created before. */
  createdMin: number;
}

export class IdempotencyRecords {
  readonly #recordsMax: number;
  readonly #ageMaxSeconds: number;
  readonly #wordsMax: number;
  readonly #budget: Budget;
  /** Bytes that count in the budget. */
  #counted = 0;
  /** The page in a slot. Slot 0 is never taken, so that no place is 0. */
  readonly #slots: (Page | null)[] = [null];
  /** The pages, oldest first. */
  readonly #pages: Page[] = [];
  /** The words of a page that was given back. */
  #spare: Uint32Array<ArrayBuffer> | null = null;
  #pagesBegun = 0;
  readonly #places = new HashIndex((place) => this.#hashAt(place));
  #size = 0;
  /** Words of all answers that are held. */
  #words = 0;

  // The answer that was found last, until the next change.
  created = 0;
  day = 0;
  readonly fingerprint: Uint32Array<ArrayBuffer> = new Uint32Array(4);
  response: Uint8Array = new Uint8Array(0);

  /** Keeps so many answers, of so many bytes together, each for so long; 0: for ever. */
  constructor(
    recordsMax: number,
    ageMaxSeconds: number,
    bytesMax = Infinity,
    budget = new Budget(),
  ) {
    this.#recordsMax = recordsMax;
    this.#ageMaxSeconds = ageMaxSeconds;
    this.#wordsMax = bytesMax / 4;
    this.#budget = budget;
  }

  /** Answers that are held. */
  get size(): number {
    return this.#size;
  }

  /** Whether answers of so many words find memory. Where the oldest go for them they do, a page later. */
  hasRoom(words: number): boolean {
    const newest = this.#pages.at(-1);
    if (newest !== undefined && newest.end + words <= PAGE_WORDS || this.#spare !== null) {
      return true;
    }
    const isFull = this.#size >= this.#recordsMax || this.#words + words > this.#wordsMax;
    return isFull || this.#budget.fits(2 * 4 * PAGE_WORDS);
  }

  /** Bytes of memory that they take. */
  get bytes(): number {
    const pages = this.#pages.length + (this.#spare === null ? 0 : 1);
    return 4 * PAGE_WORDS * pages + this.#places.bytes;
  }

  /** Looks for the answer under the key bytes[start..end) that is not too old by now. */
  find(bytes: Uint8Array, start: number, end: number, nowSeconds: number): boolean {
    const place = this.#seek(bytes, start, end);
    if (place === 0 || this.#isOld(place, nowSeconds)) return false;
    const at = place % PAGE_WORDS;
    const { words, bytes: held } = this.#pageOf(place);
    this.created = words[at + CREATED];
    this.day = words[at + DAY];
    for (let n = 0; n < 4; n++) this.fingerprint[n] = words[at + PRINT + n];
    const from = 4 * (at + answerWords(end - start, 0));
    this.response = held.subarray(from, from + (words[at + LENGTHS] >>> 16));
    return true;
  }

  /**
   * Takes the answer at words[at...] as the newest, in place of one with the same key. For it go,
   * from the oldest on, answers too old by the time it was created, then those that are too many.
   */
  remember(words: Uint32Array, at: number): void {
    assert(isAnswer(words, at, words.length), "an answer is whole");
    const page = this.#pageFor(words[at]);
    const place = page.slot * PAGE_WORDS + page.end;
    page.words.set(words.subarray(at, at + words[at]), page.end);
    page.end += words[at];
    page.alive++;
    this.#size++;
    this.#words += words[at];
    const created = words[at + CREATED];
    page.createdMin = Math.min(page.createdMin, created);
    const same = this.#seekSame(place);
    if (same !== 0) this.#remove(same);
    this.#places.add(place);
    let expired = 0;
    while (expired++ < EXPIRED_AT_ONCE_MAX && this.#isOld(this.#oldest(), created)) {
      this.#remove(this.#oldest());
    }
    while (this.#size > this.#recordsMax || this.#words > this.#wordsMax && this.#size > 1) {
      this.#remove(this.#oldest());
    }
    this.#count();
  }

  /** Forgets, from the oldest on, up to `limit` answers created before a time; returns how many. */
  prune(beforeSeconds: number, limit: number): number {
    const count = this.#prune(beforeSeconds, limit);
    this.#count();
    return count;
  }

  #prune(beforeSeconds: number, limit: number): number {
    let count = 0;
    for (const page of [...this.#pages]) {
      if (page.createdMin >= beforeSeconds) continue;
      const { words, end } = page;
      // With the last answer in it the page is given back.
      for (let at = page.first, next = at; at < end && page.alive > 0; at = next) {
        if (count >= limit) return count;
        next = at + words[at];
        if (isDead(words, at) || words[at + CREATED] >= beforeSeconds) continue;
        this.#remove(page.slot * PAGE_WORDS + at);
        count++;
      }
    }
    return count;
  }

  /**
   * All answers, oldest first, each at words[at...] of a copy: whoever goes through them may wait,
   * and answers come and go meanwhile. Each that is there from beginning to end is met once.
   */
  *all(): Generator<[words: Uint32Array<ArrayBuffer>, at: number]> {
    const last = this.#pagesBegun; // what comes later is not waited for
    for (let number = 0;;) {
      const page = this.#pages.find((page) => page.number > number);
      if (page === undefined || page.number > last) return;
      number = page.number;
      const words = page.words.slice(page.first, page.end);
      for (let at = 0; at < words.length; at += words[at]) {
        if (!isDead(words, at)) yield [words, at];
      }
    }
  }

  /** Asserts the invariant. */
  check(): void {
    assert(this.#size <= this.#recordsMax, "there are not too many answers");
    assert(this.#words <= this.#wordsMax || this.#size === 1, "they have not too many bytes");
    assert(this.#counted === this.bytes, "their memory is counted");
    let [size, number] = [0, 0];
    for (const page of this.#pages) {
      assert(page.number > number, "pages are in the order in which they were begun");
      number = page.number;
      assert(this.#slots[page.slot] === page, "a page is in its slot");
      assert(page.alive > 0, "a page without answers is given back");
      assert(this.#checkPage(page) === page.alive, "a page's answers are counted");
      size += page.alive;
    }
    assert(size === this.#size, "answers are counted");
    const taken = this.#slots.filter((page) => page !== null).length;
    assert(taken === this.#pages.length, "no page is in two slots");
    this.#places.check(this.#size);
  }

  /** Asserts that a page's answers are whole and are found; returns how many are alive. */
  #checkPage({ words, slot, first, end, createdMin }: Page): number {
    let alive = 0;
    let at = 0;
    for (; at < end; at += words[at]) {
      assert(words[at] >= ANSWER_HEAD_WORDS, "the next answer is behind this one");
      if (isDead(words, at)) continue;
      alive++;
      assert(at >= first, "what lies before the first is dead");
      assert(isAnswer(words, at, end), "an answer is whole");
      assert(words[at + CREATED] >= createdMin, "no answer is older than its page says");
      const place = slot * PAGE_WORDS + at;
      assert(this.#seekSame(place) === place, "an answer is found by its key");
    }
    assert(at === end, "answers end where the free words begin");
    return alive;
  }

  #isOld(place: number, nowSeconds: number): boolean {
    const created = this.#pageOf(place).words[place % PAGE_WORDS + CREATED];
    return this.#ageMaxSeconds > 0 && created < nowSeconds - this.#ageMaxSeconds;
  }

  #pageOf(place: number): Page {
    return this.#slots[place >>> 16]!;
  }

  /** The newest page, or a new one if so many words don't fit there. */
  #pageFor(size: number): Page {
    const newest = this.#pages.at(-1);
    if (newest !== undefined && newest.end + size <= PAGE_WORDS) return newest;
    const free = this.#slots.indexOf(null, 1);
    const slot = free < 0 ? this.#slots.length : free;
    assert(slot * PAGE_WORDS < 2 ** 32, "a place names any page");
    const words = this.#spare ?? new Uint32Array(PAGE_WORDS);
    this.#spare = null;
    const bytes = new Uint8Array(words.buffer);
    const number = ++this.#pagesBegun;
    const page = { words, bytes, slot, number, first: 0, end: 0, alive: 0, createdMin: Infinity };
    this.#slots[slot] = page;
    this.#pages.push(page);
    return page;
  }

  /** The place of the oldest answer; there must be one. */
  #oldest(): number {
    const page = this.#pages[0];
    while (isDead(page.words, page.first)) page.first += page.words[page.first];
    return page.slot * PAGE_WORDS + page.first;
  }

  /** Counts the memory that they take now. */
  #count(): void {
    const { bytes } = this;
    this.#budget.held += bytes - this.#counted;
    this.#counted = bytes;
  }

  #remove(place: number): void {
    this.#places.remove(place);
    const page = this.#pageOf(place);
    this.#words -= page.words[place % PAGE_WORDS];
    page.words[place % PAGE_WORDS + LENGTHS] &= ~KEY_BYTES;
    this.#size--;
    if (--page.alive > 0) return;
    this.#slots[page.slot] = null;
    this.#pages.splice(this.#pages.indexOf(page), 1);
    if (this.#spare === null) this.#spare = page.words;
    else page.words.buffer.transfer(0); // frees now; the collector would some time
  }

  /** The place of the answer under a key, 0 if there is none. */
  #seek(bytes: Uint8Array, start: number, end: number): number {
    let place = this.#places.first(this.#places.hash.of(bytes, start, end));
    while (place !== 0 && !this.#isUnder(place, bytes, start, end)) place = this.#places.next();
    return place;
  }

  /** The same for the key of what lies at a place, whether that can be found or not. */
  #seekSame(place: number): number {
    const { words, bytes } = this.#pageOf(place);
    return this.#seek(bytes, keyStart(place), keyEnd(words, place));
  }

  #hashAt(place: number): number {
    const { words, bytes } = this.#pageOf(place);
    return this.#places.hash.of(bytes, keyStart(place), keyEnd(words, place));
  }

  #isUnder(place: number, bytes: Uint8Array, start: number, end: number): boolean {
    const page = this.#pageOf(place);
    const key = keyStart(place);
    let left = end - start;
    if (keyEnd(page.words, place) - key !== left) return false;
    // From the end on: keys that clients number begin alike.
    while (left > 0 && page.bytes[key + left - 1] === bytes[start + left - 1]) left--;
    return left === 0;
  }
}

/** Where the key of what lies at a place begins in the bytes of its page. */
function keyStart(place: number): number {
  return 4 * (place % PAGE_WORDS + ANSWER_HEAD_WORDS);
}

function keyEnd(words: Uint32Array, place: number): number {
  return keyStart(place) + (words[place % PAGE_WORDS + LENGTHS] & KEY_BYTES);
}
