// Sweeps that take counters away, compacts: at once for every reader, in their order among others.

import { assert, assertEquals } from "@std/assert";
import { highLane, lowLane } from "../../../lib/bytes/u64.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Walk } from "../../../lib/tree/walk.ts";

const U64_MAX = (1n << 64n) - 1n;
const DAY_MAX = 4294967295;
const TODAY = 20260101;

function add(tree: Tree, key: bigint, day: number): void {
  assert(tree.add(lowLane(key), highLane(key), day, 1, 0));
}

function touch(tree: Tree, key: bigint): void {
  tree.touch(lowLane(key), highLane(key));
}

/** How many days a counter has; -1 when there is none. */
function count(tree: Tree, key: bigint): number {
  return tree.count(lowLane(key), highLane(key));
}

/** Does what is still to be done, and forgets it. */
function settle(tree: Tree): void {
  for (const walk = new Walk(tree); walk.next() !== null;);
  tree.settle();
}

/** Keys that fill several branches, on both sides of a lane's end, and the last one there is. */
const KEYS: bigint[] = [
  ...Array.from({ length: 4000 }, (_, index) => BigInt(index)),
  ...Array.from({ length: 4000 }, (_, index) => (1n << 32n) + BigInt(index)),
  (2n << 32n) + 500n,
  U64_MAX,
];

const ENDS = [
  ...[0n, 1n, 500n, 999n, 1000n, 0xffffffffn, 1n << 32n, (1n << 32n) + 1n, (1n << 32n) + 500n],
  ...[2n << 32n, (2n << 32n) + 501n, U64_MAX],
];

/** A tree of all keys, of which the even ones have a cell. */
function halfEmpty(): Tree {
  const tree = new Tree("t");
  for (const key of KEYS) {
    if (key % 2n === 0n) add(tree, key, TODAY);
    else touch(tree, key);
  }
  assert(tree.branches.length > 2, "there are several branches");
  return tree;
}

Deno.test("sweeps: a compact takes the counters without cells below its end, and no other", () => {
  for (const end of ENDS) {
    const tree = halfEmpty();
    tree.compact(lowLane(end), highLane(end));
    touch(tree, 3n);
    const isGone = (key: bigint) => key % 2n === 1n && key !== 3n && (end === 0n || key < end);
    for (const key of KEYS) {
      assertEquals(count(tree, key), isGone(key) ? -1 : key % 2n === 0n ? 1 : 0, `${end}: ${key}`);
    }
    assertEquals(tree.keys, KEYS.filter((key) => !isGone(key)).length);
    checkTree(tree);
    settle(tree);
    checkTree(tree);
  }
});

Deno.test("sweeps: what is created or emptied after a compact stays, wherever it is", () => {
  const tree = halfEmpty();
  tree.compact();
  for (const key of KEYS) {
    if (key % 4n === 1n) touch(tree, key);
    if (key % 4n === 2n) tree.removeDays(lowLane(key), highLane(key), 0, DAY_MAX);
  }
  settle(tree);
  for (const key of KEYS) {
    assertEquals(count(tree, key), [1, 0, 0, -1][Number(key % 4n)], `key ${key}`);
  }
  checkTree(tree);
});

/** Sweeps of two days that all counters have, and compacts, one after the other, and what is left. */
const ORDERS: [what: string, changes: ((tree: Tree) => void)[], left: number][] = [
  ["one day", [(tree) => tree.sweep(1, 1), (tree) => tree.compact()], 1],
  ["both, then a compact", [(tree) => tree.sweep(1, 2), (tree) => tree.compact()], -1],
  ["a compact, then both", [(tree) => tree.compact(), (tree) => tree.sweep(1, 2)], 0],
  [
    "a compact between",
    [(tree) => tree.sweep(1, 1), (tree) => tree.compact(), (tree) => tree.sweep(2, 2)],
    0,
  ],
  [
    "the last holds the first, and a compact is between",
    [(tree) => tree.sweep(1, 2), (tree) => tree.compact(), (tree) => tree.sweep(0, 9)],
    -1,
  ],
  [
    "compacts on both sides",
    [(tree) => tree.compact(), (tree) => tree.sweep(1, 2), (tree) => tree.compact()],
    -1,
  ],
  [
    "two compacts, then one of some counters",
    [(tree) => tree.sweep(1, 2), (tree) => tree.compact(), (tree) => tree.compact(0, 1)],
    -1,
  ],
  [
    "one of some counters, which the next one holds",
    [(tree) => tree.sweep(1, 2), (tree) => tree.compact(9), (tree) => tree.compact()],
    -1,
  ],
];

Deno.test("sweeps: a compact sees what the sweeps before it left, and not those after it", () => {
  for (const [what, changes, left] of ORDERS) {
    // Some branches have done a part of it when the next comes, others none.
    for (const touched of [[], [0n], [0n, 5000n], KEYS]) {
      const tree = new Tree("t");
      for (const key of KEYS) {
        add(tree, key, 1);
        add(tree, key, 2);
      }
      for (const change of changes) {
        change(tree);
        for (const key of touched) count(tree, key);
      }
      for (const key of KEYS) assertEquals(count(tree, key), left, `${what}: key ${key}`);
      checkTree(tree);
    }
  }
});

Deno.test("sweeps: a tree that is compacted is settled as one that is swept", () => {
  const tree = halfEmpty();
  tree.compact();
  tree.settle(); // too early for most branches
  settle(tree);
  assertEquals(tree.keys, KEYS.filter((key) => key % 2n === 0n).length);
  touch(tree, 1n);
  settle(tree);
  assertEquals(count(tree, 1n), 0, "nothing is left to be done");
  checkTree(tree);
});

Deno.test("sweeps: a walk meets no counter that a compact took away before it got there", () => {
  const tree = halfEmpty();
  const walk = new Walk(tree);
  walk.keys(walk.next()!);
  const met = walk.met;
  tree.compact();
  const rest: number[] = [];
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    const keys = walk.keys(branch);
    for (let at = 0; at < keys.length; at += 2) rest.push(keys[at]);
  }
  assert(met > 1000 && rest.length > 1000, "there are several branches");
  assert(rest.every((lo) => lo % 2 === 0));
  checkTree(tree);
});
