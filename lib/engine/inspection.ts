// Inspection: what a tree as a whole is like, found by going through all of it, or from a key on.
//
// It gives way to others every 2 ms, as the answer is made too, and gives up at its deadline.
// Invariant: of counters that are there all the time each is met once. What changes meanwhile is told
// as it is when the walk gets there: an answer need not be of one moment.
// Trade: totals are added up in doubles branch by branch, which hold 2^21 lanes exactly; only their
// sums, which may pass 2^64-1, are bigints.

import { compareU64, highLane, lowLane, u64ToBigInt } from "../bytes/u64.ts";
import type { Json } from "../command/json.ts";
import { DAY_MAX } from "../command/request.ts";
import { pace } from "../host/clock.ts";
import type { Branch } from "../tree/branch.ts";
import type { Tree } from "../tree/tree.ts";
import { Walk } from "../tree/walk.ts";

/** Of the original a constant, which its clients may know. How many branches a tree has here is ours. */
const BRANCHES_TOLD = 9;

/** Counters that are made into JSON at once: some 0.1 ms. */
const ROWS_AT_ONCE = 256;

/** Words of a counter and the sum of its days: value lo, value hi, key lo, key hi. */
const ROW_WORDS = 4;

/** All about a tree's counters: `tree.info`. */
export async function infoOf(tree: Tree, deadline: number): Promise<Json | "timeout"> {
  const tally = await tallyOf(tree, 0, DAY_MAX, deadline);
  if (tally === "timeout") return tally;
  const { keys, cells, total } = tally;
  return { tree: tree.name, key_count: keys, bucket_count: cells, total, branches: BRANCHES_TOLD };
}

/** What a tree's counters have together, in a range of days or in all: `tree.summary`. */
export async function summaryOf(
  tree: Tree,
  range: { readonly from: number; readonly to: number } | null,
  deadline: number,
): Promise<Json | "timeout"> {
  const { from, to } = range ?? { from: 0, to: DAY_MAX };
  const tally = await tallyOf(tree, from, to, deadline);
  if (tally === "timeout") return tally;
  const { keys, active, cells, total } = tally;
  if (range === null) return { tree: tree.name, total, active_keys: keys, bucket_count: cells };
  return {
    tree: tree.name,
    range_from: from,
    range_to: to,
    total,
    active_keys: active,
    bucket_count: cells,
  };
}

/** The counters with the most in a range of days, the least key first of equals: `tree.top`. */
export async function topOf(
  tree: Tree,
  from: number,
  to: number,
  limit: number,
  deadline: number,
): Promise<Json | "timeout"> {
  const top = new Top(limit);
  const isInTime = timer(deadline);
  const walk = new Walk(tree);
  const sum = new Uint32Array(2);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      const lo = branch.keyLo(slot);
      const hi = branch.keyHi(slot);
      if (!walk.covers(lo, hi)) continue;
      if (sumDays(branch, slot, from, to, sum) > 0) top.offer(sum[0], sum[1], lo, hi);
    }
    if (!await isInTime()) return "timeout";
  }
  const items = await told(top.descending(), "value", isInTime);
  return items === null ? "timeout" : { tree: tree.name, limit, items };
}

/** A page of counters with keys above `cursor`, and their totals: `tree.keys`. */
export async function keysOf(
  tree: Tree,
  limit: number,
  cursor: bigint | null,
  deadline: number,
): Promise<Json | "timeout"> {
  const rows = new Uint32Array(ROW_WORDS * limit);
  const sum = new Uint32Array(2);
  const isInTime = timer(deadline);
  const start = (cursor ?? -1n) + 1n; // 2^64 behind the last: a high lane above that of any key
  const walk = new Walk(tree, lowLane(start), highLane(start));
  let size = 0;
  let hasMore = false;
  for (let branch = walk.next(); branch !== null && !hasMore; branch = walk.next()) {
    const keys = walk.keys(branch);
    const taken = Math.min(keys.length / 2, limit - size / ROW_WORDS);
    for (let at = 0; at < 2 * taken; at += 2, size += ROW_WORDS) {
      const slot = branch.locate(keys[at], keys[at + 1]);
      branch.sum(slot, 0, branch.count(slot), sum);
      rows[size] = sum[0];
      rows[size + 1] = sum[1];
      rows[size + 2] = keys[at];
      rows[size + 3] = keys[at + 1];
    }
    hasMore = taken < keys.length / 2;
    if (!await isInTime()) return "timeout";
  }
  const keys = await told(rows.subarray(0, size), "total", isInTime);
  if (keys === null) return "timeout";
  const last = hasMore ? u64ToBigInt(rows[size - 2], rows[size - 1]) : null;
  return { tree: tree.name, limit, cursor, next_cursor: last, keys };
}

interface Tally {
  keys: number;
  /** Keys that have days in the range. */
  active: number;
  cells: number;
  total: bigint;
}

/** Goes through all counters of a tree, and their days in [from, to]. */
async function tallyOf(
  tree: Tree,
  from: number,
  to: number,
  deadline: number,
): Promise<Tally | "timeout"> {
  const tally = { keys: 0, active: 0, cells: 0, total: 0n };
  const isInTime = timer(deadline);
  const walk = new Walk(tree);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    tallyBranch(walk, branch, from, to, tally);
    if (!await isInTime()) return "timeout";
  }
  return tally;
}

