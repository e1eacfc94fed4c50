// The forest: trees by name, in the order of their creation, whatever their names hash to.

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Forest } from "../../../lib/tree/forest.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Random } from "../../support/random.ts";

const encoder = new TextEncoder();

/** Looks a name up as a request does: as a span of other bytes. */
function find(forest: Forest, name: string): Tree | null {
  const bytes = encoder.encode(name);
  return forest.find(encoder.encode(`"${name}"`), 1, 1 + bytes.length);
}

function names(forest: Forest): string[] {
  return forest.trees().map(({ name }) => name);
}

// The second pair and the third have the same FNV-1a hash of 32 bits.
const NAMES = ["b", "a", "costarring", "liquid", "declinate", "macallums", "день", "", "a b"];

Deno.test("forest: finds each tree by the bytes of its name, and no other", () => {
  const forest = new Forest();
  const trees = NAMES.map((name) => forest.create(name));
  NAMES.forEach((name, index) => assertStrictEquals(find(forest, name), trees[index]));
  for (const name of ["c", "A", "aa", "costarrin", "\0", "день "]) {
    assertEquals(find(forest, name), null);
  }
  trees.forEach(checkTree);
});

Deno.test("forest: lists trees in the order of their creation", () => {
  const forest = new Forest();
  for (const name of NAMES) forest.create(name);
  assertEquals(names(forest), NAMES);
});

Deno.test("forest: a removed tree is gone, others with its hash stay, and it comes back last", () => {
  for (const removed of NAMES) {
    const forest = new Forest();
    const trees = NAMES.map((name) => forest.create(name));
    forest.remove(find(forest, removed)!);
    const left = NAMES.filter((name) => name !== removed);
    assertEquals([find(forest, removed), names(forest)], [null, left]);
    for (const name of left) assertStrictEquals(find(forest, name), trees[NAMES.indexOf(name)]);
    const again = forest.create(removed);
    assertStrictEquals(find(forest, removed), again);
    assertEquals(names(forest), [...left, removed]);
  }
});

Deno.test("forest: a tree that is put takes the place of the one with its name, or the last", () => {
  for (const name of NAMES) {
    const forest = new Forest();
    for (const other of NAMES) forest.create(other);
    const tree = new Tree(name, forest.pool);
    forest.put(tree);
    assertEquals(names(forest), NAMES);
    assertStrictEquals(find(forest, name), tree);
    forest.remove(tree);
    assertEquals(find(forest, name), null, "nothing is left of the old one");
    const other = new Tree("new", forest.pool);
    forest.put(other);
    assertStrictEquals(find(forest, "new"), other);
    assertEquals(names(forest).at(-1), "new");
  }
});

Deno.test("forest: thousands of trees share the memory of their branches and nothing else", () => {
  const forest = new Forest();
  const trees = Array.from({ length: 2000 }, (_, index) => forest.create(`tree ${index}`));
  for (let round = 0; round < 20; round++) {
    trees.forEach((tree, index) => tree.add(round, index, 20260101, index + 1, 0));
  }
  const sum = new Uint32Array(2);
  trees.forEach((tree, index) => {
    assertStrictEquals(find(forest, `tree ${index}`), tree);
    tree.sum(19, index, 0, 20270101, sum);
    assertEquals([sum[0], tree.keys], [index + 1, 20]);
    checkTree(tree);
  });
});

Deno.test("forest: every tree has a number of its own, used again when free, and a serial never", () => {
  const forest = new Forest();
  const random = new Random(5);
  const serials = new Set<number>();
  for (let step = 0; step < 2000; step++) {
    const trees = forest.trees();
    if (trees.length > 20 || trees.length > 0 && random.chance(0.4)) {
      forest.remove(random.pick(trees));
    } else {
      const { serial } = forest.create(`tree ${step}`);
      assert(!serials.has(serial));
      serials.add(serial);
    }
    for (const tree of forest.trees()) assertStrictEquals(forest.at(tree.number), tree);
  }
  const numbers = forest.trees().map(({ number }) => number);
  assertEquals(new Set(numbers).size, numbers.length);
  assert(Math.max(...numbers) <= 21, "numbers stay small");
  const free = forest.freeNumber()!;
  assertEquals(forest.at(free), null);
  // What a log says is taken as it says it, gaps included.
  const late = forest.create("late", 1000, 5000);
  assertEquals([late.number, late.serial, forest.nextSerial], [1000, 5000, 5001]);
  assertEquals(forest.at(999), null);
  assert(forest.freeNumber()! < 1000);
});

Deno.test("forest: numbers in a gap are given out like others, and serials only go up", () => {
  const forest = new Forest();
  forest.create("f", 5, 9);
  for (let n = 0; n < 7; n++) forest.create(`tree ${n}`);
  const numbers = forest.trees().map(({ number }) => number);
  assertEquals(numbers.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(forest.trees().map(({ serial }) => serial), [9, 10, 11, 12, 13, 14, 15, 16]);
  // A tree of an old log's serial does not bring serials back that were given out.
  const old = forest.create("old", forest.freeNumber()!, 3);
  assertEquals([old.serial, forest.nextSerial], [3, 17]);
});

Deno.test("forest: a number that a tree has is given to no other, but to the one in its place", () => {
  const forest = new Forest();
  const tree = forest.create("t");
  forest.create("u");
  assertThrows(() => forest.create("v", tree.number, 50), AssertionFailed);
  const next = new Tree("t", forest.pool);
  forest.put(next, tree.number, 60);
  assertStrictEquals(forest.at(tree.number), next);
  assertEquals([forest.has(tree), forest.has(next), names(forest)], [false, true, ["t", "u"]]);
});
