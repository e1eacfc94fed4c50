// The examination of a data directory (`karma check`): what a start would find, without starting.
//
// Invariant: nothing is changed, and nothing is written. Trade: everything is read as a start would
// read it, into memory, because that is the only proof that it can be.

import type { DumpStore } from "../dump/store.ts";
import { DamagedError, HostError } from "../errors.ts";
import { Forest } from "../tree/forest.ts";
import type { Recovery } from "./recovery.ts";

/** What is damaged, and what else there is to say. */
export interface Findings {
  readonly faults: readonly string[];
  readonly notes: readonly string[];
}

/** A server that goes on meanwhile removes files, and looks damaged: what is damaged is so again. */
const ATTEMPTS_MAX = 5;

/** Examines all dumps and the log. */
export async function examine(
  dumpsFor: (forest: Forest) => DumpStore,
  recoveryFor: (forest: Forest) => Recovery,
): Promise<Findings> {
  let before = "";
  for (let attempt = 1;; attempt++) {
    try {
      const findings = await look(dumpsFor, recoveryFor);
      const faults = findings.faults.join("\n");
      if (faults === "" || faults === before || attempt === ATTEMPTS_MAX) return findings;
      before = faults;
    } catch (error) {
      if (!(error instanceof HostError) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

async function look(
  dumpsFor: (forest: Forest) => DumpStore,
  recoveryFor: (forest: Forest) => Recovery,
): Promise<Findings> {
  const faults: string[] = [];
  const notes: string[] = [];
  const store = dumpsFor(new Forest());
  const files = await store.list();
  for (const file of files) await noted(faults, () => store.load(file));
  const forest = new Forest();
  const recovery = recoveryFor(forest);
  const isReadable = await noted(faults, () => recovery.read());
  if (recovery.unfinished !== null) notes.push(recovery.unfinished);
  notes.push(`${files.length} dumps, ${recovery.segments} files of the log`);
  if (isReadable) {
    notes.push(...recovery.news);
    const trees = forest.visible();
    const keys = trees.reduce((sum, tree) => sum + tree.keys, 0);
    notes.push(`A start would find ${trees.length} trees with ${keys} counters`);
  }
  return { faults, notes };
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
