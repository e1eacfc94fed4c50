// Recovery: from a data directory to the state at start, dumps of everything (checkpoints), and the
// integrity check and repair of a directory.

export { Archive } from "./archive.ts";
export { Checkpointer } from "./checkpointer.ts";
export { FrozenDisk } from "./frozen_disk.ts";
export { checkBeside, type CheckReport, HOLLOW_LIMITS, type Opening } from "./integrity_check.ts";
export { Progress } from "./progress.ts";
export { Recovery } from "./recovery.ts";
export { check, repair, repairHint } from "./repair.ts";
