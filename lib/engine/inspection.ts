// Inspection: describes a tree as a whole, by a walk over all of it or from a key on, or from the counts that the
// tree keeps.
//
// A walk gives way as all long work does (host/time_slices.ts) and ends at its deadline. A client that asks for parts
// (`cursor`) then gets what was found so far and where to go on; others get `query_timeout`.
// Invariant: a counter that exists during the whole walk is met once. Counters that change meanwhile are reported
// as they are when the walk reaches them, so a reply need not describe one moment. Each call makes progress: it
// walks over one branch at least.
// Numbers come first, ascending, and then names in the order of their ids, which is that of their first use.
// Trade-off: totals of a branch are added up in doubles, which hold the sum of 2^21 lanes exactly. Only the sums of
// branches, which may exceed 2^64-1, are bigints.

import { compareU64, highLane, lowLane, u64ToBigInt } from "../bytes/mod.ts";
import { type Data, DAY_MAX, NAMES_START, ROW_WORDS, Rows } from "../command/mod.ts";
import { pace } from "../host/mod.ts";
import { applyRangeDeletes } from "../state/mod.ts";
import { type Branch, DayRange, type Names, partsOf, type Tree, Walk } from "../tree/mod.ts";
import { Top } from "./top.ts";

/** Of the original a constant, which its clients may know. How many branches a tree has here is ours. */
const BRANCHES_TOLD = 9;

/** An answer, or that there was no time for it. */
export type InspectionResult = Data | "timeout";

/** How far a reading may go. */
export interface Span {
  /** The place behind which keys are read: a number's is itself; null: all are. */
  readonly cursor: bigint | null;
  /** Whether an answer about some of them is one, too. */
  readonly isPartial: boolean;
  /** When it must be done, in milliseconds of performance.now(). */
  readonly deadline: number;
}

/** All about a tree's counters: `tree.info`. */
export async function infoOf(tree: Tree, { deadline }: Span): Promise<InspectionResult> {
  if (!await isCounted(tree, deadline)) return "timeout";
  const { keys: key_count, cells: bucket_count, total } = countsOf(tree);
  return { tree: tree.name, key_count, bucket_count, total, branches: BRANCHES_TOLD };
}

/** What a tree's counters have together, in a range of days or in all: `tree.summary`. */
export async function summaryOf(
  tree: Tree,
  range: { readonly from: number; readonly to: number } | null,
  span: Span,
): Promise<InspectionResult> {
  const isWhole = range === null && span.cursor === null;
  if (isWhole && !await isCounted(tree, span.deadline)) return "timeout";
  const tally = isWhole
    ? { ...countsOf(tree), active: 0, next: null }
    : await tallyOf(tree, range ?? { from: 0, to: DAY_MAX }, span);
  if (tally === "timeout") return tally;
  const { keys, active, cells: bucket_count, total, next } = tally;
  const part = partOf(span, next);
  if (range === null) {
    return { tree: tree.name, total, active_keys: keys, bucket_count, ...part };
  }
  const { from: range_from, to: range_to } = range;
  const rest = { total, active_keys: active, bucket_count };
  return { tree: tree.name, range_from, range_to, ...rest, ...part };
}

/** The counters with the most in a range of days, the least key first of equals: `tree.top`. */
export async function topOf(
  tree: Tree,
  from: number,
  to: number,
  limit: number,
  span: Span,
): Promise<InspectionResult> {
  const numbers = new Top(limit);
  const named = new Top(limit);
  const range = new DayRange(from, to);
  const next = await readAll(tree, span, (walk, branch) => {
    const top = walk.tree.names === null ? numbers : named;
    const first = branch.next(0);
    for (let slot = first; slot >= 0; slot = branch.next(branch.after(slot))) {
      if (range.sum(branch, slot) === 0) continue;
      const lo = branch.keyLo(slot);
      const hi = branch.keyHi(slot);
      if (walk.covers(lo, hi)) top.offer(range.lo, range.hi, lo, hi);
    }
  });
  if (next === "timeout") return next;
  const items = merged(numbers.descending(), named.descending(), limit, tree.named?.names ?? null);
  return { tree: tree.name, limit, ...partOf(span, next), items };
}

/** A page of counters with keys above `cursor`, and their totals: `tree.keys`. */
export async function keysOf(
  tree: Tree,
  limit: number,
  { cursor, deadline }: Span,
): Promise<InspectionResult> {
  const rows = new Uint32Array(ROW_WORDS * limit);
  const names: Uint8Array[] = [];
  const range = new DayRange(0, DAY_MAX);
  const rest = pace();
  let size = 0;
  let next: bigint | null = null;
  for (const { walk, start } of walksOf(tree, cursor)) {
    const begin = size;
    for (; next === null; await rest()) {
      const branch = walk.next();
      if (branch === null) break;
      const keys = walk.keys(branch);
      const taken = Math.min(keys.length / 2, limit - size / ROW_WORDS);
      for (let at = 0; at < 2 * taken; at += 2, size += ROW_WORDS) {
        const [lo, hi] = [keys[at], keys[at + 1]];
        range.sum(branch, branch.locate(lo, hi));
        rows.set([range.lo, range.hi, lo, hi], size);
        const { names: known } = walk.tree;
        if (known !== null) names[size / ROW_WORDS] = known.nameOf(lo, hi).slice();
      }
      if (taken < keys.length / 2) {
        // Numbers may have filled the page before the first name.
        next = start + (size > begin ? u64ToBigInt(rows[size - 2], rows[size - 1]) : -1n);
      }
      if (performance.now() > deadline) return "timeout";
    }
  }
  const keys = new Rows(rows.subarray(0, size), "total", names.length > 0 ? names : null);
  return { tree: tree.name, limit, cursor: placeData(cursor), next_cursor: placeData(next), keys };
}

