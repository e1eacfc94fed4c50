// Random operations on a tree beside the plainest model there is: a Map of Maps of bigints.

import { checkTree } from "../../lib/tree/check.ts";
import { highLane, lowLane, u64ToBigInt } from "../../lib/bytes/u64.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { Walk } from "../../lib/tree/walk.ts";
import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";

const U64_MAX = (1n << 64n) - 1n;

class Model {
  readonly counters = new Map<bigint, Map<number, bigint>>();

  counter(key: bigint): Map<number, bigint> {
    let counter = this.counters.get(key);
    if (counter === undefined) this.counters.set(key, counter = new Map());
    return counter;
  }

  add(key: bigint, day: number, value: bigint): boolean {
    const counter = this.counter(key);
    if (this.sum(key, 0, 0xffffffff) + value > U64_MAX) return false;
    if (value > 0n) counter.set(day, (counter.get(day) ?? 0n) + value);
    return true;
  }

  subtract(key: bigint, day: number, value: bigint): void {
    const counter = this.counter(key);
    const left = (counter.get(day) ?? 0n) - value;
    if (left > 0n) counter.set(day, left);
    else counter.delete(day);
  }

  sum(key: bigint, from: number, to: number): bigint {
    let sum = 0n;
    for (const [day, value] of this.counters.get(key) ?? []) {
      if (day >= from && day <= to) sum += value;
    }
    return sum;
  }

  remove(key: bigint, from: number, to: number): void {
    const counter = this.counters.get(key);
    for (const day of counter?.keys() ?? []) if (day >= from && day <= to) counter!.delete(day);
  }
}

/** How keys, days and values of one round are drawn: each shape stresses another part of the tree. */
interface Shape {
  readonly key: () => bigint;
  readonly day: () => number;
  readonly value: () => bigint;
}

function shapeOf(random: Random): Shape {
  const keys = random.pick([3, 50, 2000, 20000]);
  const days = random.pick([1, 7, 40, 800, 6000]);
  const keyBase = random.pick([0n, 1n << 32n, U64_MAX - 40000n, 0xffffff00n]);
  const keyStep = random.pick([1n, 65536n, 0x9e3779b97f4a7c15n]);
  const dayKind = random.below(3);
  const valueBits = random.pick([1, 4, 17, 33, 64]);
  let ascending = 0n;
  return {
    key: random.chance(0.2)
      ? () =>
        BigInt.asUintN(
          64,
          keyBase + (random.chance(0.5) ? ascending++ : random.u64() % (ascending + 1n)),
        )
      : () => BigInt.asUintN(64, keyBase + BigInt(random.below(keys)) * keyStep),
    day: () => {
      const n = random.below(days);
      if (dayKind === 0) {
        return 20240101 + Math.floor(n / 28) % 12 * 100 + n % 28 + Math.floor(n / 336) * 10000;
      }
      if (dayKind === 1) {
        return random.pick([0, 1, 19691231, 19700101, 21451231, 21460101, 0xffffffff, n]);
      }
      return 20230000 + n * 37; // not dates at all, as original dumps may hold
    },
    value: () => random.u64() >> BigInt(64 - 1 - random.below(valueBits)),
  };
}

/** One round of `operations` on a tree and its model; throws where they differ. */
export function fuzzTree(seed: number, operations: number): void {
  const random = new Random(seed);
  const tree = new Tree("fuzz");
  const model = new Model();
  const sum = new Uint32Array(2);
  let shape = shapeOf(random);
  for (let operation = 0; operation < operations; operation++) {
    if (random.chance(0.0005)) shape = shapeOf(random);
    const key = shape.key();
    const lo = lowLane(key);
    const hi = highLane(key);
    const day = shape.day();
    const other = shape.day();
    const kind = random.below(1000);
    if (kind < 700) {
      const value = shape.value();
      const done = tree.add(lo, hi, day, lowLane(value), highLane(value));
      assertEquals(done, model.add(key, day, value));
    } else if (kind < 800) {
      const value = random.chance(0.5) ? shape.value() : 1n;
      tree.subtract(lo, hi, day, lowLane(value), highLane(value));
      model.subtract(key, day, value);
    } else if (kind < 950) {
      tree.sum(lo, hi, day, other, sum);
      assertEquals(u64ToBigInt(sum[0], sum[1]), model.sum(key, day, other));
    } else if (kind < 990) {
      tree.removeDays(lo, hi, day, other);
      model.remove(key, day, other);
    } else if (kind < 997) {
      tree.touch(lo, hi);
      model.counter(key);
    } else if (kind < 999) {
      const end = random.chance(0.5) ? 0n : key; // zero, also as a key, is none
      tree.sweep(day, other, lowLane(end), highLane(end));
      for (const swept of model.counters.keys()) {
        if (end === 0n || swept < end) model.remove(swept, day, other);
      }
    } else {
      tree.settle();
    }
  }
  compare(tree, model);
}

function compare(tree: Tree, model: Model): void {
  checkTree(tree);
  assertEquals(tree.keys, model.counters.size);
  const walk = new Walk(tree);
  let previous = -1n;
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    const keys = walk.keys(branch).slice();
    for (let at = 0; at < keys.length; at += 2) {
      const key = u64ToBigInt(keys[at], keys[at + 1]);
      assert(key > previous, "a walk goes up");
      previous = key;
      const slot = branch.locate(keys[at], keys[at + 1]);
      const counter = model.counters.get(key);
      assert(counter !== undefined && counter.size === branch.count(slot), `cells of key ${key}`);
      for (let index = 0; index < branch.count(slot); index++) {
        const value = u64ToBigInt(branch.valueLo(slot, index), branch.valueHi(slot, index));
        assert(counter.get(branch.day(slot, index)) === value, `a cell of key ${key}`);
      }
    }
  }
}
