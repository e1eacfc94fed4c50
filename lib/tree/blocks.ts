// The blocks of a tree: the memory of its branches, in places of one size, so that a block given back
// fits whichever branch asks next.
//
//   chunk   | block | block | block | block |        one array each, of 1 up to 64 blocks
//   chunk   | block | free  | block | free  |
//
// Growing arrays by copying them into larger ones left a third of the process's memory in holes that
// nothing fitted into. With one size there are no holes, and nothing for the garbage collector to do.
// Blocks are parts of larger arrays, because what the engine keeps about thousands of arrays would itself
// fall out of the caches, and be waited for before each counter.
//
// Invariant: a block has one owner, from `take` to `give`. Only the first branch of a small tree and a
// counter with decades of days have arrays of their own, of other sizes.
// Trade: a chunk goes back to the system as a whole, when none of its blocks is in use.

import { assert } from "../assert.ts";

/** Words of a block: 64 KiB hold some 1100 counters of a week, and are copied in some 80 µs. */
export const BLOCK_WORDS = 16384;

/** Blocks of the largest chunks: 4 MiB. */
const CHUNK_BLOCKS_MAX = 64;

/** A new chunk has this share of the blocks that there are already: so much may lie unused. */
const CHUNK_SHARE = 1 / 4;

/** A place in memory for a branch: `size` words from `start` on. */
export interface Block {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly start: number;
  readonly size: number;
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

export class Blocks {
  #chunks: Chunk[] = [];

  /** Words of all chunks. */
  get words(): number {
    return this.#chunks.reduce((words, chunk) => words + chunk.words.length, 0);
  }

  /** A place of `size` words, which hold anything; an array of its own unless that is the size of a block. */
  take(size: number): Block {
    if (size !== BLOCK_WORDS) return { words: new Uint32Array(size), start: 0, size };
    // The oldest chunks fill up first, so that later ones become unused when a tree shrinks.
    const chunk = this.#chunks.find(({ free }) => free.length > 0) ?? this.#grow();
    return { words: chunk.words, start: chunk.free.pop()!, size };
  }

  /** Takes back a place that its branch no longer needs; it must not be touched afterwards. */
  give({ words, start, size }: Block): void {
    if (size !== BLOCK_WORDS) return free(words);
    const chunk = this.#chunks.find((chunk) => chunk.words === words);
    assert(chunk !== undefined && !chunk.free.includes(start), "a block is given back once");
    chunk.free.push(start);
    if (!chunk.isUnused) return;
    // One is kept: a tree that goes on shrinking and growing by a block would ask for it again and again.
    const isKept = this.#chunks.every((other) => other === chunk || !other.isUnused);
    if (isKept) return;
    this.#chunks = this.#chunks.filter((other) => other !== chunk);
    free(words);
  }

  #grow(): Chunk {
    const blocks = Math.floor(this.words / BLOCK_WORDS * CHUNK_SHARE);
    const chunk = new Chunk(Math.min(CHUNK_BLOCKS_MAX, Math.max(1, blocks)));
    this.#chunks.push(chunk);
    return chunk;
  }
}

/** Frees an array now; a dropped reference would wait for the collector. */
function free(words: Uint32Array<ArrayBuffer>): void {
  words.buffer.transfer(0);
}
