// The escapes in a JSON string, and the errors in a JSON text.
//
// Invariant: `run` accepts the rest of a string as RFC 8259 defines it, except an escaped half of a surrogate pair, which
// has no UTF-8. Its output is never longer than its input, so the text is overwritten in place.

/** Arrays and objects within each other, the outermost included. */
export const DEPTH_MAX = 512;

// Faults, as index into FAULTS.
export const UNEXPECTED = 0;
export const ENDED = 1;
export const CONTROL = 2;
const ESCAPE = 3;
const SURROGATE = 4;
export const DEPTH = 5;

export const FAULTS = [
  "unexpected character",
  "unexpected end",
  "control character in a string",
  "unknown escape",
  "half of a surrogate pair",
  `nesting deeper than ${DEPTH_MAX}`,
];

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

export class Unescaper {
  /** Where the unescaped text ends. */
  end = 0;
  /** After `run`: the byte after the closing quote, or the one that is wrong. */
  at = 0;
  fault = UNEXPECTED;
  #point = 0;

  /**
   * Unescapes bytes[at..limit), which begin with a backslash, up to the closing quote; into `out`,
   * from `at` on, which is mostly `bytes` itself.
   */
  run(bytes: Uint8Array, at: number, limit: number, out: Uint8Array): boolean {
    let write = at;
    while (at < limit) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.end = write;
        this.at = at + 1;
        return true;
      }
      if (byte < 0x20) return this.#wrong(CONTROL, at);
      if (byte !== BACKSLASH) {
        out[write++] = byte;
        at++;
        continue;
      }
      const letter = at + 1 < limit ? bytes[at + 1] : 0;
      if (letter === LETTER_U) {
        const length = this.#codePoint(bytes, at, limit);
        if (length === 0) return false;
        write = writeUtf8(out, write, this.#point);
        at += length;
      } else {
        const meant = unescaped(letter);
        if (meant < 0) return this.#wrong(ESCAPE, at + 1);
        out[write++] = meant;
        at += 2;
      }
    }
    return this.#wrong(ENDED, at);
  }

  #wrong(fault: number, at: number): boolean {
    this.fault = fault;
    this.at = at;
    return false;
  }

  /** Reads \uXXXX, or a pair of them, into #point; returns its length, or 0 when it is wrong. */
  #codePoint(bytes: Uint8Array, at: number, limit: number): number {
    const unit = this.#hex(bytes, at + 2, limit);
    if (unit < 0) return 0;
    this.#point = unit;
    if (unit < 0xd800 || unit > 0xdfff) return 6;
    const paired = unit < 0xdc00 && at + 7 < limit &&
      bytes[at + 6] === BACKSLASH && bytes[at + 7] === LETTER_U;
    const low = paired ? this.#hex(bytes, at + 8, limit) : 0;
    if (low < 0) return 0;
    if (low < 0xdc00 || low > 0xdfff) {
      this.#wrong(SURROGATE, at);
      return 0;
    }
    this.#point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    return 12;
  }

  /** The number of four hexadecimal digits, or -1. */
  #hex(bytes: Uint8Array, at: number, limit: number): number {
    let unit = 0;
    for (let index = at; index < at + 4; index++) {
      const byte = index < limit ? bytes[index] : 0;
      const letter = byte | 0x20;
      let digit = -1;
      if (byte >= 0x30 && byte <= 0x39) digit = byte - 0x30;
      else if (letter >= 0x61 && letter <= 0x66) digit = letter - 0x61 + 10;
      if (digit < 0) {
        this.#wrong(ESCAPE, index);
        return -1;
      }
      unit = unit * 16 + digit;
    }
    return unit;
  }
}

/** The byte that a one-letter escape stands for, or -1. */
function unescaped(letter: number): number {
  switch (letter) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
      return letter;
    case 0x62:
      return 0x08;
    case 0x66:
      return 0x0c;
    case 0x6e:
      return 0x0a;
    case 0x72:
      return 0x0d;
    case 0x74:
      return 0x09;
    default:
      return -1;
  }
}

/** Writes a code point as UTF-8; returns where it ends. */
function writeUtf8(bytes: Uint8Array, at: number, point: number): number {
  if (point < 0x80) {
    bytes[at] = point;
    return at + 1;
  }
  if (point < 0x800) {
    bytes[at] = 0xc0 | point >> 6;
    bytes[at + 1] = 0x80 | point & 0x3f;
    return at + 2;
  }
  if (point < 0x10000) {
    bytes[at] = 0xe0 | point >> 12;
    bytes[at + 1] = 0x80 | point >> 6 & 0x3f;
    bytes[at + 2] = 0x80 | point & 0x3f;
    return at + 3;
  }
  bytes[at] = 0xf0 | point >> 18;
  bytes[at + 1] = 0x80 | point >> 12 & 0x3f;
  bytes[at + 2] = 0x80 | point >> 6 & 0x3f;
  bytes[at + 3] = 0x80 | point & 0x3f;
  return at + 4;
}
