// Request lines of HTTP, by which a connection is told from those that speak anything else.
//
// Invariant: lines are read as loosely as servers do, so nothing that a server of HTTP would take for a request is
// read as something else. Lines may be long, so only their two ends are looked at.

/** Methods are tokens of RFC 9110. */
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]/;
const VERSION = /[ \t]HTTP\/\d(\.\d+)?[ \t]*\r?$/i;
const END_BYTES = 64;

const decoder = new TextDecoder("latin1");

/** Whether the line bytes[start..end), without its line feed, is one. */
export function isHttpLine(bytes: Uint8Array, start: number, end: number): boolean {
  const tail = decoder.decode(bytes.subarray(Math.max(start, end - END_BYTES), end));
  if (!VERSION.test(tail)) return false;
  return METHOD.test(decoder.decode(bytes.subarray(start, Math.min(end, start + END_BYTES))));
}
