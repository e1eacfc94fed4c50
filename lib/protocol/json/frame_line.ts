// Frames of JSON lines: a request ends at a line feed, or at the end of the connection.

import type { Frame, ReceiveBuffer } from "../../bytes/mod.ts";

/** Takes the next line off what was received. `isEnded`: what has no line feed is the last one. */
export function frameLine(received: ReceiveBuffer, isEnded: boolean): Frame {
  const frame = received.next();
  return frame === "none" && isEnded ? received.last() : frame;
}
