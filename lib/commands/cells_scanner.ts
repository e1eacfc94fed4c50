// The cells of a whole tree, from the reply of protocol v1 to `find`, as its bytes come.
//
//     {"success":true,"response":{"42":{"20260105":7,"20260106":2},"43":{}}}
//
// It is the one reply without a limit to its length. Invariant: a cell is told once it is whole, wherever the bytes were
// cut; what is not of this form is an error. Trade-off: only what Karma writes is understood, without spaces.

import { HostError } from "../errors.ts";

const HEAD = new TextEncoder().encode('{"success":true,"response":{');
const [LINE_FEED, CARRIAGE_RETURN, QUOTE, BACKSLASH] = [10, 13, 34, 92];
const [COMMA, ZERO, NINE, COLON, OPEN, CLOSE] = [44, 48, 57, 58, 123, 125];

/** What is expected next. */
type Place = "head" | "key" | "cells" | "end" | "over";

/** Takes the parts of cells; the bytes are good until it returns. */
interface CellTaker {
  /** A key, as JSON without its quotes; the cells that follow are of it. */
  key(key: Uint8Array): void;
  /** The digits of a day and of its value, from one place to another. */
  cell(bytes: Uint8Array, dayStart: number, dayEnd: number, start: number, end: number): void;
}

export class CellsScanner {
  readonly #taker: CellTaker;
  #place: Place = "head";
  #rest = new Uint8Array(0);

  constructor(taker: CellTaker) {
    this.#taker = taker;
  }

  /** Whether the reply is over. */
  get isOver(): boolean {
    return this.#place === "over";
  }

  /**
   * Takes the next bytes.
   *
   * @throws {HostError} If the reply is another one; its beginning is in the message
   */
  push(bytes: Uint8Array): void {
    let all = bytes;
    if (this.#rest.length > 0) {
      all = new Uint8Array(this.#rest.length + bytes.length);
      all.set(this.#rest);
      all.set(bytes, this.#rest.length);
    }
    let at = 0;
    for (let next; (next = this.#step(all, at)) > at;) at = next;
    this.#rest = all.slice(at);
  }

  /** Reads what stands at a place, if all of it is there; returns where it ends. */
  #step(bytes: Uint8Array, at: number): number {
    switch (this.#place) {
      case "head":
        return this.#head(bytes, at);
      case "key":
        return this.#key(bytes, at);
      case "cells":
        return this.#cells(bytes, at);
      case "end":
        return this.#end(bytes, at);
      case "over":
        return at;
    }
  }

  #head(bytes: Uint8Array, at: number): number {
    const count = Math.min(HEAD.length, bytes.length - at);
    for (let i = 0; i < count; i++) {
      if (bytes[at + i] !== HEAD[i]) {
        if (!bytes.includes(LINE_FEED)) return at; // the sentence is not whole yet
        this.#fail(bytes, at);
      }
    }
    if (count < HEAD.length) return at;
    this.#place = "key";
    return at + count;
  }

  /** A key and the brace behind it, or the end of the keys, with commas between them. */
  #key(bytes: Uint8Array, at: number): number {
    if (at === bytes.length) return at;
    if (bytes[at] === CLOSE) {
      this.#place = "end";
      return at + 1;
    }
    if (bytes[at] === COMMA) return at + 1;
    if (bytes[at] !== QUOTE) this.#fail(bytes, at);
    let end = at + 1;
    while (end < bytes.length && bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
    if (end + 2 >= bytes.length) return at;
    if (bytes[end + 1] !== COLON || bytes[end + 2] !== OPEN) this.#fail(bytes, at);
    this.#taker.key(bytes.subarray(at + 1, end));
    this.#place = "cells";
    return end + 3;
  }

  /** All cells of a key that are there, or their end; this is where the time goes. */
  #cells(bytes: Uint8Array, start: number): number {
    const { length } = bytes;
    let at = start;
    while (at < length) {
      if (bytes[at] === CLOSE) {
        this.#place = "key";
        return at + 1;
      }
      const dayStart = at + (bytes[at] === COMMA ? 2 : 1);
      if (dayStart >= length) return at;
      if (bytes[dayStart - 1] !== QUOTE) this.#fail(bytes, at);
      const dayEnd = afterDigits(bytes, dayStart);
      if (dayEnd + 2 >= length) return at;
      if (bytes[dayEnd] !== QUOTE || bytes[dayEnd + 1] !== COLON) this.#fail(bytes, at);
      const end = afterDigits(bytes, dayEnd + 2);
      if (end === length) return at;
      if (end === dayEnd + 2) this.#fail(bytes, at);
      this.#taker.cell(bytes, dayStart, dayEnd, dayEnd + 2, end);
      at = end;
    }
    return at;
  }

  #end(bytes: Uint8Array, at: number): number {
    const tail = [CLOSE, CARRIAGE_RETURN, LINE_FEED];
    if (bytes.length - at < tail.length) return at;
    if (!tail.every((byte, i) => bytes[at + i] === byte)) this.#fail(bytes, at);
    this.#place = "over";
    return at + tail.length;
  }

  #fail(bytes: Uint8Array, at: number): never {
    const text = new TextDecoder().decode(bytes.subarray(at, at + 200)).split("\n")[0];
    throw new HostError("The tree could not be read", text);
  }
}

function afterDigits(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] >= ZERO && bytes[at] <= NINE) at++;
  return at;
}
