// Values in RESP 2 and 3: numbers, strings, lists and maps, as many as one version or the other has.
//
// Invariant: lists and maps tell how many elements they have. What is long is written in pieces.

import { type SendBuffer, u64ToBigInt } from "../../bytes/mod.ts";
import { type Data, Real, ROW_WORDS, Rows } from "../../command/mod.ts";

const encoder = new TextEncoder();
const LINE_END = encoder.encode("\r\n");
const NULL_2 = encoder.encode("$-1\r\n");
const NULL_3 = encoder.encode("_\r\n");

const COLON = 0x3a;
const DOLLAR = 0x24;

/** A number from here on, in its high lane, is beyond the signed 64 bits of RESP's integers. */
const SIGN = 0x80000000;

/** Elements of a piece of a long list. */
const PIECE_ELEMENTS = 256;

/** Writes the head of a list or a map, and its elements are next. */
export function writeHead(kind: "*" | "%", count: number, version: number, out: SendBuffer): void {
  const isMap = kind === "%";
  out.byte((isMap && version < 3 ? "*" : kind).charCodeAt(0));
  out.decimal(isMap && version < 3 ? 2 * count : count, 0);
  out.raw(LINE_END);
}

/** Writes an unsigned number of 64 bits. */
export function writeNumber(lo: number, hi: number, version: number, out: SendBuffer): void {
  if (hi >= SIGN) return writeData(u64ToBigInt(lo, hi), version, out);
  out.byte(COLON);
  out.decimal(lo, hi);
  out.raw(LINE_END);
}

/** Writes a string. */
export function writeString(bytes: Uint8Array, out: SendBuffer): void {
  out.byte(DOLLAR);
  out.decimal(bytes.length, 0);
  out.raw(LINE_END);
  out.raw(bytes);
  out.raw(LINE_END);
}

/** Writes any value. */
export function writeData(data: Data, version: number, out: SendBuffer): void {
  for (const _piece of writePieces(data, version, out));
}

export function* writePieces(data: Data, version: number, out: SendBuffer): Generator<void> {
  if (data === null) return out.raw(version < 3 ? NULL_2 : NULL_3);
  if (typeof data === "string") return writeString(encoder.encode(data), out);
  if (typeof data === "boolean") return out.text(booleanOf(data, version));
  if (typeof data === "number") return out.text(`:${data}\r\n`);
  if (typeof data === "bigint") return out.text(bigOf(data));
  if (data instanceof Real) return out.text(realOf(data, version));
  if (data instanceof Rows) return yield* writeRows(data, version, out);
  let count = 0;
  if (Array.isArray(data)) {
    writeHead("*", data.length, version, out);
    for (const element of data) {
      yield* writePieces(element, version, out);
      if (++count % PIECE_ELEMENTS === 0) yield;
    }
    return;
  }
  const members = Object.entries(data as { readonly [name: string]: Data });
  writeHead("%", members.length, version, out);
  for (const [name, member] of members) {
    writeString(encoder.encode(name), out);
    yield* writePieces(member, version, out);
  }
}

function booleanOf(data: boolean, version: number): string {
  return version < 3 ? `:${data ? 1 : 0}\r\n` : `#${data ? "t" : "f"}\r\n`;
}

function bigOf(data: bigint): string {
  if (BigInt.asIntN(64, data) === data) return `:${data}\r\n`;
  return `$${String(data).length}\r\n${data}\r\n`;
}

function realOf(data: Real, version: number): string {
  const text = String(data);
  return version < 3 ? `$${text.length}\r\n${text}\r\n` : `,${text}\r\n`;
}

/** Counters with a number each, as a map; those of equal keys do not occur. */
function* writeRows({ words, names }: Rows, version: number, out: SendBuffer): Generator<void> {
  writeHead("%", words.length / ROW_WORDS, version, out);
  for (let at = 0; at < words.length; at += ROW_WORDS) {
    const name = names?.[at / ROW_WORDS];
    if (name === undefined) writeNumber(words[at + 2], words[at + 3], version, out);
    else writeString(name, out);
    writeNumber(words[at], words[at + 1], version, out);
    if (at % (PIECE_ELEMENTS * ROW_WORDS) === 0) yield;
  }
}
