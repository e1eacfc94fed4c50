// The cache of templates: lines that differ from an earlier one only in their numbers. Clients send the same few
// again and again, and the places of their members need not be found each time.
//
//   {"v":2,"op":"counter.add","series":"t","key":  42  ,"value":  3  }
//   '- part, ends with a number -----------------'   '- part ----'   '- the last part
//
// Invariant: a template says of a line exactly what reading it would (tests compare the two). Parts are compared byte for
// byte, four at a time; numbers are read by the scanner. Lines with an idempotency key do not repeat, and tokens
// must not be compared until they differ: neither has a template.
// Trade-off: which lines will repeat is a guess. One in eight of the lines without a template gets one.

import type { Line } from "../../bytes/mod.ts";
import type { LimitSet } from "../../command/mod.ts";

/** Bytes that a form is looked for by: the operation's name, in the words of usual clients. */
const SHORTEST = 32;

/** Longer lines are lists, which are not the same twice. Sixteen limits are some 1200 bytes. */
const LONGEST = 2048;

/** Forms that begin alike: of one operation, for different trees. */
const ALIKE_MAX = 8;
const PLACES = 64;

/** One line in so many that has no form is given one: a copy costs more than reading does. */
const RARITY = 8;

/** A member that a part holds: its span, counted from the beginning of the part. */
export interface Held {
  readonly member: number;
  readonly kind: number;
  readonly start: number;
  readonly end: number;
  /** The lanes of an integer. */
  readonly lo: number;
  readonly hi: number;
}

export class TemplatePart {
  readonly bytes: Uint8Array;
  readonly held: readonly Held[];
  /** The member whose number comes behind it; -1 where the line ends. */
  readonly number: number;
  readonly #words: Int32Array;

  constructor(bytes: Uint8Array, held: readonly Held[], number: number) {
    this.bytes = bytes;
    this.held = held;
    this.number = number;
    this.#words = new Int32Array(bytes.slice(0, bytes.length & ~3).buffer);
  }

  /** Whether it lies at `at` in the line. */
  isAt(at: number, { bytes, view, end }: Line): boolean {
    const part = this.bytes;
    const words = this.#words;
    if (at + part.length > end) return false;
    let from = at;
    for (let index = 0; index < words.length; index++, from += 4) {
      if (view.getInt32(from, true) !== words[index]) return false;
    }
    for (let index = 4 * words.length; index < part.length; index++, from++) {
      if (bytes[from] !== part[index]) return false;
    }
    return true;
  }
}

export interface Template {
  readonly parts: readonly TemplatePart[];
  readonly limits: LimitSet | null;
  /** The name of the first member that no operation knows; null: there is none. */
  readonly unknown: Uint8Array | null;
}

export class TemplateCache {
  readonly #places: Template[][] = Array.from({ length: PLACES }, () => []);
  #missed = 0;

  /** The forms that the line may have: those whose first bytes are alike. */
  like(line: Line): readonly Template[] {
    return line.end - line.start < SHORTEST ? NONE : this.#places[place(line)];
  }

  /** Whether a line that has no form yet is to be given one, if it can. */
  wants({ start, end }: Line): boolean {
    const length = end - start;
    return length >= SHORTEST && length <= LONGEST && ++this.#missed % RARITY === 0;
  }

  /** Keeps the form of a line that was read. */
  keep(form: Template, line: Line): void {
    const alike = this.#places[place(line)];
    alike.unshift(form);
    alike.length = Math.min(alike.length, ALIKE_MAX);
  }
}

const NONE: readonly Template[] = [];

/** Words between the twelfth byte and the twenty-eighth: some of the operation's name. */
function place({ view, start }: Line): number {
  const mixed = view.getInt32(start + 12) ^ view.getInt32(start + 17) ^ view.getInt32(start + 24);
  return Math.imul(mixed, 0x9e3779b1) >>> 26;
}
