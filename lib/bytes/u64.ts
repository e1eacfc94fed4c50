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

/** Reads the decimal digits bytes[start..end) into two lanes. False: they are none, or pass 2^64-1. */
export function parseU64(
  bytes: Uint8Array,
  start: number,
  end: number,
  lanes: Uint32Array,
): boolean {
  if (end <= start || end - start > 20) return false;
  let lo = 0;
  let hi = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - 0x30;
    if (digit < 0 || digit > 9) return false;
    const low = lo * 10 + digit;
    hi = hi * 10 + Math.floor(low / LANE);
    lo = low % LANE;
    if (hi > LANE_MAX) return false;
  }
  lanes[0] = lo;
  lanes[1] = hi;
  return true;
}
