// Commands: the table of operations, requests and replies as data, and the values in them: days, windows,
// limits, items.
//
// Protocols fill requests and write replies; the engine executes the one and fills the other.

export { Access } from "./access.ts";
export { readBatch } from "./batch_reading.ts";
export { dayOf, isDay, ordinal } from "./day.ts";
export {
  FINE_SECONDS_MAX,
  type FineWindow,
  fineWindow,
  fineWindowOf,
  FIRST_USE_SECONDS_MAX,
  firstCell,
  lastCell,
  leavesAt,
  REFILL_SECONDS_MAX,
  type TokenBucket,
  tokenBucket,
  TOKENS_MAX,
} from "./fine_window.ts";
export { COUNTER_WORDS, ITEM_WORDS, Items, KEY_WORDS } from "./items.ts";
export { type Data, NAMES_START, Real, ROW_WORDS, Rows } from "./data.ts";
export {
  CHECKED_KEYS_MAX,
  COST,
  type Limit,
  LIMIT_MODES,
  type LimitMode,
  Limits,
  LIMITS_MAX,
  LimitSet,
  MAX,
  RECEIPT_BYTES_MAX,
  SUBJECT,
} from "./limits.ts";
export { type Field, type Operation, type OperationId, OPERATIONS } from "./operation.ts";
export { Peer } from "./peer.ts";
export { Reply, SUM_WORDS } from "./reply.ts";
export { ReplyBound, type ReplyWriter } from "./reply_writer.ts";
export {
  DAY_MAX,
  type Detail,
  FILE_NAME_BYTES_MAX,
  FINGERPRINT_BYTES_MAX,
  IDEMPOTENCY_KEY_BYTES_MAX,
  KEY,
  KEYS_AS_TEXT,
  NUMBERS_AS_TEXT,
  RANGE_DAYS_MAX,
  Request,
  VALUE,
} from "./request.ts";
export { TimeZones } from "./time_zones.ts";
export { crossedOf, type Threshold, thresholdOf, THRESHOLDS_MAX } from "./threshold.ts";
export { NEVER, Verdict } from "./verdict.ts";
export {
  type DaySpan,
  type DayWindow,
  isOfCalendar,
  type LimitWindow,
  nextOf,
  ROLLING_DAYS_MAX,
  spanBefore,
  spanOf,
} from "./window.ts";
