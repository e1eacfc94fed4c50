// Data: responses that are objects or lists. The engine makes them on its cold paths, and a protocol writes
// them in its own way. The hot shapes of a reply (reply.ts) are not made of them.

/** A value in a response: integers are numbers below 2^53 or bigints, all other numbers are `Real`. */
export type Data =
  | null
  | boolean
  | number
  | bigint
  | string
  | Real
  | Rows
  | readonly Data[]
  | { readonly [name: string]: Data };

/** A number that is written with a point, `0.0` too, so that a reader can tell it from an integer. */
export class Real {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  toString(): string {
    const text = String(this.value);
    return /^-?\d+$/.test(text) ? `${text}.0` : text;
  }
}

/** Where names begin in a tree, behind the last number: the place of a name is this and its id. */
export const NAMES_START = 1n << 64n;

/** Words of a row: value lo, value hi, key lo, key hi. */
export const ROW_WORDS = 4;

/** A list of counters, each with its key and one number: ten thousand objects would take 2 MB. */
export class Rows {
  readonly words: Uint32Array;
  /** What the number is called. */
  readonly valueName: "value" | "total";
  /** The keys that are names, each at the index of its row; null: all are numbers. */
  readonly names: readonly (Uint8Array | undefined)[] | null;

  /** `words` are ROW_WORDS for each counter. The list owns them. */
  constructor(
    words: Uint32Array,
    valueName: "value" | "total",
    names: readonly (Uint8Array | undefined)[] | null = null,
  ) {
    this.words = words;
    this.valueName = valueName;
    this.names = names;
  }
}
