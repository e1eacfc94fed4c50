// A channel: what a client of HTTP sends, as far as its requests can be understood without the runtime, and the responses
// to those. A session reads it as lines and writes replies to it; everything else is forwarded.
//
//   client ──► channel ──┬─ a known head ─► body as a line ─► session ─► reply ─► response ──► client
//                        └─ anything else ─► the runtime's server ─► ... ──────────────────► client
//
// Invariant: bytes are looked at only where a request begins beyond doubt: at the beginning of the connection, behind a
// request with a known head, or behind one that was forwarded alone and whose response has been seen to its end. Where
// that is once not so, everything is forwarded from there on.
// Trade-off: whether a response was seen to its end is known only if it came in one read. A line feed in a body becomes a
// carriage return: both are blanks in JSON, and neither may be in a string.

import { type BufferPool, SendBuffer } from "../../bytes/mod.ts";
import type { Operation } from "../../command/mod.ts";
import type { Connection } from "../connection.ts";
import { type Head, headBytes, KnownHeads, type Meaning } from "./known_heads.ts";
import { ResponseWriter } from "./response_writer.ts";

/** What is read at once. A read that fills it makes it larger; idle connections keep the smaller size. */
const SPACE_BYTES_MIN = 4096;
const SPACE_BYTES_MAX = 65536;

/** The most bytes of a forwarded request whose head may be learned. */
const ASKED_BYTES_MAX = 2048;

/** What responses are put together in. */
const OUT_BYTES = 1024;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Whose channel it is. */
export interface ChannelOwner {
  /** What to await before a read; null: nothing. */
  giveWay(): Promise<void> | null;
  /** So much was read into `space` bytes of space. */
  noteRead(count: number, space: number): void;
  /** What is being sent to the client; null: nothing is. */
  writing: Promise<void> | null;
  noteWrite(isOver: boolean): void;
  /** Relays to the runtime. */
  forward(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** The client will send no more; resolves when all that it asked is answered. */
  ended(): Promise<void>;
  close(): void;
}

export class Channel implements Connection {
  readonly remoteAddr?: object;
  /** Of the bodies that the last read has brought. */
  readonly envelope: { operation: Operation | null; token: Uint8Array | null; isWhole: boolean };
  readonly #connection: Connection;
  readonly #owner: ChannelOwner;
  readonly #pool: BufferPool;
  readonly #heads = new KnownHeads();
  readonly #writer = new ResponseWriter();
  readonly #out: SendBuffer;
  /** What came and was not taken: space[at..tail). */
  #space: Uint8Array<ArrayBuffer>;
  #at: number;
  #tail: number;
  #lastRead = 0;
  /** Whether a request begins at `at`, and whether what is there is a part of one with a known head. */
  #isBoundary = true;
  isPart = false;
  /** How many times requests with known heads were read. */
  reads = 0;
  /** Whose bodies the last read has brought. */
  #head: Head | null = null;
  /** What was forwarded since the last boundary; null: too much, or it is not known where that was. */
  #asked: Uint8Array | null = null;
  #heard = 0;
  #meaning: (Meaning & { readonly replyBytes: number }) | null = null;

  /** `first`: what has come already. */
  constructor(
    connection: Connection,
    owner: ChannelOwner,
    first: Uint8Array<ArrayBuffer>,
    pool: BufferPool,
  ) {
    this.#connection = connection;
    this.#owner = owner;
    this.#pool = pool;
    this.remoteAddr = connection.remoteAddr;
    this.envelope = { operation: null, token: null, isWhole: false };
    this.#out = new SendBuffer(OUT_BYTES, pool);
    this.#space = pool.acquire(2 ** Math.ceil(Math.log2(Math.max(SPACE_BYTES_MIN, first.length))));
    this.#space.set(first);
    this.#at = 0;
    this.#tail = first.length;
  }

  /** Gives its buffers back: to be called once, when nobody reads or writes any more. */
  release(): void {
    this.#pool.release(this.#space);
    this.#out.release();
  }

  /** Reads the bodies of requests with a known head, a line each, and forwards what comes between them. */
  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    for (;;) {
      const count = this.#take(into);
      if (count > 0) return count;
      if (!this.isPart && this.#tail > this.#at) await this.#forward();
      const turn = this.#owner.giveWay();
      if (turn !== null) await turn;
      const room = this.#room();
      const read = await this.#connection.read(room);
      this.#owner.noteRead(read ?? 0, room.length);
      if (read === null) break;
      this.#tail += read;
      this.#lastRead = read;
    }
    if (this.#tail > this.#at) await this.#forward();
    await this.#owner.ended();
    return null;
  }

  /** Writes the responses to the bodies that were read, each when its reply is whole. */
  async write(replies: Uint8Array<ArrayBuffer>): Promise<number> {
    const owner = this.#owner;
    while (owner.writing !== null) await owner.writing;
    const out = this.#out;
    this.#writer.write(replies, this.#head!, Date.now(), out);
    owner.noteWrite(false);
    for (let at = 0; at < out.length;) at += await this.#connection.write(out.view(at));
    owner.noteWrite(true);
    out.clear();
    return replies.length;
  }

  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    this.#owner.close();
  }

