// Stands in for @std/msgpack where JSR cannot be reached, over @msgpack/msgpack.
//
// Invariant: for what Karma stores (well-formed strings, `Uint8Array`, integers, 64-bit bigints,
// arrays, plain objects) both write the same bytes and read the same values, and both refuse what
// is cut short, has bytes left over, or holds an extension type. The trade: text that is not valid
// UTF-8 is read as other wrong characters than the real one would give, and a long text that opens
// with two byte order marks loses both.

import { Decoder, Encoder } from "@msgpack/msgpack";

export type ValueType =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | ValueType[]
  | ValueMap;

export interface ValueMap {
  [index: string | number]: ValueType;
}

/** The real package knows no extension types, and no objects but plain ones. */
const extensionCodec = {
  tryToEncode(object: unknown): null {
    const known = Array.isArray(object) || object instanceof Uint8Array || isPlain(object);
    if (!known) throw new Error("Cannot safely encode value into messagepack");
    return null;
  },
  decode(): never {
    throw new Error("Cannot decode an extension type");
  },
};

export function encode(object: ValueType): Uint8Array<ArrayBuffer> {
  // An encoder of its own for every call: a shared one keeps a buffer as large as the largest dump.
  return new Encoder({ useBigInt64: true, extensionCodec }).encode(object);
}

export function decode(data: Uint8Array): ValueType {
  return unmarked(new Decoder({ useBigInt64: true, extensionCodec }).decode(data) as ValueType);
}

/** The real package drops a U+FEFF that opens a text, as a byte order mark; the npm one may not. */
function unmarked(value: ValueType): ValueType {
  if (typeof value === "string") return unmarkedText(value);
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  let isMarked = false;
  for (const key in value) {
    value[key] = unmarked(value[key]);
    if (key.startsWith("\ufeff")) isMarked = true;
  }
  if (!isMarked) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [unmarkedText(key), inner]),
  );
}

function unmarkedText(text: string): string {
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

function isPlain(object: unknown): boolean {
  const prototype = Object.getPrototypeOf(object);
  return prototype === null || prototype === Object.prototype;
}
