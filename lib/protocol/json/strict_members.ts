// Strict members: what operations that refuse unknown members know.
//
// Invariant: an operation knows the members that its fields are read from (field_schemas.ts), and those of every
// request.

import { type Operation, OPERATIONS } from "../../command/mod.ts";
import { membersOf } from "./field_schemas.ts";
import { MEMBER, MEMBER_NAMES } from "./members.ts";
import type { RequestLine } from "./request_line.ts";

const OF_EVERY_REQUEST = [
  "v",
  "op",
  "token",
  "id",
  "idempotency_key",
  "fingerprint",
  "idempotency_created_at_unix",
  "keys_as",
  "numbers_as",
];

/** For each operation a one for each member that it knows; null: it skips those that it does not know. */
const KNOWN = OPERATIONS.map(({ fields, isStrict }) => {
  if (isStrict !== true) return null;
  const members = new Uint8Array(MEMBER_NAMES.length);
  for (const name of [...OF_EVERY_REQUEST, ...membersOf(fields)]) {
    members[MEMBER[name as keyof typeof MEMBER]] = 1;
  }
  return members;
});

const decoder = new TextDecoder();

/** The first member of a line that its operation refuses; null: there is none. */
export function unknownMember(line: RequestLine, { index }: Operation): string | null {
  const known = KNOWN[index];
  if (known === null) return null;
  if (line.unknown !== null) return decoder.decode(line.unknown);
  const member = line.firstBeside(known);
  return member < 0 ? null : MEMBER_NAMES[member];
}
