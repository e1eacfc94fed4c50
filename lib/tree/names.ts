// Names: keys that are no numbers. Each is kept once, under an id, however many trees have a counter of that name.
//
//   page    | entry | entry | gone | entry | ... | free |     16384 words
//   entry   head of its form (name_form.ts) | id (2) | counters | bytes ...
//
// Invariant: an entry says how many counters have its id, in all trees, and goes with the last of them. Two indexes lead
// to it: by what it is called, and by its id. While a log is replayed, a name may have two ids, of which the log takes one
// away; after that a name has one.
// Trade-off: an id is never given twice, so a record of the log, a dump or a cursor always means the same name. So
// ids are no places in an array, and take an index of their own: a UUID takes 32 bytes and, in both indexes, 14.
// Pages that are less than half full are given up, and what is left in them moves: as much as has gone, at most.

import { assert } from "../assert.ts";
import { Budget, HashIndex, LANE } from "../bytes/mod.ts";
import { pack, unpack, unpackedLength } from "./name_form.ts";

const PAGE_WORDS = 16384;
const PAGE_SHIFT = 14;

// Words of an entry.
const ID_LO = 1;
const ID_HI = 2;
const COUNTERS = 3;
const BYTES = 4;

const LENGTH = 0xff;

/** So many tables that with ten million names each has some six hundred, and grows in less than 0.2 ms. */
const TABLES = 16384;

interface Page {
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  /** Words that entries take, and where the next one goes. */
  live: number;
  end: number;
}

/** What there is while there are no names. */
const NO_INDEX = new HashIndex(() => 0, 1);

/** Scratch: a name as it is kept. */
const packed = new Uint8Array(256);
/** Scratch: a name as it is written. */
const text = new Uint8Array(256);

export class Names {
  readonly #budget: Budget;
  readonly #pages: (Page | null)[] = [];
  #freePages: number[] = [];
  /** The page that is being filled; -1: there is none. */
  #page = -1;
  #byName = NO_INDEX;
  #byId = NO_INDEX;
  #counted = 0;
  count = 0;
  /** The highest id that there ever was. */
  lastId = 0;
  /** After `find`: the lanes of the id. */
  idLo = 0;
  idHi = 0;

  constructor(budget = new Budget()) {
    this.#budget = budget;
  }

  /** Bytes of memory that it takes; they are in the budget. */
  get bytes(): number {
    const pages = this.#pages.length - this.#freePages.length;
    return 4 * PAGE_WORDS * pages + this.#byName.bytes + this.#byId.bytes;
  }

