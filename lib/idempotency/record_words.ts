// The words of an idempotency record, which are the same in memory, in the WAL and in dumps:
//
//   answer   words of all of it | created | day | fingerprint (4) | key bytes, response bytes << 16
//            key | response                                each filled with zeros to whole words
//
// `created` is in seconds since 1970. `day` is the day that the request was carried out on if it named none, else
// 0. The fingerprint is half a SHA-256. A dead answer has no bytes of key.
//
// Trade-off: an answer is kept as it was sent, so repeating it is a copy. The answer of sixteen limits on trees with
// long names, with its receipt, takes 11 KB.

import { assert } from "../assert.ts";

/** Words of an answer before its key. */
export const ANSWER_HEAD_WORDS = 8;
export const CREATED = 1;
export const DAY = 2;
export const PRINT = 3;
export const LENGTHS = 7;
export const KEY_BYTES = 0xffff;
const KEY_BYTES_MAX = 256;
const RESPONSE_BYTES_MAX = 65535;

/** Words of an encoded answer. */
export function answerWords(keyBytes: number, responseBytes: number): number {
  return ANSWER_HEAD_WORDS + ((keyBytes + 3) >>> 2) + ((responseBytes + 3) >>> 2);
}

/** Writes an answer to words[at...], its key being bytes[keyStart..keyEnd); returns its words. */
export function writeAnswer(
  words: Uint32Array,
  at: number,
  created: number,
  day: number,
  fingerprint: Uint32Array,
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  response: Uint8Array,
): number {
  const keyBytes = keyEnd - keyStart;
  assert(keyBytes > 0 && keyBytes <= KEY_BYTES_MAX, "a key has so many bytes");
  assert(response.length <= RESPONSE_BYTES_MAX, "a response has no more bytes than that");
  const size = answerWords(keyBytes, response.length);
  words.fill(0, at + ANSWER_HEAD_WORDS, at + size);
  words[at] = size;
  words[at + CREATED] = created;
  words[at + DAY] = day;
  words.set(fingerprint, at + PRINT);
  words[at + LENGTHS] = keyBytes | response.length << 16;
  const into = new Uint8Array(words.buffer, words.byteOffset + 4 * at, 4 * size);
  for (let n = 0; n < keyBytes; n++) into[4 * ANSWER_HEAD_WORDS + n] = bytes[keyStart + n];
  into.set(response, 4 * answerWords(keyBytes, 0));
  return size;
}

/** Whether words[at..end) begin with a whole answer. */
export function isAnswer(words: Uint32Array, at: number, end: number): boolean {
  if (at + ANSWER_HEAD_WORDS > end) return false;
  const keyBytes = words[at + LENGTHS] & KEY_BYTES;
  if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) return false;
  const size = words[at];
  return size === answerWords(keyBytes, words[at + LENGTHS] >>> 16) && at + size <= end;
}

export function isDead(words: Uint32Array, at: number): boolean {
  return (words[at + LENGTHS] & KEY_BYTES) === 0;
}
