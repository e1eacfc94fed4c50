// Laying out branches anew: nothing is lost, blocks fill up evenly, neighbours are chosen well.

import { assert, assertEquals } from "@std/assert";
import { compareU64 } from "../../../lib/bytes/u64.ts";
import { BLOCK_WORDS, BlockPool } from "../../../lib/tree/block_pool.ts";
import { Branch } from "../../../lib/tree/branch.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import {
  chooseWindow,
  compacted,
  cutOff,
  isLast,
  type Placed,
  sizeFor,
  sortedKeys,
  spread,
  wordsNeeded,
} from "../../../lib/tree/layout.ts";
import { runRoom, SLIM } from "../../../lib/tree/run.ts";
import { WORDS_PER_SLOT, wordsFor } from "../../../lib/tree/slot_table.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { blockOf } from "../../support/block.ts";
import { Random } from "../../support/random.ts";

const blocks = new BlockPool();

/** A branch in so many words, full or not, of the counters `first`, `first + 1` ... with equal days. */
function branchOf(first: number, keys: number, dayCount: number, size = BLOCK_WORDS): Branch {
  const branch = new Branch(blockOf(size, blocks.longs), keys, keys * runRoom(dayCount, SLIM));
  const days = Uint32Array.from({ length: dayCount }, (_, index) => 20260101 + index);
  for (let lo = first; lo < first + keys; lo++) {
    const lows = days.map((_, index) => 1 + (lo + index) % 65535);
    const slot = ~branch.locate(lo, 0);
    branch.take(slot, lo, 0);
    branch.fill(slot, SLIM, { days, lows, highs: lows, hasHighs: false }, 0, dayCount);
  }
  return branch;
}

/** A block of counters of a week each that need about this share of it. */
function loaded(first: number, share: number): Branch {
  return branchOf(first, Math.floor(share * BLOCK_WORDS / (WORDS_PER_SLOT + 6)), 7);
}

/** What the branches hold, as text: one line a counter, sorted. */
function contents(branches: readonly Branch[]): string[] {
  const lines: string[] = [];
  for (const branch of branches) {
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      const cells = Array.from(
        { length: branch.count(slot) },
        (_, index) => `${branch.day(slot, index)}=${branch.valueLo(slot, index)}`,
      );
      lines.push(`${branch.keyHi(slot)}/${branch.keyLo(slot)}: ${cells.join(" ")}`);
    }
  }
  return lines.sort();
}

/** Checks branches that together make a tree: their ranges, and each of them. */
function check(placed: readonly Placed[]): void {
  const tree = new Tree("check");
  placed.forEach((part, index) => {
    // The first range of a tree begins at 0, wherever these came from.
    tree.append(index === 0 ? { ...part, startLo: 0, startHi: 0 } : part);
  });
  checkTree(tree);
}

Deno.test("layout: a copy drops dead words and holds the same counters", () => {
  const branch = branchOf(0, 100, 7, BLOCK_WORDS);
  for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
    branch.remove(slot, 2, 4);
  }
  assertEquals(branch.dead, 200);
  const before = contents([branch]);
  const copy = compacted(branch, blocks)!;
  assertEquals([copy.dead, copy.keys, copy.cells, copy.runWords], [0, 100, 500, 400]);
  assertEquals([contents([copy]), contents([branch])], [before, before]);
  check([{ branch: copy, startLo: 0, startHi: 0 }]);
});

/** Adds a day to a counter, laying the branch out as often as it takes; null when it is a full block. */
function grown(branch: Branch, lo: number, day: number, sizes: Set<number>): Branch | null {
  for (;;) {
    const slot = branch.locate(lo, 0);
    if (branch.insert(slot, branch.count(slot), day, 1, 0)) return branch;
    let copy = compacted(branch, blocks);
    if (copy === null && branch.size < BLOCK_WORDS) {
      const growing = { keyLo: lo, keyHi: 0, words: branch.wanted };
      [{ branch: copy }] = spread([{ branch, startLo: 0, startHi: 0 }], 0, 0, blocks, growing);
    }
    if (copy === null) return null;
    assertEquals(contents([copy]), contents([branch]));
    sizes.add(copy.size);
    branch = copy;
  }
}

Deno.test("layout: a small branch grows until it is a block that a copy can't help", () => {
  const sizes = new Set<number>();
  let branch = branchOf(0, 3, 1, 64);
  let day = 30_000_000;
  for (
    let next = grown(branch, 1, day, sizes);
    next !== null;
    next = grown(branch, 1, day, sizes)
  ) {
    branch = next;
    day++;
  }
  assertEquals([...sizes], [64, 128, 256, 512, 1024, 2048, 4096, 8192, BLOCK_WORDS]);
  assert(wordsNeeded(branch) > 0.95 * BLOCK_WORDS, "the block is full");
  assertEquals(branch.count(branch.locate(1, 0)), 1 + day - 30_000_000);
  check([{ branch, startLo: 0, startHi: 0 }]);
});

