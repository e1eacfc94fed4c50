// What a string is as a key: a number if it is the canonical decimal of one, else a name, if it may be one.

const U64_MAX = (1n << 64n) - 1n;

/** The key that a string with these bytes is, as text; null: it may be none. */
export function keyTextOf(bytes: string): string | null {
  if (/^(0|[1-9]\d*)$/.test(bytes) && BigInt(bytes) <= U64_MAX) return bytes;
  if (bytes.length === 0 || bytes.length > 255) return null;
  try {
    const utf8 = Uint8Array.from(bytes, (character) => character.charCodeAt(0));
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(utf8);
    return /\p{Cc}/u.test(text) ? null : JSON.stringify(bytes);
  } catch {
    return null;
  }
}
