// One branch: its slots, its cells at every width, and that an operation without room changes nothing.

import { assert, assertEquals } from "@std/assert";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { Branch } from "../../../lib/tree/branch.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { NARROW, SLIM, WIDE } from "../../../lib/tree/run.ts";
import { BRANCH_KEYS_MAX, SLOT_WORDS, wordsFor } from "../../../lib/tree/slot_table.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { blockOf, isAloneIn, UNWRITTEN } from "../../support/block.ts";
import { Random } from "../../support/random.ts";

const U32_MAX = 4294967295;

type Cell = [day: number, value: bigint];

/** A branch that has room for so many counters and words of runs, in memory that was used before. */
function newBranch(keys: number, runWords: number): Branch {
  return new Branch(blockOf(wordsFor(keys, runWords)), keys, runWords);
}

function take(branch: Branch, lo: number, hi: number): number {
  const free = branch.locate(lo, hi);
  assert(free < 0, "a new key");
  branch.take(~free, lo, hi);
  return ~free;
}

function insert(branch: Branch, slot: number, day: number, value: bigint): boolean {
  const index = branch.seek(slot, day);
  assert(!branch.found, "a new day");
  return branch.insert(slot, index, day, lowLane(value), highLane(value));
}

function store(branch: Branch, slot: number, day: number, value: bigint): boolean {
  const index = branch.seek(slot, day);
  assert(branch.found, "a day that is there");
  return branch.store(slot, index, lowLane(value), highLane(value));
}

function cells(branch: Branch, slot: number): Cell[] {
  return Array.from({ length: branch.count(slot) }, (_, index) => {
    const value = u64ToBigInt(branch.valueLo(slot, index), branch.valueHi(slot, index));
    return [branch.day(slot, index), value];
  });
}

/** Checks the branch's invariants: as the only one of a tree, since that is who has the check. */
function check(branch: Branch): void {
  assert(isAloneIn(branch), "nothing beside its block is written");
  const tree = new Tree("check");
  tree.append({ branch, startLo: 0, startHi: 0 });
  checkTree(tree);
}

Deno.test("branch: keys of every kind are found again, until the table is full", () => {
  const KEYS: [what: string, key: (index: number) => [lo: number, hi: number]][] = [
    ["ascending", (index) => [index, 0]],
    ["that differ in the high lane only", (index) => [7, index]],
    ["at the upper end", (index) => [U32_MAX - index, U32_MAX]],
    ["with equal low bits", (index) => [(index << 20) >>> 0, index]],
  ];
  for (const [what, key] of KEYS) {
    const branch = newBranch(500, 0);
    let count = 0;
    for (; branch.hasSlot; count++) take(branch, ...key(count));
    assertEquals(branch.keys, count, `keys ${what}`);
    assert(count >= 500, "what was asked for fits");
    for (let index = 0; index < count; index++) {
      const [lo, hi] = key(index);
      const slot = branch.locate(lo, hi);
      assert(slot >= 0 && branch.keyLo(slot) === lo && branch.keyHi(slot) === hi, `key ${index}`);
    }
    assert(branch.locate(...key(count)) < 0, "the next key is not there");
    const met = new Set<number>();
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      met.add(slot);
    }
    assertEquals(met.size, count, "each slot is met once");
    check(branch);
  }
});

Deno.test("branch: the search goes on at the first slot when it reaches the last", () => {
  const branch = newBranch(20, 0);
  const last = branch.start + (branch.slots - 1) * SLOT_WORDS;
  // Any key whose search begins at the last slot.
  const homes: number[] = [];
  for (let lo = 0; homes.length < 3; lo++) if (~branch.locate(lo, 0) === last) homes.push(lo);
  const slots = homes.map((lo) => take(branch, lo, 0));
  assertEquals(slots, [last, branch.start, branch.start + SLOT_WORDS]);
  homes.forEach((lo, index) => assertEquals(branch.locate(lo, 0), slots[index]));
  check(branch);
});

// Days in the order of their insertion; each order must give the same cells.
const ORDERS: [what: string, days: number[]][] = [
  ["ascending", [20260101, 20260102, 20260103, 20260104, 20260105]],
  ["descending", [20260105, 20260104, 20260103, 20260102, 20260101]],
  ["mixed", [20260103, 20260101, 20260105, 20260102, 20260104]],
];

