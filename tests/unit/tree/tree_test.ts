// A tree as a whole: the rules of its operations, its edges, and every order of growth.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { Cells } from "../../../lib/tree/cells.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Random } from "../../support/random.ts";

const U64_MAX = (1n << 64n) - 1n;
const DAY_MAX = 4294967295;
const TODAY = 20260101;

/** A tree that fails where another would try for ever to make room. */
class WatchedTree extends Tree {
  #triesLeft = Infinity;

  override indexOf(lo: number, hi: number): number {
    assert(this.#triesLeft-- > 0, "room is made in a few attempts");
    return super.indexOf(lo, hi);
  }

  override add(...change: Parameters<Tree["add"]>): boolean {
    this.#triesLeft = 20;
    const done = super.add(...change);
    this.#triesLeft = Infinity;
    return done;
  }
}

const sumLanes = new Uint32Array(2);

function add(tree: Tree, key: bigint, day: number, value: bigint): boolean {
  return tree.add(lowLane(key), highLane(key), day, lowLane(value), highLane(value));
}

function subtract(tree: Tree, key: bigint, day: number, value: bigint): void {
  tree.subtract(lowLane(key), highLane(key), day, lowLane(value), highLane(value));
}

function set(tree: Tree, key: bigint, day: number, value: bigint): boolean {
  return tree.set(lowLane(key), highLane(key), day, lowLane(value), highLane(value));
}

function sum(tree: Tree, key: bigint, dayFrom = 0, dayTo = DAY_MAX): bigint {
  tree.sum(lowLane(key), highLane(key), dayFrom, dayTo, sumLanes);
  return u64ToBigInt(sumLanes[0], sumLanes[1]);
}

/** A counter's days and values: [[20260101, 3n]]. */
function days(tree: Tree, key: bigint, dayFrom = 0, dayTo = DAY_MAX): [number, bigint][] {
  const cells = new Cells();
  tree.collect(lowLane(key), highLane(key), dayFrom, dayTo, cells);
  return Array.from({ length: cells.count }, (_, index) => {
    const [day, lo, hi] = cells.words.subarray(3 * index);
    return [day, u64ToBigInt(lo, hi)];
  });
}

/** A tree whose counter 1 has values 1 to 5 on the first five days of 2026. */
function fiveDays(): Tree {
  const tree = new Tree("t");
  for (let n = 1; n <= 5; n++) assert(add(tree, 1n, 20260100 + n, BigInt(n)));
  return tree;
}

Deno.test("tree: an empty tree answers as if every counter were empty, and creates none", () => {
  const tree = new Tree("t");
  assertEquals([sum(tree, 1n), days(tree, 1n)], [0n, []]);
  tree.removeDays(1, 0, 0, DAY_MAX);
  tree.sweep(0, DAY_MAX);
  tree.settle();
  assertEquals(tree.keys, 0);
  checkTree(tree);
});

Deno.test("tree: what creates a counter, and what doesn't", () => {
  const CHANGES: [what: string, change: (tree: Tree) => void, creates: boolean][] = [
    ["add", (tree) => add(tree, 7n, TODAY, 1n), true],
    ["add of zero", (tree) => add(tree, 7n, TODAY, 0n), true],
    ["subtract", (tree) => subtract(tree, 7n, TODAY, 1n), true],
    ["set", (tree) => set(tree, 7n, TODAY, 2n), true],
    ["set to zero", (tree) => set(tree, 7n, TODAY, 0n), true],
    ["touch", (tree) => tree.touch(7, 0), true],
    ["sum", (tree) => sum(tree, 7n), false],
    ["collect", (tree) => days(tree, 7n), false],
    ["count", (tree) => tree.count(7, 0), false],
    ["countIn", (tree) => tree.countIn(7, 0, 0, DAY_MAX), false],
    ["removeDays", (tree) => tree.removeDays(7, 0, 0, DAY_MAX), false],
    ["forget", (tree) => tree.forget(7, 0), false],
    ["sweep", (tree) => tree.sweep(0, DAY_MAX), false],
    ["compact", (tree) => tree.compact(), false],
  ];

  for (const [what, change, creates] of CHANGES) {
    const tree = fiveDays();
    change(tree);
    assertEquals(tree.created, creates, what);
    change(tree);
    assertEquals(tree.created, false, `${what}: the second time`);
    assertEquals(tree.keys, creates ? 2 : 1, what);
    const isStored = what === "add" || what === "set";
    assertEquals(days(tree, 7n), isStored ? [[TODAY, 2n]] : [], what);
    assertEquals(tree.count(7, 0), creates ? isStored ? 1 : 0 : -1, what);
    checkTree(tree);
  }
});

const RANGES: [dayFrom: number, dayTo: number, first: number, last: number][] = [
  [0, DAY_MAX, 1, 5],
  [20260101, 20260105, 1, 5],
  [20260102, 20260104, 2, 4],
  [20260103, 20260103, 3, 3],
  [0, 20260101, 1, 1],
  [20260105, DAY_MAX, 5, 5],
  [20260106, DAY_MAX, 0, -1],
  [0, 20260100, 0, -1],
  [20260104, 20260102, 0, -1],
  [DAY_MAX, 0, 0, -1],
  [20251399, 20260199, 1, 5],
];

Deno.test("tree: ranges of days hold both ends, and may be empty", () => {
  for (const [dayFrom, dayTo, first, last] of RANGES) {
    const all = [1, 2, 3, 4, 5].map((n): [number, bigint] => [20260100 + n, BigInt(n)]);
    const inside = all.filter((_, index) => index + 1 >= first && index + 1 <= last);
    const outside = all.filter((cell) => !inside.includes(cell));
    const total = inside.reduce((sum, [, value]) => sum + value, 0n);
    const tree = fiveDays();
    assertEquals(days(tree, 1n, dayFrom, dayTo), inside, `${dayFrom} to ${dayTo}`);
    assertEquals(sum(tree, 1n, dayFrom, dayTo), total);
    assertEquals([tree.countIn(1, 0, dayFrom, dayTo), tree.count(1, 0)], [inside.length, 5]);
    tree.removeDays(1, 0, dayFrom, dayTo);
    assertEquals([days(tree, 1n), tree.keys], [outside, 1]);
    checkTree(tree);
    const swept = fiveDays();
    swept.sweep(dayFrom, dayTo);
    assertEquals([days(swept, 1n), swept.keys], [outside, 1]);
    checkTree(swept);
  }
});

Deno.test("tree: days that are no dates are days like others", () => {
  const odd = [0, 1, 19691231, 20260100, 20260101, 20260230, 20261399, 20270101, DAY_MAX];
  for (const order of [odd, odd.toReversed()]) {
    const tree = new Tree("t");
    for (const day of order) assert(add(tree, 5n, day, 1n));
    for (const day of order) assert(add(tree, 5n, day, BigInt(day)));
    assertEquals(days(tree, 5n), odd.map((day) => [day, BigInt(day) + 1n]));
    odd.forEach((day, index) => {
      assertEquals(sum(tree, 5n, day, day), BigInt(day) + 1n);
      assertEquals(days(tree, 5n, day).length, odd.length - index);
    });
    tree.removeDays(5, 0, 20260230, 20261399);
    assertEquals(days(tree, 5n).length, odd.length - 2);
    checkTree(tree);
  }
});

Deno.test("tree: no cell is ever zero", () => {
  const tree = fiveDays();
  assert(add(tree, 1n, 20260106, 0n));
  assertEquals(days(tree, 1n).length, 5);
  assert(add(tree, 1n, 20260105, 0n));
  subtract(tree, 1n, 20260103, 3n); // to zero
  subtract(tree, 1n, 20260104, 99n); // never below
  subtract(tree, 1n, 20260105, U64_MAX);
  subtract(tree, 1n, 20260107, 1n); // not there
  assertEquals(days(tree, 1n), [[20260101, 1n], [20260102, 2n]]);
  checkTree(tree);
  subtract(tree, 1n, 20260102, 0n);
  subtract(tree, 1n, 20260102, 1n);
  assertEquals(days(tree, 1n), [[20260101, 1n], [20260102, 1n]]);
  checkTree(tree);
});

// An older and the newest day of a counter, what is added to which, and whether it may be.
const OVERFLOWS: [older: bigint, newest: bigint, day: number, value: bigint, done: boolean][] = [
  // of the day
  [0n, U64_MAX, TODAY, 1n, false],
  [0n, U64_MAX, TODAY, U64_MAX, false],
  [0n, U64_MAX, TODAY, 0n, true],
  [0n, U64_MAX - 1n, TODAY, 1n, true],
  [0n, U64_MAX - 1n, TODAY, 2n, false],
  [0n, 1n, TODAY, U64_MAX, false],
  [0n, 1n, TODAY, U64_MAX - 1n, true],
  [0n, 0xffffffffn, TODAY, U64_MAX - 0xffffffffn, true],
  [0n, 0xffffffffn, TODAY, U64_MAX - 0xfffffffen, false],
  // of the total only
  [1n, 1n, TODAY, U64_MAX - 2n, true],
  [1n, 1n, TODAY, U64_MAX - 1n, false],
  [1n, U64_MAX - 1n, TODAY, 1n, false],
  [1n << 63n, 1n, TODAY, (1n << 63n) - 2n, true],
  [1n << 63n, 1n, TODAY, (1n << 63n) - 1n, false],
  [1n << 63n, 1n << 62n, TODAY - 1, 1n << 62n, false],
  [1n << 63n, 1n << 62n, TODAY - 1, (1n << 62n) - 1n, true],
  [0xffffffffn, 0xffffffff00000000n, TODAY - 1, 1n, false],
  [0xfffffffen, 0xffffffff00000000n, TODAY - 1, 1n, true],
  // on a day of its own, the newest, between or before the others
  [1n << 63n, 1n << 62n, TODAY + 1, 1n << 62n, false],
  [1n << 63n, 1n << 62n, TODAY - 2, 1n << 62n, false],
  [1n << 63n, 1n << 62n, TODAY - 2, (1n << 62n) - 1n, true],
  [U64_MAX, 0n, TODAY, 1n, false],
  [U64_MAX, 0n, TODAY - 2, 1n, false],
];

Deno.test("tree: a day or a total beyond 2^64-1 is refused, and nothing has changed", () => {
  for (const [older, newest, day, value, done] of OVERFLOWS) {
    const tree = new Tree("t");
    assert(add(tree, 1n, TODAY - 1, older) && add(tree, 1n, TODAY, newest));
    const before = days(tree, 1n);
    const what = `${value} to ${day} of ${older} and ${newest}`;
    assertEquals(add(tree, 1n, day, value), done, what);
    assertEquals(sum(tree, 1n), older + newest + (done ? value : 0n), what);
    if (!done) assertEquals(days(tree, 1n), before, what);
    checkTree(tree);
  }
});

Deno.test("tree: set gives a day exactly its value, and tells the one before", () => {
  const VALUES = [0n, 1n, 65535n, 65536n, 0xffffffffn, 1n << 32n, (1n << 53n) + 1n, 1n << 63n];
  for (let day = 20260100; day <= 20260106; day++) { // before, on and after the days there are
    for (const first of VALUES) {
      for (const second of [...VALUES, U64_MAX - 15n]) {
        const tree = fiveDays();
        const others = days(tree, 1n).filter(([other]) => other !== day);
        const before = sum(tree, 1n, day, day);
        for (const [old, value] of [[before, first], [first, second], [second, first]]) {
          assert(set(tree, 1n, day, value), `${value} on ${day}`);
          assertEquals(u64ToBigInt(tree.old[0], tree.old[1]), old, "the value before");
          assertEquals(tree.created, false);
          assertEquals(sum(tree, 1n, day, day), value);
          assertEquals(tree.countIn(1, 0, day, day), value > 0n ? 1 : 0, "no cell is zero");
          assertEquals(days(tree, 1n).filter(([other]) => other !== day), others);
        }
        checkTree(tree);
      }
    }
  }
});

Deno.test("tree: set refuses a total beyond 2^64-1, and nothing has changed", () => {
  for (const [older, newest, day] of OVERFLOWS) {
    const tree = new Tree("t");
    assert(set(tree, 1n, TODAY - 1, older) && set(tree, 1n, TODAY, newest));
    const before = days(tree, 1n);
    const old = sum(tree, 1n, day, day);
    const others = older + newest - old;
    assert(set(tree, 1n, day, U64_MAX - others), "the most there can be");
    assertEquals(sum(tree, 1n), U64_MAX);
    assert(set(tree, 1n, day, old));
    if (others === 0n) continue;
    for (const value of [U64_MAX - others + 1n, U64_MAX]) {
      assertEquals(set(tree, 1n, day, value), false, `${value} beside ${others}`);
      assertEquals(u64ToBigInt(tree.old[0], tree.old[1]), old);
      assertEquals(days(tree, 1n), before);
    }
    checkTree(tree);
  }
});

Deno.test("tree: set makes room as add does", () => {
  const tree = new WatchedTree("t");
  for (let day = 1; day <= 8; day++) {
    for (let key = 0n; key < 3000n; key++) {
      assert(set(tree, key, TODAY + day, key << BigInt(4 * day)));
    }
  }
  for (let key = 0n; key < 3000n; key++) assertEquals(sum(tree, key), key * 0x111111110n);
  assertEquals([tree.count(0, 0), tree.count(2999, 0), tree.keys], [0, 8, 3000]);
  checkTree(tree);
});

Deno.test("tree: a counter that is forgotten was never there", () => {
  const tree = fiveDays();
  for (let key = 2n; key < 2000n; key++) tree.touch(lowLane(key), highLane(key));
  for (let key = 2n; key < 2000n; key++) {
    tree.forget(lowLane(key), highLane(key));
    assertEquals(tree.count(lowLane(key), highLane(key)), -1);
    if (key % 100n === 0n) checkTree(tree);
  }
  tree.forget(2, 0); // again, and nothing happens
  tree.forget(2000, 0);
  assertEquals([tree.keys, days(tree, 1n).length], [1, 5]);
  assertThrows(() => tree.forget(1, 0), AssertionFailed);
  tree.removeDays(1, 0, 0, DAY_MAX);
  tree.forget(1, 0);
  assertEquals(tree.keys, 0);
  assert(add(tree, 1n, TODAY, 1n) && tree.created);
  checkTree(tree);
});

Deno.test("tree: a batch that fails in the end is undone step by step", () => {
  const random = new Random(22);
  const tree = new Tree("t");
  for (let key = 0n; key < 1000n; key += 2n) {
    assert(add(tree, key, TODAY, key + 1n) && add(tree, key, TODAY - 1, 1n << 40n));
  }
  const before = Array.from({ length: 1000 }, (_, key) => days(tree, BigInt(key)));
  const undo: (() => void)[] = [];
  for (let step = 0; step < 5000; step++) {
    const key = BigInt(random.below(1000));
    const day = TODAY + random.below(3) - 1;
    const value = random.u64() >> 20n;
    const isSet = random.chance(0.5);
    assert(isSet ? set(tree, key, day, value) : add(tree, key, day, value));
    const old = isSet ? u64ToBigInt(tree.old[0], tree.old[1]) : 0n;
    const { created } = tree;
    undo.push(() => {
      if (isSet) assert(set(tree, key, day, old));
      else subtract(tree, key, day, value);
      if (created) tree.forget(lowLane(key), highLane(key));
    });
  }
  assert(add(tree, 5n, TODAY, 1n) && !add(tree, 5n, TODAY, U64_MAX));
  subtract(tree, 5n, TODAY, 1n);
  for (const step of undo.toReversed()) step();
  for (let key = 0; key < 1000; key++) {
    assertEquals(days(tree, BigInt(key)), before[key]);
    assertEquals(tree.count(key, 0), key % 2 === 0 ? 2 : -1, `key ${key}`);
  }
  assertEquals(tree.keys, 500);
  checkTree(tree);
});

Deno.test("tree: many values below 2^32 add up beyond it", () => {
  const tree = new Tree("t");
  for (let n = 0; n < 3000; n++) assert(add(tree, 1n, 10_000_000 + n, 0xffffffffn));
  assertEquals(sum(tree, 1n), 3000n * 0xffffffffn);
  assert(!add(tree, 1n, 5, U64_MAX - 2999n * 0xffffffffn));
  assert(add(tree, 1n, 5, U64_MAX - 3000n * 0xffffffffn));
  assert(!add(tree, 1n, 10_000_000, 1n));
  assertEquals(sum(tree, 1n), U64_MAX);
  checkTree(tree);
});

Deno.test("tree: a value may grow through every width and shrink again, on every day", () => {
  const STEPS = [
    1n,
    65535n,
    65536n,
    0xffffffffn,
    1n << 32n,
    1n << 53n,
    (1n << 53n) + 1n,
    1n << 62n,
  ];
  for (let day = 20260101; day <= 20260105; day++) {
    const tree = fiveDays();
    const base = BigInt(day - 20260100);
    const others = days(tree, 1n).filter(([other]) => other !== day);
    for (const step of [...STEPS, ...STEPS.toReversed()]) {
      const value = sum(tree, 1n, day, day);
      if (base + step > value) assert(add(tree, 1n, day, base + step - value));
      else subtract(tree, 1n, day, value - base - step);
      assertEquals(sum(tree, 1n, day, day), base + step);
      assertEquals(days(tree, 1n).filter(([other]) => other !== day), others);
      checkTree(tree);
    }
  }
});

Deno.test("tree: a sweep is seen at once, by every way to look", () => {
  const tree = new Tree("t");
  for (let key = 0n; key < 5000n; key++) {
    for (let day = 1; day <= 4; day++) assert(add(tree, key, 20260100 + day, key + 1n));
  }
  assert(tree.branches.length > 3, "there are several branches");
  tree.sweep(20260102, 20260103);
  assertEquals(days(tree, 10n), [[20260101, 11n], [20260104, 11n]]);
  assertEquals(sum(tree, 2000n), 2n * 2001n);
  assert(add(tree, 3000n, 20260102, 7n), "what comes after a sweep stays");
  tree.sweep(20260104, 20260104);
  tree.sweep(20260101, 20260101);
  assertEquals(days(tree, 3000n), [[20260102, 7n]]);
  assertEquals(days(tree, 4000n), []);
  subtract(tree, 4500n, 20260101, 1n);
  assertEquals([sum(tree, 4500n), tree.keys], [0n, 5000]);
  checkTree(tree);
});

Deno.test("tree: a later sweep that holds an earlier one takes its place", () => {
  const tree = new Tree("t");
  for (let key = 0n; key < 3000n; key++) assert(add(tree, key, 20260101, 1n));
  tree.sweep(20260101, 20260101);
  assert(add(tree, 5n, 20260101, 2n)); // one branch has done it
  tree.sweep(20260100, 20260102);
  assert(add(tree, 6n, 20260101, 3n));
  tree.sweep(20260103, 20260104); // holds none of the others
  assertEquals([5n, 6n, 7n, 2999n].map((key) => sum(tree, key)), [0n, 3n, 0n, 0n]);
  checkTree(tree);
});

Deno.test("tree: after every branch has settled a sweep is forgotten and its effect stays", () => {
  const tree = new Tree("t");
  for (let key = 0n; key < 3000n; key++) assert(add(tree, key, TODAY, 1n));
  tree.sweep(0, DAY_MAX);
  tree.settle(); // too early for most branches
  for (let index = 0; index < tree.branches.length; index++) {
    assertEquals(tree.branchAt(index).cells, 0, `branch ${index}`);
  }
  tree.settle();
  assert(add(tree, 5n, TODAY, 1n));
  assertEquals([sum(tree, 5n), sum(tree, 6n), tree.keys], [1n, 0n, 3000]);
  checkTree(tree);
});

/** Keys that fill several branches, on both sides of a lane's end, and the last one there is. */
function keysAcrossLanes(): bigint[] {
  const low = Array.from({ length: 2000 }, (_, index) => BigInt(index));
  const high = low.map((key) => (1n << 32n) + key);
  return [...low, ...high, (2n << 32n) + 500n, U64_MAX];
}

const ENDS = [
  ...[1n, 500n, 999n, 1000n, 0xffffffffn, 1n << 32n, (1n << 32n) + 1n, (1n << 32n) + 500n],
  ...[2n << 32n, (2n << 32n) + 501n, U64_MAX],
];

Deno.test("tree: a sweep with an end takes from the counters below it, and from no other", () => {
  const keys = keysAcrossLanes();
  for (const end of [0n, ...ENDS]) {
    const tree = new Tree("t");
    for (const key of keys) {
      for (let day = 1; day <= 3; day++) assert(add(tree, key, 20260100 + day, 1n));
    }
    assert(tree.branches.length > 2, "there are several branches");
    tree.sweep(20260101, 20260102, lowLane(end), highLane(end));
    assert(add(tree, 5n, 20260101, 7n), "what comes after it stays");
    for (const key of keys) {
      const isSwept = end === 0n || key < end; // zero is none
      const left = days(tree, key).map(([day]) => day - 20260100);
      const expected = isSwept ? key === 5n ? [1, 3] : [3] : [1, 2, 3];
      assertEquals(left, expected, `end ${end}, key ${key}`);
    }
    assertEquals(tree.keys, keys.length);
    checkTree(tree);
  }
});

Deno.test("tree: a sweep with an end leaves an earlier one of all counters to be done", () => {
  const keys = keysAcrossLanes();
  for (const end of ENDS) {
    const tree = new Tree("t");
    for (const key of keys) assert(add(tree, key, TODAY, 1n));
    tree.sweep(TODAY, TODAY);
    tree.sweep(0, DAY_MAX, lowLane(end), highLane(end));
    for (const key of keys) assertEquals(sum(tree, key), 0n, `end ${end}, key ${key}`);
    // And one of all counters takes the place of one with an end.
    for (const key of keys) assert(add(tree, key, TODAY, 1n));
    tree.sweep(TODAY, TODAY, lowLane(end), highLane(end));
    tree.sweep(0, DAY_MAX);
    for (const key of keys) assertEquals(sum(tree, key), 0n, `end ${end}, key ${key}`);
    checkTree(tree);
  }
});

/** Ways in which branches are laid out anew, for a tree of the keys 0, 10 ... 29990. */
const GROWTHS: [what: string, grow: (tree: Tree) => void][] = [
  ["new keys between the others", (tree) => {
    for (let n = 0n; n < 20_000n; n++) assert(add(tree, n * 7919n % 30_011n, 5, 1n));
  }],
  ["new keys behind the others", (tree) => {
    for (let n = 0n; n < 20_000n; n++) assert(add(tree, 30_000n + n, 5, 1n));
  }],
  ["many days of the last key", (tree) => {
    for (let n = 0; n < 5000; n++) assert(add(tree, 29_990n, 30_000_000 + n, 1n));
  }],
  ["many days of a key between others", (tree) => {
    for (let n = 0; n < 5000; n++) assert(add(tree, 15_000n, 30_000_000 + n, 1n));
  }],
  ["wider values", (tree) => {
    for (let key = 0n; key < 30_000n; key += 10n) assert(add(tree, key, 6, 1n << 40n));
  }],
];

Deno.test("tree: what comes after a sweep stays, however branches are laid out afterwards", () => {
  for (const [what, grow] of GROWTHS) {
    const tree = new Tree("t");
    for (let key = 0n; key < 30_000n; key += 10n) assert(add(tree, key, 7, 1000n));
    tree.sweep(0, 100);
    for (let key = 0n; key < 30_000n; key += 10n) assert(add(tree, key, 8, key + 1n));
    const before = tree.branches.length;
    grow(tree);
    assert(tree.branches.length > before, `${what}: there are more branches`);
    for (let key = 0n; key < 30_000n; key += 10n) {
      assertEquals(sum(tree, key, 7, 8), key + 1n, `${what}: key ${key}`);
    }
    checkTree(tree);
  }
});

Deno.test("tree: a branch that is appended knows nothing of the sweeps before it", () => {
  const tree = new Tree("t");
  tree.sweep(0, DAY_MAX);
  const [branch] = fiveDays().branches;
  tree.append({ branch, startLo: 0, startHi: 0 });
  assertEquals(sum(tree, 1n), 15n);
  tree.sweep(0, 20260104);
  assertEquals(sum(tree, 1n), 5n);
  checkTree(tree);
});

const ORDERS: [what: string, key: (index: number) => bigint][] = [
  ["ascending", (index) => BigInt(index)],
  ["descending", (index) => BigInt(20_000 - index)],
  ["ascending at the upper end", (index) => U64_MAX - 20_000n + BigInt(index)],
  ["descending from the upper end", (index) => U64_MAX - BigInt(index)],
  ["across a lane", (index) => (1n << 32n) - 10_000n + BigInt(index)],
  ["far apart", (index) => BigInt(index) << 48n],
  ["from both ends", (index) => index % 2 ? U64_MAX - BigInt(index) : BigInt(index)],
  ["random", (index) => new Random(index).u64()],
  [
    "random in the middle of others",
    (index) => BigInt(index % 2 ? index : 10_000 + index * 7919 % 65536),
  ],
];

Deno.test("tree: keys in every order are found again, in branches that are well filled", () => {
  for (const [what, key] of ORDERS) {
    const tree = new Tree("t");
    const totals = new Map<bigint, bigint>();
    for (let index = 0; index < 20_000; index++) {
      const value = BigInt(index % 1000) + 1n;
      assert(add(tree, key(index), TODAY + index % 2, value));
      totals.set(key(index), (totals.get(key(index)) ?? 0n) + value);
    }
    for (const [key, total] of totals) assert(sum(tree, key) === total, `${what}: key ${key}`);
    assertEquals(tree.keys, totals.size, what);
    const words = tree.branches.reduce((words, branch) => words + branch.size, 0);
    // Small trees are filled a little less: eight words a key with room for two days, at 2/3 and more.
    assert(words / totals.size < 11, `${what}: ${words / totals.size} words a key`);
    checkTree(tree);
  }
});

Deno.test("tree: a counter with thousands of days, alone and among others", () => {
  const OTHERS: [what: string, keys: bigint[]][] = [
    ["alone", []],
    ["before others", [6n, 7n, 1n << 40n]],
    ["behind others", [0n, 1n, 2n]],
    ["between others", [4n, 6n]],
    ["among many", Array.from({ length: 10_000 }, (_, index) => BigInt(index) * 2n)],
  ];
  for (const [what, others] of OTHERS) {
    for (const shift of [0n, 20n, 40n]) {
      const tree = new WatchedTree("t");
      for (const key of others) assert(add(tree, key, TODAY, 1n));
      for (let n = 0; n < 9000; n++) {
        // Downwards and upwards from the middle, of real days and others.
        const day = 20260101 + (n % 2 ? n : -n);
        assert(add(tree, 5n, day, 1n << shift), `${what}, shift ${shift}, ${n} days`);
      }
      assertEquals(sum(tree, 5n), 9000n << shift);
      assertEquals(days(tree, 5n).length, 9000);
      assertEquals(sum(tree, 5n, 20260101, 20260104), 3n << shift); // day 101, 102 and 104
      for (const key of others.slice(0, 10)) assertEquals(sum(tree, key), 1n, what);
      tree.removeDays(5, 0, 20250000, 20269999);
      assertEquals(sum(tree, 5n), 0n);
      checkTree(tree);
    }
  }
});

Deno.test("tree: one wide value makes thousands of days wide, wherever the counter is", () => {
  for (const others of [[], [1n], [9n], [1n, 9n], [2n, 3n, 4n]]) {
    for (const wideDay of [10_000_000, 10_003_000, 10_005_999, 10_006_000, 9]) {
      const tree = new WatchedTree("t");
      for (const key of others) assert(add(tree, key, TODAY, 1n));
      for (let day = 10_000_000; day < 10_006_000; day++) assert(add(tree, 5n, day, 1n));
      assert(add(tree, 5n, wideDay, 1n << 40n));
      assertEquals(sum(tree, 5n), 6000n + (1n << 40n));
      for (const key of others) assertEquals(sum(tree, key), 1n);
      checkTree(tree);
    }
  }
});

Deno.test("tree: many counters of long runs share no block and lose nothing", () => {
  const random = new Random(9);
  const tree = new WatchedTree("t");
  const totals = new Map<bigint, bigint>();
  for (let round = 0; round < 60_000; round++) {
    const key = BigInt(random.below(12));
    const day = 10_000_000 + random.below(round < 30_000 ? 3000 : 12_000);
    assert(add(tree, key, day, 1n));
    totals.set(key, (totals.get(key) ?? 0n) + 1n);
  }
  for (const [key, total] of totals) assertEquals(sum(tree, key), total);
  checkTree(tree);
});

Deno.test("tree: keys tells how many counters there are, names what it was given", () => {
  const tree = new Tree("день");
  assertEquals([tree.name, new TextDecoder().decode(tree.nameBytes)], ["день", "день"]);
  for (let key = 0n; key < 10_000n; key++) tree.touch(lowLane(key * 3n), 1);
  for (let key = 0n; key < 10_000n; key++) tree.touch(lowLane(key * 3n), 1);
  assertEquals(tree.keys, 10_000);
  checkTree(tree);
});
