// The examination of a data directory (`karma check`): what a start would find, without starting.
//
// Invariant: nothing is changed, and nothing is written. Trade: everything is read as a start would
// read it, into memory, because that is the only proof that it can be.

import type { DumpStore } from "../dump/store.ts";
import { DamagedError } from "../errors.ts";
import type { Disk } from "../host/disk.ts";
import { Forest } from "../tree/forest.ts";
import { Recovery } from "./recovery.ts";

/** Examines all dumps and the log; tells what is there, and returns what is damaged. */
export async function examine(
  directory: string,
  disk: Disk,
  dumpsFor: (forest: Forest) => DumpStore,
  tell: (line: string) => void,
): Promise<string[]> {
  const faults: string[] = [];
  const store = dumpsFor(new Forest());
  const files = await store.list();
  for (const file of files) await noted(faults, () => store.load(file));
  const forest = new Forest();
  const recovery = new Recovery(directory, disk, dumpsFor(forest), forest);
  const isReadable = await noted(faults, () => recovery.read());
  if (recovery.unfinished !== null) tell(recovery.unfinished);
  tell(`${files.length} dumps, ${recovery.segments} files of the log`);
  if (isReadable) {
    const keys = forest.trees().reduce((sum, tree) => sum + tree.keys, 0);
    tell(`A start would find ${forest.trees().length} trees with ${keys} counters`);
  }
  return faults;
}

/** Does something; what is damaged is noted, once. */
async function noted(faults: string[], work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error;
    if (!faults.includes(error.message)) faults.push(error.message);
    return false;
  }
}
