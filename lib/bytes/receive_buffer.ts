// The receive buffer of a connection: bytes are read into it as they arrive, and whole frames are taken out.
//
//   bytes  | consumed | frame ... LF | frame ... LF | part of a frame |  space to read into  |
//                     '- head                                         '- tail
//
// A frame ends at a line feed and does not include a carriage return before it. Invariant: frames do not depend on how
// the bytes were split into reads, and no byte is searched for a line feed twice.
// Trade-off: the buffer grows to the longest frame allowed, and shrinks to its first size only once it is empty and has
// been too large for a while, so busy connections do not reallocate. It grows in steps of GROW_BYTES, with other
// work in between.

import { BufferPool } from "./buffer_pool.ts";
import type { Line } from "./line.ts";

/** What an idle connection keeps: room for dozens of requests; ten thousand of them make 20 MiB. */
export const RECEIVE_BYTES_MIN = 2048;

/** A buffer that reads fill to the brim doubles up to here, where a read costs little beside its work. */
const RECEIVE_BYTES_BUSY = 65536;

/** What is kept to drop the rest of a line that is too long with. */
const RECEIVE_BYTES_DROPPED = 16384;

/** How much is copied at once when the buffer grows: some 50 µs. */
const GROW_BYTES = 262144;

/** Reads in a row that would have fitted the first size before the buffer goes back to it. */
const SMALL_READS_MAX = 64;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

export type Frame = "frame" | "none" | "too long";

export class ReceiveBuffer implements Line {
  serial = 0;
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  /** The same bytes, four in a word. */
  #words: Int32Array<ArrayBuffer>;
  readonly #pool: BufferPool;
  /** The buffer to come while it grows, and how much of the part is in it. */
  #larger: Uint8Array<ArrayBuffer> | null = null;
  #moved = 0;
  /** How long a frame may be, without its terminator. */
  frameBytesMax: number;
  #busyBytes = RECEIVE_BYTES_BUSY;
  #head = 0;
  #tail = 0;
  #searched = 0;
  #smallReads = 0;
  #brimful = false;
  /** Pieces of a frame that were not there when `noteSearched` was called. */
  wanted = 0;
  /** Whether the end of the frame that is too long has come. */
  isLineOver = false;
  /** The span of the frame that `next` found; valid until `space`. */
  start = 0;
  end = 0;

  /** `frameBytesMax` counts a frame without its terminator; arrays come from `pool` and go back to it. */
  constructor(frameBytesMax: number, pool = new BufferPool()) {
    this.frameBytesMax = frameBytesMax;
    this.#pool = pool;
    this.bytes = pool.acquire(RECEIVE_BYTES_MIN);
    this.view = new DataView(this.bytes.buffer);
    this.#words = new Int32Array(this.bytes.buffer);
  }