  /** Whether bytes[start..end) is a name that some counter has; its id goes to `idLo` and `idHi`. */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    const head = pack(bytes, start, end, packed);
    const length = head & LENGTH;
    const index = this.#byName;
    const hash = index.hash.of(packed, 0, length);
    for (let place = index.first(hash); place !== 0; place = index.next()) {
      const { words, bytes: kept } = this.#pageOf(place);
      const at = wordOf(place);
      if (words[at] !== head) continue;
      let same = 0;
      const from = 4 * (at + BYTES);
      while (same < length && kept[from + same] === packed[same]) same++;
      if (same < length) continue;
      this.idLo = words[at + ID_LO];
      this.idHi = words[at + ID_HI];
      return true;
    }
    return false;
  }

  /** Counts one more counter of an id, whose name is `name`. */
  retain(idLo: number, idHi: number, name: Uint8Array): void {
    const known = this.#placeOf(idLo, idHi);
    if (known !== 0) {
      this.#pageOf(known).words[wordOf(known) + COUNTERS]++;
      return;
    }
    if (this.count === 0) this.#begin();
    const head = pack(name, 0, name.length, packed);
    const place = this.#take(wordsOf(head));
    const { words, bytes } = this.#pageOf(place);
    const at = wordOf(place);
    words[at] = head;
    words[at + ID_LO] = idLo;
    words[at + ID_HI] = idHi;
    words[at + COUNTERS] = 1;
    bytes.set(packed.subarray(0, head & LENGTH), 4 * (at + BYTES));
    this.#byName.add(place);
    this.#byId.add(place);
    this.count++;
    this.lastId = Math.max(this.lastId, idHi * LANE + idLo);
    this.#charge();
  }

  /** Counts one counter of an id less; with the last one its name goes. */
  release(idLo: number, idHi: number): void {
    const place = this.#placeOf(idLo, idHi);
    assert(place !== 0, "a name that is released is there");
    const page = this.#pageOf(place);
    const at = wordOf(place);
    if (--page.words[at + COUNTERS] > 0) return;
    this.#byName.remove(place);
    this.#byId.remove(place);
    page.live -= wordsOf(page.words[at]);
    this.count--;
    if (this.count === 0) this.#end();
    else this.#vacate((place - 1) >>> PAGE_SHIFT);
    this.#charge();
  }

  /** Takes all names away. */
  clear(): void {
    this.count = 0;
    this.#end();
    this.#charge();
  }

  /** What an id is called: a view, valid until the next call. */
  nameOf(idLo: number, idHi: number): Uint8Array<ArrayBuffer> {
    const name = this.peek(idLo, idHi);
    assert(name !== null, "an id that a counter has is that of a name");
    return name;
  }

  /** As `nameOf`, of an id that no counter may have any more; null: none has. */
  peek(idLo: number, idHi: number): Uint8Array<ArrayBuffer> | null {
    const place = this.#placeOf(idLo, idHi);
    if (place === 0) return null;
    const { words, bytes } = this.#pageOf(place);
    const at = wordOf(place);
    return text.subarray(0, unpack(words[at], bytes, 4 * (at + BYTES), text));
  }

  /** Asserts the invariant; `isUnique`: also that each name has one id. Returns the ids and their counters. */
  check(isUnique = true): Map<number, number> {
    this.#byName.check(this.count);
    this.#byId.check(this.count);
    const ids = new Map<number, number>();
    const seen = new Set<string>();
    for (const [number, page] of this.#pages.entries()) {
      if (page === null) continue;
      let live = 0;
      for (let at = 0; at < page.end; at += wordsOf(page.words[at])) {
        const [head, idLo, idHi, counters] = page.words.subarray(at, at + BYTES);
        if (counters === 0) continue;
        live += wordsOf(head);
        assert(this.#placeOf(idLo, idHi) === placeAt(number, at), "an id leads to its entry");
        const name = this.nameOf(idLo, idHi);
        assert(name.length === unpackedLength(head), "a name is as long as its form says");
        const key = name.join();
        assert(!isUnique || !seen.has(key), "a name has one id");
        seen.add(key);
        assert(this.find(name.slice(), 0, name.length), "a name is found");
        ids.set(idHi * LANE + idLo, counters);
      }
      assert(live === page.live, "what is alive in a page is counted");
      const isHalf = number === this.#page || 2 * live >= page.end;
      assert(isHalf, "a page that is mostly empty is given up");
    }
    assert(ids.size === this.count, "names are counted");
    assert(this.#counted === this.bytes, "what names take is in the budget");
    return ids;
  }

  #placeOf(idLo: number, idHi: number): number {
    const index = this.#byId;
    for (let place = index.first(hashOfId(idLo, idHi)); place !== 0; place = index.next()) {
      const { words } = this.#pageOf(place);
      const at = wordOf(place);
      if (words[at + ID_LO] === idLo && words[at + ID_HI] === idHi) return place;
    }
    return 0;
  }

  #pageOf(place: number): Page {
    return this.#pages[(place - 1) >>> PAGE_SHIFT]!;
  }

  #begin(): void {
    const byName: HashIndex = new HashIndex((place): number => {
      const { words, bytes } = this.#pageOf(place);
      const at = wordOf(place);
      const from = 4 * (at + BYTES);
      return byName.hash.of(bytes, from, from + (words[at] & LENGTH));
    }, TABLES);
    this.#byName = byName;
    this.#byId = new HashIndex((place) => {
      const { words } = this.#pageOf(place);
      const at = wordOf(place);
      return hashOfId(words[at + ID_LO], words[at + ID_HI]);
    }, TABLES);
  }

  /** No name is left: gives everything back. */
  #end(): void {
    this.#pages.length = 0;
    this.#freePages = [];
    this.#page = -1;
    this.#byName = this.#byId = NO_INDEX;
  }

  /** Finds a place for an entry of so many words. */
  #take(count: number): number {
    let page = this.#page < 0 ? null : this.#pages[this.#page];
    if (page === null || page.end + count > PAGE_WORDS) {
      const full = this.#page;
      const words = new Uint32Array(PAGE_WORDS);
      page = { words, bytes: new Uint8Array(words.buffer), live: 0, end: 0 };
      this.#page = this.#freePages.pop() ?? this.#pages.length;
      this.#pages[this.#page] = page;
      if (full >= 0) this.#vacate(full);
    }
    // What has moved here meanwhile takes less than half a page.
    page = this.#pages[this.#page]!;
    const place = placeAt(this.#page, page.end);
    page.end += count;
    page.live += count;
    return place;
  }

  /** Gives a page up if less than half of it is alive: its entries move, and it is free. */
  #vacate(number: number): void {
    const page = this.#pages[number]!;
    if (number === this.#page || 2 * page.live >= page.end) return;
    for (let at = 0; at < page.end && page.live > 0; at += wordsOf(page.words[at])) {
      if (page.words[at + COUNTERS] > 0) this.#move(page, placeAt(number, at));
    }
    this.#pages[number] = null;
    this.#freePages.push(number);
  }

  #move(page: Page, place: number): void {
    const at = wordOf(place);
    const count = wordsOf(page.words[at]);
    const moved = this.#take(count);
    this.#pageOf(moved).words.set(page.words.subarray(at, at + count), wordOf(moved));
    this.#byName.remove(place);
    this.#byId.remove(place);
    page.live -= count;
    this.#byName.add(moved);
    this.#byId.add(moved);
  }

  #charge(): void {
    const { bytes } = this;
    this.#budget.held += bytes - this.#counted;
    this.#counted = bytes;
  }
}

/** The words of an entry with that head. */
function wordsOf(head: number): number {
  return BYTES + ((head & LENGTH) + 3 >>> 2);
}

/** An entry's place, which is never 0, from its page and its word there. */
function placeAt(page: number, word: number): number {
  return page * PAGE_WORDS + word + 1;
}

function wordOf(place: number): number {
  return (place - 1) & PAGE_WORDS - 1;
}

/** Ids are given one after the other, by us: they need no key, only to be spread (MurmurHash3's end). */
function hashOfId(lo: number, hi: number): number {
  let hash = lo ^ Math.imul(hi, 0x9e3779b1);
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
