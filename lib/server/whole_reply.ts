// A long reply that is written whole before any of it is sent, since it may turn out to be too late, or too long.
//
// Invariant: it gives way as all long work does, a branch at a time.
// Trade: it is held in memory until then; `--max-response-bytes` bounds it.

import type { SendBuffer } from "../bytes/send_buffer.ts";
import { writeCounters } from "../command/response.ts";
import { pace } from "../host/clock.ts";
import type { Records } from "./exchange.ts";

/** Writes all that a reply's walk tells, but for the end of the reply. */
export async function writeWhole(
  { request, reply, interpreter }: Records,
  out: SendBuffer,
): Promise<"end" | "timeout" | "too long"> {
  const rest = pace();
  while (writeCounters(reply, request.dayFrom, request.dayTo, out) === "more") {
    if (performance.now() > reply.deadline) return "timeout";
    if (interpreter.isTooLong(request, reply, out.length)) return "too long";
    await rest();
  }
  return "end";
}
