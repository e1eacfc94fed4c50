// A block for tests: somewhere in an array whose other words belong to somebody else.

import type { Block } from "../../lib/tree/block_pool.ts";
import { LongRuns } from "../../lib/tree/long_runs.ts";

/** What every word holds before it is written. */
export const UNWRITTEN = 0xabababab;

/** Words before the block, and behind it. */
const AROUND = 10;

const MEMORY = { count: () => {}, fits: () => true };

/** A block of so many words, in memory that was used before. */
export function blockOf(size: number, longs = new LongRuns(MEMORY)): Block {
  const words = new Uint32Array(size + 2 * AROUND).fill(UNWRITTEN);
  return { words, start: AROUND, size, longs };
}

/** Whether nobody has written beside a block that `blockOf` made. */
export function isAloneIn({ words, start, size }: Block): boolean {
  return words.every((word, at) => at >= start && at < start + size || word === UNWRITTEN);
}
