// What makes a repeated request take effect once: idempotency records, ingest streams, and the
// checkpoints of sources.
//
// Pure data, changed by records of the WAL alone.

export { AgeClock } from "./age_clock.ts";
export { type Checkpoint, SOURCES_MAX } from "./checkpoints.ts";
export {
  CHECKPOINT,
  type DedupLimits,
  DedupState,
  encodeNote,
  IDEMPOTENCY_RECORD,
  PRUNE,
  STREAM,
} from "./dedup_state.ts";
export { answerWords, IdempotencyRecords, isAnswer, writeAnswer } from "./idempotency_records.ts";
export { CHUNKS_MAX, type Mode, PRINT_WORDS, type Stream, type StreamChange } from "./streams.ts";
