// Thresholds: which numbers are some, and that they are compared exactly.

import { assertEquals } from "@std/assert";
import { crossedOf, thresholdOf } from "../../../lib/command/threshold.ts";

const U64_MAX = (1n << 64n) - 1n;

Deno.test("threshold: numbers above 0, up to 1, with six decimals", () => {
  const TABLE: [text: string, millionths: bigint | null][] = [
    ["1", 1_000_000n],
    ["1.0", 1_000_000n],
    ["0.8", 800_000n],
    ["0.80000000", 800_000n],
    ["0.000001", 1n],
    ["0.999999", 999_999n],
    ["0.0000001", null],
    ["0", null],
    ["0.0", null],
    ["1.1", null],
    ["2", null],
    ["8e-1", null],
  ];
  for (const [text, millionths] of TABLE) {
    assertEquals(thresholdOf(text)?.millionths ?? null, millionths, text);
  }
  assertEquals(thresholdOf("0.80")!.text, "0.8");
});

Deno.test("threshold: it is crossed by the first use that is as much, exactly", () => {
  const lanes = (value: bigint) => [Number(value & 0xffffffffn), Number(value >> 32n)] as const;
  const crosses = (text: string, max: bigint, before: bigint, after: bigint) => {
    const threshold = thresholdOf(text)!;
    return crossedOf([threshold], lanes(max), lanes(before), lanes(after)) !== null;
  };
  for (
    const [text, max, first] of [["0.8", 10n, 8n], ["0.8", 11n, 9n], ["0.000001", 5n, 1n]] as const
  ) {
    assertEquals(crosses(text, max, first - 1n, first), true);
    assertEquals(crosses(text, max, first, first + 1n), false);
    assertEquals(crosses(text, max, 0n, first - 1n), false);
  }
  assertEquals(crosses("1", U64_MAX, U64_MAX - 1n, U64_MAX), true);
  assertEquals(crosses("0.999999", U64_MAX, 0n, U64_MAX - U64_MAX / 1_000_000n - 1n), false);
  assertEquals(crosses("0.5", 0n, 0n, 5n), false, "nothing is a part of nothing");
});
