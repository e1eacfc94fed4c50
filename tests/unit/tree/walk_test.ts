// A walk over a tree that goes on changing: every key that was there all along is met exactly once.

import { assert, assertEquals } from "@std/assert";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Walk } from "../../../lib/tree/walk.ts";
import { Random } from "../../support/random.ts";

const U64_MAX = (1n << 64n) - 1n;
const TODAY = 20260101;

function touch(tree: Tree, key: bigint): void {
  tree.touch(lowLane(key), highLane(key));
}

function treeOf(keys: Iterable<bigint>): Tree {
  const tree = new Tree("t");
  for (const key of keys) touch(tree, key);
  return tree;
}

/** All keys that a walk meets, in its order; `change` is called between its steps. */
function walked(tree: Tree, change: (step: number) => void = () => {}): bigint[] {
  const walk = new Walk(tree);
  const met: bigint[] = [];
  for (let step = 0, branch = walk.next(); branch !== null; branch = walk.next()) {
    const keys = walk.keys(branch);
    for (let at = 0; at < keys.length; at += 2) {
      assert(walk.covers(keys[at], keys[at + 1]));
      met.push(u64ToBigInt(keys[at], keys[at + 1]));
    }
    assertEquals(walk.met, met.length);
    change(step++);
    checkTree(tree);
  }
  assertEquals(walk.next(), null, "the end is the end");
  return met;
}

/** Compares at the first difference: that of two long lists would take minutes to print. */
function assertKeys(met: bigint[], expected: bigint[], what: string): void {
  const at = met.findIndex((key, index) => key !== expected[index]);
  assertEquals([met.length, met[at]], [expected.length, expected[at]], what);
}

function ascending(keys: Iterable<bigint>): bigint[] {
  return [...BigUint64Array.from(keys).sort()];
}

Deno.test("walk: meets every key once, in ascending order", () => {
  const random = new Random(10);
  const KEYS: [what: string, keys: bigint[]][] = [
    ["none", []],
    ["one", [5n]],
    ["the ends", [0n, U64_MAX]],
    ["a few", [3n, 1n, 2n]],
    ["many ascending", Array.from({ length: 9000 }, (_, index) => BigInt(index))],
    ["many descending", Array.from({ length: 9000 }, (_, index) => U64_MAX - BigInt(index))],
    ["many random", Array.from({ length: 9000 }, () => random.u64())],
  ];
  for (const [what, keys] of KEYS) {
    const tree = treeOf(keys);
    assertKeys(walked(tree), ascending(keys), what);
  }
});

Deno.test("walk: keys that come ahead of it may be met, behind it never, the others once", () => {
  const random = new Random(11);
  const CHANGES: [what: string, key: () => bigint][] = [
    ["everywhere", () => random.u64()],
    ["at the beginning", () => BigInt(random.below(1_000_000))],
    ["at the end", () => U64_MAX - BigInt(random.below(1_000_000))],
    ["in the middle", () => (1n << 63n) + BigInt(random.below(1_000_000))],
  ];
  for (const [what, key] of CHANGES) {
    const old = new Set(Array.from({ length: 6000 }, () => random.u64()));
    const tree = treeOf(old);
    const met = walked(tree, () => {
      for (let count = 0; count < 1500; count++) touch(tree, key());
    });
    assertKeys(met, ascending(new Set(met)), `${what}: ascending, none twice`);
    assertKeys(met.filter((key) => old.has(key)), ascending(old), `${what}: all that were there`);
  }
});

Deno.test("walk: branches that are laid out anew meanwhile hide no key", () => {
  const random = new Random(12);
  for (let round = 0; round < 3; round++) {
    const keys = Array.from({ length: 6000 }, (_, index) => BigInt(index) << 40n);
    const tree = treeOf(keys);
    const sizes: number[] = [];
    const met = walked(tree, (step) => {
      for (let change = 0; change < 10_000; change++) {
        const key = random.pick(keys);
        tree.add(lowLane(key), highLane(key), 10_000_000 + random.below(500), 1 << 20, round);
      }
      if (step === 1) tree.sweep(0, 0xffffffff);
      sizes.push(tree.branches.length);
    });
    assert(new Set(sizes).size > 2, `branches came and went: ${sizes}`);
    assertKeys(met, keys, "all keys");
  }
});

Deno.test("walk: what comes ahead of it is seen as it is when the walk gets there", () => {
  const tree = new Tree("t");
  for (let key = 0; key < 6000; key++) tree.add(key, 0, TODAY, 1, 0);
  const walk = new Walk(tree);
  walk.next();
  tree.sweep(0, 0xffffffff);
  tree.add(5999, 0, TODAY, 7, 0);
  let cells = 0;
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    cells += branch.cells;
    if (branch.locate(5999, 0) >= 0) assertEquals(branch.valueLo(branch.locate(5999, 0), 0), 7);
  }
  assertEquals(cells, 1);
  checkTree(tree);
});

Deno.test("walk: a step begins where the one before ended", () => {
  const tree = treeOf(Array.from({ length: 6000 }, (_, index) => BigInt(index) << 30n));
  const walk = new Walk(tree);
  const starts: bigint[] = [];
  while (walk.next() !== null) starts.push(u64ToBigInt(walk.startLo, walk.startHi));
  assertEquals(starts.length, tree.branches.length);
  assertEquals(
    starts,
    tree.branches.map((_, at) => u64ToBigInt(tree.startLo(at), tree.startHi(at))),
  );
});
