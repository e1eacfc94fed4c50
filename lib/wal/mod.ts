// The write-ahead log: groups of records in segments, their checksums, and the reader that finds the end.
//
// It carries words and does not know what they mean; that is for `state/`.

export { idText, segmentLsn, SPACE_BYTES } from "./format.ts";
export type { WalOptions } from "./hooks.ts";
export { MARK_FILE, removeMark } from "./mark.ts";
export { type WalPosition, WalReader } from "./reader.ts";
export { TEMPORARY } from "./segment.ts";
export { survey } from "./survey.ts";
export { Wal } from "./wal.ts";
