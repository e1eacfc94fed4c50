// The send buffer: replies are written into it one after the other, as bytes, and leave in one write.
//
// Invariant: `length` bytes of `bytes` are finished text; every writer makes its own room first.
// Trade-off: it grows to the largest reply it ever held; only one whose arrays come from a pool gives large ones
// back.

import { type BufferPool, roundedLength } from "./buffer_pool.ts";
import { LANE } from "./u64.ts";

const CHUNK = 1e9;

/** An array of a pool that is longer goes back to it when its buffer is cleared, and a short one comes. */
const KEPT_BYTES = 131072;
const CLEARED_BYTES = 4096;

const encoder = new TextEncoder();
const HEX = encoder.encode("0123456789abcdef");
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;

/** A call of `set` costs 15 ns, a byte in a loop 0.8. */
const LOOP_BYTES_MAX = 20;

/** Texts from here on (files in base 64) are looked at first: most need no room for escapes. */
const LONG_BYTES = 4096;

export class SendBuffer {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  #view: Uint8Array<ArrayBuffer>;

  /** Where arrays come from and go to; null: they are made anew. */
  readonly #pool: BufferPool | null;

  constructor(size: number, pool: BufferPool | null = null) {
    this.#pool = pool;
    this.bytes = pool === null ? new Uint8Array(size) : pool.acquire(size);
    this.#view = this.bytes;
  }

  /** Gives its array back: to be called once, when nobody reads from it any more. */
  release(): void {
    this.#pool?.release(this.bytes);
  }

  clear(): void {
    this.length = 0;
    if (this.#pool === null || this.bytes.length <= KEPT_BYTES) return;
    this.#pool.release(this.bytes);
    this.bytes = this.#pool.acquire(CLEARED_BYTES);
  }

  /** What was written, from `at` on: a view, valid until the next writer. */
  view(at: number): Uint8Array<ArrayBuffer> {
    if (at > 0) return this.bytes.subarray(at, this.length);
    // Replies to one request at a time are mostly of one length, and making a view costs as much
    // as writing the reply.
    if (this.#view.length !== this.length || this.#view.buffer !== this.bytes.buffer) {
      this.#view = this.bytes.subarray(0, this.length);
    }
    return this.#view;
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const size = Math.max(2 * this.bytes.length, this.length + count);
    const larger = this.#pool === null
      ? new Uint8Array(size)
      : this.#pool.acquire(roundedLength(size));
    larger.set(this.bytes.subarray(0, this.length));
    this.#pool?.release(this.bytes);
    this.bytes = larger;
  }

  byte(byte: number): void {
    this.reserve(1);
    this.bytes[this.length++] = byte;
  }

  /** Writes bytes as they are: text made beforehand. */
  raw(text: Uint8Array): void {
    this.reserve(text.length);
    const bytes = this.bytes;
    let at = this.length;
    if (text.length > LOOP_BYTES_MAX) {
      bytes.set(text, at);
      this.length = at + text.length;
      return;
    }
    for (let index = 0; index < text.length; index++) bytes[at++] = text[index];
    this.length = at;
  }

  /** Writes a string as UTF-8, as it is. For cold paths. */
  text(text: string): void {
    this.raw(encoder.encode(text));
  }

  /** Writes an unsigned 64-bit number in decimal. */
  decimal(lo: number, hi: number): void {
    this.reserve(20);
    if (hi === 0) return this.#digits(lo, digitsOf(lo));
    // Long division by 10^9 in three steps, each exact in a double: 2^64 has up to 20 digits.
    const high = Math.floor(hi / CHUNK);
    const middle = (hi - high * CHUNK) * 65536 + Math.floor(lo / 65536);
    const middleRest = middle % CHUNK;
    const low = middleRest * 65536 + (lo % 65536);
    // value = hi * 2^32 + lo = quotient * 10^9 + rest
    const rest = low % CHUNK;
    const quotient = high * LANE + Math.floor(middle / CHUNK) * 65536 + Math.floor(low / CHUNK);
    const top = Math.floor(quotient / CHUNK);
    const below = quotient - top * CHUNK;
    if (top > 0) this.#digits(top, digitsOf(top));
    this.#digits(below, top > 0 ? 9 : digitsOf(below));
    this.#digits(rest, 9);
  }

  /** Writes a number below 2^32 with so many digits. */
  #digits(value: number, digits: number): void {
    const bytes = this.bytes;
    const start = this.length;
    this.length += digits;
    let at = this.length - 1;
    if (digits === 10) { // the last digit alone, and the rest has 31 bits
      const tenth = Math.floor(value / 10);
      bytes[at--] = 0x30 + value - tenth * 10;
      value = tenth;
    }
    // As a signed integer, which is divided by a multiplication.
    for (let rest = value | 0; at >= start; at--) {
      const tenth = rest / 10 | 0;
      bytes[at] = 0x30 + rest - tenth * 10;
      rest = tenth;
    }
  }

  /** Writes bytes as a JSON string. */
  jsonString(text: Uint8Array): void {
    this.byte(QUOTE);
    this.jsonText(text);
    this.byte(QUOTE);
  }

  /**
   * Writes bytes as part of a JSON string: `"`, `\` and control characters escaped, others as they are.
   * Clients may send what is no UTF-8; replies that repeat it have U+FFFD in its place.
   */
  jsonText(text: Uint8Array): void {
    text = wellFormed(text);
    if (text.length >= LONG_BYTES && isPlain(text)) return this.raw(text);
    this.reserve(6 * text.length);
    const bytes = this.bytes;
    let at = this.length;
    for (let index = 0; index < text.length; index++) {
      const byte = text[index];
      if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH && byte !== DELETE) {
        bytes[at++] = byte;
        continue;
      }
      bytes[at++] = BACKSLASH;
      const letter = escapeLetter(byte);
      if (letter !== 0) {
        bytes[at++] = letter;
        continue;
      }
      bytes[at++] = 0x75;
      bytes[at++] = 0x30;
      bytes[at++] = 0x30;
      bytes[at++] = HEX[byte >> 4];
      bytes[at++] = HEX[byte & 15];
    }
    this.length = at;
  }
}

/** How many digits a number below 2^32 has. */
function digitsOf(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1000) return 3;
  let digits = 4;
  for (let limit = 10000; digits < 10 && value >= limit; limit *= 10) digits++;
  return digits;
}

const lossyDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text, with U+FFFD in place of what is not UTF-8. */
function wellFormed(text: Uint8Array): Uint8Array {
  for (let index = 0; index < text.length; index++) {
    if (text[index] >= 0x80) return encoder.encode(lossyDecoder.decode(text));
  }
  return text;
}

/** Whether a text has nothing to escape. */
function isPlain(text: Uint8Array): boolean {
  for (let index = 0; index < text.length; index++) {
    const byte = text[index];
    if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH || byte === DELETE) return false;
  }
  return true;
}

/** The letter behind the backslash of a short escape; 0 when there is none. */
function escapeLetter(byte: number): number {
  switch (byte) {
    case QUOTE:
    case BACKSLASH:
      return byte;
    case 0x08:
      return 0x62;
    case 0x09:
      return 0x74;
    case 0x0a:
      return 0x6e;
    case 0x0c:
      return 0x66;
    case 0x0d:
      return 0x72;
    default:
      return 0;
  }
}
