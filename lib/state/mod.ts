// The state: what a record of the WAL means, the one function that applies it, live and in replay, and the
// writer through which every change goes.

export { decodeCatalog, encodeCatalog } from "./catalog.ts";
export {
  applyRangeDeletes,
  applyRangeDeletesNow,
  compactEach,
  SweepOrder,
} from "./range_delete_sweeper.ts";
export { StateMachine } from "./state_machine.ts";
export {
  ADOPT,
  CREATE,
  DROP,
  hasKey,
  isBelow,
  isOfAll,
  isOfTrees,
  nameAt,
  NOTE,
  PUT,
  recordWords,
  ROWS,
  serialAt,
  STAGE,
} from "./record.ts";
export { type Outcome, StateWriter } from "./state_writer.ts";
export { NamedCounters } from "./named_counters.ts";
export { isApplied, overflow } from "./outcome.ts";
export { batchRecords, TreeResolver } from "./tree_resolver.ts";