  /** The runtime has understood a request. */
  hear(): void {
    if (++this.#heard > 1) this.#asked = null; // several were forwarded at once
  }

  /** The request that was heard means this, and its response has a body of so many bytes. */
  learn(meaning: Meaning, replyBytes: number): void {
    this.#meaning = { ...meaning, replyBytes };
  }

  /** Looks at what the runtime sends, before it is relayed. */
  see(bytes: Uint8Array): void {
    const asked = this.#asked;
    const meaning = this.#meaning;
    this.#asked = this.#meaning = null;
    if (asked === null || meaning === null || this.#heard !== 1) return;
    const isEnd = endOfHead(bytes) + meaning.replyBytes === bytes.length;
    if (!isEnd || headBytes(asked) + meaning.bodyBytes !== asked.length) return;
    this.#heads.learn(asked, meaning);
    this.#isBoundary = true;
  }

  /** Takes bodies of one known head, each as a line; returns how many bytes that makes. */
  #take(into: Uint8Array<ArrayBuffer>): number {
    let count = 0;
    let first: Head | null = null;
    this.isPart = false;
    while (this.#isBoundary && this.#at < this.#tail) {
      const head = this.#heads.find(this.#space, this.#at, this.#tail);
      if (head === null) break;
      const bytes = head === "part" ? Infinity : head.bytes.length + head.bodyBytes;
      if (head === "part" || this.#at + bytes > this.#tail) {
        this.isPart = true;
        break;
      }
      first ??= head;
      if (head !== first || count + head.bodyBytes + 3 > into.length) break;
      count = this.#line(this.#at + head.bytes.length, this.#at + bytes, into, count);
      this.#at += bytes;
    }
    if (first !== null) this.#begin(first);
    return count;
  }

  #begin(head: Head): void {
    this.#head = head;
    this.reads++;
    this.envelope.operation = head.envelope.operation;
    this.envelope.token = head.envelope.token;
  }

  /** Copies the body space[from..to) as a line; returns where it ends. */
  #line(from: number, to: number, into: Uint8Array<ArrayBuffer>, at: number): number {
    const space = this.#space;
    if (from === to) { // no body is an object without members
      into[at++] = OPEN_BRACE;
      into[at++] = CLOSE_BRACE;
    }
    for (let index = from; index < to; index++) {
      const byte = space[index];
      into[at++] = byte === LINE_FEED ? CARRIAGE_RETURN : byte;
    }
    into[at++] = LINE_FEED;
    return at;
  }

  /** Forwards all that is there. */
  async #forward(): Promise<void> {
    const bytes = this.#space.subarray(this.#at, this.#tail);
    if (this.#isBoundary) {
      this.#heard = 0;
      this.#asked = bytes.slice();
    } else if (this.#asked !== null) {
      const isLong = this.#asked.length + bytes.length > ASKED_BYTES_MAX;
      this.#asked = isLong ? null : Uint8Array.from([...this.#asked, ...bytes]);
    }
    this.#isBoundary = false;
    this.#at = this.#tail = 0;
    await this.#owner.forward(bytes);
  }

  /** Where to read into: larger if the last read has filled it, and smaller again behind a small one. */
  #room(): Uint8Array<ArrayBuffer> {
    const left = this.#tail - this.#at;
    if (this.#at > 0) this.#space.copyWithin(0, this.#at, this.#tail);
    this.#at = 0;
    this.#tail = left;
    if (left > 0) return this.#space.subarray(left);
    const { length } = this.#space;
    if (this.#lastRead === length && length < SPACE_BYTES_MAX) this.#resize(2 * length);
    else if (this.#lastRead < SPACE_BYTES_MIN && length > SPACE_BYTES_MIN) {
      this.#resize(SPACE_BYTES_MIN);
    }
    return this.#space;
  }

  #resize(length: number): void {
    this.#pool.release(this.#space);
    this.#space = this.#pool.acquire(length);
  }
}

/** Where the head of a response ends that the runtime has written; -1: it is not all there. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = 3; at < bytes.length; at++) {
    if (bytes[at] === LINE_FEED && bytes[at - 2] === LINE_FEED) return at + 1;
  }
  return -1;
}
