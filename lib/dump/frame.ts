// Frames: what a dump is made of. The whole file is a sequence of MessagePack values, one a frame:
//
//   92                    array of two
//   c4 04 | k k k k |     bin of 4: CRC-32 of the payload, little endian
//   c6 | n n n n | ...    bin of n (big endian): the payload, itself MessagePack
//
// so that any MessagePack reader can go through it. Invariant: a frame with a bit changed, cut or
// added is refused: the first bytes are compared, the length is checked against the file's, and the
// rest is covered by the checksum. The head is written here because encoders choose shorter forms.

import { crc32 } from "node:zlib";
import { DamagedError } from "../errors.ts";
import type { ReadWindow } from "../host/mod.ts";

const HEAD_BYTES = 12;
const CHECKSUM_AT = 3;
const LENGTH_AT = 8;

const BEGIN = [0x92, 0xc4, 0x04];

/** Whether a file is a dump of ours, perhaps with one of its first bytes changed, or cut. */
export async function beginsFrame(window: ReadWindow): Promise<boolean> {
  const isThere = await window.fill(BEGIN.length);
  const begin = window.bytes.subarray(window.at, window.at + BEGIN.length);
  if (!isThere) return begin[0] === BEGIN[0];
  return BEGIN.filter((byte, index) => begin[index] === byte).length > 1;
}

/** Whether a file may be a dump of the original: those begin with a map. */
export async function beginsMap(window: ReadWindow): Promise<boolean> {
  if (!await window.fill(1)) return false;
  const form = window.bytes[window.at];
  return form >= 0x80 && form <= 0x8f || form === 0xde || form === 0xdf;
}

/** A payload in its frame. */
export function framed(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEAD_BYTES + payload.length);
  const view = new DataView(frame.buffer);
  frame.set(BEGIN);
  view.setUint32(CHECKSUM_AT, crc32(payload), true);
  frame[CHECKSUM_AT + 4] = 0xc6;
  view.setUint32(LENGTH_AT, payload.length);
  frame.set(payload, HEAD_BYTES);
  return frame;
}

/** The payload of the next frame, valid until the next call; null at the end of the file. */
export async function nextPayload(window: ReadWindow): Promise<Uint8Array | null> {
  if (!await window.fill(HEAD_BYTES)) {
    if (window.end === window.at) return null;
    throw new DamagedError("it ends within a frame");
  }
  const { bytes, at } = window;
  const head = bytes[at] === BEGIN[0] && bytes[at + 1] === BEGIN[1] && bytes[at + 2] === BEGIN[2] &&
    bytes[at + CHECKSUM_AT + 4] === 0xc6;
  if (!head) throw new DamagedError(`no frame begins at byte ${window.offset}`);
  let length = 0;
  let checksum = 0;
  for (let index = 0; index < 4; index++) {
    length = length * 256 + bytes[at + LENGTH_AT + index];
    checksum = checksum * 256 + bytes[at + CHECKSUM_AT + 3 - index];
  }
  if (length > window.left - HEAD_BYTES || !await window.fill(HEAD_BYTES + length)) {
    throw new DamagedError("it ends within a frame");
  }
  const payload = window.bytes.subarray(window.at + HEAD_BYTES, window.at + HEAD_BYTES + length);
  if (crc32(payload) !== checksum) {
    throw new DamagedError(`the checksum of the frame at byte ${window.offset} is wrong`);
  }
  window.at += HEAD_BYTES + length;
  return payload;
}
