// Records: the changes that the WAL carries, as words of 32 bits.
//
//   word 0   kind, and the number of the tree << 8
//   add      key (2) | day | value (2)
//   subtract key (2) | day | value (2)              takes at most what there is
//   touch    key (2)                                creates a counter without days, unless there is one
//   remove   key (2) | first day | last day         of one counter
//   sweep    first day | last day                   of every counter
//   create   serial (2) | bytes of the name | name ...
//   drop
//   stage    serial (2) | bytes of the name | name ...    begins a tree that clients do not see yet
//   rows     serial (2) | bytes | branch ...              adds a branch to it, encoded as in a dump
//   put      serial (2) | bytes of the name | name ...    completes it: it replaces the tree of its name
//   set      key (2) | day | value (2)              replaces what the day holds
//   compact                                         removes counters without days
//   adopt    serial (2) | bytes of the name | name ...    gives a hidden tree a name, and replaces its tree
//   note     kind (2) | bytes | ...                       changes the idempotency state
//   name     id (2) | bytes of the name | name ...        creates a counter without days under an id, and a name
//
// Invariant: the table below is the only place that says how long a record is and what it concerns. A number
// is never given to another kind: segments of older versions are replayed.

import { compareU64, LANE } from "../bytes/mod.ts";

export const ADD = 1;
export const SUBTRACT = 2;
export const TOUCH = 3;
export const REMOVE = 4;
export const SWEEP = 5;
export const CREATE = 6;
export const DROP = 7;
export const STAGE = 8;
export const ROWS = 9;
export const PUT = 10;
export const SET = 11;
export const COMPACT = 12;
export const ADOPT = 13;
export const NOTE = 14;
export const NAME = 15;

interface RecordKind {
  readonly kind: number;
  /** Words of a fixed length; those of the head of one that ends in bytes. */
  readonly words: number;
  /** Whether word 3 counts bytes that follow the head. */
  readonly hasBytes?: true;
  /**
   * What a record concerns: one counter, whose key is in words 1 and 2; all counters of a tree, whose branches
   * carry it out later; which trees there are; or the idempotency state.
   */
  readonly scope: "counter" | "tree" | "forest" | "idempotency";
}

const KINDS: readonly RecordKind[] = [
  { kind: ADD, words: 6, scope: "counter" },
  { kind: SUBTRACT, words: 6, scope: "counter" },
  { kind: TOUCH, words: 3, scope: "counter" },
  { kind: REMOVE, words: 5, scope: "counter" },
  { kind: SWEEP, words: 3, scope: "tree" },
  { kind: CREATE, words: 4, hasBytes: true, scope: "forest" },
  { kind: DROP, words: 1, scope: "forest" },
  { kind: STAGE, words: 4, hasBytes: true, scope: "forest" },
  { kind: ROWS, words: 4, hasBytes: true, scope: "forest" },
  { kind: PUT, words: 4, hasBytes: true, scope: "forest" },
  { kind: SET, words: 6, scope: "counter" },
  { kind: COMPACT, words: 1, scope: "tree" },
  { kind: ADOPT, words: 4, hasBytes: true, scope: "forest" },
  { kind: NOTE, words: 4, hasBytes: true, scope: "idempotency" },
  { kind: NAME, words: 4, hasBytes: true, scope: "counter" },
];

// The table by kind, in arrays that replay reads for every record.
const WORDS = new Uint8Array(256);
const HAS_BYTES = new Uint8Array(256);
const SCOPES: (RecordKind["scope"] | null)[] = new Array(256).fill(null);
for (const { kind, words, hasBytes, scope } of KINDS) {
  WORDS[kind] = words;
  HAS_BYTES[kind] = hasBytes ? 1 : 0;
  SCOPES[kind] = scope;
}

/** Enough for every record of a fixed length, and for one with a tree's name. */
export const RECORD_WORDS_MAX = 4 + 256 / 4;

/** The length in words of the record at words[at]; 0 if its kind is unknown. */
export function recordWords(words: Uint32Array, at: number): number {
  const kind = words[at] & 0xff;
  return HAS_BYTES[kind] === 0 ? WORDS[kind] : WORDS[kind] + Math.ceil(words[at + 3] / 4);
}

/** Writes a record of a serial and bytes to words[at...]; returns how many words it has. */
export function writeRecord(
  words: Uint32Array<ArrayBuffer>,
  at: number,
  head: number,
  serial: number,
  bytes: Uint8Array,
): number {
  words[at] = head;
  words[at + 1] = serial % LANE;
  words[at + 2] = Math.floor(serial / LANE);
  words.fill(0, at + 4, at + 4 + Math.ceil(bytes.length / 4)); // the last word may not be full
  words[at + 3] = bytes.length;
  new Uint8Array(words.buffer, words.byteOffset).set(bytes, 4 * (at + 4));
  return 4 + Math.ceil(bytes.length / 4);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The name in a record that has one. */
export function nameAt(words: Uint32Array<ArrayBuffer>, at: number): string {
  return decoder.decode(bytesAt(words, at));
}

/** The serial in a record that has one. */
export function serialAt(words: Uint32Array, at: number): number {
  return words[at + 2] * LANE + words[at + 1];
}

/** The bytes of a record that ends in some: a view, valid as long as the words are. */
export function bytesAt(words: Uint32Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer, words.byteOffset + 4 * (at + 4), words[at + 3]);
}

/** Whether a record changes one counter, whose key is in the two words behind the first. */
export function hasKey(words: Uint32Array, at: number): boolean {
  return SCOPES[words[at] & 0xff] === "counter";
}

/** Whether a record changes all counters of a tree. */
export function isOfAll(words: Uint32Array, at: number): boolean {
  return SCOPES[words[at] & 0xff] === "tree";
}

/** Whether a record changes which trees there are, or are being staged. */
export function isOfTrees(words: Uint32Array, at: number): boolean {
  return SCOPES[words[at] & 0xff] === "forest";
}

/** Whether the key of a record comes before a key. */
export function isBelow(words: Uint32Array, at: number, key: Uint32Array): boolean {
  return compareU64(words[at + 1], words[at + 2], key[0], key[1]) < 0;
}
