// The slots of a branch: a hash table from keys to counters, in the first words of the branch's block.
//
//   slot   | key lo | key hi | info | run | day | value |                        6 words
//          info: bit 31 the slot is taken, bits 29-30 the width of its run, below: how many cells
//          run:  where in the branch's words the counter's older cells are
//          day, value: the newest cell; an increment of today touches nothing but the slot
//
// Open addressing with linear probing, so that a search reads on in memory. A counter without cells
// keeps its slot, and is still listed, until it is given back.
// Invariant: at least one slot in eight is free, so every search ends; between the slot where the
// search for a key begins and the key's own, none is free.

import type { Block } from "./block_pool.ts";
import type { LongRuns } from "./long_runs.ts";
import { SLIM } from "./run.ts";

export const SLOT_WORDS = 6;
const KEY_LO = 0;
const KEY_HI = 1;
export const INFO = 2;
export const RUN = 3;
export const DAY = 4;
export const VALUE = 5;

export const TAKEN = 1 << 31;
export const WIDTH_SHIFT = 29;
export const WIDTH = 3 << WIDTH_SHIFT;
export const COUNT = (1 << WIDTH_SHIFT) - 1;

/** `info` of a counter without cells: its run, when it gets one, begins slim. */
export const NO_CELLS = TAKEN | SLIM << WIDTH_SHIFT;

/** The table is never fuller than this: beyond, a search for an absent key takes over 30 probes. */
const LOAD_MAX = 7 / 8;

/** What a slot costs with its share of the slots that stay free. */
export const WORDS_PER_SLOT = SLOT_WORDS / LOAD_MAX;

/** The most counters that a branch may have. */
export const BRANCH_KEYS_MAX = 16384;

/** Room for them and no more; `home` multiplies sixteen bits of hash by it and must stay below 2^31. */
const SLOTS_MAX = Math.ceil(BRANCH_KEYS_MAX / LOAD_MAX);

/** The least words that so many counters take whose runs take `runWords`. */
export function wordsFor(keys: number, runWords: number): number {
  return Math.ceil(keys / LOAD_MAX + 1) * SLOT_WORDS + runWords;
}

/**
 * What keys are mixed with: clients choose them, and must not know which ones collide. Of 60 000 chosen for
 * that, each took 18 times as long to create. With an exclusive or, ids in order stay in order in parts.
 */
const [SEED_LO, SEED_HI] = crypto.getRandomValues(new Int32Array(2));

/**
 * The slot where the search for a key begins: the high half of the key times 2^32 / golden ratio,
 * scaled to the table (Knuth, TAOCP 3, 6.4). It lays ids that were given out in order nearly evenly
 * over the slots, where a hash that mixes better would let them collide as random ones do.
 */
function home(lo: number, hi: number, slots: number): number {
  const hash = Math.imul(lo ^ SEED_LO ^ Math.imul(hi, SEED_HI | 1), 0x9e3779b1);
  return ((hash >>> 16) * slots) >>> 16;
}

export class SlotTable implements Block {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly start: number;
  readonly slots: number;
  readonly size: number;
  readonly longs: LongRuns;
  /** Taken slots. */
  keys = 0;

  constructor({ words, start, size, longs }: Block, slots: number) {
    this.words = words;
    this.start = start;
    this.slots = Math.min(slots, SLOTS_MAX);
    this.size = size;
    this.longs = longs;
    words.fill(0, start, this.runsStart);
  }

  /** The first word after the slots. */
  get runsStart(): number {
    return this.start + this.slots * SLOT_WORDS;
  }

  /** Whether one more key fits the table. */
  get hasSlot(): boolean {
    return this.keys + 1 <= this.slots * LOAD_MAX;
  }

  /** The slot of a key, or the complement (`~`) of the free slot where it belongs. */
  locate(lo: number, hi: number): number {
    const words = this.words;
    const start = this.start;
    const end = this.runsStart;
    let slot = start + home(lo, hi, this.slots) * SLOT_WORDS;
    while (words[slot + INFO] !== 0) {
      if (words[slot] === lo && words[slot + KEY_HI] === hi) return slot;
      slot += SLOT_WORDS;
      if (slot === end) slot = start;
    }
    return ~slot;
  }

  /** Takes the free slot that `locate` told for an absent key. There must be one (`hasSlot`). */
  take(slot: number, lo: number, hi: number): void {
    this.words[slot + KEY_LO] = lo;
    this.words[slot + KEY_HI] = hi;
    this.words[slot + INFO] = NO_CELLS;
    this.keys++;
  }

  /**
   * Gives back the slot of a counter without cells. A free slot would end the searches that went on
   * over it, so the counters behind it that they look for move up (Knuth, TAOCP 3, 6.4, algorithm R).
   */
  give(slot: number): void {
    const words = this.words;
    const length = this.slots * SLOT_WORDS;
    for (let next = this.#behind(slot); words[next + INFO] !== 0; next = this.#behind(next)) {
      const key = home(words[next + KEY_LO], words[next + KEY_HI], this.slots);
      const first = this.start + key * SLOT_WORDS;
      // Ways from slot to slot lead over the table's end.
      if ((next - first + length) % length < (next - slot + length) % length) continue;
      words.copyWithin(slot, next, next + SLOT_WORDS);
      slot = next;
    }
    words.fill(0, slot, slot + SLOT_WORDS);
    this.keys--;
  }

  /** Gives back all slots that `isGone` says of, at the price of going over the table once. */
  sift(isGone: (slot: number) => boolean): void {
    const words = this.words;
    let first = this.start;
    while (words[first + INFO] !== 0) first += SLOT_WORDS;
    // From a free slot on around the table to where it began. What lies behind a gap moves up, and
    // no further than to where it has been gone over already.
    let hasGap = false;
    for (let slot = this.#behind(first); slot !== first; slot = this.#behind(slot)) {
      if (words[slot + INFO] === 0) {
        hasGap = false;
      } else if (isGone(slot)) {
        words.fill(0, slot, slot + SLOT_WORDS);
        this.keys--;
        hasGap = true;
      } else if (hasGap) {
        this.#moveUp(slot);
      }
    }
  }

  /** The slot behind a slot; behind the last one is the first. */
  #behind(slot: number): number {
    const next = slot + SLOT_WORDS;
    return next === this.runsStart ? this.start : next;
  }

  /** Moves a counter to the first free slot of its search, which may be its own. */
  #moveUp(slot: number): void {
    const words = this.words;
    const info = words[slot + INFO];
    words[slot + INFO] = 0;
    const free = ~this.locate(words[slot + KEY_LO], words[slot + KEY_HI]);
    if (free !== slot) {
      words.copyWithin(free, slot, slot + SLOT_WORDS);
      words.fill(0, slot, slot + SLOT_WORDS);
    }
    words[free + INFO] = info;
  }

  /** The first taken slot at or after `slot`, or -1: `for (s = next(0); s >= 0; s = next(after(s)))`. */
  next(slot: number): number {
    const end = this.runsStart;
    for (slot = Math.max(slot, this.start); slot < end; slot += SLOT_WORDS) {
      if (this.words[slot + INFO] !== 0) return slot;
    }
    return -1;
  }

  after(slot: number): number {
    return slot + SLOT_WORDS;
  }

  keyLo(slot: number): number {
    return this.words[slot + KEY_LO];
  }

  keyHi(slot: number): number {
    return this.words[slot + KEY_HI];
  }
}