Deno.test("layout: a branch with one counter hardly grows beyond a block", () => {
  let branch = branchOf(5, 1, 1, 64);
  for (let day = 30_000_000; day < 30_020_000; day++) branch = grown(branch, 5, day, new Set())!;
  assertEquals([branch.cells, branch.keys], [20_001, 1]);
  assert(branch.size < 1.25 * BLOCK_WORDS, `${branch.size} words, since a long run is outside`);
  check([{ branch, startLo: 0, startHi: 0 }]);
});

const SIZES: [keys: number, runWords: number, size: number][] = [
  [0, 0, 8],
  [1, 0, 32],
  [5, 0, 64],
  [800, 800 * 6, BLOCK_WORDS],
  [1, BLOCK_WORDS, 0],
  [2, 100_000, 0],
];

Deno.test("layout: arrays are powers of two up to a block, then a quarter larger than needed", () => {
  for (const [keys, runWords, size] of SIZES) {
    const words = wordsFor(keys, runWords);
    const expected = size === 0 ? words + Math.floor(words / 4) : size;
    assertEquals(sizeFor(keys, runWords), expected, `${keys} keys, ${runWords} words of runs`);
    assert(sizeFor(keys, runWords) >= words);
  }
  for (let runWords = 0; runWords < 2 * BLOCK_WORDS; runWords += 13) {
    const size = sizeFor(10, runWords);
    assert(size >= wordsFor(10, runWords), "always enough");
    assert(size <= BLOCK_WORDS || size > 1.2 * BLOCK_WORDS, "there is room to grow");
  }
});

Deno.test("layout: wordsNeeded counts one more key and the run that found no room", () => {
  const branch = branchOf(0, 10, 3);
  assertEquals(wordsNeeded(branch), wordsFor(11, branch.runWords));
  branch.wanted = 77;
  assertEquals(wordsNeeded(branch), wordsFor(11, branch.runWords + 77));
});

// Loads of neighbouring blocks in hundredths, the full one marked by its index; `s` is a small array.
const WINDOWS: [loads: (number | "s")[], full: number, window: [number, number]][] = [
  [[99], 0, [0, 1]],
  [[99, 10], 0, [0, 2]],
  [[99, 10, 10, 10, 10, 10, 10], 0, [0, 4]],
  [[80, 80, 80, 80, 99, 40, 40, 40, 40], 4, [4, 8]],
  [[40, 40, 40, 40, 99, 80, 80, 80, 80], 4, [1, 5]],
  [[95, 40, 40, 40, 99, 50, 50, 95], 4, [1, 5]],
  // Too full to share: the fullest, so that the new block does not stand half empty.
  [[97, 90, 90, 90, 99, 97, 97, 97, 97], 4, [4, 8]],
  [[97, 97, 97, 97, 99, 90, 90, 90, 97], 4, [1, 5]],
  // What is no block is no neighbour.
  [["s", 99, 50], 1, [1, 3]],
  [[50, 99, "s", 10], 1, [0, 2]],
  [[10, "s", 99, "s", 10], 2, [2, 3]],
];

Deno.test("layout: a full branch is laid out with the neighbours that have most room", () => {
  for (const [loads, full, window] of WINDOWS) {
    const branches = loads.map((load, index) => {
      return load === "s" ? branchOf(index * 10_000, 3, 1, 64) : loaded(index * 10_000, load / 100);
    });
    // A small tree is laid out in smaller windows.
    const few = chooseWindow(branches, full);
    assert(few[1] - few[0] <= 2 && few[0] <= full && full < few[1], `${loads}: ${few}`);
    while (branches.length < 12) branches.push(branchOf(1_000_000 + branches.length, 3, 1, 64));
    assertEquals(chooseWindow(branches, full), window, `${loads}`);
  }
});

