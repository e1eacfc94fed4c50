// Requests to a receive buffer, in reads as large as it has room for, as a session takes them.

import type { ReceiveBuffer } from "../../lib/bytes/receive_buffer.ts";

/** Gives bytes to a buffer; `each` is called when a frame is there, which the buffer then tells. */
export function feed(received: ReceiveBuffer, bytes: Uint8Array, each: () => void): void {
  for (let at = 0; at < bytes.length;) {
    const space = received.space();
    const count = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + count));
    received.filled(count);
    at += count;
    while (received.next() === "frame") each();
  }
}
