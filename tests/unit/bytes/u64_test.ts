// The two lanes of unsigned 64-bit numbers, around every edge at which a lane or a double ends.

import { assertEquals } from "@std/assert";
import {
  compareU64,
  highLane,
  LANE,
  LANE_MAX,
  lowLane,
  u64ToBigInt,
} from "../../../lib/bytes/u64.ts";

const NUMBERS: [value: bigint, lo: number, hi: number][] = [
  [0n, 0, 0],
  [1n, 1, 0],
  [2n ** 31n, 2147483648, 0],
  [2n ** 32n - 1n, 4294967295, 0],
  [2n ** 32n, 0, 1],
  [2n ** 32n + 1n, 1, 1],
  [2n ** 53n - 1n, 4294967295, 2097151],
  [2n ** 53n, 0, 2097152],
  [2n ** 53n + 1n, 1, 2097152],
  [2n ** 63n - 1n, 4294967295, 2147483647],
  [2n ** 63n, 0, 2147483648],
  [2n ** 64n - 1n, 4294967295, 4294967295],
];

Deno.test("u64: lanes and bigints stand for the same numbers", () => {
  for (const [value, lo, hi] of NUMBERS) {
    assertEquals([lowLane(value), highLane(value)], [lo, hi], `${value}`);
    assertEquals(u64ToBigInt(lo, hi), value);
  }
});

Deno.test("u64: compareU64 orders every pair as bigints are ordered", () => {
  for (const [a, aLo, aHi] of NUMBERS) {
    for (const [b, bLo, bHi] of NUMBERS) {
      const order = a < b ? -1 : a > b ? 1 : 0;
      assertEquals(Math.sign(compareU64(aLo, aHi, bLo, bHi)), order, `${a} and ${b}`);
    }
  }
});

Deno.test("u64: the constants of a lane", () => {
  assertEquals([LANE, LANE_MAX], [2 ** 32, 2 ** 32 - 1]);
});
