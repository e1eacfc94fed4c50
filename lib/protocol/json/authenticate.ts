// Admission: the token of a request, in whatever dialect, before anything else about it is told.

import { STRING } from "../../bytes/json_scanner.ts";
import type { Access } from "../../command/access.ts";
import type { Reply } from "../../command/reply.ts";
import { MEMBER, type Members } from "./request_line.ts";

/** Whether whoever sent the line may go on; if not, the reply says so. */
export function isAdmitted(
  members: Members,
  bytes: Uint8Array,
  access: Access,
  reply: Reply,
): boolean {
  if (access.isOpen) return true;
  const isText = members.kinds[MEMBER.token] === STRING;
  const start = isText ? members.starts[MEMBER.token] : 0;
  const end = isText ? members.ends[MEMBER.token] : 0;
  if (access.admit(bytes, start, end) && isText) return true;
  reply.fail("unauthorized", "Unauthorized");
  return false;
}
