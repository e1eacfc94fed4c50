// The arguments of a command: finds whole commands among the bytes that came, and where their arguments lie.
//
//   *3 CR LF $9 CR LF KARMA.SUM CR LF $1 CR LF t CR LF $1 CR LF 7 CR LF     an array of strings
//   KARMA.SUM t "7" LF                                                      an inline command
//
// Invariant: what is found does not depend on how the bytes were cut. Of an array that is not whole, it is noted in the
// buffer how far it was read and how many strings are to come, so that no string is looked at twice before it is whole.
// Trade-off: an array that came in several reads is gone over a second time once it is whole, as places of arguments
// are kept here, not with each connection.

import type { Frame, Line, ReceiveBuffer } from "../../bytes/mod.ts";

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BLANK = 0x20;
const TAB = 0x09;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const DOLLAR = 0x24;
const STAR = 0x2a;
const DASH = 0x2d;

/** Digits of a length: more than any request has bytes. */
const DIGITS_MAX = 10;

/** Initial places; a batch takes more. */
const BEGIN_ARGUMENTS = 64;

/** Places that are kept after a batch. */
const KEPT_ARGUMENTS = 65536;

/** What a length was, if it is none. */
const PART = -1;
const BROKEN = -2;

export class Arguments {
  count = 0;
  starts = new Int32Array(BEGIN_ARGUMENTS);
  ends = new Int32Array(BEGIN_ARGUMENTS);
  /** What is wrong with the framing; null: nothing. Nothing behind it can be understood. */
  fault: string | null = null;
  /** Where the length that was read last ends. */
  #next = 0;

  /** Takes the next command off what was received, and finds its arguments; commands without any are skipped. */
  take(received: ReceiveBuffer, isEnded: boolean): Frame {
    for (;;) {
      const { partStart, partEnd } = received;
      if (partStart === partEnd) return "none";
      const isArray = received.bytes[partStart] === STAR;
      const frame = isArray ? this.#takeArray(received) : this.#takeLine(received, isEnded);
      if (frame !== "frame" || this.count > 0 || this.fault !== null) return frame;
    }
  }

  /** Finds the words of an inline command. */
  split({ bytes, start, end }: Line): void {
    this.count = 0;
    this.fault = null;
    for (let at = start; at < end;) {
      if (bytes[at] === BLANK || bytes[at] === TAB) {
        at++;
        continue;
      }
      const quote = bytes[at];
      if (quote === DOUBLE_QUOTE || quote === SINGLE_QUOTE) {
        const close = bytes.subarray(0, end).indexOf(quote, at + 1);
        const isWord = close > 0 && (close + 1 === end || isBlank(bytes[close + 1]));
        if (!isWord) return void (this.fault = "unbalanced quotes in request");
        this.#push(at + 1, close);
        at = close + 1;
        continue;
      }
      const word = at;
      while (at < end && !isBlank(bytes[at])) at++;
      this.#push(word, at);
    }
  }

  #takeLine(received: ReceiveBuffer, isEnded: boolean): Frame {
    let frame = received.next();
    if (frame === "none" && isEnded) frame = received.last();
    if (frame === "frame") this.split(received);
    return frame;
  }

  #takeArray(received: ReceiveBuffer): Frame {
    const { bytes, partStart, partEnd, frameBytesMax } = received;
    this.fault = null;
    let wanted = received.wanted;
    if (wanted > 0) { // the rest of what was not whole
      wanted = this.#strings(bytes, received.searched, partEnd, wanted, frameBytesMax);
      if (wanted > 0) return this.#partOf(received, wanted);
    }
    if (this.fault === null) {
      const count = this.#length(bytes, partStart + 1, partEnd);
      if (count === PART) return this.#partOf(received, 0);
      if (count === BROKEN) this.fault = "invalid multibulk length";
      else wanted = this.#strings(bytes, this.#next, partEnd, Math.max(0, count), frameBytesMax);
      if (wanted > 0) return this.#partOf(received, wanted);
    }
    if (this.fault !== null) this.#next = partEnd;
    if (this.#next - partStart > frameBytesMax && this.fault === null) return "too long";
    received.takeTo(this.#next);
    return "frame";
  }

  #partOf(received: ReceiveBuffer, wanted: number): Frame {
    received.noteSearched(wanted === 0 ? received.partStart : this.#next, wanted);
    return received.left > received.frameBytesMax || wanted === Infinity ? "too long" : "none";
  }

  /** Finds so many strings from `at` on; returns how many are not there, and `#next` is where those begin. */
  #strings(
    bytes: Uint8Array,
    at: number,
    end: number,
    wanted: number,
    bytesMax: number,
  ): number {
    this.count = 0;
    if (this.starts.length > KEPT_ARGUMENTS && wanted < KEPT_ARGUMENTS) {
      this.starts = new Int32Array(BEGIN_ARGUMENTS);
      this.ends = new Int32Array(BEGIN_ARGUMENTS);
    }
    for (; wanted > 0; wanted--) {
      this.#next = at;
      if (at === end) return wanted;
      if (bytes[at] !== DOLLAR) {
        this.fault = `expected '$', got '${printable(bytes[at])}'`;
        return 0;
      }
      const length = this.#length(bytes, at + 1, end);
      const start = this.#next;
      this.#next = at;
      if (length === PART) return wanted;
      if (length < 0) {
        this.fault = "invalid bulk length";
        return 0;
      }
      if (length > bytesMax) return Infinity;
      if (start + length + 2 > end) return wanted;
      at = start + length + 2;
      if (bytes[at - 2] !== CARRIAGE_RETURN || bytes[at - 1] !== LINE_FEED) {
        this.fault = "expected CR LF behind a string";
        return 0;
      }
      this.#push(start, at - 2);
    }
    this.#next = at;
    return 0;
  }

  /** Reads a length and the end of its line; `#next` is what comes behind. Below zero: -1 or less was said, as a rule. */
  #length(bytes: Uint8Array, at: number, end: number): number {
    const start = at;
    const isNegative = at < end && bytes[at] === DASH;
    if (isNegative) at++;
    const digits = at;
    let length = 0;
    for (; at < end && bytes[at] !== CARRIAGE_RETURN; at++) {
      const digit = bytes[at] - 0x30;
      if (digit < 0 || digit > 9 || at - start >= DIGITS_MAX) return BROKEN;
      length = 10 * length + digit;
    }
    if (at + 1 >= end) return PART;
    if (at === digits || bytes[at + 1] !== LINE_FEED) return BROKEN;
    this.#next = at + 2;
    // An array of less than nothing is an empty one to Redis; a string cannot be absent in a command.
    return isNegative ? (bytes[start - 1] === STAR ? 0 : BROKEN) : length;
  }

  #push(start: number, end: number): void {
    if (this.count === this.starts.length) {
      this.starts = twice(this.starts);
      this.ends = twice(this.ends);
    }
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }
}

function isBlank(byte: number): boolean {
  return byte === BLANK || byte === TAB;
}

function twice(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * words.length);
  larger.set(words);
  return larger;
}

function printable(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : " ";
}
