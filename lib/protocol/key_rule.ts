// Keys in requests of every protocol: digits of a number as they are written are that number, and every other string is
// a name.

import { parseU64 } from "../bytes/mod.ts";
import { isKeyName } from "../tree/mod.ts";

const ZERO = 0x30;

/** What bytes[start..end) are as a key. The lanes get the number, or the span of the name. */
export function keyKind(
  bytes: Uint8Array,
  start: number,
  end: number,
  lanes: Uint32Array,
): "number" | "name" | "fault" {
  const isCanonical = bytes[start] !== ZERO || end - start === 1;
  if (isCanonical && parseU64(bytes, start, end, lanes)) return "number";
  lanes[0] = start;
  lanes[1] = end;
  return isKeyName(bytes, start, end) ? "name" : "fault";
}
