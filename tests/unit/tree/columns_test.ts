// Columns: a branch as arrays and back, and every way in which arrays can be no branch.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { DamagedError } from "../../../lib/errors.ts";
import { BlockPool } from "../../../lib/tree/block_pool.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Columns } from "../../../lib/tree/columns.ts";
import { BRANCH_KEYS_MAX } from "../../../lib/tree/slot_table.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Walk } from "../../../lib/tree/walk.ts";
import { assertContents, contentsOf, randomTree } from "../../fuzz/dump_fuzz.ts";
import { Random } from "../../support/random.ts";

const U32_MAX = 4294967295;
/** Columns of the given counters: [key lo, key hi, [day, value lo, value hi?]...]. */
type Counter = [lo: number, hi: number, ...cells: [day: number, lo: number, hi?: number][]];

function columnsOf(...counters: Counter[]): Columns {
  const columns = new Columns();
  const cells = counters.flatMap(([, , ...cells]) => cells);
  columns.keyCount = counters.length;
  columns.cellCount = cells.length;
  columns.keys = Uint32Array.from(counters.flatMap(([lo, hi]) => [lo, hi]));
  columns.counts = Uint32Array.from(counters, ([, , ...cells]) => cells.length);
  columns.days = Uint32Array.from(cells, ([day]) => day);
  columns.lows = Uint32Array.from(cells, ([, lo]) => lo);
  columns.highs = Uint32Array.from(cells, ([, , hi = 0]) => hi);
  columns.hasHighs = columns.highs.some((hi) => hi !== 0);
  return columns;
}

/** A tree of one branch that these columns make. */
function treeOf(columns: Columns): Tree {
  const tree = new Tree("t");
  tree.append({ branch: columns.branch(tree.blocks, 0, 0, 0, 0), startLo: 0, startHi: 0 });
  checkTree(tree);
  return tree;
}

Deno.test("columns: what is taken from a tree makes the same tree", () => {
  const random = new Random(13);
  const columns = new Columns(); // one for all, as a dump does
  for (let round = 0; round < 40; round++) {
    const tree = randomTree(random);
    const copy = new Tree("copy");
    const walk = new Walk(tree);
    let keys = 0;
    for (let branch = walk.next(); branch !== null; branch = walk.next()) {
      columns.take(walk, branch);
      keys += columns.keyCount;
      const index = tree.indexOf(walk.startLo, walk.startHi);
      const last = index + 1 === tree.branches.length;
      const endLo = last ? 0 : tree.startLo(index + 1);
      const endHi = last ? 0 : tree.startHi(index + 1);
      const placed = columns.branch(copy.blocks, walk.startLo, walk.startHi, endLo, endHi);
      copy.append({ branch: placed, startLo: walk.startLo, startHi: walk.startHi });
    }
    checkTree(copy);
    assertEquals(keys, tree.keys);
    assertContents(contentsOf(copy), contentsOf(tree));
  }
});

Deno.test("columns: only what the walk has not met is taken", () => {
  const tree = new Tree("t");
  for (let key = 0; key < 3000; key++) tree.add(2 * key, 0, 20260101, 1, 0);
  const walk = new Walk(tree);
  const columns = new Columns();
  columns.take(walk, walk.next()!);
  const met = columns.keyCount;
  assert(met > 0 && met < 3000, "there is more than one branch");
  // The first branches are laid out anew: the next one now begins before what was met.
  for (let key = 0; key < 3000; key++) tree.add(2 * key + 1, 0, 20260101, 1, 0);
  let rest = 0;
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    columns.take(walk, branch);
    for (let at = 0; at < columns.keyCount; at++) assert(columns.keys[2 * at] >= walk.startLo);
    rest += columns.keys.subarray(0, 2 * columns.keyCount).filter((lane, at) => {
      return at % 2 === 0 && lane % 2 === 0;
    }).length;
  }
  assertEquals(met + rest, 3000, "each old key once");
  checkTree(tree);
});

Deno.test("columns: highs are there when any value needs them", () => {
  for (
    const [counters, hasHighs] of [
      [[[1, 0, [20260101, 5]]], false],
      [[[1, 0, [20260101, 5, 1]]], true],
      [[[1, 0, [20260101, 5, 1], [20260102, 5]], [2, 0, [20260101, 5]]], true],
      [[[1, 0]], false],
    ] as [Counter[], boolean][]
  ) {
    const tree = treeOf(columnsOf(...counters));
    const columns = new Columns();
    columns.hasHighs = true; // as it was left
    const walk = new Walk(tree);
    columns.take(walk, walk.next()!);
    assertEquals(columns.hasHighs, hasHighs);
  }
});

Deno.test("columns: highs may be there although all are zero", () => {
  const columns = columnsOf([1, 0, [20260101, 5], [20260102, 6]]);
  columns.hasHighs = true;
  assertEquals(
    contentsOf(treeOf(columns)),
    new Map([[1n, new Map([[20260101, 5n], [20260102, 6n]])]]),
  );
});

