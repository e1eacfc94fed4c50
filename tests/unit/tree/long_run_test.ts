// Long runs beside a sorted array, by themselves and as the runs of counters in trees.

import { assert, assertEquals } from "@std/assert";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { Budget } from "../../../lib/bytes/budget.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Columns } from "../../../lib/tree/columns.ts";
import { DayRange } from "../../../lib/tree/day_range.ts";
import { CHUNK_CELLS } from "../../../lib/tree/chunk.ts";
import { LongRun } from "../../../lib/tree/long_run.ts";
import { LONG, LONG_CELLS_MIN } from "../../../lib/tree/run.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Walk } from "../../../lib/tree/walk.ts";
import { Random } from "../../support/random.ts";

interface Cell {
  readonly day: number;
  value: bigint;
}

const sum = new Uint32Array(2);

function assertSame(long: LongRun, cells: readonly Cell[], what: string): void {
  long.check();
  assertEquals(long.count, cells.length, what);
  cells.forEach(({ day, value }, index) => {
    const found = u64ToBigInt(long.valueLo(index), long.valueHi(index));
    assert(long.day(index) === day && found === value, `${what}: cell ${index}`);
  });
}

function valueOf(random: Random): bigint {
  return (random.u64() >> BigInt(random.pick([1, 30, 40, 50, 62]))) + 1n;
}

Deno.test("long_run: cells come, change and go, beside an array", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = new Random(seed);
    const long = new LongRun();
    const cells: Cell[] = [];
    for (let change = 0; change < 12_000; change++) {
      const kind = random.below(100);
      const day = random.pick([20_000_000, 1 << 30]) + random.below(40_000);
      const value = valueOf(random);
      const index = long.seek(day);
      assert(index === cells.length || cells[index].day >= day, `seed ${seed}: day ${day}`);
      assert(index === 0 || cells[index - 1].day < day, `seed ${seed}: day ${day}`);
      const isThere = cells[index]?.day === day;
      const [from, to] = [random.below(cells.length + 1), random.below(cells.length + 1)];
      if (kind < 90 && !isThere) {
        long.insert(index, day, lowLane(value), highLane(value));
        cells.splice(index, 0, { day, value });
      } else if (kind < 93 && isThere) {
        long.store(index, lowLane(value), highLane(value));
        cells[index].value = value;
      } else if (kind < 95 && random.chance(0.02)) {
        long.remove(from, to);
        if (from < to) cells.splice(from, to - from);
      } else if (random.chance(0.02)) {
        long.sum(from, to, sum);
        const expected = cells.slice(from, Math.max(from, to)).reduce((all, { value }) => {
          return all + value;
        }, 0n);
        assertEquals(u64ToBigInt(sum[0], sum[1]), BigInt.asUintN(64, expected), `seed ${seed}`);
      }
    }
    assertSame(long, cells, `seed ${seed}`);
  }
});

Deno.test("long_run: days in their order, or against it, leave full chunks behind", () => {
  const count = 20 * CHUNK_CELLS;
  for (const isAscending of [true, false]) {
    const long = new LongRun();
    for (let index = 0; index < count; index++) {
      long.insert(isAscending ? index : 0, isAscending ? 1 + index : count - index, 1, 0);
    }
    long.check();
    assertEquals(long.count, count);
    assertEquals(long.chunks, 20);
    long.sum(5, count - 5, sum);
    assertEquals([...sum], [count - 10, 0]);
  }
});

const COUNT = 3 * LONG_CELLS_MIN;

/** The days of a counter in some order: `index` is their place among all. */
const ORDERS: [what: string, dayOf: (index: number) => number][] = [
  ["ascending", (index) => 1 + index],
  ["descending", (index) => COUNT - index],
  ["to and fro", (index) => 1 + (index * 7919) % COUNT],
];

