// The forest: trees by name, in the order of their creation, whatever their names hash to.

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { NameIndex } from "../../../lib/bytes/name_index.ts";
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

Deno.test("forest: a tree that is put comes last, and the one with its name is gone", () => {
  for (const name of NAMES) {
    const forest = new Forest();
    for (const other of NAMES) forest.create(other);
    const tree = new Tree(name);
    forest.put(tree);
    assertEquals(names(forest), [...NAMES.filter((other) => other !== name), name]);
    assertStrictEquals(find(forest, name), tree);
    forest.remove(tree);
    assertEquals(find(forest, name), null, "nothing is left of the old one");
    const other = new Tree("new");
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
  assertEquals(forest.after(12)?.serial, 13);
  // A tree of an old log's serial does not bring serials back that were given out.
  const old = forest.create("old", forest.freeNumber()!, 3);
  assertEquals([old.serial, forest.nextSerial], [3, 17]);
});

Deno.test("forest: a number that a tree has is given to no other, but to the one in its place", () => {
  const forest = new Forest();
  const tree = forest.create("t");
  forest.create("u");
  assertThrows(() => forest.create("v", tree.number, 50), AssertionFailed);
  const next = new Tree("t");
  forest.put(next, tree.number, 60);
  assertStrictEquals(forest.at(tree.number), next);
  assertEquals([forest.has(tree), forest.has(next), names(forest)], [false, true, ["u", "t"]]);
});

Deno.test("forest: what trees are called by whom", () => {
  const forest = new Forest();
  for (const name of ["a", "\0staged-1", "b", "\0"]) forest.create(name);
  assertEquals(names(forest), ["a", "\0staged-1", "b", "\0"]);
  assertEquals(forest.visible().map(({ name }) => name), ["a", "b"]);
  for (const tree of forest.trees()) assertStrictEquals(forest.named(tree.name), tree);
  assertEquals([forest.named("c"), forest.named("")], [null, null]);
  // Clients may write any bytes, and a NUL is one that they can.
  assertEquals([find(forest, "\0staged-1"), find(forest, "\0")], [null, null]);
  assertStrictEquals(find(forest, "b"), forest.named("b"));
});

Deno.test("forest: a hidden tree takes a name, and the one that has it is gone", () => {
  for (const name of [...NAMES, "new"]) {
    const forest = new Forest();
    for (const other of NAMES.slice(0, 4)) forest.create(other);
    const hidden = forest.create("\0staged-5");
    for (const other of NAMES.slice(4)) forest.create(other);
    hidden.add(1, 0, 20260101, 5, 0);
    const { number, serial } = hidden;
    const old = forest.named(name);
    const { nextSerial } = forest;
    forest.adopt(hidden, name);
    const others = NAMES.map((other, index) => index === 4 ? [name, other] : [other]).flat();
    const isOther = (other: string, index: number) => index === 4 || other !== name;
    assertEquals(names(forest), others.filter(isOther), "it is as old as it was");
    assertStrictEquals(find(forest, name), hidden);
    assertStrictEquals(forest.named(name), hidden);
    assertEquals([hidden.name, hidden.number, hidden.serial], [name, number, serial]);
    assertStrictEquals(forest.at(number), hidden);
    assertEquals([forest.has(hidden), forest.named("\0staged-5")], [true, null]);
    assertEquals(forest.nextSerial, nextSerial, "it keeps its own");
    if (old !== null) {
      assertEquals([forest.has(old), forest.at(old.number)], [false, null]);
      assertEquals(forest.freeNumber(), old.number, "its number is free");
    }
    for (const other of NAMES) if (other !== name) assert(find(forest, other) !== hidden);
    assertEquals(hidden.count(1, 0), 1);
    // And it goes as others go.
    forest.remove(hidden);
    assertEquals([find(forest, name), forest.named(name), forest.at(number)], [null, null, null]);
    forest.create("\0staged-5");
    checkTree(hidden);
  }
});

/** Lets some counters of a tree come or go. */
function changeCounters(tree: Tree, random: Random): void {
  const key = random.below(50);
  const choice = random.below(10);
  if (choice < 6) tree.add(key, 0, 20260101, 1, 0);
  else if (choice === 6) tree.sweep(0, 20270101);
  else if (choice === 7) tree.compact();
  else if (tree.count(key, 0) === 0) tree.forget(key, 0);
}

Deno.test("forest: a random history of names, beside a model", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  const forest = new Forest();
  let model: Tree[] = [];
  for (let step = 0; step < 4000; step++) {
    const name = `${random.chance(0.3) ? "\0" : ""}${random.pick(NAMES.slice(0, 7))}`;
    const held = model.find((tree) => tree.name === name);
    const hidden = model.filter((tree) => tree.name.startsWith("\0"));
    const choice = random.below(4);
    if (choice === 0 && held !== undefined) {
      forest.remove(held);
      model = model.filter((tree) => tree !== held);
    } else if (choice === 1 && hidden.length > 0 && !name.startsWith("\0")) {
      const tree = random.pick(hidden);
      forest.adopt(tree, name);
      const others = model.filter((other) => other !== tree);
      model = [...others.filter((other) => other !== held), tree];
    } else if (choice === 2) {
      const tree = new Tree(name);
      forest.put(tree);
      model = [...model.filter((other) => other !== held), tree];
    } else if (held === undefined) {
      model.push(forest.create(name));
    }
    const where = `seed ${seed}, step ${step}`;
    if (model.length > 0) changeCounters(random.pick(model), random);
    model.sort((a, b) => a.serial - b.serial);
    if (step % 500 === 0) forest.check();
    assertEquals(names(forest), model.map(({ name }) => name), where);
    const visible = model.filter((tree) => !tree.name.startsWith("\0"));
    assertEquals(forest.visible().map(({ name }) => name), visible.map(({ name }) => name), where);
    assertEquals(forest.visibleCount, visible.length, where);
    assertEquals(forest.visibleAfter(0) ?? undefined, visible.at(0), where);
    for (const tree of model) {
      assertStrictEquals(forest.named(tree.name), tree, where);
      assertStrictEquals(forest.at(tree.number), tree, where);
      assertStrictEquals(find(forest, tree.name), visible.includes(tree) ? tree : null, where);
    }
    assertEquals(forest.at(forest.freeNumber()!), null, where);
    assertEquals(new Set(model.map(({ serial }) => serial)).size, model.length, where);
  }
});

