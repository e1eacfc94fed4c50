// The two lanes of unsigned 64-bit numbers, around every edge at which a lane or a double ends.

import { assertEquals } from "@std/assert";
import {
  compareU64,
  highLane,
  LANE,
  LANE_MAX,
  lowLane,
  parseU64,
  u64ToBigInt,
} from "../../../lib/bytes/u64.ts";
import { Random } from "../../support/random.ts";

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

/** The number that digits with others around them stand for, or null. */
function parsed(text: string, lanes = new Uint32Array(2)): bigint | null {
  const digits = new TextEncoder().encode(text);
  const bytes = Uint8Array.from([0x39, ...digits, 0x39]);
  const isNumber = parseU64(bytes, 1, bytes.length - 1, lanes);
  return isNumber ? u64ToBigInt(lanes[0], lanes[1]) : null;
}

Deno.test("u64: digits are read like BigInt reads them, up to 2^64-1", () => {
  const random = new Random(1);
  const near = NUMBERS.flatMap(([value]) => [value - 1n, value, value + 1n]);
  const tens = Array.from({ length: 21 }, (_, power) => 10n ** BigInt(power));
  const some = Array.from({ length: 5000 }, () => random.u64() >> BigInt(random.below(64)));
  const values = [
    ...[...near, ...tens, ...tens.map((ten) => ten - 1n), ...some].filter((value) => value >= 0n),
    ...some.map((value) => (1n << 64n) + (value >> 30n)),
    ...["18446744073709551619", "18446744073709551620", "18446744073709551700"].map(BigInt),
    ...["18446744069414584319", "18446744069414584320", "99999999999999999999"].map(BigInt),
  ];
  for (const value of values) {
    assertEquals(parsed(String(value)), value < 1n << 64n ? value : null, `${value}`);
  }
});

Deno.test("u64: zeros before the digits, as many as there is room for", () => {
  assertEquals(parsed("00000000000000000007"), 7n);
  assertEquals(parsed("000000000000000000007"), null);
  assertEquals(parsed("0"), 0n);
  assertEquals(parsed("00"), 0n);
});

Deno.test("u64: what are no digits are no number, and change nothing", () => {
  const lanes = Uint32Array.of(5, 6);
  for (
    const text of [
      "",
      " 1",
      "1 ",
      "+1",
      "-1",
      "-0",
      "1.0",
      "1e3",
      "0x1",
      "a",
      "1a",
      "/",
      ":",
      "1_0",
    ]
  ) {
    assertEquals(parsed(text, lanes), null, text);
    assertEquals([...lanes], [5, 6]);
  }
  assertEquals(parsed("18446744073709551616", lanes), null);
  assertEquals([...lanes], [5, 6]);
});
