// The receive buffer beside the plainest way to find frames: the whole text, split at line feeds.

import { assert, assertEquals } from "@std/assert";
import { RECEIVE_BYTES_MIN, ReceiveBuffer } from "../../lib/bytes/receive_buffer.ts";
import { Random } from "../support/random.ts";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const BUSY_BYTES = 65536;

/** What a text is, as far as a reader with a limit gets: frames, and whether one is too long. */
interface Split {
  readonly frames: Uint8Array[];
  readonly ends: "whole" | "too long";
}

function split(text: Uint8Array, frameBytesMax: number): Split {
  const frames: Uint8Array[] = [];
  for (let start = 0; start < text.length;) {
    const feed = text.indexOf(LINE_FEED, start);
    const next = feed < 0 ? text.length : feed;
    const end = next > start && text[next - 1] === CARRIAGE_RETURN ? next - 1 : next;
    if (end - start > frameBytesMax) return { frames, ends: "too long" };
    frames.push(text.subarray(start, end));
    start = next + 1;
  }
  return { frames, ends: "whole" };
}

/** A text of frames around a limit, with terminators of all kinds, or none at its end. */
function randomText(random: Random, frameBytesMax: number): Uint8Array {
  const parts: number[] = [];
  const frames = random.pick([0, 1, 3, 30, 300]);
  for (let frame = 0; frame < frames && parts.length < 400_000; frame++) {
    const length = random.pick([0, 1, 5, 80, frameBytesMax - 1, frameBytesMax, random.below(5000)]);
    // Most texts hold no frame that is too long, so that what comes behind one is not all there is.
    const bytes = random.chance(0.002)
      ? frameBytesMax + 1 + random.below(3)
      : Math.min(length, frameBytesMax);
    const kind = random.below(4);
    for (let at = 0; at < bytes; at++) {
      if (kind === 0) parts.push(random.pick([CARRIAGE_RETURN, 0x61]));
      else if (kind === 1) parts.push(random.pick([0, 0x0b, 0x0d, 0x8a, 0xff]));
      else parts.push(0x61 + (at + frame) % 26);
    }
    if (frame + 1 === frames && random.chance(0.5)) break;
    if (random.chance(0.3)) parts.push(CARRIAGE_RETURN);
    parts.push(LINE_FEED);
  }
  return Uint8Array.from(parts);
}

/** One round of `texts` texts; throws where the two differ. */
export function fuzzFrames(seed: number, texts: number): void {
  const random = new Random(seed);
  for (let text = 0; text < texts; text++) {
    const frameBytesMax = random.pick([
      1,
      2,
      7,
      100,
      RECEIVE_BYTES_MIN - 1,
      RECEIVE_BYTES_MIN,
      4096,
      70_000,
    ]);
    compare(randomText(random, frameBytesMax), frameBytesMax, random);
  }
}

function compare(text: Uint8Array, frameBytesMax: number, random: Random): void {
  const expected = split(text, frameBytesMax);
  const buffer = new ReceiveBuffer(frameBytesMax);
  const readBytesMax = random.pick([1, 3, 50, 1000, 65536, Infinity]);
  let found = 0;
  let state = "none";
  for (let at = 0; at < text.length && state !== "too long";) {
    const space = buffer.space();
    assert(space.length > 0, "there is room to read into");
    // A buffer of less than BUSY_BYTES may double once more, from whatever size it has.
    const bound = 2 * Math.max(BUSY_BYTES, frameBytesMax + 1);
    assert(buffer.bytes.length <= bound, "memory is bounded");
    const most = Math.min(space.length, text.length - at, readBytesMax);
    const count = readBytesMax > 1 && random.chance(0.5) ? 1 + random.below(most) : most;
    space.set(text.subarray(at, at + count));
    buffer.filled(count);
    at += count;
    for (state = buffer.next(); state === "frame"; state = buffer.next()) take();
    if (state === "none") {
      assert(at - endOf(found) <= frameBytesMax + 1, "too long is told in time");
    }
  }
  if (state !== "too long") {
    state = buffer.last();
    if (state === "frame") take();
  }
  assertEquals(found, expected.frames.length, "the number of frames");
  assertEquals(state === "too long" ? "too long" : "whole", expected.ends);
  if (state !== "too long") assertEquals(buffer.last(), "none");

  function take(): void {
    const frame = expected.frames[found++];
    assert(frame !== undefined, "a frame too many");
    const { start, end } = buffer;
    const same = end - start === frame.length &&
      frame.every((byte, at) => buffer.bytes[start + at] === byte);
    assert(same, `frame ${found} of ${end - start} bytes should have ${frame.length}`);
  }

  /** Where in the text the first `count` frames and their terminators end. */
  function endOf(count: number): number {
    if (count === 0) return 0;
    const { byteOffset, length } = expected.frames[count - 1];
    const end = byteOffset + length;
    return end + (text[end] === CARRIAGE_RETURN ? 2 : 1);
  }
}
