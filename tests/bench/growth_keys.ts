// The keys that growth is measured with, and the order they are asked for in: seeded, so that each run
// measures the same.
//
// The trade: a xorshift and not the SplitMix of tests/support, whose bigints would take longer than what
// is measured.

export type Spread = "ids" | "random";

/** Mixes 32 bits so that no two inputs give the same (the end of MurmurHash3). */
function mixed(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** Numbers from 0 up to, not including, `limit`, in the order of a seed: a xorshift, since SplitMix's bigints are slow. */
export function randoms(seed: number, count: number, limit: number): Uint32Array {
  let state = mixed(seed) | 1;
  return Uint32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor((state >>> 0) / 2 ** 32 * limit);
  });
}

/** The lanes of the keys with some numbers, from 0 on. */
export function keysOf(
  spread: Spread,
  numbers: Uint32Array,
): { los: Uint32Array; his: Uint32Array } {
  const isRandom = spread === "random";
  return {
    los: numbers.map((number) => isRandom ? mixed(number) : number + 1),
    his: numbers.map((number) => isRandom ? mixed(number ^ 0x5bd1e995) : 0),
  };
}
