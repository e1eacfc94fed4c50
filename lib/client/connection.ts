// A connection to a Karma server: lines go out, and the line that answers each comes back.
//
// Invariant: replies are given in the order of the requests, each to the one that asked, and none is waited for longer
// than the deadline. After a failure every request that waits fails with it, and so does every later one.
// Trade-off: a promise for each request. That suits commands, whose requests are large or few, and not a generator of
// load, whose requests are small and many.

import { HostError } from "../errors.ts";
import type { Wire } from "../host/mod.ts";

const LINE_FEED = 10;
const RECEIVE_BYTES = 65536;

/** Whoever waits for a line. */
interface Waiter {
  readonly resolve: (line: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (error: HostError) => void;
}

export class Connection {
  readonly #wire: Wire;
  readonly #timeoutMs: number;
  readonly #waiters: Waiter[] = [];
  #fault: HostError | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The writes so far: each waits for the one before it. */
  #written: Promise<void> = Promise.resolve();

  constructor(wire: Wire, timeoutMs: number) {
    this.#wire = wire;
    this.#timeoutMs = timeoutMs;
    this.#receive();
  }

  /**
   * Sends a line, which ends in a line feed, and returns the one that answers it, without its line end.
   *
   * @throws {HostError} If the connection ends, or the deadline passes, before
   */
  ask(line: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const fault = this.#fault;
    if (fault !== null) return Promise.reject(fault);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    if (this.#waiters.push({ resolve, reject }) === 1) this.#watch();
    this.#written = this.#written.then(() => this.#write(line));
    return promise;
  }

  close(): void {
    this.#fail("The connection was closed", "it is not needed any more");
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      for (let at = 0; at < bytes.length && this.#fault === null;) {
        at += await this.#wire.write(bytes.subarray(at));
      }
    } catch (error) {
      // What the server said before it closed may still be on its way, and says more.
      this.#watch(1000, error);
    }
  }

  async #receive(): Promise<void> {
    let buffer = new Uint8Array(RECEIVE_BYTES);
    let [start, searched, end] = [0, 0, 0];
    try {
      while (true) {
        if (start > 0) {
          buffer.copyWithin(0, start, end);
          [start, searched, end] = [0, searched - start, end - start];
        } else if (end === buffer.length) {
          const larger = new Uint8Array(2 * buffer.length);
          larger.set(buffer);
          buffer = larger;
        }
        const read = await this.#wire.read(buffer.subarray(end));
        if (read === null) break;
        end += read;
        for (let at; (at = buffer.subarray(0, end).indexOf(LINE_FEED, searched)) >= 0;) {
          this.#take(buffer.slice(start, at));
          start = searched = at + 1;
        }
        searched = end;
      }
      this.#fail("The connection ended", "the server closed it");
    } catch (error) {
      this.#fail("The connection ended", error);
    }
  }

  #take(line: Uint8Array<ArrayBuffer>): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      return this.#fail("The connection ended", new TextDecoder().decode(line));
    }
    clearTimeout(this.#timer);
    if (this.#waiters.length > 0) this.#watch();
    waiter.resolve(line);
  }

  /** Fails, unless a line comes before the deadline. */
  #watch(ms = this.#timeoutMs, cause: unknown = "it sent nothing in time"): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail("The server did not answer", cause), ms);
  }

  #fail(what: string, cause: unknown): void {
    if (this.#fault !== null) return;
    const fault = this.#fault = new HostError(what, cause);
    clearTimeout(this.#timer);
    this.#wire.close();
    for (const { reject } of this.#waiters.splice(0)) reject(fault);
  }
}
