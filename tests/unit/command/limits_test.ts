// The limits of a request: what is a request's and what a limit's own, and which share a counter.

import { assertEquals } from "@std/assert";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import {
  COST,
  type Limit,
  Limits,
  LIMITS_MAX,
  LimitSet,
  MAX,
  SUBJECT,
} from "../../../lib/command/limits.ts";

const U64_MAX = (1n << 64n) - 1n;

const lanes = (value: bigint): [number, number] => [lowLane(value), highLane(value)];

function limit(series: string, own: { max?: bigint; cost?: bigint; key?: bigint } = {}): Limit {
  return {
    name: new TextEncoder().encode(series),
    window: { kind: "day" },
    max: lanes(own.max ?? 10n),
    cost: own.cost === undefined ? null : lanes(own.cost),
    key: own.key === undefined ? null : lanes(own.key),
    carry: null,
  };
}

function used(set: LimitSet, key: bigint, cost: bigint): Limits {
  const limits = new Limits();
  limits.use(set, ...lanes(key), ...lanes(cost));
  return limits;
}

function all(limits: Limits, field: number): bigint[] {
  return Array.from({ length: limits.count }, (_, index) => {
    return u64ToBigInt(limits.lo(index, field), limits.hi(index, field));
  });
}

const firsts = (limits: Limits) => Array.from({ length: limits.count }, (_, i) => limits.first(i));

Deno.test("limits: what a limit has of its own comes before what is the request's", () => {
  const set = new LimitSet([
    limit("a", { max: U64_MAX }),
    limit("a", { max: 0n, key: U64_MAX }),
    limit("b", { max: 1n << 32n, cost: 0n }),
    limit("b", { cost: U64_MAX, key: 0n }),
  ]);
  const limits = used(set, 1n << 32n, 0xffffffffn);
  assertEquals(all(limits, MAX), [U64_MAX, 0n, 1n << 32n, 10n]);
  assertEquals(all(limits, COST), [0xffffffffn, 0xffffffffn, 0n, U64_MAX]);
  assertEquals(all(limits, SUBJECT), [1n << 32n, U64_MAX, 1n << 32n, 0n]);
  assertEquals([set.hasOwnKeys, set.hasOwnCosts, set.areKeyed], [true, true, false]);
  assertEquals(limits.hasOwnCosts, true);
});

Deno.test("limits: the first on a counter is the one on the same tree and key", () => {
  const plain = new LimitSet(["a", "b", "a", "ab", "b"].map((series) => limit(series)));
  assertEquals(firsts(used(plain, 5n, 1n)), [0, 1, 0, 3, 1]);
  assertEquals([plain.hasOwnKeys, plain.hasOwnCosts], [false, false]);
  const keyed = new LimitSet([
    limit("a"),
    limit("a", { key: 7n }),
    limit("a", { key: 7n | 1n << 32n }),
    limit("b", { key: 7n }),
    limit("a", { key: 7n }),
    limit("a"),
  ]);
  assertEquals(firsts(used(keyed, 5n, 1n)), [0, 1, 2, 3, 1, 0]);
  // With another key for the rest others share.
  const limits = used(keyed, 7n, 1n);
  assertEquals(firsts(limits), [0, 0, 2, 3, 0, 0]);
  limits.useKey(...lanes(5n));
  assertEquals(firsts(limits), [0, 1, 2, 3, 1, 0]);
  assertEquals(all(limits, SUBJECT)[5], 5n);
});

Deno.test("limits: a set is of one request after the other, and leaves nothing behind", () => {
  const long = new LimitSet(Array.from({ length: LIMITS_MAX }, (_, n) => {
    return limit(`s${n % 3}`, { key: BigInt(n), cost: 3n, max: BigInt(n) });
  }));
  const short = new LimitSet([limit("s1"), limit("s1")]);
  const limits = new Limits();
  assertEquals(limits.count, 0);
  limits.use(long, 1, 0, 1, 0);
  assertEquals([limits.count, long.areKeyed], [LIMITS_MAX, true]);
  limits.use(short, 9, 0, 2, 0);
  assertEquals([limits.count, firsts(limits), limits.hasOwnCosts], [2, [0, 0], false]);
  assertEquals([all(limits, SUBJECT), all(limits, COST)], [[9n, 9n], [2n, 2n]]);
  assertEquals(new TextDecoder().decode(limits.name(1)), "s1");
  assertEquals(limits.window(0), { kind: "day" });
});

Deno.test("limits: what is carried over raises the max, until another verdict", () => {
  const set = new LimitSet([
    { ...limit("a", { max: (1n << 32n) - 1n }), carry: [9, 0] },
    limit("b"),
  ]);
  assertEquals([set.hasCarry, new LimitSet([limit("b")]).hasCarry], [true, false]);
  const limits = used(set, 1n, 1n);
  const max = (index: number) => u64ToBigInt(limits.lo(index, MAX), limits.hi(index, MAX));
  assertEquals([max(0), max(1)], [(1n << 32n) - 1n, 10n]);
  limits.raise(0, 2, 0);
  assertEquals([max(0), max(1)], [(1n << 32n) + 1n, 10n]);
  limits.raise(0, 0, 5);
  assertEquals(max(0), (6n << 32n) - 1n);
});