  /** Gives its array back: to be called once, when nobody reads into it any more. */
  release(): void {
    if (this.#larger !== null) this.#pool.release(this.#larger);
    this.#pool.release(this.bytes);
  }

  /**
   * Lets frames be longer, or not so long, from the next one on.
   *
   * `busyBytes`: up to where the buffer grows only to read more at once
   */
  limit(frameBytesMax: number, busyBytes = RECEIVE_BYTES_BUSY): void {
    this.frameBytesMax = frameBytesMax;
    this.#busyBytes = busyBytes;
  }

  /** Drops everything that has come, and the space that it took. */
  drop(): void {
    if (this.bytes.length > RECEIVE_BYTES_DROPPED) this.#replace(RECEIVE_BYTES_DROPPED);
    this.#head = this.#tail = this.#searched = 0;
  }

  /** Whether a line feed is among what has come since `drop`. */
  hasLineFeed(): boolean {
    return this.#lineFeed(this.#head, this.#tail) < this.#tail;
  }

  /** How far the part was looked at, for protocols that tell frames by their lengths. */
  get searched(): number {
    return this.#searched;
  }

  /** Notes how far the part was looked at, and how many pieces of the frame begin there or behind it. */
  noteSearched(at: number, wanted: number): void {
    this.#searched = at;
    this.wanted = wanted;
  }

  /** Takes what is there up to `end` for a frame. */
  takeTo(end: number): void {
    this.serial++;
    this.wanted = 0;
    this.isLineOver = true;
    this.start = this.#head;
    this.end = this.#head = this.#searched = end;
  }

  /** Where the part of a frame begins that is there. */
  get partStart(): number {
    return this.#head;
  }

  get partEnd(): number {
    return this.#tail;
  }

  /** Whether a part of a frame is there. */
  get hasPart(): boolean {
    return this.#tail > this.#head;
  }

  /** Bytes that are there and not yet taken as frames. */
  get left(): number {
    return this.#tail - this.#head;
  }

  /** Whether a part of a frame fills it, so that it must `grow` before `space`. */
  get isFull(): boolean {
    return this.#tail - this.#head === this.bytes.length;
  }

  /** Whether it should `grow`: because it is full, or, unless memory is tight, to read more at once. */
  wantsMore(isTight: boolean): boolean {
    return this.isFull || this.#brimful && this.bytes.length < this.#busyBytes && !isTight;
  }

  /** Grows some of the way. True: there is space now. */
  grow(): boolean {
    const larger = this.#larger ??= this.#pool.acquire(this.largerSize);
    const from = this.#head + this.#moved;
    const to = Math.min(this.#tail, from + GROW_BYTES);
    larger.set(this.bytes.subarray(from, to), this.#moved);
    this.#moved += to - from;
    if (to < this.#tail) return false;
    this.#larger = null;
    this.#searched -= this.#head;
    this.#head = 0;
    this.#tail = this.#moved;
    this.#moved = 0;
    this.#brimful = false;
    this.#pool.release(this.bytes);
    this.#use(larger);
    return true;
  }

  /** Grows at once: what is in it is as small as what one read brings. */
  growWhole(): void {
    while (!this.grow()) { /* a piece at a time */ }
  }

  /** Goes back to its first size, if nothing is in it. */
  shrink(): void {
    if (this.hasPart || this.bytes.length === RECEIVE_BYTES_MIN) return;
    this.#replace(RECEIVE_BYTES_MIN);
    this.#head = this.#tail = this.#searched = 0;
    this.#brimful = false;
  }

  /**
   * Where to read into: never empty, the caller's until `filled`. Frames found before are gone.
   *
   * `isTight`: it may not grow only to read more at once
   */
  space(isTight = false): Uint8Array<ArrayBuffer> {
    const length = this.#tail - this.#head;
    const size = this.bytes.length;
    if (length === 0 && size > RECEIVE_BYTES_MIN && this.#smallReads > SMALL_READS_MAX) {
      this.#replace(RECEIVE_BYTES_MIN);
    } else if (this.wantsMore(isTight)) {
      this.growWhole();
    } else if (this.#head > 0) {
      this.bytes.copyWithin(0, this.#head, this.#tail);
    }
    this.#searched -= this.#head;
    this.#head = 0;
    this.#tail = length;
    return length === 0 ? this.bytes : this.bytes.subarray(length);
  }

  /** The next size: twice as large, but no larger than the longest frame, with what must be seen behind it. */
  get largerSize(): number {
    const size = this.bytes.length;
    const needed = (this.frameBytesMax + 2 + 3) & ~3;
    return size < needed ? Math.min(2 * size, needed) : 2 * size;
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
      this.isLineOver = false;
      // One byte more than a frame may be its carriage return.
      return at - this.#head > this.frameBytesMax + 1 ? "too long" : "none";
    }
    this.isLineOver = true;
    this.#take(at, at + 1);
    return this.end - this.start > this.frameBytesMax ? "too long" : "frame";
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
    return this.end - this.start > this.frameBytesMax ? "too long" : "frame";
  }

  #replace(size: number): void {
    this.#pool.release(this.bytes);
    this.#use(this.#pool.acquire(size));
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    this.#words = new Int32Array(bytes.buffer);
  }

  #take(end: number, next: number): void {
    this.serial++;
    this.start = this.#head;
    this.end = end > this.#head && this.bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    this.#head = this.#searched = next;
  }
}
