// Frames of JSON: lines, and everything that comes.

import { assertEquals } from "@std/assert";
import { ReceiveBuffer } from "../../../../lib/bytes/receive_buffer.ts";
import { frameLine, frameWhole } from "../../../../lib/protocol/json/frame_line.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function received(text: string, bytesMax = 100): ReceiveBuffer {
  const buffer = new ReceiveBuffer(bytesMax);
  const bytes = encoder.encode(text);
  buffer.space().set(bytes);
  buffer.filled(bytes.length);
  return buffer;
}

/** The frames that are there. */
function frames(
  take: (received: ReceiveBuffer, isEnded: boolean) => string,
  buffer: ReceiveBuffer,
  isEnded: boolean,
): string[] {
  const found: string[] = [];
  for (let frame; (frame = take(buffer, isEnded)) !== "none";) {
    if (frame !== "frame") return [...found, frame];
    found.push(decoder.decode(buffer.bytes.subarray(buffer.start, buffer.end)));
  }
  return found;
}

Deno.test("frame line: lines end at a line feed, the last one at the end", () => {
  assertEquals(frames(frameLine, received("a\nb\r\nc"), false), ["a", "b"]);
  assertEquals(frames(frameLine, received("a\nb\r\nc"), true), ["a", "b", "c"]);
});

Deno.test("frame line: a whole frame is all that came, once that has ended", () => {
  assertEquals(frames(frameWhole, received("a\nb\n"), false), []);
  assertEquals(frames(frameWhole, received("a\nb\n"), true), ["a\nb\n"]);
  assertEquals(frames(frameWhole, received(""), true), []);
  for (const isEnded of [false, true]) {
    assertEquals(frames(frameWhole, received("x".repeat(12), 10), isEnded), ["too long"]);
  }
  assertEquals(frames(frameWhole, received("x".repeat(11), 10), false), []);
  assertEquals(frames(frameWhole, received("x".repeat(11), 10), true), ["too long"]);
});
