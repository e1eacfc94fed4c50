// Trees that may take only so much memory: a change is carried out or refused whole, what needs no memory
// goes on, and what is counted is what is there.

import { assert, assertEquals } from "@std/assert";
import { Budget } from "../../../lib/bytes/budget.ts";
import { checkMemory, checkTree } from "../../../lib/tree/check.ts";
import { treeBytes } from "../../../lib/tree/tree.ts";
import { Forest } from "../../../lib/tree/forest.ts";
import type { Tree } from "../../../lib/tree/tree.ts";
import { Random } from "../../support/random.ts";

const MEBIBYTE = 1 << 20;
const sum = new Uint32Array(2);

function valueOf(tree: Tree, key: number, day: number): number {
  tree.sum(key, 0, day, day, sum);
  return sum[0];
}

/** Adds new counters until that is refused; returns how many there are then. */
function fill(tree: Tree, day = 1): number {
  let key = 1;
  while (tree.add(key, 0, day, 1, 0)) key++;
  assertEquals(tree.refusal, "memory");
  return key - 1;
}

Deno.test("tree memory: what is refused changes nothing, against a naive model", () => {
  const seed = Number(Deno.env.get("KARMA_SEED") ?? Math.floor(Math.random() * 2 ** 32));
  const random = new Random(seed);
  const budget = new Budget(MEBIBYTE / 2);
  const tree = new Forest(budget).create("t");
  const model = new Map<number, Map<number, number>>();
  const counts = { done: 0, refused: 0 };
  for (let step = 0; step < 20_000; step++) {
    const key = random.below(20_000);
    const day = 20260101 + random.below(random.below(40) === 0 ? 2000 : 3);
    const value = random.below(3) === 0 ? 100_000 : 1;
    const kind = random.below(8);
    const known = model.get(key);
    const before = known?.get(day) ?? 0;
    const done = kind < 5
      ? tree.add(key, 0, day, value, 0)
      : kind === 5
      ? tree.subtract(key, 0, day, value, 0)
      : kind === 6
      ? tree.set(key, 0, day, value, 0)
      : tree.touch(key, 0);
    counts[done ? "done" : "refused"]++;
    const what = `seed ${seed}, step ${step}`;
    if (done) {
      const days = known ?? new Map<number, number>();
      model.set(key, days);
      const after = kind < 5 ? before + value : kind === 5 ? Math.max(0, before - value) : value;
      if (kind < 7) days.set(day, after);
    } else {
      assertEquals(tree.refusal, "memory", what);
      assert(kind !== 5 || known === undefined, `${what}: taking away needs no memory`);
      assert(kind !== 7 || known === undefined, `${what}: the counter is there`);
      assertEquals(tree.count(key, 0) >= 0, known !== undefined, `${what}: no counter is left`);
      assert(!tree.created, what);
    }
    assertEquals(valueOf(tree, key, day), model.get(key)?.get(day) ?? 0, what);
    assert(budget.held <= budget.max, what);
  }
  checkTree(tree);
  checkMemory(tree);
  assertEquals(tree.keys, model.size);
  for (const [key, days] of model) {
    for (const [day, value] of days) assertEquals(valueOf(tree, key, day), value, `seed ${seed}`);
  }
  assert(counts.refused > 1000 && counts.done > 1000, JSON.stringify(counts));
});

Deno.test("tree memory: full, what is there goes on being counted, and taken away", () => {
  const tree = new Forest(new Budget(2 * MEBIBYTE)).create("t");
  const keys = fill(tree);
  assert(keys > 20_000, `${keys}`);
  for (let key = 1; key <= keys; key += 7) {
    assert(tree.add(key, 0, 1, 5, 0));
    assert(tree.subtract(key, 0, 1, 1, 0));
    assert(tree.set(key, 0, 1, 2, 0));
    assert(tree.touch(key, 0));
    assertEquals(valueOf(tree, key, 1), 2);
    tree.removeDays(key, 0, 0, 9);
    assertEquals(tree.count(key, 0), 0);
  }
  checkTree(tree);
  checkMemory(tree);
});

Deno.test("tree memory: a counter with very many days is laid out only if it fits", () => {
  const budget = new Budget(16 * MEBIBYTE);
  const tree = new Forest(budget).create("t");
  let day = 1;
  while (tree.add(7, 0, day, 70_000, 0)) day++;
  assertEquals(tree.refusal, "memory");
  assert(day > 50_000, `${day}`);
  assert(budget.held < budget.max);
  // Four times what its cells take: a dump has them in memory again, and a branch that grows is there twice.
  assert(budget.held > 3 * 8 * day, `${budget.held}`);
  assert(!tree.add(8, 0, 1, 1, 1) || tree.count(8, 0) === 1);
  checkTree(tree);
  checkMemory(tree);
});

Deno.test("tree memory: what is dropped, replaced or renamed counts no more", () => {
  const budget = new Budget(4 * MEBIBYTE);
  const forest = new Forest(budget);
  for (let round = 0; round < 4; round++) {
    const tree = forest.create("t");
    fill(tree);
    assert(budget.held > 3 * MEBIBYTE);
    forest.remove(tree);
    assertEquals(budget.held, 0, `${round}`);
    assertEquals(tree.keys, 0, "whoever walks over it finds nothing");
    while (forest.reclaim());
  }
  const old = forest.create("t");
  fill(old);
  const hidden = new Forest().create("hidden");
  fillSome(hidden);
  const { bytes } = hidden.blocks;
  forest.put(hidden);
  forest.adopt(hidden, "t");
  assertEquals(budget.held, bytes + treeBytes("t") - treeBytes("hidden"));
  checkTree(hidden);
  checkMemory(hidden);
  forest.remove(hidden);
  assertEquals(budget.held, 0);
});

function fillSome(tree: Tree): void {
  for (let key = 0; key < 1000; key++) assert(tree.add(key, 0, 1, 1, 0));
}

Deno.test("tree memory: a tree that gave way is counted as it is, and grows again", () => {
  const budget = new Budget(4 * MEBIBYTE);
  const forest = new Forest(budget);
  const first = forest.create("a");
  const keys = fill(first);
  const second = forest.create("b");
  assert(fill(second) < 10, "only what its first branch holds");
  forest.remove(first);
  fill(second);
  assert(second.keys > keys / 2);
  checkTree(second);
  checkMemory(second);
});
