// The bodies of an HTTP request and of its response, as a connection: a session reads the one and writes the other.
//
// Invariant: what was written waits until it is taken, one piece at a time, so a client that does not read is waited
// for. Trade-off: each piece is copied, since the buffer that it lies in is written to again.

import type { Connection } from "../connection.ts";

/** The most that is taken of a reply at once. */
const PIECE_BYTES_MAX = 65536;

/** What stands for a body without bytes, where one request is wanted. */
const EMPTY_OBJECT = new TextEncoder().encode("{}");

export class BodyConnection implements Connection {
  readonly remoteAddr?: object;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | null;
  /** What came of the body and was not read. */
  #arrived: Uint8Array | null = null;
  /** Whether nothing has come, and something must. */
  #isEmpty: boolean;
  #piece: Uint8Array<ArrayBuffer> | null = null;
  #isOver = false;
  #isClosed = false;
  #wakeReader = () => {};
  #wakeWriter = () => {};

  /** `isWhole`: the body is one request, so that an empty one is an object without members. */
  constructor(
    body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
    isWhole: boolean,
    remoteAddr?: object,
  ) {
    this.#reader = body === null ? null : body.getReader();
    this.#isEmpty = isWhole;
    this.remoteAddr = remoteAddr;
  }

  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    while (this.#arrived === null || this.#arrived.length === 0) {
      const { value } = await this.#reader?.read() ?? { value: undefined };
      this.#arrived = value ?? null;
      if (value !== undefined) continue;
      if (!this.#isEmpty) return null;
      this.#arrived = EMPTY_OBJECT;
    }
    this.#isEmpty = false;
    const part = this.#arrived.subarray(0, into.length);
    into.set(part);
    this.#arrived = this.#arrived.subarray(part.length);
    return part.length;
  }

  /** @throws {Error} If nobody takes it any more */
  async write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    while (this.#piece !== null && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
    if (this.#isClosed) throw new Error("The client has gone");
    const piece = this.#piece = bytes.slice(0, PIECE_BYTES_MAX);
    this.#wakeReader();
    return piece.length;
  }

  /** The next piece of the replies; null: there are no more. */
  async next(): Promise<Uint8Array<ArrayBuffer> | null> {
    while (this.#piece === null && !this.#isOver) {
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    const piece = this.#piece;
    this.#piece = null;
    this.#wakeWriter();
    return piece;
  }

  /** The replies to come, behind a first piece that was taken. */
  rest(first: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      start: (controller) => controller.enqueue(first),
      pull: async (controller) => {
        const piece = await this.next();
        if (piece === null) controller.close();
        else controller.enqueue(piece);
      },
      cancel: () => this.close(),
    });
  }

  closeWrite(): Promise<void> {
    this.#isOver = true;
    this.#wakeReader();
    return Promise.resolve();
  }

  close(): void {
    this.#isOver = this.#isClosed = true;
    this.#reader?.cancel().catch(() => {});
    this.#wakeReader();
    this.#wakeWriter();
  }
}
