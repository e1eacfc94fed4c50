// The integrity check of a data directory (`karma check` and `snapshot.verify`): what a start would find, without
// starting.
//
// Invariant: nothing is changed or written. Everything is read by the functions that a start uses, which is the only
// proof that a start can read it. Trade-off: `karma check` ends with all data in memory. Beside a server there is no
// memory for that, so trees stay hollow and hardly any idempotency records are kept.

import type { DumpStore } from "../dump/mod.ts";
import { type Disk, pace } from "../host/mod.ts";
import { Forest, HollowForest } from "../tree/mod.ts";
import { DamagedError, HostError } from "../errors.ts";
import type { Recovery } from "./recovery.ts";

/** Opens what a start would read, on a disk, into a forest. */
export type Opening = (disk: Disk, forest: Forest) => { dumps: DumpStore; recovery: Recovery };

/** How much a start would find; of the log as far as it can be read. */
interface CheckCounts {
  readonly dumps: number;
  /** Dumps that are not Karma's own, and so have no head. */
  readonly originals: number;
  readonly trees: number;
  readonly keys: number;
  readonly segments: number;
  readonly records: number;
  /** The number of the last record. */
  readonly lsn: number;
}

/** What is damaged, and what else there is to say. */
export interface CheckReport {
  readonly faults: readonly string[];
  readonly notes: readonly string[];
  readonly amounts: CheckCounts;
}

/**
 * A server that goes on meanwhile removes files, and looks damaged: what is damaged is so again. Each attempt
 * ends at the first file that is gone, so where files go every few milliseconds many are cheap, and needed.
 */
const ATTEMPTS_MAX = 50;

/** Of the registry so much is kept where nothing is to be: nothing that happens later needs an answer. */
export const HOLLOW_LIMITS = { idempotencyRecordsMax: 1, idempotencyBytesMax: 1 };

/** As `examine`, in little memory, beside the forest that a server has; its counters are told. */
export async function checkBeside(
  open: Opening,
  forest: Forest,
  view: () => Promise<Disk>,
): Promise<CheckReport> {
  let keys = 0;
  const look = async () => {
    const disk = await view();
    ({ keys } = forest);
    return disk;
  };
  const { amounts, ...findings } = await checkDirectory(open, look, () => new HollowForest());
  return { ...findings, amounts: { ...amounts, keys } };
}

/** Examines all dumps and the log; `view` tells for each attempt what disk to look at. */
export async function checkDirectory(
  open: Opening,
  view: () => Promise<Disk>,
  makeForest = () => new Forest(),
): Promise<CheckReport> {
  let before = "";
  for (let attempt = 1;; attempt++) {
    try {
      const findings = await look(await view(), open, makeForest);
      const faults = findings.faults.join("\n");
      if (faults === "" || faults === before || attempt === ATTEMPTS_MAX) return findings;
      before = faults;
    } catch (error) {
      if (!(error instanceof HostError) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

async function look(
  disk: Disk,
  open: Opening,
  makeForest: () => Forest,
): Promise<CheckReport> {
  const faults: string[] = [];
  const notes: string[] = [];
  const { dumps } = open(disk, makeForest());
  const files = await dumps.list();
  let originals = 0;
  for (const file of files) {
    const isWhole = await noted(faults, () => dumps.load(file));
    if (isWhole && (await dumps.dumpIndex.describe(file))?.head === null) originals++;
  }
  const forest = makeForest();
  const { recovery } = open(disk, forest);
  const isReadable = await noted(faults, () => recovery.read(pace()));
  if (recovery.unfinished !== null) notes.push(recovery.unfinished);
  const { segments, records, lsn } = recovery;
  notes.push(`${files.length} dumps, ${segments} files of the log`);
  const trees = forest.visibleCount;
  const { keys } = forest;
  if (isReadable) {
    notes.push(...recovery.news);
    notes.push(`A start would find ${trees} trees with ${keys} counters`);
  }
  const sizes = { dumps: files.length, originals, trees, keys };
  return { faults, notes, amounts: { ...sizes, segments, records, lsn } };
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
