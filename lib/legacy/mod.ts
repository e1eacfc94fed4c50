// Readers of the files that Karma 0.1 and 1.x left: their dumps, WAL, answers and streams.
//
// Nothing here writes, and nothing here runs once a directory has been migrated.

export { LegacyDirectory } from "./directory.ts";
export { readOriginalDump } from "./original_dump.ts";