const VALUES: [what: string, width: number, value: (day: number) => bigint][] = [
  ["slim", SLIM, (day) => BigInt(day - 20260100)],
  ["narrow", NARROW, (day) => BigInt(day) * 100n],
  ["wide", WIDE, (day) => BigInt(day) << 33n],
  ["of all widths", WIDE, (day) => 1n << BigInt(12 * (day - 20260100))],
];

Deno.test("branch: days inserted in any order, with values of any width", () => {
  for (const [order, days] of ORDERS) {
    for (const [what, width, value] of VALUES) {
      const branch = newBranch(1, 100);
      const slot = take(branch, 1, 2);
      for (const day of days) assert(insert(branch, slot, day, value(day)));
      const sorted = days.toSorted((a, b) => a - b);
      const expected = sorted.map((day): Cell => [day, value(day)]);
      assertEquals(cells(branch, slot), expected, `${order}, ${what}`);
      assertEquals([branch.width(slot), branch.cells], [width, 5], `${order}, ${what}`);
      check(branch);
    }
  }
});

Deno.test("branch: the newest cell is in the slot, so one day takes no run", () => {
  const branch = newBranch(1, 0);
  const slot = take(branch, 1, 0);
  assert(insert(branch, slot, 20260101, 0xffffffffn));
  assert(store(branch, slot, 20260101, 5n));
  assertEquals([branch.runWords, branch.dead, branch.wanted], [0, 0, 0]);
  assertEquals(cells(branch, slot), [[20260101, 5n]]);
  check(branch);
});

Deno.test("branch: seek tells the first day at or after, and whether it is that day", () => {
  const branch = newBranch(2, 100);
  const slot = take(branch, 1, 0);
  for (const day of [20260102, 20260104, 20260106]) assert(insert(branch, slot, day, 1n));
  const SOUGHT: [day: number, index: number, found: boolean][] = [
    [0, 0, false],
    [20260101, 0, false],
    [20260102, 0, true],
    [20260103, 1, false],
    [20260104, 1, true],
    [20260105, 2, false],
    [20260106, 2, true],
    [20260107, 3, false],
    [20261399, 3, false],
    [U32_MAX, 3, false],
  ];
  for (const [day, index, found] of SOUGHT) {
    assertEquals([branch.seek(slot, day), branch.found], [index, found], `${day}`);
  }
  const empty = take(branch, 2, 0);
  for (const day of [0, 20260101]) {
    assertEquals([branch.seek(empty, day), branch.found], [0, false], "no cell has day 0 either");
  }
  check(branch);
});

/** A branch with one counter of five days, 20260101 to 20260105, of values 1 to 5, and much room. */
function fiveDays(width: number, runWords = 200): { branch: Branch; slot: number } {
  const branch = newBranch(3, runWords);
  const slot = take(branch, 1, 0);
  for (let n = 1; n <= 5; n++) assert(insert(branch, slot, 20260100 + n, BigInt(n)));
  if (width >= NARROW) {
    assert(store(branch, slot, 20260102, 1n << (width === WIDE ? 32n : 16n)));
    assert(store(branch, slot, 20260102, 2n));
  }
  assertEquals(branch.width(slot), width);
  return { branch, slot };
}

const FIVE: Cell[] = [1, 2, 3, 4, 5].map((n) => [20260100 + n, BigInt(n)]);

Deno.test("branch: a stored value widens the run, and other cells stay", () => {
  for (const width of [SLIM, NARROW, WIDE]) {
    for (const [day, value] of FIVE) {
      for (const stored of [9n, 65535n, 65536n, 1n << 31n, 1n << 32n, (1n << 64n) - 100n]) {
        const { branch, slot } = fiveDays(width);
        assert(store(branch, slot, day, stored));
        const expected = FIVE.map((cell) => cell[0] === day ? [day, stored] : cell) as Cell[];
        assertEquals(cells(branch, slot), expected);
        assertEquals(branch.isWide(slot), width === WIDE || stored >= 1n << 32n);
        assert(store(branch, slot, day, value));
        assertEquals(cells(branch, slot), FIVE, "and back again");
        check(branch);
      }
    }
  }
});

