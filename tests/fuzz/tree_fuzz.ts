// Random operations on a tree beside the plainest model there is: a Map of Maps of bigints.

import { checkTree } from "../../lib/tree/check.ts";
import { highLane, lowLane, u64ToBigInt } from "../../lib/bytes/u64.ts";
import { Cells } from "../../lib/tree/cells.ts";
import { DayRange } from "../../lib/tree/day_range.ts";
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

  set(key: bigint, day: number, value: bigint): boolean {
    const counter = this.counter(key);
    if (this.sum(key, 0, 0xffffffff) - this.sum(key, day, day) + value > U64_MAX) return false;
    if (value > 0n) counter.set(day, value);
    else counter.delete(day);
    return true;
  }

  remove(key: bigint, from: number, to: number): void {
    const counter = this.counters.get(key);
    for (const day of counter?.keys() ?? []) if (day >= from && day <= to) counter!.delete(day);
  }

  /** As a tree's: from all counters below `end`, zero, also as a key, being none. */
  sweep(from: number, to: number, end: bigint): void {
    for (const key of this.counters.keys()) {
      if (end === 0n || key < end) this.remove(key, from, to);
    }
  }

  compact(end: bigint): void {
    for (const [key, { size }] of this.counters) {
      if (size === 0 && (end === 0n || key < end)) this.counters.delete(key);
    }
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

/** What a batch did, so that it can be undone. */
interface Step {
  readonly key: bigint;
  readonly day: number;
  /** What was added; null: the day was set. */
  readonly added: bigint | null;
  readonly old: bigint;
  readonly created: boolean;
}

class Round {
  readonly #random: Random;
  readonly #tree = new Tree("fuzz");
  readonly #model = new Model();
  readonly #sum = new Uint32Array(2);
  readonly #cells = new Cells();
  /** How often, in a thousand operations, the whole tree is swept or compacted. */
  readonly #sweeps: number;
  #shape: Shape;

  constructor(random: Random) {
    this.#random = random;
    this.#shape = shapeOf(random);
    this.#sweeps = random.pick([2, 2, 2, 20]);
  }

  run(operations: number): void {
    for (let operation = 0; operation < operations; operation++) {
      if (this.#random.chance(0.0005)) this.#shape = shapeOf(this.#random);
      const kind = this.#random.below(1000);
      if (kind < 600) this.#add();
      else if (kind < 700) this.#subtract();
      else if (kind < 780) this.#set();
      else if (kind < 930) this.#look(this.#shape.key());
      else if (kind < 962) this.#removeDays();
      else if (kind < 970) this.#touch();
      else if (kind < 976) this.#forget();
      else if (kind < 978) this.#failedBatch();
      else if (kind < 979) this.#walk();
      else if (kind < 979 + this.#sweeps) this.#sweep();
    }
    this.#compare();
  }

  #add(): void {
    const { key, day, value } = this.#draw();
    const isNew = !this.#model.counters.has(key);
    const done = this.#tree.add(lowLane(key), highLane(key), day, lowLane(value), highLane(value));
    assertEquals(done, this.#model.add(key, day, value));
    assertEquals(this.#tree.created, isNew, "add creates what is new");
  }

  #subtract(): void {
    const { key, day, value } = this.#draw();
    const less = this.#random.chance(0.5) ? value : 1n;
    const isNew = !this.#model.counters.has(key);
    this.#tree.subtract(lowLane(key), highLane(key), day, lowLane(less), highLane(less));
    this.#model.subtract(key, day, less);
    assertEquals(this.#tree.created, isNew, "subtract creates what is new");
  }

  #set(): void {
    const { key, day, value } = this.#draw();
    const given = this.#random.chance(0.3) ? 0n : value;
    const isNew = !this.#model.counters.has(key);
    const old = this.#model.sum(key, day, day);
    const done = this.#tree.set(lowLane(key), highLane(key), day, lowLane(given), highLane(given));
    assertEquals(done, this.#model.set(key, day, given));
    assertEquals(u64ToBigInt(this.#tree.old[0], this.#tree.old[1]), old);
    assertEquals(this.#tree.created, isNew, "set creates what is new");
  }

  /** Compares one counter by every way to look at it. */
  #look(key: bigint): void {
    const [lo, hi] = [lowLane(key), highLane(key)];
    const [from, to] = [this.#shape.day(), this.#shape.day()];
    const counter = this.#model.counters.get(key);
    this.#tree.sum(lo, hi, from, to, this.#sum);
    assertEquals(u64ToBigInt(this.#sum[0], this.#sum[1]), this.#model.sum(key, from, to));
    this.#lookAtRange(key, from, to);
    assertEquals(this.#tree.count(lo, hi), counter?.size ?? -1);
    const inside = [...counter?.keys() ?? []].filter((day) => day >= from && day <= to);
    assertEquals(this.#tree.countIn(lo, hi, from, to), inside.length);
    this.#cells.clear();
    this.#tree.collect(lo, hi, from, to, this.#cells);
    assertEquals(this.#cells.count, inside.length);
    inside.sort((a, b) => a - b).forEach((day, at) => {
      const [found, valueLo, valueHi] = this.#cells.words.subarray(3 * at);
      assert(found === day && u64ToBigInt(valueLo, valueHi) === counter!.get(day), `day ${day}`);
    });
  }

  #lookAtRange(key: bigint, from: number, to: number): void {
    const slot = this.#tree.locate(lowLane(key), highLane(key));
    if (slot < 0) return;
    const range = new DayRange(from, to);
    const cells = range.sum(this.#tree.located, slot);
    assertEquals(u64ToBigInt(range.lo, range.hi), this.#model.sum(key, from, to));
    assertEquals(cells, this.#tree.countIn(lowLane(key), highLane(key), from, to));
  }

  #removeDays(): void {
    const { key, day } = this.#draw();
    const other = this.#shape.day();
    this.#tree.removeDays(lowLane(key), highLane(key), day, other);
    this.#model.remove(key, day, other);
  }

  #touch(): void {
    const key = this.#shape.key();
    const isNew = !this.#model.counters.has(key);
    this.#tree.touch(lowLane(key), highLane(key));
    this.#model.counter(key);
    assertEquals(this.#tree.created, isNew, "touch creates what is new");
  }

  #forget(): void {
    const key = this.#shape.key();
    if ((this.#model.counters.get(key)?.size ?? 0) > 0) this.#model.remove(key, 0, 0xffffffff);
    this.#tree.removeDays(lowLane(key), highLane(key), 0, 0xffffffff);
    this.#tree.forget(lowLane(key), highLane(key));
    this.#model.counters.delete(key);
  }

  #sweep(): void {
    const { key, day } = this.#draw();
    const other = this.#shape.day();
    const end = this.#random.chance(0.5) ? 0n : key;
    if (this.#random.chance(0.6)) {
      this.#tree.sweep(day, other, lowLane(end), highLane(end));
      this.#model.sweep(day, other, end);
    } else {
      this.#tree.compact(lowLane(end), highLane(end));
      this.#model.compact(end);
    }
  }

  /** Some steps from some key, or all of them; then what every branch has done is forgotten. */
  #walk(): void {
    const key = this.#random.chance(0.5) ? 0n : this.#shape.key();
    const walk = new Walk(this.#tree, lowLane(key), highLane(key));
    let steps = this.#random.chance(0.5) ? Infinity : this.#random.below(5);
    while (steps-- > 0 && walk.next() !== null);
    this.#tree.settle();
    if (this.#random.chance(0.1)) this.#compare();
  }

  /** Adds and sets that end at an overflow, undone in reverse: the tree is what it was. */
  #failedBatch(): void {
    const tree = this.#tree;
    const done: Step[] = [];
    const size = this.#random.pick([1, 5, 50, 500]);
    for (;;) {
      const { key, day, value } = this.#draw();
      const [lo, hi] = [lowLane(key), highLane(key)];
      const isSet = this.#random.chance(0.3);
      // In the end something overflows.
      const given = !isSet && done.length >= size ? U64_MAX : this.#random.chance(0.1) ? 0n : value;
      const isDone = isSet
        ? tree.set(lo, hi, day, lowLane(given), highLane(given))
        : tree.add(lo, hi, day, lowLane(given), highLane(given));
      if (!isDone) break;
      const old = isSet ? u64ToBigInt(tree.old[0], tree.old[1]) : 0n;
      done.push({ key, day, added: isSet ? null : given, old, created: tree.created });
    }
    for (const { key, day, added, old, created } of done.toReversed()) {
      const [lo, hi] = [lowLane(key), highLane(key)];
      if (added === null) assert(tree.set(lo, hi, day, lowLane(old), highLane(old)));
      else tree.subtract(lo, hi, day, lowLane(added), highLane(added));
      if (created) tree.forget(lo, hi);
    }
    for (const { key } of done) this.#look(key);
    if (this.#random.chance(0.1)) this.#compare();
  }

  #draw(): { key: bigint; day: number; value: bigint } {
    return { key: this.#shape.key(), day: this.#shape.day(), value: this.#shape.value() };
  }

  #compare(): void {
    compare(this.#tree, this.#model);
  }
}

/** One round of `operations` on a tree and its model; throws where they differ. */
export function fuzzTree(seed: number, operations: number): void {
  new Round(new Random(seed)).run(operations);
}

function compare(tree: Tree, model: Model): void {
  checkTree(tree);
  assertEquals(tree.keys, model.counters.size);
  const { cells, total } = tree.counts;
  const days = [...model.counters.values()];
  assertEquals(cells, days.reduce((sum, { size }) => sum + size, 0));
  const sumOf = (values: Iterable<bigint>) => [...values].reduce((sum, one) => sum + one, 0n);
  assertEquals(total, sumOf(days.map((counter) => sumOf(counter.values()))));
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
