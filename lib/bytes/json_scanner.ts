// Reads one JSON text from bytes, token by token, without making a string or an object.
//
// Invariant: accepts exactly the texts of RFC 8259, with two exceptions: nesting ends at DEPTH_MAX, and an escaped
// surrogate must have its other half. Bytes in a string that are not UTF-8 are kept; the user of the string decides
// about them.
// Trade-off: strings are unescaped in place (an escape is never shorter than its character), so a text can be read once
// and the scanner owns the buffer until then. Arrays and objects that are skipped stay unchanged, so another scanner
// can read them later.

import { fractionEnd, isInfinite } from "./json_number.ts";
import { CONTROL, DEPTH, DEPTH_MAX, ENDED, FAULTS, Unescaper, UNEXPECTED } from "./json_string.ts";

// What kind of value `value` met. Integers are told apart by what an unsigned 64-bit field asks.
export const ABSENT = 0; // for tables of members: not there
export const NULL = 1;
export const FALSE = 2;
export const TRUE = 3;
export const STRING = 4; // span in start, end
export const INTEGER = 5; // 0 to 2^64-1, in lo and hi
export const NEGATIVE = 6; // an integer with a minus sign, -0 included; without it in lo and hi
export const LARGE = 7; // an integer of 2^64 or more
export const FRACTION = 8; // a number with a point or an exponent; span in start, end
export const ARRAY = 9; // span in start, end, brackets included
export const OBJECT = 10;
export const WRONG = 11; // not JSON; `fault` and `at` tell what and where

export type Kind = number;

/** Where strings are unescaped to that nobody will read: stores beyond its end do nothing. */
const NOWHERE = new Uint8Array(0);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const [MINUS, ZERO] = [0x2d, 0x30];

/** 2^64 / 10, the largest number that takes another digit, as two lanes, and the digit it takes. */
const TENTH_HI = 0x19999999;
const TENTH_LO = 0x99999999;

