// Dumps: a tree as a file and back, the store of these files, and the dumps of the idempotency state.

export { batchFrom } from "./batch.ts";
export { Coverage } from "./coverage.ts";
export { DedupStore } from "./dedup_store.ts";
export { newestFirst } from "./dump_index.ts";
export { dumpedName, parseDumpFileName } from "./file_name.ts";
export type { Description } from "./files.ts";
export { decodeBranch } from "./format.ts";
export { firstBehind } from "./ordered_set.ts";
export { DumpStore, type NewestDump } from "./store.ts";
export { type Dumped, parts, TreeBuilder, type WalSource } from "./tree_io.ts";