Deno.test("layout: neighbours are spread evenly over as many blocks, or one more", () => {
  const LOADS: [loads: number[], count: number][] = [
    [[99], 2],
    [[99, 10], 2],
    [[99, 99], 3],
    [[99, 40, 40, 40, 40], 5],
    [[99, 99, 99, 99, 99], 6],
    [[99, 0, 0, 0, 0], 5],
  ];
  for (const [loads, count] of LOADS) {
    const window = loads.map((load, index): Placed => {
      return { branch: loaded(index * 10_000, load / 100), startLo: index * 10_000, startHi: 0 };
    });
    const before = contents(window.map(({ branch }) => branch));
    const placed = spread(window, 0, 0, blocks);
    assertEquals(placed.length, count, `${loads}`);
    assertEquals(contents(placed.map(({ branch }) => branch)), before);
    assertEquals(
      contents(window.map(({ branch }) => branch)),
      before,
      "the old ones are as they were",
    );
    const needed = placed.map(({ branch }) => wordsNeeded(branch));
    assert(Math.max(...needed) < Math.min(...needed) + 200, `even: ${needed}`);
    assert(placed.every(({ branch }) => branch.size === BLOCK_WORDS && branch.dead === 0));
    check(placed);
  }
});

Deno.test("layout: counters whose runs fill whole blocks are spread to blocks of their own", () => {
  const random = new Random(6);
  const branch = new Branch(blockOf(40 * BLOCK_WORDS, blocks.longs), 60, 30 * BLOCK_WORDS);
  for (let lo = 0; lo < 60; lo++) {
    const slot = ~branch.locate(lo, 0);
    branch.take(slot, lo, 0);
    const count = random.pick([1, 10, 1000, 9000, 20_000]);
    const days = Uint32Array.from({ length: count }, (_, index) => index);
    const lows = new Uint32Array(count).fill(1);
    branch.fill(slot, 2, { days, lows, highs: lows, hasHighs: false }, 0, count);
  }
  const placed = spread([{ branch, startLo: 0, startHi: 0 }], 0, 0, blocks);
  assertEquals(contents(placed.map(({ branch }) => branch)), contents([branch]));
  for (const { branch } of placed) {
    assert(branch.size === BLOCK_WORDS || branch.keys === 1, "only a single one is larger");
  }
  check(placed);
});

Deno.test("layout: a range that ends before its neighbours' keys", () => {
  const window = [loaded(100, 0.9), loaded(10_000, 0.9)];
  const placed = spread(
    window.map((branch, index) => ({ branch, startLo: index * 10_000, startHi: 0 })),
    20_000,
    0,
    blocks,
  );
  assertEquals(placed[0].startLo, 0);
  for (const [index, { branch, startLo }] of placed.entries()) {
    const keys = sortedKeys(branch);
    const end = placed[index + 1]?.startLo ?? 20_000;
    assert(keys[0] >= startLo && keys[keys.length - 2] < end, `range ${index}`);
  }
  check(placed);
});

Deno.test("layout: the last key is cut off to a block of its own, or more if it wants that", () => {
  for (const isNew of [true, false]) {
    for (const wanted of [0, 10, 2 * BLOCK_WORDS]) {
      const branch = branchOf(0, 500, 4);
      const before = contents([branch]);
      const key = isNew ? 500 : 499;
      branch.wanted = wanted;
      const placed = cutOff({ branch, startLo: 0, startHi: 0 }, key, 0, blocks);
      const [below, rest] = placed.map(({ branch }) => branch);
      assertEquals(placed.map(({ startLo }) => startLo), [0, key]);
      assertEquals([below.keys, rest.keys], isNew ? [500, 0] : [499, 1]);
      assert(rest.freeWords >= wanted, "there is room for what was wanted");
      assertEquals(contents([below, rest]), before);
      check(placed);
    }
  }
});

Deno.test("layout: isLast tells whether a key is above all others", () => {
  const branch = branchOf(10, 5, 1);
  assertEquals([13, 14, 15].map((lo) => isLast(branch, lo, 0)), [false, true, true]);
  assertEquals(isLast(branch, 0, 1), true);
  assertEquals(isLast(new Branch(blockOf(64), 1, 0), 0, 0), true);
});

Deno.test("layout: sortedKeys sorts unsigned 64-bit numbers", () => {
  const random = new Random(7);
  const branch = new Branch(blockOf(BLOCK_WORDS), 1000, 0);
  const LANES = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff];
  for (const lo of LANES) for (const hi of LANES) branch.take(~branch.locate(lo, hi), lo, hi);
  while (branch.keys < 1000) {
    const [lo, hi] = [random.below(2 ** 32), random.below(2 ** 32)];
    const slot = branch.locate(lo, hi);
    if (slot < 0) branch.take(~slot, lo, hi);
  }
  const keys = sortedKeys(branch);
  assertEquals(keys.length, 2000);
  for (let at = 2; at < keys.length; at += 2) {
    assert(compareU64(keys[at - 2], keys[at - 1], keys[at], keys[at + 1]) < 0, "ascending");
    assert(branch.locate(keys[at], keys[at + 1]) >= 0);
  }
  assertEquals(sortedKeys(new Branch(blockOf(64), 1, 0)).length, 0);
});
