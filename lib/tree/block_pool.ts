// The blocks of a tree: the memory of its branches, in places of one size, so a freed block fits any branch.
//
//   chunk   | block | block | block | block |        one array each, of 1 up to 64 blocks
//   chunk   | block | free  | block | free  |
//
// Growing arrays by copying them into larger ones left a third of the process's memory in holes that nothing fitted
// into. With one size there are no holes, and no work for the garbage collector. Blocks are parts of larger
// arrays, because V8's bookkeeping for thousands of arrays would fall out of the processor's caches and delay
// each access to a counter.
//
// Invariant: a block has one owner, from `take` to `give`. Only the first branch of a small tree and a counter with
// decades of days have arrays of their own, of other sizes.
// Trade-off: a chunk is returned to the system only as a whole, once none of its blocks is in use.
//
// Blocks count in the tree's budget. `take` never refuses: the caller asks `hasRoom` before.

import { assert } from "../assert.ts";
import { Budget } from "../bytes/mod.ts";
import { LongRuns } from "./long_runs.ts";

/** Words of a block: 64 KiB hold some 1100 counters of a week, and are copied in some 80 µs. */
export const BLOCK_WORDS = 16384;

/** Blocks of the largest chunks: 4 MiB. */
const CHUNK_BLOCKS_MAX = 64;

/** A new chunk has this share of the blocks that there are already: so much may lie unused. */
const CHUNK_SHARE = 1 / 4;

/** What an array of its own costs beside its words, with the objects of its branch (measured: 700). */
const ARRAY_BYTES = 768;

/**
 * What an array has beyond a block counts so many times. A dump takes a branch as a whole, and with its
 * columns, its text and its frame holds some 28 bytes of each cell beside the 8 that are here.
 */
const EXCESS_FACTOR = 4;

/** The most blocks that are taken before others are given back: see `spread` in layout.ts. */
const BLOCKS_AT_ONCE = 5;

const BLOCK_BYTES = 4 * BLOCK_WORDS;

/** A place in memory for a branch: `size` words from `start` on. */
export interface Block {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly start: number;
  readonly size: number;
  /** Those of the tree. */
  readonly longs: LongRuns;
}

class Chunk {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly blocks: number;
  /** Where the blocks begin that nobody has; the next to be taken last. */
  readonly free: number[] = [];

  constructor(blocks: number) {
    this.words = new Uint32Array(blocks * BLOCK_WORDS);
    this.blocks = blocks;
    for (let block = blocks - 1; block >= 0; block--) this.free.push(block * BLOCK_WORDS);
  }

  get isUnused(): boolean {
    return this.free.length === this.blocks;
  }
}

/** What all trees without chunks have; it is never written to. */
const NO_CHUNKS: readonly Chunk[] = [];

export class BlockPool {
  #chunks = NO_CHUNKS;
  #budget: Budget;
  /** Bytes that count in the budget. */
  #bytes = 0;
  /** Blocks of the chunks that nobody has. */
  #free = 0;

  #longs: LongRuns | null = null;

  constructor(budget = new Budget()) {
    this.#budget = budget;
  }

  /** What all of it takes, and what else was counted here. */
  get bytes(): number {
    return this.#bytes;
  }

  get budget(): Budget {
    return this.#budget;
  }

  /** Lets all that is taken here count in another budget. */
  charge(budget: Budget): void {
    this.#budget.held -= this.#bytes;
    this.#budget = budget;
    budget.held += this.#bytes;
  }

  /** Counts bytes that belong to the tree and are not here. */
  count(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.held += bytes;
  }

  /** The runs that are too long for blocks. */
  get longs(): LongRuns {
    return this.#longs ??= new LongRuns(this);
  }

  /** Whether so many bytes more may be taken. */
  fits(bytes: number): boolean {
    return this.#budget.fits(bytes);
  }