Deno.test("long_run: a counter gets one when it has many days, and loses it with the last", () => {
  for (const [what, dayOf] of ORDERS) {
    const tree = new Tree("t");
    for (let key = 0; key < 20; key++) tree.add(key, 0, 5, 9, 9);
    for (let index = 0; index < COUNT; index++) {
      const day = dayOf(index);
      tree.add(7, 1, day, day, day % 100 === 0 ? 1 : 0);
      if (index === LONG_CELLS_MIN) checkTree(tree);
    }
    const slot = tree.locate(7, 1);
    assertEquals(tree.located.width(slot), LONG, what);
    for (const [from, to] of [[0, 0xffffffff], [1, 1], [17, COUNT - 17], [COUNT, COUNT], [9, 8]]) {
      let expected = 0n;
      for (let day = Math.max(1, from); day <= Math.min(COUNT, to); day++) {
        expected += BigInt(day) + (day % 100 === 0 ? 1n << 32n : 0n);
      }
      tree.sum(7, 1, from, to, sum);
      assertEquals(u64ToBigInt(sum[0], sum[1]), expected, `${what}, ${from} to ${to}`);
      const range = new DayRange(from, to);
      const cells = range.sum(tree.located, tree.locate(7, 1));
      assertEquals(u64ToBigInt(range.lo, range.hi), expected, `${what}, ${from} to ${to}`);
      assertEquals(cells, tree.countIn(7, 1, from, to));
    }
    tree.subtract(7, 1, COUNT, 1, 0); // the newest, in the slot, and an older one
    tree.subtract(7, 1, 100, 0xffffffff, 0xffffffff);
    checkTree(tree);
    assertEquals(tree.count(7, 1), COUNT - 1);
    tree.sweep(1, 50);
    tree.removeDays(7, 1, COUNT - 10, COUNT + 10);
    checkTree(tree);
    assertEquals(tree.count(7, 1), COUNT - 1 - 50 - 11);
    for (let key = 0; key < 20_000; key++) tree.add(key, 0, 5, 1, 0); // branches are laid out anew
    checkTree(tree);
    tree.removeDays(7, 1, 0, 0xffffffff);
    checkTree(tree);
    assertEquals([tree.count(7, 1), tree.blocks.longs.count], [0, 0]);
    tree.add(7, 1, 3, 1, 0);
    assert(tree.located.width(tree.locate(7, 1)) !== LONG, "it begins anew");
    checkTree(tree);
  }
});

Deno.test("long_run: a counter that has one goes through columns and back", () => {
  const tree = new Tree("t");
  const random = new Random(3);
  for (let index = 0; index < COUNT; index++) {
    const value = valueOf(random) >> 14n;
    tree.add(1, 0, 1 + 3 * index, (lowLane(value) | 1) >>> 0, highLane(value));
    tree.add(2, 0, 1 + index % 4000, 1, 0);
  }
  const copy = new Tree("t");
  const walk = new Walk(tree);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    const columns = new Columns();
    columns.take(walk, branch);
    const { startLo, startHi, nextLo, nextHi, isDone } = walk;
    const end: [number, number] = isDone ? [0, 0] : [nextLo, nextHi];
    copy.append({
      branch: columns.branch(copy.blocks, startLo, startHi, ...end),
      startLo,
      startHi,
    });
  }
  checkTree(copy);
  assertEquals(copy.counts.total, tree.counts.total);
  assertEquals([copy.counts.keys, copy.counts.cells], [tree.counts.keys, tree.counts.cells]);
  assertEquals(copy.located.width(copy.locate(1, 0)), LONG);
});

Deno.test("long_run: what is asked of a counter with many days touches a few thousand cells", () => {
  const tree = new Tree("t");
  const days = 200_000;
  const started = performance.now();
  for (let day = days; day > 0; day--) tree.add(1, 0, day, 1, 0); // against their order
  const filled = performance.now() - started;
  const began = performance.now();
  for (let time = 0; time < 1000; time++) {
    tree.sum(1, 0, 5 + time, days - time, sum);
    assertEquals(sum[0], days - 4 - 2 * time);
  }
  const took = performance.now() - began;
  console.log(`Filled in ${filled.toFixed(0)} ms; a thousand sums took ${took.toFixed(1)} ms`);
  // In one run they took a second, and filling it against the order of days seven.
  assert(took < 2000 && filled < 20_000, `${filled} ms, ${took} ms`);
  checkTree(tree);
});

Deno.test("long_run: what it takes counts, and without memory days are refused, but can be taken away", () => {
  const tree = new Tree("t");
  const budget = new Budget();
  tree.blocks.charge(budget);
  for (let day = 1; day <= COUNT; day++) tree.add(7, 0, day, 1, 0);
  checkTree(tree);
  budget.max = budget.used + 200_000;
  let added = 0;
  while (tree.add(7, 0, COUNT + added + 1, 1, 0)) added++;
  assertEquals(tree.refusal, "memory");
  assert(added > 1000 && budget.used <= budget.max, `${added} days`);
  assert(!tree.add(7, 0, 5, 0xffffffff, 7), "a wider value takes memory");
  assert(tree.add(7, 0, 5, 3, 0), "one that is not wider takes none");
  assert(tree.subtract(7, 0, 5, 2, 0));
  assertEquals(tree.count(7, 0), COUNT + added);
  const { used } = budget;
  tree.removeDays(7, 0, 1, COUNT - 3000);
  assert(budget.used < used, "memory returns");
  checkTree(tree);
  assert(tree.add(7, 0, 5, 1, 0));
  tree.removeDays(7, 0, 0, 0xffffffff);
  checkTree(tree);
});
