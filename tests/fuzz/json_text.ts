// JSON texts as a model reads them: by JSON.parse, token by token, byte by byte.
//
// A line is read as Latin-1, a character a byte: JSON's grammar lies in ASCII, so that JSON.parse then
// accepts what a reader of bytes must accept, valid UTF-8 or not. What JSON.parse would round, drop or
// merge (integers, members given twice) is taken from the line's own tokens.

import { latin1 } from "../support/asker.ts";

const DEPTH_MAX = 512;

/** The tokens of a JSON text, or null for what is none, or one that goes too deep. */
export function tokensOf(line: Uint8Array): string[] | null {
  const text = latin1(line);
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s"[\]{}:,]+/g)!;
  if (deepest(tokens) > DEPTH_MAX) return null;
  const strings = tokens.filter((token) => token.startsWith('"'));
  return strings.every((token) => JSON.parse(token).isWellFormed()) ? tokens : null;
}

function deepest(tokens: string[]): number {
  let depth = 0;
  let most = 0;
  for (const token of tokens) {
    if (token === "[" || token === "{") most = Math.max(most, ++depth);
    else if (token === "]" || token === "}") depth--;
  }
  return most;
}

/** The bytes that a string's token stands for, a character a byte. */
export function bytesOf(token: string): string {
  const pair = /\\u[dD][89abAB]..\\u[dD][c-fC-F]../;
  const pieces = token.slice(1, -1).match(new RegExp(`${pair.source}|\\\\u....|\\\\.|[^]`, "g")) ??
    [];
  return pieces.map((piece) => {
    return piece.startsWith("\\")
      ? latin1(new TextEncoder().encode(JSON.parse(`"${piece}"`)))
      : piece;
  }).join("");
}
