// A block for tests: somewhere in an array whose other words belong to somebody else.

import type { Block } from "../../lib/tree/blocks.ts";

/** What every word holds before it is written. */
export const UNWRITTEN = 0xabababab;

/** Words before the block, and behind it. */
const AROUND = 10;

/** A block of so many words, in memory that was used before. */
export function blockOf(size: number): Block {
  return { words: new Uint32Array(size + 2 * AROUND).fill(UNWRITTEN), start: AROUND, size };
}

/** Whether nobody has written beside a block that `blockOf` made. */
export function isAloneIn({ words, start, size }: Block): boolean {
  return words.every((word, at) => at >= start && at < start + size || word === UNWRITTEN);
}
