// The layout of branches: the one operation that compacts, grows, splits and joins them.
//
// A full branch is first copied into a fresh block, which drops its dead words and divides the block between slots
// and runs as its counters now need it. If that gains little, up to three of its neighbours are laid out with it,
// evenly, over the same number of blocks or one more. So blocks are always at least about 3/4 full: four full ones
// become five.
//
// Invariant: the new branches hold the same counters, in the same order of key ranges.
// Trade-off: up to five blocks are copied at once (0.4 ms for counters of a week, 1 ms for counters of a day, of which
// there are three times as many), once for each block's worth of growth.

import { compareU64 } from "../bytes/mod.ts";
import { BLOCK_WORDS, type BlockPool } from "./block_pool.ts";
import { Branch } from "./branch.ts";
import { BRANCH_KEYS_MAX, WORDS_PER_SLOT, wordsFor } from "./slot_table.ts";

/** The first key of a range. */
interface Start {
  readonly startLo: number;
  readonly startHi: number;
}

/** A branch and where its range begins. */
export interface Placed extends Start {
  readonly branch: Branch;
}

/** The counter that is short of room: its run is to move to `words` words more, or, at 0, it is new. */
interface Growing {
  readonly keyLo: number;
  readonly keyHi: number;
  readonly words: number;
}

/** Branches that are laid out together at the most. */
export const WINDOW_BRANCHES_MAX = 4;

/**
 * In a tree of fewer branches only two are: in a young process the code is cold, and ten times slower.
 * Such trees, of some 20 000 counters, have their blocks 2/3 full instead of 3/4.
 */
const COLD_BRANCHES = 12;

/** A copy into the same block is worth it when it leaves this share of the block free. */
const COMPACT_FREE_MIN = 1 / 32;

/** Neighbours take no further block when they can share theirs filled no more than this. */
const SPREAD_LOAD_MAX = 0.85;

/** Neighbours that together need no more words than this become one branch. */
export const JOIN_WORDS_MAX = BLOCK_WORDS / 2;

/** The words that a branch, one more key and the run that found no room need. */
export function wordsNeeded(branch: Branch): number {
  return wordsFor(branch.keys + 1, branch.runWords + branch.wanted);
}

/** The size of the array for so many counters: a block, or less for a small tree, or more for long runs. */
export function sizeFor(keys: number, runWords: number): number {
  const words = wordsFor(keys, runWords);
  if (words > BLOCK_WORDS * (1 - COMPACT_FREE_MIN)) return words + (words >>> 2);
  const roomy = words + (words >>> 2);
  return Math.min(BLOCK_WORDS, 1 << (32 - Math.clz32(roomy)));
}

/** How large an array may be that a full branch is laid out in, if one counter alone takes more than a block. */
export function largestAfter(branch: Branch): number {
  const isLarge = branch.size > BLOCK_WORDS || sizeFor(1, branch.wanted) > BLOCK_WORDS;
  return isLarge ? sizeFor(branch.keys + 1, branch.runWords + branch.wanted) : BLOCK_WORDS;
}

/** Arrays from so many words on grow by `spread`, whose code then is warm when it has whole blocks to do. */
const SPREAD_WORDS_MIN = 512;

/** Copies a branch on its own; null when a block would not gain enough by it. */
export function compacted(branch: Branch, blocks: BlockPool): Branch | null {
  const isArray = branch.size < BLOCK_WORDS;
  if (isArray && branch.size >= SPREAD_WORDS_MIN && branch.keys > 1) return null;
  const words = wordsNeeded(branch);
  if (words > BLOCK_WORDS * (1 - COMPACT_FREE_MIN) && branch.keys > 1) return null;
  const size = isArray || branch.keys <= 1
    ? sizeFor(branch.keys + 1, branch.runWords + branch.wanted)
    : BLOCK_WORDS;
  const copy = new Branch(blocks.acquire(size), branch.keys + 1, branch.runWords + branch.wanted);
  branch.copyRange(copy, 0, 0, 0, 0);
  copy.swept = branch.swept;
  return copy;
}

/**
 * The neighbours [first, after) that a full branch is laid out with: those with the most room, where
 * that is enough for all of them, else the fullest, which leave the new block best filled.
 */
export function chooseWindow(branches: readonly Branch[], index: number): [number, number] {
  const isBlock = (at: number) => branches[at]?.size === BLOCK_WORDS;
  const sizeMax = branches.length < COLD_BRANCHES ? 2 : WINDOW_BRANCHES_MAX;
  let low = index;
  let high = index + 1;
  while (index - low < sizeMax - 1 && isBlock(low - 1)) low--;
  while (high - index < sizeMax && isBlock(high)) high++;
  const size = Math.min(sizeMax, high - low);
  let emptiest = low;
  let fullest = low;
  let least = Infinity;
  let most = 0;
  for (let first = low; first + size <= high; first++) {
    let words = 0;
    for (let at = first; at < first + size; at++) words += wordsNeeded(branches[at]);
    if (words < least) [least, emptiest] = [words, first];
    if (words > most) [most, fullest] = [words, first];
  }
  const first = least <= SPREAD_LOAD_MAX * size * BLOCK_WORDS ? emptiest : fullest;
  return [first, first + size];
}

/**
 * Lays out neighbouring branches, all swept, evenly over as few blocks as leave room to grow.
 * `end` is the first key after them (0 for none). The old branches are left as they are.
 */
