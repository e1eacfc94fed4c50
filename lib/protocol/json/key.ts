// A key in a reply: a number, or a name as a string.

import type { SendBuffer } from "../../bytes/mod.ts";
import type { Tree } from "../../tree/mod.ts";

const QUOTE = 0x22;

/** Writes a key as a value: its name or, where it has none, its number. */
export function writeKey(name: Uint8Array | null, lo: number, hi: number, out: SendBuffer): void {
  if (name === null) out.decimal(lo, hi);
  else out.jsonString(name);
}

/** Writes the key of a counter of a tree as the name of a member. */
export function writeKeyName({ names }: Tree, lo: number, hi: number, out: SendBuffer): void {
  if (names !== null) return out.jsonString(names.nameOf(lo, hi));
  out.byte(QUOTE);
  out.decimal(lo, hi);
  out.byte(QUOTE);
}
