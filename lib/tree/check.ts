// The tree's self-check: asserts every invariant that ranges.ts, branch.ts, slot_table.ts, run.ts and
// tree.ts promise.
// Tests end with it; it costs a pass over all cells.

import { assert } from "../assert.ts";
import { compareU64, LANE, u64ToBigInt } from "../bytes/mod.ts";
import type { Branch } from "./branch.ts";
import { sortedKeys } from "./layout.ts";
import type { Names } from "./names.ts";
import { LONG } from "./run.ts";
import { type Tree, treeBytes } from "./tree.ts";

/** Throws when any part of a tree is not as it must be. */
export function checkTree(tree: Tree): void {
  const { branches } = tree;
  assert(
    branches.length > 0 && tree.startLo(0) === 0 && tree.startHi(0) === 0,
    "starts begin at 0",
  );
  const found = { keys: 0, cells: 0, total: 0n, longs: 0 };
  for (let index = 0; index < branches.length; index++) {
    const branch = tree.branchAt(index);
    const last = index + 1 === branches.length;
    found.total += checkBranch(branch);
    found.keys += branch.keys;
    found.cells += branch.cells;
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      const lo = branch.keyLo(slot);
      const hi = branch.keyHi(slot);
      const low = compareU64(lo, hi, tree.startLo(index), tree.startHi(index)) >= 0;
      const high = last || compareU64(lo, hi, tree.startLo(index + 1), tree.startHi(index + 1)) < 0;
      if (branch.width(slot) === LONG) found.longs++;
      assert(low && high, "a key lies in the range of its branch");
      assert(tree.indexOf(lo, hi) === index, "the search finds the branch of a key");
    }
    if (last) continue;
    const ascends = compareU64(
      tree.startLo(index),
      tree.startHi(index),
      tree.startLo(index + 1),
      tree.startHi(index + 1),
    ) < 0;
    assert(ascends, "starts ascend");
  }
  const { keys, cells, total } = tree.counts;
  assert(keys === found.keys && cells === found.cells, "the tree counts its keys and cells");
  const hasAll = branches.every(({ longs }) => longs === tree.blocks.longs); // tests append others
  const isKnown = !hasAll || tree.blocks.longs.count === found.longs;
  assert(isKnown, "each long run has one counter");
  assert(total === found.total, "the tree's total is that of its cells");
}

/** Throws when what is counted is not what a tree takes all of whose branches were made in its blocks. */
export function checkMemory(tree: Tree): void {
  tree.blocks.check(tree.own, treeBytes(tree.name));
}

/** Throws when names are not counted as often as there are counters of them in some trees. */
export function checkNames(names: Names, trees: readonly Tree[]): void {
  const counters = new Map<number, number>();
  for (const tree of trees) {
    if (tree.names !== names) continue;
    for (const branch of tree.own) {
      const keys = sortedKeys(branch);
      for (let at = 0; at < keys.length; at += 2) {
        const id = keys[at + 1] * LANE + keys[at];
        counters.set(id, (counters.get(id) ?? 0) + 1);
      }
    }
  }
  const counted = names.check();
  assert(counted.size === counters.size, "every name has a counter");
  for (const [id, count] of counters) {
    assert(counted.get(id) === count, "a name is counted with each of its counters");
  }
}

/** Returns what all cells add up to. */
function checkBranch(branch: Branch): bigint {
  const keys = sortedKeys(branch);
  assert(keys.length === 2 * branch.keys, "keys counts the taken slots");
  assert(branch.keys <= branch.slots * 7 / 8, "at least one slot in eight is free");
  const runs: [number, number][] = [];
  let cells = 0;
  let total = 0n;
  for (let at = 0; at < keys.length; at += 2) {
    const lo = keys[at];
    const hi = keys[at + 1];
    assert(at === 0 || compareU64(keys[at - 2], keys[at - 1], lo, hi) < 0, "no key is there twice");
    const slot = branch.locate(lo, hi);
    assert(slot >= 0, "the search finds a key");
    cells += branch.count(slot);
    if (branch.width(slot) === LONG) {
      branch.long(slot).check();
      assert(branch.long(slot).count === branch.count(slot) - 1, "a long run has the older cells");
    }
    total += checkCells(branch, slot);
    if (branch.room(slot) > 0) runs.push([branch.run(slot), branch.room(slot)]);
  }
  assert(cells === branch.cells, "cells counts the cells");
  runs.sort((a, b) => a[0] - b[0]);
  let held = 0;
  let end = branch.runsStart;
  for (const [run, room] of runs) {
    assert(run >= end, "runs lie behind the slots and do not overlap");
    end = run + room;
    held += room;
  }
  assert(end <= branch.top && branch.freeWords >= 0, "runs lie below the top");
  assert(
    branch.top - branch.runsStart === held + branch.dead,
    "below the top are runs and dead words",
  );
  assert(branch.runWords === held, "runWords counts the words of runs");
  return total;
}

/** Returns what the counter's cells add up to. */
function checkCells(branch: Branch, slot: number): bigint {
  const count = branch.count(slot);
  let total = 0n;
  for (let index = 0; index < count; index++) {
    const lo = branch.valueLo(slot, index);
    const hi = branch.valueHi(slot, index);
    const day = branch.day(slot, index);
    assert(index === 0 || branch.day(slot, index - 1) < day, "the days of a counter ascend");
    assert(branch.seek(slot, day) === index && branch.found, "the search finds a day");
    assert(lo !== 0 || hi !== 0, "no cell is zero");
    total += u64ToBigInt(lo, hi);
  }
  assert(total < 1n << 64n, "a total fits 64 bits");
  return total;
}
