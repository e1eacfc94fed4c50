// Whether the reply to a change is short enough: to be known before the change is made.
//
// For replies that repeat what the client has named; those of single counters never are too long.

import { SendBuffer } from "../bytes/mod.ts";
import type { Reply } from "./reply.ts";
import { writeResponse } from "./response.ts";

/** What a reply has around its response, at most. */
const ENVELOPE_BYTES = 128;

const scratch = new SendBuffer(256);

/** Whether a reply may be given; if not, it says so. `bytesMax` is 0 where there is no limit. */
export function fitsReply(reply: Reply, bytesMax: number): boolean {
  if (bytesMax === 0) return true;
  scratch.clear();
  writeResponse(reply, scratch);
  if (scratch.length + ENVELOPE_BYTES <= bytesMax) return true;
  reply.fail("response_too_large", `Response exceeds ${bytesMax} bytes`);
  return false;
}