/** The rows of the highest values of both, numbers before names of the same value. */
function merged(
  numbers: Uint32Array,
  named: Uint32Array,
  limit: number,
  known: Names | null,
): Rows {
  if (known === null || named.length === 0) return new Rows(numbers, "value");
  const rows = new Uint32Array(Math.min(ROW_WORDS * limit, numbers.length + named.length));
  const names: Uint8Array[] = [];
  let [size, number, name] = [0, 0, 0];
  while (size < rows.length && (number < numbers.length || name < named.length)) {
    const isNumber = name === named.length || number < numbers.length &&
        compareU64(numbers[number], numbers[number + 1], named[name], named[name + 1]) >= 0;
    const text = isNumber ? null : known.peek(named[name + 2], named[name + 3]);
    const row = isNumber ? numbers.subarray(number) : named.subarray(name);
    if (isNumber) number += ROW_WORDS;
    else name += ROW_WORDS;
    if (!isNumber && text === null) continue; // its counter went while others were read
    if (text !== null) names[size / ROW_WORDS] = text.slice();
    rows.set(row.subarray(0, ROW_WORDS), size);
    size += ROW_WORDS;
  }
  return new Rows(rows.subarray(0, size), "value", names);
}

/** A place in a tree as clients are told it, to go on there: of a name its id behind an `@`. */
function placeData(place: bigint | null): bigint | string | null {
  return place === null || place < NAMES_START ? place : `@${place - NAMES_START}`;
}

/** What tells whoever asks for parts which one this is. */
function partOf({ isPartial, cursor }: Span, next: bigint | null): { [name: string]: Data } {
  return isPartial ? { cursor: placeData(cursor), next_cursor: placeData(next) } : {};
}

function countsOf({ counts: { keys, cells, total }, named }: Tree) {
  if (named === null) return { keys, cells, total };
  const { counts } = named;
  return { keys: keys + counts.keys, cells: cells + counts.cells, total: total + counts.total };
}

/** Lets a tree's counts be those of this moment: what was swept is counted until a branch has done it. */
async function isCounted(tree: Tree, deadline: number): Promise<boolean> {
  for (const part of partsOf(tree)) {
    while (!part.isSettled()) {
      if (performance.now() > deadline || !await applyRangeDeletes(part, deadline)) return false;
    }
  }
  return true;
}

/** Walks over a tree, and its named tree, from behind a place on. `start`: the place of the first key of each. */
function* walksOf(tree: Tree, cursor: bigint | null): Generator<{ walk: Walk; start: bigint }> {
  const from = (cursor ?? -1n) + 1n;
  if (from < NAMES_START) {
    yield { walk: new Walk(tree, lowLane(from), highLane(from)), start: 0n };
  }
  if (tree.named === null) return;
  const id = from > NAMES_START ? from - NAMES_START : 0n;
  yield { walk: new Walk(tree.named, lowLane(id), highLane(id)), start: NAMES_START };
}

interface Tally {
  keys: number;
  /** Keys that have days in the range. */
  active: number;
  cells: number;
  total: bigint;
  /** Where the next part begins; null: there is none. */
  next: bigint | null;
}

/** Goes through all counters of a tree, and their days in [from, to]. */
async function tallyOf(
  tree: Tree,
  { from, to }: { readonly from: number; readonly to: number },
  span: Span,
): Promise<Tally | "timeout"> {
  const tally: Tally = { keys: 0, active: 0, cells: 0, total: 0n, next: null };
  const range = new DayRange(from, to);
  const next = await readAll(tree, span, (walk, branch) => tallyBranch(walk, branch, range, tally));
  return next === "timeout" ? next : { ...tally, next };
}

function tallyBranch(walk: Walk, branch: Branch, range: DayRange, tally: Tally): void {
  let lows = 0;
  let highs = 0;
  for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
    if (!walk.covers(branch.keyLo(slot), branch.keyHi(slot))) continue;
    tally.keys++;
    const cells = range.sum(branch, slot);
    if (cells === 0) continue;
    tally.active++;
    tally.cells += cells;
    lows += range.lo;
    highs += range.hi;
  }
  tally.total += (BigInt(highs) << 32n) + BigInt(lows);
}

/**
 * Goes through all branches of a tree with keys above the cursor, as far as time allows. Returns where to go
 * on, null at the end; "timeout" where parts are of no use.
 */
async function readAll(
  tree: Tree,
  { cursor, isPartial, deadline }: Span,
  read: (walk: Walk, branch: Branch) => void,
): Promise<bigint | null | "timeout"> {
  const rest = pace();
  for (const { walk, start } of walksOf(tree, cursor)) {
    for (;;) {
      await rest();
      const branch = walk.next();
      if (branch === null) break;
      read(walk, branch);
      if (performance.now() <= deadline) continue;
      if (!isPartial) return "timeout";
      if (!walk.isDone) return start + u64ToBigInt(walk.nextLo, walk.nextHi) - 1n;
      return start < NAMES_START && tree.named !== null ? NAMES_START - 1n : null;
    }
  }
  return null;
}
