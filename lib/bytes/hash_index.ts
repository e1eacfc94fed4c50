// A hash index: places of entries by the hash of their keys, in 1024 small tables or more, with open addressing; 0 is free.
//
// Invariant: a place is entered once, and no free slot lies between the slot of its hash and its own, so a search ends at
// the first free slot. Removal leaves no tombstone.
// Trade-off: the tables hold no hashes: the caller compares keys, and a table that grows asks for the hashes again.
// That is 8 bytes a place instead of 16. Each table grows alone, so a request waits for one of them at most: some
// 200 µs with a million places.

import { assert } from "../assert.ts";
import { KeyedHash } from "./keyed_hash.ts";

/** As many as a hash has bits for, beside those of a slot: a table is found by the lower, a slot by the upper ones. */
const TABLES = 1024;

/** A table that nothing is in yet has this one, which nothing is written to. */
const EMPTY = new Uint32Array(1);
const TABLE_WORDS_MIN = 4;

/** A table is never fuller: beyond, a search for an absent key takes over eight probes. */
const LOAD_MAX = 3 / 4;

export class HashIndex {
  /** For keys that clients choose: nobody knows which ones collide. */
  readonly hash = new KeyedHash();
  readonly #hashAt: (place: number) => number;
  readonly #tables: Uint32Array[];
  readonly #counts: Uint32Array;
  readonly #tableMask: number;
  readonly #slotShift: number;
  #words = 0;

  // Where the search is.
  #table: Uint32Array = EMPTY;
  #slot = 0;

  /** `hashAt` tells the hash of the key of what lies at a place; `tables` is a power of two. */
  constructor(hashAt: (place: number) => number, tables = TABLES) {
    this.#hashAt = hashAt;
    this.#tables = new Array(tables).fill(EMPTY);
    this.#counts = new Uint32Array(tables);
    this.#tableMask = tables - 1;
    this.#slotShift = 31 - Math.clz32(tables);
  }

  /** Bytes of memory that the tables take. */
  get bytes(): number {
    return 4 * this.#words;
  }

  /** Where what has such a hash may lie, or at one of the `next` places, up to the first 0. */
  first(hash: number): number {
    this.#table = this.#tables[hash & this.#tableMask];
    this.#slot = (hash >>> this.#slotShift) & (this.#table.length - 1);
    return this.#table[this.#slot];
  }

  next(): number {
    this.#slot = (this.#slot + 1) & (this.#table.length - 1);
    return this.#table[this.#slot];
  }

  /** Enters a place, which is neither 0 nor there. */
  add(place: number): void {
    const hash = this.#hashAt(place);
    const number = hash & this.#tableMask;
    const table = this.#tables[number];
    const shift = this.#slotShift;
    if (++this.#counts[number] <= table.length * LOAD_MAX) {
      return enter(table, place, hash >>> shift);
    }
    const larger = new Uint32Array(Math.max(TABLE_WORDS_MIN, 2 * table.length));
    for (const other of table) if (other !== 0) enter(larger, other, this.#hashAt(other) >>> shift);
    enter(larger, place, hash >>> shift);
    this.#words += larger.length - (table === EMPTY ? 0 : table.length);
    this.#tables[number] = larger;
  }

  /** Takes out a place and moves up those behind it that were kept from their own slots. */
  remove(place: number): void {
    const hash = this.#hashAt(place);
    const table = this.#tables[hash & this.#tableMask];
    const mask = table.length - 1;
    let hole = (hash >>> this.#slotShift) & mask;
    while (table[hole] !== place) {
      assert(table[hole] !== 0, "a place is entered");
      hole = (hole + 1) & mask;
    }
    for (let slot = (hole + 1) & mask; table[slot] !== 0; slot = (slot + 1) & mask) {
      const own = this.#hashAt(table[slot]) >>> this.#slotShift;
      if (((slot - own) & mask) < ((slot - hole) & mask)) continue;
      table[hole] = table[slot];
      hole = slot;
    }
    table[hole] = 0;
    this.#counts[hash & this.#tableMask]--;
  }

  /** Asserts the invariant, and that there are so many places. */
  check(count: number): void {
    let words = 0;
    for (const [number, table] of this.#tables.entries()) {
      const entered = table.filter((place) => place !== 0);
      assert(entered.length === this.#counts[number], "a table's places are counted");
      assert(entered.length <= table.length * LOAD_MAX, "a table is not too full");
      for (const place of entered) {
        const hash = this.#hashAt(place);
        assert((hash & this.#tableMask) === number, "a place is in its hash's table");
        let met = this.first(hash);
        while (met !== place && met !== 0) met = this.next();
        assert(met === place, "a search gets to a place");
      }
      assert(new Set(entered).size === entered.length, "a place is entered once");
      count -= entered.length;
      if (table !== EMPTY) words += table.length;
    }
    assert(EMPTY[0] === 0, "nothing is in the empty table");
    assert(count === 0, "there are as many places as things");
    assert(words === this.#words, "the words of tables are counted");
  }
}

/** Puts a place into the first free slot from its own on. */
function enter(table: Uint32Array, place: number, own: number): void {
  const mask = table.length - 1;
  let slot = own & mask;
  while (table[slot] !== 0) slot = (slot + 1) & mask;
  table[slot] = place;
}