  /** Whether branches can be laid out anew, one of which takes `words` if that is more than a block. */
  hasRoom(words: number): boolean {
    const large = words > BLOCK_WORDS ? 2 * costOf(words) : 0; // it, and what is cut off it
    return this.#budget.fits(large + (BLOCKS_AT_ONCE - this.#free) * BLOCK_BYTES);
  }

  /** Words of all chunks. */
  get words(): number {
    return this.#chunks.reduce((words, chunk) => words + chunk.words.length, 0);
  }

  /** A place of `size` words, which hold anything; an array of its own unless that is the size of a block. */
  acquire(size: number): Block {
    const { longs } = this;
    if (size !== BLOCK_WORDS) {
      this.count(costOf(size));
      return { words: new Uint32Array(size), start: 0, size, longs };
    }
    // The oldest chunks fill up first, so that later ones become unused when a tree shrinks.
    const chunk = this.#chunks.find(({ free }) => free.length > 0) ?? this.#grow();
    this.#free--;
    return { words: chunk.words, start: chunk.free.pop()!, size, longs };
  }

  /** Takes back a place that its branch no longer needs; it must not be touched afterwards. */
  release({ words, start, size }: Block): void {
    if (size !== BLOCK_WORDS) {
      this.count(-costOf(size));
      return free(words);
    }
    const chunk = this.#chunks.find((chunk) => chunk.words === words);
    assert(chunk !== undefined && !chunk.free.includes(start), "a block is given back once");
    chunk.free.push(start);
    this.#free++;
    if (!chunk.isUnused) return;
    // One is kept: a tree that goes on shrinking and growing by a block would ask for it again and again.
    const isKept = this.#chunks.every((other) => other === chunk || !other.isUnused);
    if (isKept) return;
    this.#chunks = this.#chunks.filter((other) => other !== chunk);
    this.#free -= chunk.blocks;
    this.count(-chunk.blocks * BLOCK_BYTES);
    free(words);
  }

  /**
   * Gives up all places, which must not be touched afterwards, and returns the arrays that are still to be
   * freed: going over thousands of them at once would take long.
   */
  abandon(arrays: readonly Block[]): Uint32Array<ArrayBuffer>[] {
    const gone = this.#chunks.map(({ words }) => words);
    for (const chunk of this.#chunks) this.count(-chunk.blocks * BLOCK_BYTES);
    this.#chunks = NO_CHUNKS;
    this.#free = 0;
    for (const { words, size } of arrays) {
      if (size === BLOCK_WORDS) continue;
      this.count(-costOf(size));
      gone.push(words);
    }
    return gone;
  }

  /** Asserts that what is counted is what the chunks and the arrays of branches take, and so much beside. */
  check(branches: readonly Block[], beside: number): void {
    const arrays = branches.filter(({ size }) => size !== BLOCK_WORDS);
    const bytes = arrays.reduce((sum, { size }) => sum + costOf(size), 4 * this.words + beside);
    assert(bytes + (this.#longs?.bytes ?? 0) === this.#bytes, "memory is counted");
    const free = this.#chunks.reduce((sum, chunk) => sum + chunk.free.length, 0);
    assert(free === this.#free, "free blocks are counted");
  }

  #grow(): Chunk {
    const share = Math.floor(this.words / BLOCK_WORDS * CHUNK_SHARE);
    const wanted = Math.min(CHUNK_BLOCKS_MAX, Math.max(1, share));
    const blocks = this.#budget.isWithin(wanted * BLOCK_BYTES) ? wanted : 1;
    const chunk = new Chunk(blocks);
    this.#chunks = [...this.#chunks, chunk];
    this.#free += blocks;
    this.count(blocks * BLOCK_BYTES);
    return chunk;
  }
}

/** What an array of its own takes. */
function costOf(words: number): number {
  const excess = Math.max(0, words - BLOCK_WORDS);
  return 4 * (words + excess * (EXCESS_FACTOR - 1)) + ARRAY_BYTES;
}

/** Frees an array now; a dropped reference would wait for the collector. */
export function free(words: Uint32Array<ArrayBuffer>): void {
  words.buffer.transfer(0);
}
