// Thresholds of a limit: parts of its max, such as 0.8, that somebody wants to be told of when they are reached.
//
// Invariant: a threshold of 0.8 is reached by the first use that is at least 0.8 times the max, exactly: it is kept as
// millionths and compared as integers.

import { u64ToBigInt } from "../bytes/mod.ts";

/** The most of one limit. */
export const THRESHOLDS_MAX = 8;

const DECIMALS = 6;
const UNIT = 10n ** BigInt(DECIMALS);

export interface Threshold {
  /** As it is told. */
  readonly text: string;
  readonly millionths: bigint;
}

/** The threshold that a number in JSON is; null: it is not above 0, above 1, or has more than six decimals. */
export function thresholdOf(text: string): Threshold | null {
  const match = /^(?:0\.(\d+)|(1)(?:\.0+)?)$/.exec(text);
  if (match === null) return null;
  const digits = (match[1] ?? "").replace(/0+$/, "");
  if (digits.length > DECIMALS) return null;
  const millionths = match[2] === "1" ? UNIT : BigInt(digits.padEnd(DECIMALS, "0"));
  return millionths === 0n ? null : { text: match[2] ?? `0.${digits}`, millionths };
}

/** The thresholds that a use passes which was `before` and is `after`, all numbers as lanes; null: none. */
export function crossedOf(
  thresholds: readonly Threshold[],
  [maxLo, maxHi]: readonly [lo: number, hi: number],
  [beforeLo, beforeHi]: readonly [lo: number, hi: number],
  [afterLo, afterHi]: readonly [lo: number, hi: number],
): readonly Threshold[] | null {
  const max = u64ToBigInt(maxLo, maxHi);
  const before = UNIT * u64ToBigInt(beforeLo, beforeHi);
  const after = UNIT * u64ToBigInt(afterLo, afterHi);
  const crossed = thresholds.filter(({ millionths }) => {
    return before < millionths * max && after >= millionths * max;
  });
  return crossed.length === 0 ? null : crossed;
}