Deno.test("branch: any part of the cells is taken away, and days can be put back", () => {
  for (const width of [SLIM, NARROW, WIDE]) {
    for (let from = 0; from <= 5; from++) {
      for (let to = from; to <= 5; to++) {
        const { branch, slot } = fiveDays(width);
        const held = branch.runWords + branch.dead;
        branch.remove(slot, from, to);
        assertEquals(cells(branch, slot), [...FIVE.slice(0, from), ...FIVE.slice(to)]);
        assertEquals(branch.cells, 5 - (to - from));
        assertEquals(branch.runWords + branch.dead, held, "what is left behind is counted");
        check(branch);
        for (const [day, value] of FIVE.slice(from, to)) assert(insert(branch, slot, day, value));
        assertEquals(cells(branch, slot), FIVE);
        check(branch);
      }
    }
  }
});

Deno.test("branch: a wide newest value goes and comes with its day", () => {
  const { branch, slot } = fiveDays(WIDE);
  assert(store(branch, slot, 20260104, 4n << 40n));
  assert(store(branch, slot, 20260105, 5n << 40n));
  branch.remove(slot, 4, 5);
  assertEquals(cells(branch, slot), [...FIVE.slice(0, 3), [20260104, 4n << 40n]]);
  assert(insert(branch, slot, 20260106, 6n));
  assertEquals(cells(branch, slot).slice(3), [[20260104, 4n << 40n], [20260106, 6n]]);
  branch.remove(slot, 0, 5);
  assertEquals([branch.isWide(slot), branch.runWords], [false, 0]);
  check(branch);
});

Deno.test("branch: sums of every part of a counter", () => {
  const sum = new Uint32Array(2);
  for (const [, , value] of VALUES) {
    const branch = newBranch(1, 100);
    const slot = take(branch, 1, 0);
    for (const [day] of FIVE) assert(insert(branch, slot, day, value(day)));
    for (let from = 0; from <= 5; from++) {
      for (let to = from; to <= 5; to++) {
        branch.sum(slot, from, to, sum);
        const expected = FIVE.slice(from, to).reduce((sum, [day]) => sum + value(day), 0n);
        assertEquals(u64ToBigInt(sum[0], sum[1]), expected, `${from} to ${to}`);
      }
    }
  }
});

Deno.test("branch: without room nothing changes, and it says how much is wanted", () => {
  const ATTEMPTS: [what: string, attempt: (branch: Branch, slot: number) => boolean][] = [
    ["a new newest day", (branch, slot) => insert(branch, slot, 20260109, 1n)],
    ["an older day", (branch, slot) => insert(branch, slot, 20251231, 1n)],
    ["an older day with a wide value", (branch, slot) => insert(branch, slot, 20251231, 1n << 50n)],
    ["a newest day with a wide value", (branch, slot) => insert(branch, slot, 20260109, 1n << 50n)],
    ["a larger value", (branch, slot) => store(branch, slot, 20260101, 1n << 20n)],
    ["a wide value", (branch, slot) => store(branch, slot, 20260101, 1n << 50n)],
    ["a wide newest value", (branch, slot) => store(branch, slot, 20260105, 1n << 50n)],
  ];
  for (const [what, attempt] of ATTEMPTS) {
    const { branch, slot } = fiveDays(SLIM, 10); // 1 + 2 + 3 + 4 words of runs: full
    assertEquals(branch.freeWords < 5, true);
    const before = branch.words.slice();
    const { top, dead, cells: count, keys } = branch;
    assertEquals(attempt(branch, slot), false, what);
    assertEquals(branch.words, before, what);
    assertEquals([branch.top, branch.dead, branch.cells, branch.keys], [top, dead, count, keys]);
    const { wanted } = branch;
    assert(wanted > 0, what);
    // With as much more it works.
    const larger = newBranch(3, branch.runWords + wanted);
    branch.copyRange(larger, 0, 0, 0, 0);
    assertEquals(attempt(larger, larger.locate(1, 0)), true, what);
    check(larger);
    check(branch);
  }
});

