// The fraction and the exponent of a JSON number. Integers have neither, so this is rare.

const ZERO = 0x30;
const POINT = 0x2e;

/** Numbers with fewer characters, and no exponent, are below the largest double. */
const FINITE_LENGTH = 300;

const decoder = new TextDecoder();

/** Where the fraction and exponent that begin at bytes[at] end; for what is none, the complement of where. */
export function fractionEnd(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === POINT) {
    const digits = digitsEnd(bytes, at + 1, end);
    if (digits === at + 1) return ~digits;
    at = digits;
  }
  if (at < end && isExponent(bytes[at])) {
    at++;
    if (at < end && (bytes[at] === 0x2b || bytes[at] === 0x2d)) at++;
    const digits = digitsEnd(bytes, at, end);
    if (digits === at) return ~digits;
    at = digits;
  }
  return at;
}

/** Whether the number bytes[start..end), which has a fraction or an exponent, is too large for a double. */
export function isInfinite(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < FINITE_LENGTH && !bytes.subarray(start, end).some(isExponent)) return false;
  return !Number.isFinite(Number(decoder.decode(bytes.subarray(start, end))));
}

function isExponent(byte: number): boolean {
  return (byte | 0x20) === 0x65;
}

function digitsEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] >= ZERO && bytes[at] <= 0x39) at++;
  return at;
}
