// The ranges of a tree: branches that have become nearly empty are joined, and nothing grows for ever.

import { assert, assertEquals } from "@std/assert";
import { BLOCK_WORDS } from "../../../lib/tree/block_pool.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { JOIN_WORDS_MAX, WINDOW_BRANCHES_MAX, wordsNeeded } from "../../../lib/tree/layout.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Walk } from "../../../lib/tree/walk.ts";
import { Random } from "../../support/random.ts";

const DAY_MAX = 4294967295;
const TODAY = 20260101;

/** A tree of the keys from `first` up to, not including, `end`. */
function treeOf(first: number, end: number): Tree {
  const tree = new Tree("t");
  for (let key = first; key < end; key++) assert(tree.add(key, 0, TODAY, 1 + key, 0));
  return tree;
}

function settle(tree: Tree): void {
  for (const walk = new Walk(tree); walk.next() !== null;);
  tree.settle();
}

function words(tree: Tree): number {
  return tree.branches.reduce((words, branch) => words + branch.size, 0);
}

Deno.test("ranges: a walk joins what a compact left nearly empty", () => {
  const tree = treeOf(0, 40_000);
  const before = tree.branches.length;
  for (let key = 0; key < 40_000; key++) if (key % 10 !== 0) tree.removeDays(key, 0, 0, DAY_MAX);
  tree.compact();
  settle(tree);
  assertEquals(tree.keys, 4000);
  assert(tree.branches.length <= before / 3, `${tree.branches.length} of ${before} branches`);
  checkTree(tree);
  for (let key = 0; key < 40_000; key++) {
    assertEquals(tree.count(key, 0), key % 10 === 0 ? 1 : -1, `key ${key}`);
  }
  // And they grow again as others do.
  for (let key = 0; key < 40_000; key++) assert(tree.add(key, 0, TODAY, 1, 0));
  assertEquals([tree.keys, tree.count(0, 0), tree.count(39_999, 0)], [40_000, 1, 1]);
  assert(tree.branches.length < 1.5 * before, `${tree.branches.length} after ${before} branches`);
  checkTree(tree);
});

Deno.test("ranges: join takes the neighbours that half a block holds, a few at once, and no other", () => {
  const tree = treeOf(0, 40_000);
  const before = tree.branches.slice();
  for (let index = 0; index < before.length; index++) tree.join(index);
  assertEquals(tree.branches, before, "well filled branches stay");
  // The third to the eighth branch become empty.
  const [from, to] = [tree.startLo(2), tree.startLo(8)];
  for (let key = from; key < to; key++) tree.removeDays(key, 0, 0, DAY_MAX);
  tree.compact();
  tree.join(1);
  assertEquals(tree.branches.length, before.length, "a full one takes nothing in");
  tree.join(2);
  assertEquals(tree.branches.length, before.length - WINDOW_BRANCHES_MAX + 1);
  assertEquals([tree.startLo(2), tree.branches[2].keys], [from, 0]);
  assert(tree.branches[2].size < BLOCK_WORDS / 8, "an empty branch takes little room");
  tree.join(2);
  assertEquals([tree.startLo(2), tree.startLo(3)], [from, to], "but the full one behind it");
  assertEquals(tree.branches.slice(3), before.slice(8));
  checkTree(tree);
});

Deno.test("ranges: join looks at what neighbours need after their sweeps", () => {
  const tree = treeOf(0, 10_000);
  const before = tree.branches.length;
  tree.sweep(0, DAY_MAX);
  tree.compact();
  tree.join(0);
  assertEquals(tree.branches.length, before - WINDOW_BRANCHES_MAX + 1);
  assertEquals(tree.count(1, 0), -1);
  assert(tree.add(1, 0, TODAY, 1, 0) && tree.created, "what comes after it stays");
  settle(tree);
  assertEquals([tree.keys, tree.count(1, 0)], [1, 1]);
  checkTree(tree);
});

Deno.test("ranges: after some walks no two neighbours could be one", () => {
  const random = new Random(24);
  const tree = treeOf(0, 40_000);
  for (let key = 0; key < 40_000; key++) {
    // Thinner and thinner.
    if (random.below(40_000) < key) tree.removeDays(key, 0, 0, DAY_MAX);
  }
  tree.compact();
  for (let walks = 0; walks < 8; walks++) settle(tree);
  for (let index = 1; index < tree.branches.length; index++) {
    const [one, other] = [tree.branches[index - 1], tree.branches[index]];
    assert(wordsNeeded(one) + wordsNeeded(other) > JOIN_WORDS_MAX, `branches ${index - 1} and on`);
  }
  checkTree(tree);
});

Deno.test("ranges: a tree that is emptied and compacted again and again does not grow", () => {
  const ORDERS: [what: string, key: (round: number, index: number) => number][] = [
    ["ever new ids", (round, index) => 5000 * round + index],
    ["ever lower ids", (round, index) => 1_000_000 - 5000 * round - index],
    ["the same ids", (_, index) => index],
  ];
  for (const [what, key] of ORDERS) {
    const tree = new Tree("t");
    const sizes: number[] = [];
    for (let round = 0; round < 60; round++) {
      for (let index = 0; index < 5000; index++) {
        assert(tree.add(key(round, index), 0, TODAY + round, 1, 0));
      }
      assert(tree.add(500, 1, TODAY + round, 1, 0)); // this one stays
      tree.sweep(0, TODAY + round, 500, 1);
      tree.compact();
      settle(tree);
      assertEquals([tree.keys, tree.count(500, 1)], [1, round + 1]);
      sizes.push(words(tree));
    }
    const [most, end] = [Math.max(...sizes), tree.branches.length];
    assert(most < 4 * BLOCK_WORDS, `${what}: up to ${most} words`);
    assert(end <= 8, `${what}: ${end} branches`);
    checkTree(tree);
  }
});
