// One value of a request in protocol v2, from a member or from within a list: the rules for numbers, days and texts,
// wherever they occur.
//
// Invariant: a reader returns null and leaves the value in `lanes` or `day`, or it returns the sentence about its
// shape. After `date`, `isDate` is false for a value of the right shape that is not a date; the caller reports NOT_A_DATE
// once the shapes of all fields have turned out right, as Karma 1.x did.

import {
  INTEGER,
  type JsonScanner,
  type Kind,
  LANE,
  NEGATIVE,
  parseU64,
  STRING,
} from "../../bytes/mod.ts";
import { isDay } from "../../command/mod.ts";
import { TREE_NAME_RULE } from "../../tree/mod.ts";
import { keyKind } from "../key_rule.ts";
import type { RequestLine } from "./request_line.ts";

/** The sentence about a value that has the shape of a day and is none. */
export const NOT_A_DATE = "Invalid bucket date";

const ZERO = 0x30;
const DASH = 0x2d;

/** A day's digits; what has more is none. */
const DAY_DIGITS = 8;

/** What stands for all numbers beyond 32 bits: no day is one. */
const BEYOND = LANE;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Value {
  bytes: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  kind: Kind = 0;
  start = 0;
  end = 0;
  readonly lanes = new Uint32Array(2);
  /** After `key`: whether it is a name, which the span is of. */
  isName = false;
  day = 0;
  /** After `date` has returned null: whether `day` is a day of the calendar. */
  isDate = false;

  /** Takes the next value of a scanner. */
  next(scanner: JsonScanner): this {
    this.bytes = scanner.bytes;
    this.kind = scanner.value();
    this.start = scanner.start;
    this.end = scanner.end;
    this.lanes[0] = scanner.lanes[0];
    this.lanes[1] = scanner.lanes[1];
    return this;
  }

  /** Takes the value of a member. */
  of(requestLine: RequestLine, member: number, bytes: Uint8Array<ArrayBufferLike>): this {
    this.bytes = bytes;
    this.kind = requestLine.kinds[member];
    this.start = requestLine.starts[member];
    this.end = requestLine.ends[member];
    this.lanes[0] = requestLine.lanes[2 * member];
    this.lanes[1] = requestLine.lanes[2 * member + 1];
    return this;
  }

  get isText(): boolean {
    return this.kind === STRING;
  }

  /** Reads an unsigned 64-bit number: an integer, or, for clients that have none so large, its digits. */
  number(name: string): string | null {
    if (this.kind === INTEGER) return null;
    if (this.kind === STRING && parseU64(this.bytes, this.start, this.end, this.lanes)) return null;
    return this.integer(name);
  }

  /** Reads a key: a number, which may be its digits as they are written, or a name, whose span goes to the lanes. */
  key(name: string): string | null {
    this.isName = false;
    if (this.kind === INTEGER) return null;
    if (this.kind !== STRING) return this.integer(name);
    const kind = keyKind(this.bytes, this.start, this.end, this.lanes);
    this.isName = kind !== "number";
    return kind === "fault" ? `Field ${name} ${TREE_NAME_RULE}` : null;
  }

  /** Reads an unsigned 64-bit integer. */
  integer(name: string): string | null {
    if (this.kind === INTEGER || this.#isMinusZero()) return null;
    if (this.kind === NEGATIVE) return `Field ${name} must be greater than or equal to 0`;
    return `Field ${name} must be an integer from 0 to 18446744073709551615`;
  }

  /** Reads a day: YYYYMMDD as an integer or a string, or YYYY-MM-DD. */
  date(name: string): string | null {
    this.isDate = true;
    const fault = this.isText ? this.#dateText(name) : this.integer(name);
    if (fault !== null) return fault;
    if (!this.isText) this.day = this.lanes[1] === 0 ? this.lanes[0] : BEYOND;
    this.isDate = this.isDate && isDay(this.day);
    return null;
  }

  /** The text; null when it is none, or no UTF-8. */
  text(): string | null {
    if (this.kind !== STRING) return null;
    try {
      return decoder.decode(this.bytes.subarray(this.start, this.end));
    } catch {
      return null;
    }
  }

  /** The original took the dashes out, wherever they were. */
  #dateText(name: string): string | null {
    const { bytes, start, end } = this;
    if (start < end && bytes[start] === DASH) {
      return `Field ${name} must be greater than or equal to 0`;
    }
    let digits = 0;
    let number = 0;
    for (let at = start; at < end; at++) {
      if (bytes[at] === DASH) continue;
      const digit = bytes[at] - ZERO;
      if (digit < 0 || digit > 9) return `Field ${name} must be a bucket date`;
      digits++;
      number = number * 10 + digit;
    }
    this.day = Math.min(number, BEYOND);
    if (digits === 0) return `Field ${name} must be a bucket date`;
    this.isDate = digits <= DAY_DIGITS;
    return null;
  }

  #isMinusZero(): boolean {
    return this.kind === NEGATIVE && this.lanes[0] === 0 && this.lanes[1] === 0;
  }
}
