// What the tree costs by itself: a thousand operations on random keys an iteration, so µs of the table
// are ns of an operation. Of trees with 100 000 and a million keys of 30 days each.
//
// Counters that a bench creates go again outside its time; what it costs to lay branches out as a tree
// grows is in "fill", of which an iteration is a whole tree.

import { assertEquals } from "@std/assert";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Random } from "../../support/random.ts";

const OPERATIONS = 1000;
const FILL_KEYS = 100_000;
const DAYS = Array.from({ length: 30 }, (_, index) => 20261101 + index);
const TODAY = DAYS.at(-1)!;
const DAY_MAX = 0xffffffff;
const SIZES: [name: string, keys: number][] = [["100 000 keys", 100_000], ["1 million keys", 1e6]];

const random = new Random(42);
const sum = new Uint32Array(2);

/** A tree of the first even keys, with 3 on each day: odd ones lie among them, in the same branches. */
function filled(keys: number): Tree {
  const tree = new Tree("bench");
  for (let index = 0; index < keys; index++) {
    for (const day of DAYS) tree.add(2 * index, 0, day, 3, 0);
  }
  assertEquals(tree.keys, keys);
  return tree;
}

/** More sets of keys, all even or all odd, than the caches have room for; taken in turn. */
function keySets(keys: number, odd: 0 | 1): () => Uint32Array {
  const sets = Array.from({ length: 64 }, () => {
    return Uint32Array.from({ length: OPERATIONS }, () => 2 * random.below(keys) + odd);
  });
  let turn = 0;
  return () => sets[turn++ % sets.length];
}

function addAll(tree: Tree, keys: Uint32Array): void {
  for (let index = 0; index < keys.length; index++) tree.add(keys[index], 0, TODAY, 1, 0);
}

function sumAll(tree: Tree, keys: Uint32Array, dayFrom: number, dayTo: number): number {
  let total = 0;
  for (let index = 0; index < keys.length; index++) {
    tree.sum(keys[index], 0, dayFrom, dayTo, sum);
    total += sum[0];
  }
  return total;
}

/** Takes the counters of some keys out of a tree, as if they had never been there. */
function forgetAll(tree: Tree, keys: Uint32Array): void {
  for (const key of keys) {
    tree.removeDays(key, 0, 0, DAY_MAX);
    tree.forget(key, 0);
  }
}

for (const [size, keys] of SIZES) {
  const tree = filled(keys);
  const old = keySets(keys, 0);
  const fresh = keySets(keys, 1);

  const some = old();
  assertEquals(sumAll(tree, some, DAYS[0], TODAY), OPERATIONS * 3 * DAYS.length);
  assertEquals(sumAll(tree, some, TODAY, TODAY), OPERATIONS * 3);
  const others = fresh();
  addAll(tree, others);
  assertEquals(tree.keys, keys + new Set(others).size);
  forgetAll(tree, others);
  assertEquals(tree.keys, keys);
  checkTree(tree);

  const name = (what: string) => `${what}, ${size}`;
  const [add, adding] = ["add to 1000 counters", `add, ${size}`];
  Deno.bench(name(add), { group: adding, baseline: true }, () => {
    addAll(tree, old());
  });
  Deno.bench(name("create 1000 counters"), { group: adding }, (bench) => {
    const keys = fresh();
    bench.start();
    addAll(tree, keys);
    bench.end();
    forgetAll(tree, keys);
  });

  const summing = `sum, ${size}`;
  Deno.bench(name("1000 sums of a day"), { group: summing, baseline: true }, () => {
    sumAll(tree, old(), TODAY, TODAY);
  });
  Deno.bench(name("1000 sums of 7 days"), { group: summing }, () => {
    sumAll(tree, old(), DAYS.at(-7)!, TODAY);
  });
  Deno.bench(name("1000 sums of 30 days"), { group: summing }, () => {
    sumAll(tree, old(), DAYS[0], TODAY);
  });
  Deno.bench(name("1000 sums of all days"), { group: summing }, () => {
    sumAll(tree, old(), 0, DAY_MAX);
  });
}

const inOrder = Uint32Array.from({ length: FILL_KEYS }, (_, index) => index + 1);
const atRandom = Uint32Array.from({ length: FILL_KEYS }, () => random.below(2 ** 32));

Deno.bench("100 000 new keys in order", { group: "fill", baseline: true }, () => {
  addAll(new Tree("bench"), inOrder);
});
Deno.bench("100 000 new keys at random", { group: "fill" }, () => {
  addAll(new Tree("bench"), atRandom);
});
