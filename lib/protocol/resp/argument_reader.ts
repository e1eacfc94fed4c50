// The arguments of a command, one after the other: the values that they may be.
//
// Invariant: a reader takes the arguments that its value has, and returns null, or what is wrong. The rules for keys and
// days are those of JSON.

import { NameTable, parseU64 } from "../../bytes/mod.ts";
import { isDay, ordinal, RANGE_DAYS_MAX, type Request } from "../../command/mod.ts";
import { TREE_NAME_RULE } from "../../tree/mod.ts";
import { keyKind } from "../key_rule.ts";
import type { Arguments } from "./arguments.ts";

export const SYNTAX = "syntax error";
const NO_INTEGER = "value is not an integer or out of range";
export const NO_DAY = "Invalid bucket date";

const ZERO = 0x30;
const NINE = 0x39;
const DASH = 0x2d;

/** A word of a command that is longer is none. */
const WORD_BYTES_MAX = 32;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Copies a word in capitals; its length, or -1: it is no word of ours. */
export function capitals(
  bytes: Uint8Array,
  start: number,
  end: number,
  word: Uint8Array,
): number {
  if (end - start > word.length) return -1;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    word[at - start] = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
  }
  return end - start;
}

export class ArgumentReader {
  readonly args: Arguments;
  bytes: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  /** The next argument. */
  at = 0;
  /** After `number`: the number. After `key`: likewise, or the span of the name. */
  readonly lanes = new Uint32Array(2);
  /** After `key`: whether it is a name. */
  isName = false;
  readonly #word = new Uint8Array(WORD_BYTES_MAX);

  constructor(args: Arguments) {
    this.args = args;
  }

  /** Begins with the first argument behind a command's name. */
  begin(bytes: Uint8Array<ArrayBufferLike>): void {
    this.bytes = bytes;
    this.at = 1;
  }

  get isMore(): boolean {
    return this.at < this.args.count;
  }

  get start(): number {
    return this.args.starts[this.at];
  }

  get end(): number {
    return this.args.ends[this.at];
  }

  /** Which word of a table the next argument is, in letters of any case; -1: none. It is not taken. */
  word(table: NameTable): number {
    const length = this.isMore ? capitals(this.bytes, this.start, this.end, this.#word) : -1;
    return length < 0 ? -1 : table.find(this.#word, 0, length);
  }

  /** Reads the next argument as an unsigned number of 64 bits. */
  number(): string | null {
    if (!this.isMore) return SYNTAX;
    const isNumber = parseU64(this.bytes, this.start, this.end, this.lanes);
    this.at++;
    return isNumber ? null : NO_INTEGER;
  }

  /** Reads it as a number of at most `max`; -1: it is none. */
  small(max: number): number {
    if (this.number() !== null || this.lanes[1] !== 0) return -1;
    return this.lanes[0] <= max ? this.lanes[0] : -1;
  }

  /** Whether the next argument is there and begins as a number does, so that it is no option. */
  get isNumber(): boolean {
    if (!this.isMore) return false;
    const byte = this.bytes[this.start];
    return byte >= ZERO && byte <= NINE || byte === DASH;
  }

  /** Reads the next argument as a key: a number, or a name, whose span goes to the lanes. */
  key(): string | null {
    if (!this.isMore) return SYNTAX;
    const { bytes, start, end, lanes } = this;
    this.at++;
    const kind = keyKind(bytes, start, end, lanes);
    this.isName = kind !== "number";
    return kind === "fault" ? `key ${TREE_NAME_RULE}` : null;
  }

  /** Reads the next argument as a day; -1: it is none. */
  day(): number {
    if (this.number() !== null || this.lanes[1] !== 0) return -1;
    return isDay(this.lanes[0]) ? this.lanes[0] : -1;
  }

  /** Reads the next two as the days of a range. */
  range(request: Request): string | null {
    const from = this.day();
    const to = this.day();
    if (from < 0 || to < 0) return NO_DAY;
    if (from > to) return "Bucket range start must be less than or equal to range end";
    if (ordinal(to) - ordinal(from) >= RANGE_DAYS_MAX) return "Range exceeds max days";
    request.hasRange = true;
    request.dayFrom = from;
    request.dayTo = to;
    return null;
  }

  /** Takes the next argument as a text; null: it is not there, or no UTF-8. */
  text(): string | null {
    if (!this.isMore) return null;
    const span = this.bytes.subarray(this.start, this.end);
    this.at++;
    try {
      return decoder.decode(span);
    } catch {
      return null;
    }
  }
}
