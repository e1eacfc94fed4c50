// The receive buffer of a connection: bytes go in as they arrive, whole frames come out.
//
//   bytes  | consumed | frame ... LF | frame ... LF | part of a frame |  space to read into  |
//                     '- head                                         '- tail
//
// A frame is what comes before a line feed, less one carriage return. Invariant: a frame is found
// whatever the cuts between reads were, and no byte is searched twice for its end.
// Trade: the buffer grows to hold the longest frame allowed, and goes back to its first size only
// once it is empty and has long been too large, so that busy connections don't reallocate.

import type { Line } from "./line.ts";

/** What an idle connection keeps: room for dozens of requests; ten thousand of them make 20 MiB. */
export const RECEIVE_BYTES_MIN = 2048;

/** A buffer that reads fill to the brim doubles up to here, where a read costs little beside its work. */
const RECEIVE_BYTES_BUSY = 65536;

/** Reads in a row that would have fitted the first size before the buffer goes back to it. */
const SMALL_READS_MAX = 64;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

export type Frame = "frame" | "none" | "too long";

export class ReceiveBuffer implements Line {
  bytes = new Uint8Array(RECEIVE_BYTES_MIN);
  view = new DataView(this.bytes.buffer);
  /** The same bytes, four in a word. */
  #words = new Int32Array(this.bytes.buffer);
  readonly #frameBytesMax: number;
  #head = 0;
  #tail = 0;
  #searched = 0;
  #smallReads = 0;
  #brimful = false;
  /** The span of the frame that `next` found; valid until `space`. */
  start = 0;
  end = 0;

  /** `frameBytesMax` counts a frame without its terminator. */
  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Whether a part of a frame is there. */
  get hasPart(): boolean {
    return this.#tail > this.#head;
  }

  /** Where to read into: never empty, the caller's until `filled`. Frames found before are gone. */
  space(): Uint8Array<ArrayBuffer> {
    const length = this.#tail - this.#head;
    const size = this.bytes.length;
    if (length === 0 && size > RECEIVE_BYTES_MIN && this.#smallReads > SMALL_READS_MAX) {
      this.#use(new Uint8Array(RECEIVE_BYTES_MIN));
    } else if (length === size || this.#brimful && size < RECEIVE_BYTES_BUSY) {
      const larger = new Uint8Array(2 * size);
      larger.set(this.bytes.subarray(this.#head, this.#tail));
      this.#use(larger);
    } else if (this.#head > 0) {
      this.bytes.copyWithin(0, this.#head, this.#tail);
    }
    this.#searched -= this.#head;
    this.#head = 0;
    this.#tail = length;
    return length === 0 ? this.bytes : this.bytes.subarray(length);
  }

  /** Tells that `count` bytes were read into `space`. */
  filled(count: number): void {
    this.#tail += count;
    this.#brimful = this.#tail === this.bytes.length;
    this.#smallReads = count <= RECEIVE_BYTES_MIN ? this.#smallReads + 1 : 0;
  }

  /** Finds the next frame. */
  next(): Frame {
    const at = this.#searched = this.#lineFeed(this.#searched, this.#tail);
    if (at === this.#tail) {
      // One byte more than a frame may be its carriage return.
      return at - this.#head > this.#frameBytesMax + 1 ? "too long" : "none";
    }
    this.#take(at, at + 1);
    return this.end - this.start > this.#frameBytesMax ? "too long" : "frame";
  }

  /** Where the first line feed in bytes[at..end) is, or `end`. */
  #lineFeed(at: number, end: number): number {
    // Not `indexOf`, which would search past the end, to that of the buffer. Four bytes at once is
    // twice as fast as one by one: x has a zero byte where the word has a line feed, and the
    // expression is not zero if and only if x has one (Warren, Hacker's Delight, 6-1).
    const { bytes } = this;
    for (; at < end && (at & 3) !== 0; at++) if (bytes[at] === LINE_FEED) return at;
    const words = this.#words;
    const wordEnd = end >>> 2;
    let word = at >>> 2;
    for (; word < wordEnd; word++) {
      const x = words[word] ^ 0x0a0a0a0a;
      if (((x - 0x01010101) & ~x & 0x80808080) !== 0) break;
    }
    at = Math.max(at, word << 2);
    while (at < end && bytes[at] !== LINE_FEED) at++;
    return at;
  }

  /** The last frame, when the client has closed: what is left without a line feed. */
  last(): Frame {
    if (this.#head === this.#tail) return "none";
    this.#take(this.#tail, this.#tail);
    return this.end - this.start > this.#frameBytesMax ? "too long" : "frame";
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    this.#words = new Int32Array(bytes.buffer);
  }

  #take(end: number, next: number): void {
    this.start = this.#head;
    this.end = end > this.#head && this.bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    this.#head = this.#searched = next;
  }
}