/** 1 for each byte that stands for itself in a string: not a quote, a backslash or a control character. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => {
  return byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0;
});

export class JsonScanner {
  bytes: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  /** The next byte to read; after a fault, the byte that is wrong. */
  at = 0;
  #end = 0;
  #fault = UNEXPECTED;
  /** The span of the last string (unescaped, without quotes), integer, array or object. */
  start = 0;
  end = 0;
  /** The lanes of the last integer. */
  readonly lanes = new Uint32Array(2);
  /** One byte for each open bracket while a value is skipped. */
  readonly #open = new Uint8Array(DEPTH_MAX);
  readonly #unescaper = new Unescaper();
  /** Where strings are unescaped to. */
  #out: Uint8Array<ArrayBufferLike> = NOWHERE;
  #depth = 0;
  /** Whether an integer beyond 64 bits, or a number beyond a double, was met anywhere in the text. */
  isBeyond = false;

  /** Begins with the text bytes[start..end). */
  open(bytes: Uint8Array<ArrayBufferLike>, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.#end = end;
    this.#out = bytes;
    this.#depth = 0;
    this.isBeyond = false;
  }

  /** What is wrong, in words. */
  get fault(): string {
    return FAULTS[this.#fault];
  }

  /** The next byte that is not white space, not yet taken; -1 at the end. */
  peek(): number {
    const bytes = this.bytes;
    let at = this.at;
    while (at < this.#end) {
      const byte = bytes[at];
      if (byte > 0x20 || byte !== 0x20 && byte !== 0x0d && byte !== 0x09 && byte !== 0x0a) {
        this.at = at;
        return byte;
      }
      at++;
    }
    this.at = at;
    return -1;
  }

  /** Takes one structural byte. False: there is another one. */
  take(byte: number): boolean {
    const next = this.peek();
    if (next !== byte) return this.#unexpected(next) !== WRONG;
    this.at++;
    return true;
  }

  /** Takes the end of the text. False: there is something else. */
  takeEnd(): boolean {
    const next = this.peek();
    return next < 0 || this.#unexpected(next) !== WRONG;
  }

  /** Goes into an object. False: there is none. */
  openObject(): boolean {
    this.#depth++;
    return this.take(OPEN_BRACE);
  }

  /**
   * Goes to the next member: its name is the span [start, end), its value is next.
   * Returns 1 when there is one, 0 at the object's end, -1 for a fault.
   */
  member(first: boolean): number {
    const next = this.peek();
    if (next === CLOSE_BRACE) {
      this.at++;
      this.#depth--;
      return 0;
    }
    if (!first) {
      if (next !== COMMA) return this.#unexpected(next) === WRONG ? -1 : 0;
      this.at++;
      this.peek();
    }
    if (this.#string() === WRONG) return -1;
    return this.take(COLON) ? 1 : -1;
  }

  /** Goes into an array. False: there is none. */
  openArray(): boolean {
    this.#depth++;
    return this.take(OPEN_BRACKET);
  }

  /** Goes to the next element: its value is next. Returns 1 when there is one, 0 at the array's end, -1 for a fault. */
  element(first: boolean): number {
    const next = this.peek();
    if (next === CLOSE_BRACKET) {
      this.at++;
      this.#depth--;
      return 0;
    }
    if (first) return 1;
    return this.take(COMMA) ? 1 : -1;
  }

  /** Reads the next value whole; its kind tells where the rest is. */
  value(): Kind {
    const byte = this.peek();
    if (byte === QUOTE) return this.#string();
    if (byte >= ZERO && byte <= 0x39 || byte === MINUS) return this.#number();
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return this.#nested();
    return this.#word(byte);
  }

  /** Passes over a value of so many bytes that is known already. */
  pass(length: number): void {
    this.start = this.at;
    this.at += length;
    this.end = this.at;
  }

  #unexpected(byte: number): Kind {
    this.#fault = byte < 0 ? ENDED : UNEXPECTED;
    return WRONG;
  }

  #wrong(fault: number, at: number): Kind {
    this.#fault = at >= this.#end ? ENDED : fault;
    this.at = at;
    return WRONG;
  }

  #word(byte: number): Kind {
    if (byte === 0x6e) return this.#letters("null", NULL);
    if (byte === 0x74) return this.#letters("true", TRUE);
    if (byte === 0x66) return this.#letters("false", FALSE);
    return this.#unexpected(byte);
  }

  #letters(word: string, kind: Kind): Kind {
    for (let index = 0; index < word.length; index++) {
      const at = this.at + index;
      const isThere = at < this.#end && this.bytes[at] === word.charCodeAt(index);
      if (!isThere) return this.#wrong(UNEXPECTED, at);
    }
    this.at += word.length;
    return kind;
  }

  #number(): Kind {
    const bytes = this.bytes;
    const negative = bytes[this.at] === MINUS;
    let at = negative ? this.at + 1 : this.at;
    const first = at < this.#end ? bytes[at] - ZERO : -1;
    if (first < 0 || first > 9) return this.#wrong(UNEXPECTED, at);
    at++;
    let lo = first;
    let hi = 0;
    let large = false;
    for (; at < this.#end; at++) {
      const digit = bytes[at] - ZERO;
      if (digit < 0 || digit > 9) break;
      if (first === 0) return this.#wrong(UNEXPECTED, at); // no leading zeros
      if (hi === 0 && lo < 0x19999999) {
        lo = lo * 10 + digit;
        continue;
      }
      large ||= hi > TENTH_HI || hi === TENTH_HI && (lo > TENTH_LO || lo === TENTH_LO && digit > 5);
      const low = lo * 10 + digit;
      hi = (hi * 10 + Math.floor(low / 4294967296)) >>> 0;
      lo = low >>> 0;
    }
    this.start = this.at;
    const byte = at < this.#end ? bytes[at] : 0;
    if (byte === 0x2e || byte === 0x65 || byte === 0x45) return this.#fraction(at);
    this.at = this.end = at;
    if (large) this.isBeyond = true;
    this.lanes[0] = lo;
    this.lanes[1] = hi;
    if (negative) return NEGATIVE;
    return large ? LARGE : INTEGER;
  }

  /** Reads on from the point or exponent of a number that begins at `this.at`. */
  #fraction(at: number): Kind {
    const end = fractionEnd(this.bytes, at, this.#end);
    if (end < 0) return this.#wrong(UNEXPECTED, ~end);
    this.isBeyond ||= isInfinite(this.bytes, this.at, end);
    this.at = this.end = end;
    return FRACTION;
  }

  #string(): Kind {
    const bytes = this.bytes;
    let at = this.at;
    if (at >= this.#end || bytes[at] !== QUOTE) return this.#wrong(UNEXPECTED, at);
    const start = ++at;
    const end = this.#end;
    while (at < end && IS_PLAIN[bytes[at]] !== 0) at++;
    if (at === end) return this.#wrong(UNEXPECTED, at);
    if (bytes[at] === BACKSLASH) return this.#escapedString(start, at);
    if (bytes[at] !== QUOTE) return this.#wrong(CONTROL, at);
    this.start = start;
    this.end = at;
    this.at = at + 1;
    return STRING;
  }

  /** The rest of a string from its first escape on. */
  #escapedString(start: number, at: number): Kind {
    const unescaper = this.#unescaper;
    if (!unescaper.run(this.bytes, at, this.#end, this.#out)) {
      return this.#wrong(unescaper.fault, unescaper.at);
    }
    this.start = start;
    this.end = unescaper.end;
    this.at = unescaper.at;
    return STRING;
  }

  /** Checks an array or object to its end without looking into it. */
  #nested(): Kind {
    this.#out = NOWHERE;
    const kind = this.#skipped();
    this.#out = this.bytes;
    return kind;
  }

  #skipped(): Kind {
    const outer = this.#depth;
    const from = this.at;
    const kind = this.bytes[from] === OPEN_BRACE ? OBJECT : ARRAY;
    let opened = true;
    this.#depth = outer + 1;
    if (this.#depth > DEPTH_MAX) return this.#wrong(DEPTH, this.at);
    this.#open[outer] = this.bytes[this.at++];
    while (this.#depth > outer) {
      const bracket = this.#open[this.#depth - 1];
      const next = this.peek();
      if (next === (bracket === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) {
        this.at++;
        this.#depth--;
        opened = false;
        continue;
      }
      if (!opened) {
        if (next !== COMMA) return this.#unexpected(next);
        this.at++;
        this.peek();
      }
      if (bracket === OPEN_BRACE && (this.#string() === WRONG || !this.take(COLON))) return WRONG;
      const byte = this.peek();
      opened = byte === OPEN_BRACE || byte === OPEN_BRACKET;
      if (opened) {
        if (this.#depth === DEPTH_MAX) return this.#wrong(DEPTH, this.at);
        this.#open[this.#depth++] = byte;
        this.at++;
      } else if (this.value() === WRONG) {
        return WRONG;
      }
    }
    this.start = from;
    this.end = this.at;
    return kind;
  }
}