export function spread(
  window: readonly Placed[],
  endLo: number,
  endHi: number,
  blocks: BlockPool,
  growing: Growing | null = null,
): Placed[] {
  const total = window.reduce((words, { branch }) => words + wordsNeeded(branch), 0);
  const parts = window.length + (total > window.length * BLOCK_WORDS * SPREAD_LOAD_MAX ? 1 : 0);
  const plans = plan(window, total / parts, growing);
  return plans.map((part, index) => {
    const last = index + 1 === plans.length;
    const toLo = last ? endLo : plans[index + 1].startLo;
    const toHi = last ? endHi : plans[index + 1].startHi;
    const needed = sizeFor(part.keys + 1, part.runWords);
    const size = plans.length === 1 ? needed : Math.max(BLOCK_WORDS, needed);
    const branch = new Branch(blocks.acquire(size), part.keys + 1, part.runWords);
    branch.swept = window[0].branch.swept;
    window.forEach((source, at) => {
      const next = window[at + 1] ?? { startLo: endLo, startHi: endHi };
      if (isBelow(next, part) || isBelow({ startLo: toLo, startHi: toHi }, source)) return;
      source.branch.copyRange(branch, part.startLo, part.startHi, toLo, toHi);
    });
    return { branch, startLo: part.startLo, startHi: part.startHi };
  });
}

/** Whether what ends before the key `end` (0 for never) has nothing of what begins at `start`. */
function isBelow(end: Start, start: Start): boolean {
  if (end.startLo === 0 && end.startHi === 0) return false;
  return compareU64(end.startLo, end.startHi, start.startLo, start.startHi) <= 0;
}

interface Part extends Start {
  keys: number;
  runWords: number;
}

/** Cuts the window's counters, in the order of their keys, into parts of about `share` words. */
function plan(window: readonly Placed[], share: number, growing: Growing | null): Part[] {
  let part: Part = { startLo: window[0].startLo, startHi: window[0].startHi, keys: 0, runWords: 0 };
  const parts = [part];
  let planned = 0;
  for (const { branch } of window) {
    const keys = sortedKeys(branch);
    for (let at = 0; at < keys.length; at += 2) {
      const slot = branch.locate(keys[at], keys[at + 1]);
      const grows = keys[at] === growing?.keyLo && keys[at + 1] === growing.keyHi;
      const run = branch.room(slot) + (grows ? growing.words : 0);
      const full = wordsFor(part.keys + 2, part.runWords + run) > BLOCK_WORDS;
      if (part.keys > 0 && (full || planned >= share * parts.length)) {
        part = { startLo: keys[at], startHi: keys[at + 1], keys: 0, runWords: 0 };
        parts.push(part);
      }
      part.keys++;
      part.runWords += run;
      planned += WORDS_PER_SLOT + run;
    }
  }
  return parts;
}

/** Cuts off the last branch at its last key: what is below keeps its block, the key begins another. */
export function cutOff(placed: Placed, keyLo: number, keyHi: number, blocks: BlockPool): Placed[] {
  const { branch, startLo, startHi } = placed;
  const slot = branch.locate(keyLo, keyHi);
  const runWords = (slot < 0 ? 0 : branch.room(slot)) + branch.wanted;
  const rest = new Branch(blocks.acquire(Math.max(BLOCK_WORDS, sizeFor(1, runWords))), 1, runWords);
  rest.swept = branch.swept;
  const cut = { branch: rest, startLo: keyLo, startHi: keyHi };
  if (slot < 0) return [placed, cut];
  const below = new Branch(blocks.acquire(branch.size), branch.keys - 1, branch.runWords);
  below.swept = branch.swept;
  branch.copyRange(below, startLo, startHi, keyLo, keyHi);
  branch.copyRange(rest, keyLo, keyHi, 0, 0);
  return [{ branch: below, startLo, startHi }, cut];
}

/** Copies neighbouring branches, all swept, into one. */
export function joined(branches: readonly Branch[], blocks: BlockPool): Branch {
  const keys = branches.reduce((keys, branch) => keys + branch.keys, 0);
  const runWords = branches.reduce((words, branch) => words + branch.runWords, 0);
  const copy = new Branch(blocks.acquire(sizeFor(keys + 1, runWords)), keys + 1, runWords);
  for (const branch of branches) branch.copyRange(copy, 0, 0, 0, 0);
  copy.swept = branches[0].swept;
  return copy;
}

/** Whether no key of a branch is above a key. */
export function isLast(branch: Branch, keyLo: number, keyHi: number): boolean {
  for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
    if (compareU64(branch.keyLo(slot), branch.keyHi(slot), keyLo, keyHi) > 0) return false;
  }
  return true;
}

const scratch = new BigUint64Array(BRANCH_KEYS_MAX);
const scratchLanes = new Uint32Array(scratch.buffer);

/** Writes the keys of a branch in ascending order, two lanes each, into an array valid until the next call. */
export function sortedKeys(branch: Branch): Uint32Array {
  let at = 0;
  for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
    scratchLanes[at++] = branch.keyLo(slot);
    scratchLanes[at++] = branch.keyHi(slot);
  }
  // Little-endian lanes are the number; without a comparator the sort is native and makes no bigints.
  scratch.subarray(0, branch.keys).sort();
  return scratchLanes.subarray(0, at);
}
