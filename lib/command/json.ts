// Responses that are objects: JSON values, made by the engine on its cold paths and written by the
// protocols. The hot shapes of a reply (reply.ts) are not made of them.

/** A value as a response tells it: integers as numbers below 2^53 or as bigints, others as `Real`. */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | Real
  | Written
  | readonly Json[]
  | { readonly [name: string]: Json };

/** A number that is written with a point, `0.0` too: whoever reads it may tell it from an integer. */
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

/** A value that is written already: a long list, which took several turns. */
export class Written {
  readonly bytes: Uint8Array<ArrayBuffer>;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
  }
}
