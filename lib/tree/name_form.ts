// The forms that names are kept in: the usual ids in half their bytes or less.
//
//   UUID   01234567-89ab-cdef-0123-456789abcdef   16 bytes
//   HEX    an even number of digits 0-9a-f        half as many
//   PLAIN  every other name                       its own bytes
//
// Invariant: a name has one form, and comes back from it byte for byte. The head of a form is its length in bytes, up to
// 255, and its number above.

const PLAIN = 0;
const UUID = 1;
const HEX = 2;

const LENGTH = 0xff;
const FORM_SHIFT = 8;

const UUID_LENGTH = 36;
const DASH = 0x2d;

/** The value of each byte that is a lower-case hexadecimal digit; 16 for all others. */
const DIGITS = new Uint8Array(256).fill(16);
const LETTERS = new TextEncoder().encode("0123456789abcdef");
LETTERS.forEach((letter, value) => DIGITS[letter] = value);

/** Writes bytes[start..end), of which there are 255 at most, to `out` as they are kept; returns the head. */
export function pack(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
  const length = end - start;
  if (length === UUID_LENGTH && packUuid(bytes, start, out)) return 16 | UUID << FORM_SHIFT;
  if ((length & 1) === 0 && packDigits(bytes, start, end, out, 0)) {
    return length >>> 1 | HEX << FORM_SHIFT;
  }
  for (let at = start, to = 0; at < end; at++, to++) out[to] = bytes[at];
  return length | PLAIN << FORM_SHIFT;
}

/** Writes the name that is kept at bytes[at...] under that head to `out`; returns its length. */
export function unpack(head: number, bytes: Uint8Array, at: number, out: Uint8Array): number {
  const length = head & LENGTH;
  const form = head >>> FORM_SHIFT;
  let to = 0;
  for (let index = 0; index < length; index++) {
    const byte = bytes[at + index];
    if (form === PLAIN) {
      out[to++] = byte;
      continue;
    }
    if (form === UUID && hasDash(index)) out[to++] = DASH;
    out[to++] = LETTERS[byte >>> 4];
    out[to++] = LETTERS[byte & 15];
  }
  return to;
}

/** How many bytes a name of that head has. */
export function unpackedLength(head: number): number {
  const length = head & LENGTH;
  const form = head >>> FORM_SHIFT;
  return form === PLAIN ? length : form === UUID ? UUID_LENGTH : 2 * length;
}

/** Whether a dash comes before a byte of a UUID. */
function hasDash(index: number): boolean {
  return index === 4 || index === 6 || index === 8 || index === 10;
}

function packUuid(bytes: Uint8Array, start: number, out: Uint8Array): boolean {
  if (bytes[start + 8] !== DASH || bytes[start + 13] !== DASH) return false;
  if (bytes[start + 18] !== DASH || bytes[start + 23] !== DASH) return false;
  return packDigits(bytes, start, start + 8, out, 0) &&
    packDigits(bytes, start + 9, start + 13, out, 4) &&
    packDigits(bytes, start + 14, start + 18, out, 6) &&
    packDigits(bytes, start + 19, start + 23, out, 8) &&
    packDigits(bytes, start + 24, start + 36, out, 10);
}

/** Writes pairs of digits as bytes; false: one is no digit. */
function packDigits(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  to: number,
): boolean {
  for (let at = start; at < end; at += 2, to++) {
    const high = DIGITS[bytes[at]];
    const low = DIGITS[bytes[at + 1]];
    if ((high | low) > 15) return false;
    out[to] = high << 4 | low;
  }
  return true;
}
