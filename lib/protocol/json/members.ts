// The members that requests of the JSON protocols have, whichever operation they are for. The last of a name counts.

import { NameTable } from "../../bytes/mod.ts";

export const MEMBER_NAMES = [
  // protocol v1
  "command",
  "tree_name",
  "key",
  "time_from",
  "time_to",
  // both
  "token",
  // protocol v2
  "v",
  "op",
  "tree",
  "series",
  "date",
  "bucket",
  "value",
  "range",
  "items",
  "keys",
  "idempotency_key",
  "fingerprint",
  "idempotency_created_at_unix",
  "limit",
  "cursor",
  "before",
  "file",
  "offset",
  "stream_id",
  "mode",
  "granularity",
  "chunk_seq",
  "source",
  "source_offset",
  "event_id",
  "checked_points",
  "mismatch_count",
  "absolute_drift",
  "max_abs_delta",
  "cost",
  "limits",
  "timezone",
  "receipt",
  "id",
  "keys_as",
  "numbers_as",
  "reply",
  "amount",
] as const;

/** The index of each member in tables such as those of `RequestLine`. */
export const MEMBER = Object.fromEntries(
  MEMBER_NAMES.map((name, index) => [name, index]),
) as Record<(typeof MEMBER_NAMES)[number], number>;

export const MEMBER_TABLE = new NameTable(MEMBER_NAMES);
