// Refusals: what a client is told before its connection ends because of what its requests would hold.

import type { SendBuffer } from "../bytes/send_buffer.ts";
import type { Dialect } from "../dialect/interpreter.ts";
import type { Records } from "./exchange.ts";

/** Its request is longer than requests may be. */
export function tooLong(records: Records, spoken: Dialect, bytesMax: number, out: SendBuffer) {
  refuse(records, spoken, `Request exceeds ${bytesMax} bytes`, out);
}

/** There is no room for the rest of its request, since others' requests and replies wait as well. */
export function tooMuchAtOnce(records: Records, spoken: Dialect, out: SendBuffer) {
  const sentence =
    "The buffers of all connections are full: send smaller requests, or try again later";
  refuse(records, spoken, sentence, out);
}

function refuse(records: Records, spoken: Dialect, sentence: string, out: SendBuffer): void {
  const { request, reply, interpreter } = records;
  request.dialect = spoken;
  reply.clear();
  reply.fail("request_too_large", sentence);
  interpreter.encode(request, reply, out);
}
