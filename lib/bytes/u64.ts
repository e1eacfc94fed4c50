// Unsigned 64-bit numbers as two unsigned 32-bit lanes, `lo` and `hi`.
//
// JavaScript's numbers are exact only up to 2^53, and a bigint is an allocation. Lanes live in
// Uint32Arrays, cost one load each and never box. Results of two lanes go into the caller's array.

/** Two to the thirty-second: what a `hi` lane counts. */
export const LANE = 4294967296;

/** The largest number of one lane. */
export const LANE_MAX = 4294967295;

/** Orders two unsigned 64-bit numbers: negative, zero or positive, as in a sort. */
export function compareU64(aLo: number, aHi: number, bLo: number, bHi: number): number {
  return aHi === bHi ? aLo - bLo : aHi - bHi;
}

/** The number that two lanes stand for. It allocates: for cold paths and tests. */
export function u64ToBigInt(lo: number, hi: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo);
}

/** The low lane of a number from 0 to 2^64-1. */
export function lowLane(value: bigint): number {
  return Number(value & 0xffffffffn);
}

/** The high lane of a number from 0 to 2^64-1. */
export function highLane(value: bigint): number {
  return Number(value >> 32n);
}
