// The text form of replies: numbers as JSON strings, for clients whose numbers are exact up to 2^53 only.
//
//   {"key":9007199254740993,"total":3}     with "keys_as":"text"
//   {"key":"9007199254740993","total":3}
//
// A reply is written as always, and then the numbers of some members are put between quotes. So every shape of a
// reply has a text form, answers that are kept under an idempotency key too, and who does not ask for it pays nothing.
//
// Invariant: nothing but quotes is added, around whole numbers. A piece of a walked reply has a number together with
// the name of its member, so no piece depends on those before it.

import { NameTable, SendBuffer } from "../../bytes/mod.ts";
import { KEYS_AS_TEXT, NUMBERS_AS_TEXT } from "../../command/mod.ts";

const KEYS = ["key", "cursor", "next_cursor"];

/** What counters and limits hold. Days are names of members, too, and have eight digits or so. */
const NUMBERS = ["value", "total", "max", "used", "remaining", "applied", "amount", "carried"];

const TABLE = new NameTable([...KEYS, ...NUMBERS]);
const FORMS = [
  ...KEYS.map(() => KEYS_AS_TEXT),
  ...NUMBERS.map(() => NUMBERS_AS_TEXT),
];

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const POINT = 0x2e;

export class TextForm {
  readonly #copy = new SendBuffer(1024);

  /** Rewrites what was written from `start` on, a response or a piece of one. Returns how many bytes longer it is. */
  apply(form: number, out: SendBuffer, start: number): number {
    const copy = this.#copy;
    copy.clear();
    copy.raw(out.bytes.subarray(start, out.length));
    const { bytes, length } = copy;
    const before = out.length;
    out.length = start;
    let done = 0;
    let at = 0;
    const quote = (from: number) => {
      at = numberEnd(bytes, from, length);
      if (at < length && bytes[at] === POINT) return; // no counter holds a fraction
      out.raw(bytes.subarray(done, from));
      out.byte(QUOTE);
      out.raw(bytes.subarray(from, at));
      out.byte(QUOTE);
      done = at;
    };
    if ((form & NUMBERS_AS_TEXT) !== 0 && isDigit(bytes, 0, length)) quote(0); // the response is a number
    while (at < length) {
      if (bytes[at++] !== QUOTE) continue;
      const name = at;
      at = stringEnd(bytes, at, length);
      const end = at++;
      if (at >= length || bytes[at] !== COLON || !isDigit(bytes, at + 1, length)) continue;
      if ((formOf(bytes, name, end) & form) !== 0) quote(at + 1);
    }
    out.raw(bytes.subarray(done, length));
    return out.length - before;
  }
}

/** The forms in which the number of a member is text. */
function formOf(bytes: Uint8Array, start: number, end: number): number {
  const index = TABLE.find(bytes, start, end);
  if (index >= 0) return FORMS[index];
  return numberEnd(bytes, start, end) === end && end > start ? NUMBERS_AS_TEXT : 0;
}

function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

function numberEnd(bytes: Uint8Array, at: number, end: number): number {
  while (isDigit(bytes, at, end)) at++;
  return at;
}

function isDigit(bytes: Uint8Array, at: number, end: number): boolean {
  return at < end && bytes[at] >= 0x30 && bytes[at] <= 0x39;
}