Deno.test("columns: a range holds its first key and not its end", () => {
  // The keys, the range, and whether they lie in it.
  const RANGES: [
    keys: [lo: number, hi: number],
    range: [number, number, number, number],
    boolean,
  ][] = [
    [[0, 0], [0, 0, 0, 0], true],
    [[U32_MAX, U32_MAX], [0, 0, 0, 0], true],
    [[5, 0], [5, 0, 6, 0], true],
    [[5, 0], [6, 0, 0, 0], false],
    [[5, 0], [0, 0, 5, 0], false],
    [[5, 1], [6, 0, 0, 2], true],
    [[5, 1], [6, 1, 0, 2], false],
    [[0, 2], [6, 1, 0, 2], false],
    [[U32_MAX, 1], [6, 1, 0, 2], true],
    [[U32_MAX, U32_MAX], [U32_MAX, U32_MAX, 0, 0], true],
  ];
  for (const [[lo, hi], range, inside] of RANGES) {
    const build = () => columnsOf([lo, hi, [20260101, 1]]).branch(new BlockPool(), ...range);
    if (inside) assertEquals(build().keys, 1);
    else assertThrows(build, DamagedError, "a key lies outside the range of its branch");
  }
});

const HALF = 2147483648;

const DAMAGED: [fault: string, columns: Columns][] = [
  ["a key is there twice", columnsOf([1, 0], [2, 0], [1, 0])],
  ["the days of a counter do not ascend", columnsOf([1, 0, [20260102, 1], [20260101, 1]])],
  ["the days of a counter do not ascend", columnsOf([1, 0, [20260102, 1], [20260102, 1]])],
  [
    "the days of a counter do not ascend",
    columnsOf([9, 9, [1, 1]], [1, 0, [5, 1], [6, 1], [0, 1]]),
  ],
  ["a value is zero", columnsOf([1, 0, [20260101, 0]])],
  ["a value is zero", columnsOf([1, 0, [1, 1], [2, 0], [3, 1, 1]])],
  ["the days of a counter add up beyond 2^64-1", columnsOf([1, 0, [1, 0, HALF], [2, 0, HALF]])],
  [
    "the days of a counter add up beyond 2^64-1",
    columnsOf([1, 0, [1, U32_MAX, U32_MAX - 1], [2, 0, 1], [3, 1, 0]]),
  ],
  ["counts and cells disagree", Object.assign(columnsOf([1, 0, [1, 1], [2, 1]]), { cellCount: 1 })],
  ["counts and cells disagree", Object.assign(columnsOf([1, 0, [1, 1], [2, 1]]), { cellCount: 3 })],
  ["counts and cells disagree", Object.assign(columnsOf([1, 0, [1, 1]]), { keyCount: 0 })],
  [
    "counts and cells disagree",
    Object.assign(columnsOf([1, 0, [1, 1]]), { counts: Uint32Array.of(U32_MAX) }),
  ],
  [
    "too many counters in one branch",
    Object.assign(new Columns(), { keyCount: BRANCH_KEYS_MAX + 1 }),
  ],
];

Deno.test("columns: what breaks a rule of trees is refused by name", () => {
  for (const [fault, columns] of DAMAGED) {
    assertThrows(() => columns.branch(new BlockPool(), 0, 0, 0, 0), DamagedError, fault);
  }
});

Deno.test("columns: what is at the edge of the rules is a tree", () => {
  const EDGES: Counter[][] = [
    [],
    [[0, 0]],
    [[0, 0], [U32_MAX, U32_MAX]],
    [[1, 0, [0, 1]]],
    [[1, 0, [U32_MAX, 1]]],
    [[1, 0, [0, 1], [1, 0, 1], [U32_MAX, U32_MAX, 0]]],
    [[1, 0, [1, U32_MAX, U32_MAX]]],
    [[1, 0, [1, 0, HALF], [2, U32_MAX, HALF - 1]]],
    [[1, 0, [1, U32_MAX, HALF - 1], [2, 0, HALF]], [2, 0, [5, U32_MAX, U32_MAX]]],
  ];
  for (const counters of EDGES) {
    const tree = treeOf(columnsOf(...counters));
    const expected = new Map(counters.map(([lo, hi, ...cells]) => {
      const days = cells.map(([day, lo, hi = 0]): [number, bigint] => {
        return [day, BigInt(hi) << 32n | BigInt(lo)];
      });
      return [BigInt(hi) << 32n | BigInt(lo), new Map(days)];
    }));
    assertEquals(contentsOf(tree), expected);
  }
});

Deno.test("columns: the largest branch there may be goes on growing without losing a key", () => {
  const counters = Array.from(
    { length: BRANCH_KEYS_MAX },
    (_, index): Counter => [2 * index, 0, [1, 1]],
  );
  const tree = treeOf(columnsOf(...counters));
  for (let key = 0; key < 2 * BRANCH_KEYS_MAX; key++) assert(tree.add(key, 0, 20260101, 1, 0));
  assertEquals([tree.keys, contentsOf(tree).size], [2 * BRANCH_KEYS_MAX, 2 * BRANCH_KEYS_MAX]);
  checkTree(tree);
});

Deno.test("columns: one counter of a hundred thousand days", () => {
  const cells = Array.from(
    { length: 100_000 },
    (_, index): [number, number] => [index * 7, index + 1],
  );
  const tree = treeOf(columnsOf([5, 5, ...cells], [4, 5, [20260101, 1]]));
  const sum = new Uint32Array(2);
  tree.sum(5, 5, 0, U32_MAX, sum);
  assertEquals(BigInt(sum[1]) << 32n | BigInt(sum[0]), 100_000n * 100_001n / 2n);
  checkTree(tree);
});
