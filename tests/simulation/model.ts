// What Karma should hold: a naive model of the forest, one immutable state after each change.
//
//   changes   | LSN 0, {} | LSN 1, {a: {}} | LSN 2, {a: {7: {20261122: 1}}} | ...
//
// Invariant: a state never changes; a change makes the next one, which shares what it leaves alone.
// So the state as of any record can be compared with what a restart finds.

import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import type { Forest } from "../../lib/tree/forest.ts";
import type { Tree } from "../../lib/tree/tree.ts";
import { isHidden } from "../../lib/tree/tree_name.ts";
import { Walk } from "../../lib/tree/walk.ts";

/** The values of a counter's days; none is zero. */
export type Counter = ReadonlyMap<number, bigint>;
/** Counters by their keys, also those without days. */
export type Counters = ReadonlyMap<bigint, Counter>;

export interface TreeState {
  readonly serial: number;
  readonly counters: Counters;
}

/** Trees by their names, oldest first. */
export type State = ReadonlyMap<string, TreeState>;

const U64_MAX = 2n ** 64n - 1n;
const NONE: Counter = new Map();

/** What a tree's counters hold now. */
export function countersOf(tree: Tree): Counters {
  const counters = new Map<bigint, Counter>();
  const walk = new Walk(tree);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      if (!walk.covers(branch.keyLo(slot), branch.keyHi(slot))) continue;
      const counter = new Map<number, bigint>();
      for (let index = 0; index < branch.count(slot); index++) {
        const value = u64ToBigInt(branch.valueLo(slot, index), branch.valueHi(slot, index));
        counter.set(branch.day(slot, index), value);
      }
      counters.set(u64ToBigInt(branch.keyLo(slot), branch.keyHi(slot)), counter);
    }
  }
  return counters;
}

export function stateOf(forest: Forest): State {
  const state = new Map<string, TreeState>();
  for (const tree of forest.trees()) {
    state.set(tree.name, { serial: tree.serial, counters: countersOf(tree) });
  }
  return state;
}

/** The state with a tree in place of the one of that name. Trees are in the order of their serials. */
export function withTree(state: State, name: string, tree: TreeState): State {
  const next = new Map(state).set(name, tree);
  if (state.get(name)?.serial === tree.serial) return next;
  return new Map([...next].sort(([, a], [, b]) => a.serial - b.serial));
}

export function withoutTree(state: State, name: string): State {
  const next = new Map(state);
  next.delete(name);
  return next;
}

/** The state with the counters of a tree changed. */
export function withCounters(
  state: State,
  name: string,
  change: (counters: Counters) => Counters,
): State {
  const { serial, counters } = state.get(name)!;
  return withTree(state, name, { serial, counters: change(counters) });
}

/** The counters with a value added to a day, or taken from it, down to zero. */
export function withValue(counters: Counters, key: bigint, day: number, value: bigint): Counters {
  const counter = new Map(counters.get(key) ?? NONE);
  const sum = (counter.get(day) ?? 0n) + value;
  if (sum > 0n) counter.set(day, sum);
  else counter.delete(day);
  return new Map(counters).set(key, counter);
}

/** The counters with a day of one set, which is there then; zero takes the day away. */
export function withDay(counters: Counters, key: bigint, day: number, value: bigint): Counters {
  const counter = new Map(counters.get(key) ?? NONE);
  counter.delete(day);
  return withValue(new Map(counters).set(key, counter), key, day, value);
}

/** The counters with one that is there, if only without days. */
export function withKey(counters: Counters, key: bigint): Counters {
  return counters.has(key) ? counters : new Map(counters).set(key, NONE);
}

/** The counters that have days. */
export function withoutEmpty(counters: Counters): Counters {
  return new Map([...counters].filter(([, counter]) => counter.size > 0));
}

/** What a batch adds to days, or sets them to. */
export type Item = readonly [key: bigint, day: number, value: bigint];

/** The counters after a batch; null: one of them would pass 2^64-1, or all values together. */
export function withItems(
  counters: Counters,
  items: readonly Item[],
  how: "add" | "set",
): Counters | null {
  if (items.reduce((sum, [, , value]) => sum + value, 0n) > U64_MAX) return null;
  for (const [key, day, value] of items) {
    counters = (how === "add" ? withValue : withDay)(counters, key, day, value);
    if (sumOf(counters.get(key)) > U64_MAX) return null;
  }
  return counters;
}

/** The counters with the days in [from, to] taken from one, if it is there, or from all. */
export function withoutDays(
  counters: Counters,
  key: bigint | null,
  from: number,
  to: number,
): Counters {
  const next = new Map(counters);
  const keys = [...counters.keys()].filter((each) => key === null || each === key);
  for (const each of keys) {
    const days = [...counters.get(each) ?? NONE];
    next.set(each, new Map(days.filter(([day]) => day < from || day > to)));
  }
  return next;
}

/** The sum of a counter's days; of one that is not there, zero. */
export function totalOf(state: State, name: string, key: bigint): bigint {
  return sumOf(state.get(name)?.counters.get(key));
}

function sumOf(counter: Counter = NONE): bigint {
  return [...counter.values()].reduce((sum, value) => sum + value, 0n);
}

/** The trees that clients know of. */
export function visible(state: State): string[] {
  return [...state.keys()].filter((name) => !isHidden(name));
}

export function isOverflowing(state: State, name: string, key: bigint, value: bigint): boolean {
  return totalOf(state, name, key) + value > U64_MAX;
}

/** What the first difference of two states is; null when there is none. */
export function difference(expected: State, found: State): string | null {
  const names = [...expected.keys()].join(" ");
  const foundNames = [...found.keys()].join(" ");
  if (names !== foundNames) return `trees: expected [${names}], found [${foundNames}]`;
  for (const [name, tree] of expected) {
    const other = found.get(name)!;
    if (tree.serial !== other.serial) {
      return `tree ${name}: expected serial ${tree.serial}, found ${other.serial}`;
    }
    const keys = new Set([...tree.counters.keys(), ...other.counters.keys()]);
    for (const key of keys) {
      const counter = tree.counters.get(key);
      const otherCounter = other.counters.get(key);
      if (isSame(counter, otherCounter)) continue;
      return `tree ${name}, key ${key}: expected ${told(counter)}, found ${told(otherCounter)}`;
    }
  }
  return null;
}

export function isSame(a: Counter | undefined, b: Counter | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.size !== b.size) return false;
  for (const [day, value] of a) if (b.get(day) !== value) return false;
  return true;
}

function told(counter: Counter | undefined): string {
  if (counter === undefined) return "none";
  return `{${[...counter].sort().map(([day, value]) => `${day}: ${value}`).join(", ")}}`;
}