Deno.test("forest: names that collide under FNV-1a are found without looking at the others", () => {
  const names = collidingNames(10);
  const forest = new Forest();
  const { is } = NameIndex.prototype;
  let compared = 0;
  NameIndex.prototype.is = function (...args) {
    compared++;
    return is.apply(this, args);
  };
  try {
    for (const name of names) forest.create(name);
    for (const name of names) assertStrictEquals(find(forest, name)?.name, name);
  } finally {
    NameIndex.prototype.is = is;
  }
  forest.check();
  // Searches that find nothing pass some names, those that do one more. By FNV-1a it was a million.
  assert(compared < 10 * names.length, `${compared}`);
});

/** FNV-1a of a text in ASCII, going on from a state. */
function fnv1a(text: string, state = 0x811c9dc5): number {
  for (let at = 0; at < text.length; at++) {
    state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  }
  return state;
}

/** 2^steps names with one FNV-1a hash: of each part there are two, from one state to the same next. */
function collidingNames(steps: number): string[] {
  let names = [""];
  let state = fnv1a("");
  for (let step = 0; step < steps; step++) {
    const parts = new Map<number, string>();
    for (let at = 0;; at++) {
      const part = (Math.imul(at, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
      const next = fnv1a(part, state);
      const other = parts.get(next);
      parts.set(next, part);
      if (other === undefined) continue;
      names = names.flatMap((name) => [name + other, name + part]);
      state = next;
      break;
    }
  }
  assert(names.every((name) => fnv1a(name) === state));
  return names;
}
