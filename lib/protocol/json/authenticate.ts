// Authentication: checks the token of a request of any JSON protocol, before anything else about it is revealed.

import { STRING } from "../../bytes/mod.ts";
import type { Access, Reply } from "../../command/mod.ts";
import type { Envelope } from "../protocol.ts";
import { MEMBER } from "./members.ts";
import type { RequestLine } from "./request_line.ts";

/** Whether whoever sent the line may go on; if not, the reply says so. The token of an envelope comes before the line's. */
export function isAuthenticated(
  requestLine: RequestLine,
  bytes: Uint8Array,
  access: Access,
  reply: Reply,
  envelope: Envelope | null = null,
): boolean {
  if (access.isOpen) return true;
  const token = envelope === null ? null : envelope.token;
  if (token !== null) {
    if (access.authenticate(token, 0, token.length)) return true;
    reply.fail("unauthorized", "Unauthorized");
    return false;
  }
  const isText = requestLine.kinds[MEMBER.token] === STRING;
  const start = isText ? requestLine.starts[MEMBER.token] : 0;
  const end = isText ? requestLine.ends[MEMBER.token] : 0;
  if (access.authenticate(bytes, start, end) && isText) return true;
  reply.fail("unauthorized", "Unauthorized");
  return false;
}