function tallyBranch(walk: Walk, branch: Branch, from: number, to: number, tally: Tally): void {
  const sum = new Uint32Array(2);
  let lows = 0;
  let highs = 0;
  for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
    if (!walk.covers(branch.keyLo(slot), branch.keyHi(slot))) continue;
    tally.keys++;
    const cells = sumDays(branch, slot, from, to, sum);
    if (cells === 0) continue;
    tally.active++;
    tally.cells += cells;
    lows += sum[0];
    highs += sum[1];
  }
  tally.total += (BigInt(highs) << 32n) + BigInt(lows);
}

/** Adds up a counter's days in [from, to]; the sum's lanes go to `sum`. Returns how many there are. */
function sumDays(branch: Branch, slot: number, from: number, to: number, sum: Uint32Array): number {
  const first = branch.seek(slot, from);
  const end = branch.seekAfter(slot, to);
  if (first >= end) return 0;
  branch.sum(slot, first, end, sum);
  return end - first;
}

/** A function to await between steps: it lets others have a turn, and tells whether time is left. */
function timer(deadline: number): () => Promise<boolean> {
  const rest = pace();
  return async () => {
    await rest();
    return performance.now() <= deadline;
  };
}

/** Rows as `{"key":42,"total":7}`; null when time is up. */
async function told(
  rows: Uint32Array,
  value: "value" | "total",
  isInTime: () => Promise<boolean>,
): Promise<Json[] | null> {
  const list: Json[] = [];
  for (let at = 0; at < rows.length; at += ROW_WORDS) {
    const sum = u64ToBigInt(rows[at], rows[at + 1]);
    list.push({ key: u64ToBigInt(rows[at + 2], rows[at + 3]), [value]: sum });
    if (list.length % ROWS_AT_ONCE === 0 && !await isInTime()) return null;
  }
  return list;
}

/**
 * The first rows of all that are offered, in the order of descending values and ascending keys.
 *
 * They are a heap: each row comes behind those at 2n + 1 and 2n + 2, so the last of them is at 0.
 */
class Top {
  readonly #rows: Uint32Array;
  readonly #limit: number;
  #count = 0;

  constructor(limit: number) {
    this.#rows = new Uint32Array(ROW_WORDS * limit);
    this.#limit = limit;
  }

  offer(lo: number, hi: number, keyLo: number, keyHi: number): void {
    if (this.#count < this.#limit) return this.#rise(this.#count++, lo, hi, keyLo, keyHi);
    if (this.#isBehind(0, lo, hi, keyLo, keyHi)) this.#sink(0, this.#count, lo, hi, keyLo, keyHi);
  }

  /** All rows, the first first. Nothing can be offered afterwards. */
  descending(): Uint32Array {
    const rows = this.#rows;
    for (let end = this.#count - 1; end > 0; end--) {
      const [lo, hi, keyLo, keyHi] = rows.subarray(ROW_WORDS * end);
      this.#move(0, end);
      this.#sink(0, end, lo, hi, keyLo, keyHi);
    }
    return rows.subarray(0, ROW_WORDS * this.#count);
  }

  /** Whether the row at an index comes behind another. */
  #isBehind(index: number, lo: number, hi: number, keyLo: number, keyHi: number): boolean {
    const rows = this.#rows;
    const at = ROW_WORDS * index;
    const order = compareU64(rows[at], rows[at + 1], lo, hi);
    return order < 0 || order === 0 && compareU64(rows[at + 2], rows[at + 3], keyLo, keyHi) > 0;
  }

  /** Puts a row at an index, or higher where it comes behind what is there. */
  #rise(index: number, lo: number, hi: number, keyLo: number, keyHi: number): void {
    while (index > 0) {
      const parent = (index - 1) >>> 1;
      if (this.#isBehind(parent, lo, hi, keyLo, keyHi)) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#put(index, lo, hi, keyLo, keyHi);
  }

  /** Puts a row at an index of the first `end`, or lower where what is there comes behind it. */
  #sink(index: number, end: number, lo: number, hi: number, keyLo: number, keyHi: number): void {
    for (let child = 2 * index + 1; child < end; child = 2 * index + 1) {
      if (child + 1 < end && this.#isRowBehind(child + 1, child)) child++;
      if (!this.#isBehind(child, lo, hi, keyLo, keyHi)) break;
      this.#move(child, index);
      index = child;
    }
    this.#put(index, lo, hi, keyLo, keyHi);
  }

  #isRowBehind(index: number, other: number): boolean {
    const rows = this.#rows;
    const at = ROW_WORDS * other;
    return this.#isBehind(index, rows[at], rows[at + 1], rows[at + 2], rows[at + 3]);
  }

  #move(from: number, to: number): void {
    this.#rows.copyWithin(ROW_WORDS * to, ROW_WORDS * from, ROW_WORDS * (from + 1));
  }

  #put(index: number, lo: number, hi: number, keyLo: number, keyHi: number): void {
    const rows = this.#rows;
    const at = ROW_WORDS * index;
    rows[at] = lo;
    rows[at + 1] = hi;
    rows[at + 2] = keyLo;
    rows[at + 3] = keyHi;
  }
}
