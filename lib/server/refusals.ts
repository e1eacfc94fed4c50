// Refusals: what a client is told before its connection ends because of what its requests would hold.

import type { SendBuffer } from "../bytes/send_buffer.ts";
import type { Dialect } from "../protocol/json/codec.ts";
import type { Records } from "./exchange.ts";

/** Its request is longer than requests may be. */
export function tooLong(records: Records, spoken: Dialect, bytesMax: number, out: SendBuffer) {
  refuse(records, spoken, `Request exceeds ${bytesMax} bytes`, out);
}

/**
 * There is no room for the rest of its request, since others' requests and replies wait as well.
 *
 * `isStranger`: it has not shown a right token, and there is less room for those
 */
export function tooMuchAtOnce(
  records: Records,
  spoken: Dialect,
  isStranger: boolean,
  out: SendBuffer,
) {
  const sentence = isStranger
    ? "Requests without a right token take too much memory: show the token in a small request first"
    : "The buffers of all connections are full: send smaller requests, or try again later";
  refuse(records, spoken, sentence, out);
}

function refuse(records: Records, spoken: Dialect, sentence: string, out: SendBuffer): void {
  const { request, reply, interpreter } = records;
  request.dialect = spoken;
  reply.clear();
  reply.fail("request_too_large", sentence);
  interpreter.encode(request, reply, out);
}