Deno.test("branch: copyRange copies the counters of a range and leaves dead words behind", () => {
  const RANGES: [from: bigint, to: bigint, keys: bigint[]][] = [
    [0n, 0n, [0n, 5n, 1n << 32n, (1n << 32n) + 5n, (1n << 64n) - 1n]], // to the end
    [0n, 5n, [0n]],
    [1n, 6n, [5n]],
    [6n, 1n << 32n, []],
    [5n, (1n << 32n) + 5n, [5n, 1n << 32n]],
    [(1n << 32n) + 1n, 0n, [(1n << 32n) + 5n, (1n << 64n) - 1n]],
    [(1n << 64n) - 1n, 0n, [(1n << 64n) - 1n]],
  ];
  const branch = newBranch(5, 200);
  for (const key of RANGES[0][2]) {
    const slot = take(branch, lowLane(key), highLane(key));
    if (key !== 5n) { for (const [day, value] of FIVE) insert(branch, slot, day, value * 1000n); }
  }
  assert(branch.dead > 0, "runs have moved");
  for (const [from, to, keys] of RANGES) {
    const copy = newBranch(5, branch.runWords);
    copy.words.fill(UNWRITTEN, copy.runsStart);
    branch.copyRange(copy, lowLane(from), highLane(from), lowLane(to), highLane(to));
    assertEquals([copy.keys, copy.dead], [keys.length, 0]);
    for (const key of keys) {
      const slot = branch.locate(lowLane(key), highLane(key));
      const copied = copy.locate(lowLane(key), highLane(key));
      assert(copied >= 0, `key ${key} from ${from} to ${to}`);
      assertEquals(cells(copy, copied), cells(branch, slot));
    }
    check(copy);
  }
});

Deno.test("branch: fill gives a counter all its cells at once", () => {
  for (const [what, width, value] of VALUES) {
    for (let count = 0; count <= 5; count++) {
      const branch = newBranch(2, 40);
      const slot = take(branch, 9, 9);
      const columns = {
        days: Uint32Array.from([0, ...FIVE.map(([day]) => day)]),
        lows: Uint32Array.from([0, ...FIVE.map(([day]) => lowLane(value(day)))]),
        highs: Uint32Array.from([0, ...FIVE.map(([day]) => highLane(value(day)))]),
        hasHighs: width === WIDE,
      };
      branch.fill(slot, width, columns, 1, count); // from the second cell on
      const expected = FIVE.slice(0, count).map(([day]): Cell => [day, value(day)]);
      assertEquals(cells(branch, slot), expected, `${what}, ${count} cells`);
      assertEquals([branch.cells, branch.dead], [count, 0]);
      check(branch);
      assert(insert(branch, slot, 20260106, 6n), "and takes more");
      check(branch);
    }
  }
});

Deno.test("branch: random cells beside a map, in a branch that is often full", () => {
  const random = new Random(5);
  let branch = newBranch(4, 300);
  const model = [1, 2, 3, 4].map(() => new Map<number, bigint>());
  model.forEach((_, lo) => take(branch, lo, 0));
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const lo = random.below(4);
    const slot = branch.locate(lo, 0);
    const day = 20260101 + random.below(30);
    const value = 1n + (random.u64() >> BigInt(random.pick([63, 50, 40, 10])));
    const index = branch.seek(slot, day);
    assertEquals(branch.found, model[lo].has(day));
    if (random.chance(0.3)) {
      branch.remove(slot, index, branch.found ? index + 1 : index);
      model[lo].delete(day);
    } else if ((branch.found ? store : insert)(branch, slot, day, value)) {
      model[lo].set(day, value);
    } else {
      refused++;
      branch.remove(slot, 0, branch.count(slot));
      model[lo].clear();
      const copy = newBranch(4, 300);
      branch.copyRange(copy, 0, 0, 0, 0);
      branch = copy;
    }
  }
  assert(refused > 100, `only ${refused} times full`);
  model.forEach((days, lo) => {
    const expected = [...days].sort(([a], [b]) => a - b);
    assertEquals(cells(branch, branch.locate(lo, 0)), expected);
  });
  check(branch);
});

Deno.test("branch: as many counters as a branch may ever have, and no more, fit one", () => {
  const branch = newBranch(BRANCH_KEYS_MAX, 0);
  for (let lo = 0; lo < BRANCH_KEYS_MAX; lo++) take(branch, lo, 0);
  check(branch);
  const roomy = new Branch(blockOf(4 * wordsFor(BRANCH_KEYS_MAX, 0)), BRANCH_KEYS_MAX, 0);
  let keys = 0;
  for (; roomy.hasSlot; keys++) take(roomy, keys, 0);
  assertEquals(keys, BRANCH_KEYS_MAX);
});
