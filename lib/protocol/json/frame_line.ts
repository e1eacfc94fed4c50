// Frames of JSON: a request ends at a line feed, or at the end of the connection; or it is all that comes.

import type { Frame, ReceiveBuffer } from "../../bytes/mod.ts";

/** Takes the next line off what was received. `isEnded`: what has no line feed is the last one. */
export function frameLine(received: ReceiveBuffer, isEnded: boolean): Frame {
  const frame = received.next();
  return frame === "none" && isEnded ? received.last() : frame;
}

/** Takes all that came for one frame, once it has ended. */
export function frameWhole(received: ReceiveBuffer, isEnded: boolean): Frame {
  if (received.left > received.frameBytesMax + 1) return "too long";
  return isEnded ? received.last() : "none";
}
