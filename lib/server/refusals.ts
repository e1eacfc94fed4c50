// Refusals: the replies to clients whose connection ends because of the memory that their requests would hold.

import { SendBuffer } from "../bytes/mod.ts";
import type { CallContext } from "./exchange.ts";

/** Its request is longer than requests may be. */
export function tooLong(
  records: CallContext,
  spoken: string,
  bytesMax: number,
  out: SendBuffer,
) {
  refuse(records, spoken, `Request exceeds ${bytesMax} bytes`, out);
}

/**
 * There is no room for the rest of its request, since others' requests and replies wait as well.
 *
 * `isStranger`: it has not shown a right token, and there is less room for those
 */
export function tooMuchAtOnce(
  records: CallContext,
  spoken: string,
  isStranger: boolean,
): SendBuffer {
  const sentence = isStranger
    ? "Requests without a right token take too much memory: show the token in a small request first"
    : "The buffers of all connections are full: send smaller requests, or try again later";
  const out = new SendBuffer(256);
  refuse(records, spoken, sentence, out);
  return out;
}

function refuse(
  records: CallContext,
  spoken: string,
  sentence: string,
  out: SendBuffer,
): void {
  const { request, reply, codec } = records;
  request.protocol = spoken;
  reply.clear();
  reply.fail("request_too_large", sentence);
  codec.encode(request, reply, out);
}
