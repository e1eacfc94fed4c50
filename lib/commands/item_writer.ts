// The items of a chunk, `[key,day,value]` one behind the other, as bytes of JSON.
//
//     [42,20260105,7],["user-7",20260105,1]
//
// Invariant: every item is complete and right but for what only the server knows: a day of the calendar, a value up to
// 2^64-1. A key that is no u64 is sent as a text, and the server decides. What is written depends on nothing but the
// items, so that a chunk that is made again has the same bytes.

import { isDay } from "../command/mod.ts";

/** A chunk's items take no more: a request has 1 MiB, and the fields around them some of it. */
const ITEMS_BYTES_MAX = 960 << 10;

/** The longest item that can be: a name of 255 bytes, each escaped as six, a day and a value of 20 digits. */
const ITEM_BYTES_MAX = 6 * 255 + 64;

const U64_MAX = "18446744073709551615";
const KEY_BYTES_MAX = 255;
/** A line of the usual form has no more. */
const USUAL_BYTES_MAX = 96;
const [LINE_FEED, CARRIAGE_RETURN, COMMA, ZERO, OPEN, CLOSE] = [10, 13, 44, 48, 91, 93];

const encoder = new TextEncoder();

/** What stands before a line's key, day and value, and behind them, as most programs write it. */
interface UsualForm {
  readonly parts: readonly Uint8Array[];
}

export const USUAL: Readonly<Record<"csv" | "jsonl", UsualForm>> = {
  csv: { parts: ["", ",", ",", ""].map((part) => encoder.encode(part)) },
  jsonl: {
    parts: ['{"key":', ',"day":', ',"value":', "}"].map((part) => encoder.encode(part)),
  },
};

export class ItemWriter {
  readonly bytes = new Uint8Array(ITEMS_BYTES_MAX + ITEM_BYTES_MAX);
  length = 0;
  count = 0;
  readonly #itemsMax: number;
  /** Whether a value of 0 makes no sense. */
  readonly #isSum: boolean;

  constructor(itemsMax: number, isSum: boolean) {
    this.#itemsMax = itemsMax;
    this.#isSum = isSum;
  }

  /** Whether the chunk is complete. */
  get isFull(): boolean {
    return this.count === this.#itemsMax || this.length >= ITEMS_BYTES_MAX;
  }

  clear(): void {
    this.length = this.count = 0;
  }

  /**
   * Appends the item of a line of the usual form, with plain digits and a line feed at its end, which is most of what is
   * imported: it is checked and copied in one pass.
   *
   * @returns Where the next line begins; `start` if the line is another one, or not whole: nothing was appended then
   */
  usual(from: Uint8Array, start: number, end: number, { parts }: UsualForm): number {
    const { bytes } = this;
    const limit = Math.min(end, start + USUAL_BYTES_MAX);
    let to = this.length;
    if (to > 0) bytes[to++] = COMMA;
    bytes[to++] = OPEN;
    let at = after(from, start, limit, parts[0]);
    if (at < 0) return start;
    const keyStart = at;
    let digit = 0;
    while (at < limit && (digit = from[at] - ZERO) >= 0 && digit <= 9) bytes[to++] = from[at++];
    const keyDigits = at - keyStart;
    if (keyDigits === 0 || keyDigits > 19 || from[keyStart] === ZERO && keyDigits > 1) return start;
    at = after(from, at, limit, parts[1]);
    if (at < 0) return start;
    bytes[to++] = COMMA;
    let day = 0;
    for (const dayEnd = Math.min(at + 8, limit); at < dayEnd; at++) {
      digit = from[at] - ZERO;
      if (digit < 0 || digit > 9) return start;
      day = 10 * day + digit;
      bytes[to++] = from[at];
    }
    at = after(from, at, limit, parts[2]);
    if (at < 0 || !isDay(day)) return start;
    bytes[to++] = COMMA;
    const valueStart = at;
    while (at < limit && (digit = from[at] - ZERO) >= 0 && digit <= 9) bytes[to++] = from[at++];
    const valueDigits = at - valueStart;
    if (valueDigits === 0 || valueDigits > 19 || from[valueStart] === ZERO) return start;
    at = after(from, at, limit, parts[3]);
    if (at < 0) return start;
    if (at < limit && from[at] === CARRIAGE_RETURN) at++;
    if (at >= limit || from[at] !== LINE_FEED) return start;
    bytes[to++] = CLOSE;
    this.length = to;
    this.count++;
    return at + 1;
  }

  /** Appends an item of any form; returns what is wrong with it, null if it was appended. */
  item(key: string, day: string, value: string): string | null {
    const written = keyText(key);
    if (written === null) return `the key must have 1 to ${KEY_BYTES_MAX} bytes`;
    const digits = day.replace(/^(\d{4})-(\d\d)-(\d\d)$/, "$1$2$3");
    if (!/^\d{8}$/.test(digits) || !isDay(Number(digits))) return `${shown(day)} is no day`;
    const amount = value.replace(/^0+(?=\d)/, "");
    if (!isU64(amount)) return `${shown(value)} is no value from 0 to 2^64-1`;
    if (this.#isSum && amount === "0") return "the value is 0";
    const text = `${this.count > 0 ? "," : ""}[${written},${digits},${amount}]`;
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written;
    this.count++;
    return null;
  }
}

/** Where a part that stands here ends; -1 if it does not stand here. */
function after(from: Uint8Array, at: number, limit: number, part: Uint8Array): number {
  const { length } = part;
  if (at + length > limit) return -1;
  for (let i = 0; i < length; i++) if (from[at + i] !== part[i]) return -1;
  return at + length;
}

/** A key as JSON; null if it cannot be one. */
function keyText(key: string): string | null {
  if (isU64(key) && (key === "0" || key[0] !== "0")) return key;
  const bytes = encoder.encode(key).length;
  return bytes >= 1 && bytes <= KEY_BYTES_MAX ? JSON.stringify(key) : null;
}

function isU64(text: string): boolean {
  if (!/^\d{1,20}$/.test(text)) return false;
  return text.length < 20 || text <= U64_MAX;
}

/** A text in a sentence, not all of it if it is long. */
function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
