// `karma check` reports all damage in a directory. `karma repair` turns the directory into one that starts, with
// everything before the damage.
//
// A repair reads what can be read, dumps it anew and begins a new WAL from there. Then it moves the files of the old
// WAL and damaged dumps to a folder `damaged-TIME`, which no start reads.
//
// Invariant: neither a check nor a repair without `--yes` changes anything. A crash before the new WAL is there
// leaves the directory as it was; a crash after that leaves one that starts, because files of the old WAL are
// older than the new one and are no longer read. Nothing is deleted. Trade-off: everything is dumped anew, which
// takes the space of one dump of each tree.

import { join } from "@std/path";
import { DamagedError, HostError, orHostError } from "../errors.ts";
import { Forest } from "../tree/mod.ts";
import { removeMark, segmentLsn, Wal } from "../wal/mod.ts";
import { assessDamage, type Damage, type Place } from "./damage.ts";
import { checkDirectory } from "./integrity_check.ts";
import type { Recovery } from "./recovery.ts";

/** What there is to tell, and whether the directory is whole now. */
export interface RepairOutcome {
  readonly lines: string[];
  readonly isWhole: boolean;
}

const WHOLE = "No damage";

/** Says what helps where the data in a directory is damaged. */
export function repairHint(directory: string): string {
  return `What can be done: karma repair --directory=${directory}`;
}

/** Tells what a start would find, and all that is damaged. */
export async function check(place: Place): Promise<RepairOutcome> {
  const { faults, notes } = await checkDirectory(place.open, () => Promise.resolve(place.disk));
  if (faults.length === 0) return { lines: [...notes, WHOLE], isWhole: true };
  const hint = repairHint(place.directory);
  const damage = await isReadable(place) ? null : await assessDamage(place);
  if (damage === null) return { lines: [...notes, ...faults, hint], isWhole: false };
  const more = damage.faults.filter((fault) => !faults.includes(fault));
  return { lines: [...notes, ...faults, ...more, ...damage.notes, hint], isWhole: false };
}

/** Repairs a directory that nobody else has, if that `isMeant`; else tells what it would do. */
export async function repair(place: Place, isMeant: boolean): Promise<RepairOutcome> {
  const { faults } = await checkDirectory(place.open, () => Promise.resolve(place.disk));
  if (faults.length === 0) {
    return { lines: [`${WHOLE}: there is nothing to repair`], isWhole: true };
  }
  const useless = await damagedDumps(place);
  const damage = await isReadable(place) ? null : await assessDamage(place);
  const told = new Set([...faults, ...damage?.faults ?? []]);
  const lines = [...told, ...damage?.notes ?? [], ...planOf(damage)];
  const files = new Set([...useless, ...damage?.files ?? [], ...await oldLog(place, damage)]);
  const aside = await unusedFolder(place);
  lines.push(...[...files].map((file) => `To be kept in ${aside}: ${file}`));
  if (!isMeant) {
    const command = `karma repair --directory=${place.directory} --yes`;
    return { lines: [...lines, `Nothing was changed. To do it: ${command}`], isWhole: false };
  }
  await orHostError(`Directory ${place.directory} could not be repaired`, async () => {
    if (damage !== null) await beginAnew(place, damage.recovery);
    await moveAside(place, [...files], aside);
  });
  return { lines: [...lines, "It is done: the directory can be started on"], isWhole: true };
}

function planOf(damage: Damage | null): string[] {
  if (damage === null) return ["Nothing that a start needs is damaged, and nothing is lost"];
  const { recovery: { lsn }, trees, keys, losses } = damage;
  return [
    `What can be kept: ${trees} trees with ${keys} counters, as after record ${lsn} of the log`,
    ...losses,
  ];
}

/** Whether a start would succeed. */
async function isReadable({ disk, open }: Place): Promise<boolean> {
  try {
    await open(disk, new Forest()).recovery.read();
    return true;
  } catch (error) {
    if (error instanceof DamagedError) return false;
    throw error;
  }
}

async function damagedDumps({ disk, open }: Place): Promise<string[]> {
  const { dumps } = open(disk, new Forest());
  const files: string[] = [];
  for (const file of await dumps.list()) {
    try {
      await dumps.load(file);
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      files.push(file);
    }
  }
  return files;
}

/** The files that the old log consists of, none if it goes on. */
async function oldLog({ directory, disk }: Place, damage: Damage | null): Promise<string[]> {
  if (damage === null) return [];
  const isLog = (file: string) => segmentLsn(file) !== null || file.endsWith(".registry");
  return (await disk.list(directory)).filter(isLog).sort();
}

async function beginAnew({ directory, disk }: Place, recovery: Recovery): Promise<void> {
  await removeMark(directory, disk); // it is of the old log
  const position = await recovery.rebase();
  const options = { policy: "always", segmentBytes: 0, bytesMax: Infinity } as const;
  const { promise: lost, reject } = Promise.withResolvers<never>();
  lost.catch(() => {});
  const told: string[] = [];
  const wal = new Wal(directory, options, position, disk, {
    catalog: (lsn) => recovery.catalog(lsn),
    onLarge() {},
    lost: reject,
    tell: (line) => told.push(line),
  });
  if (wal.begin() === null) throw new HostError("The new log could not be begun", told.join("; "));
  await Promise.race([wal.close(), lost]);
}

async function moveAside({ directory, disk }: Place, files: string[], to: string): Promise<void> {
  const folder = join(directory, to);
  await disk.makeDirectory(folder);
  for (const file of files) await disk.rename(join(directory, file), join(folder, file));
  await disk.syncDirectory(folder);
  await disk.syncDirectory(directory);
}

/** A folder that is not there yet. */
async function unusedFolder({ directory, disk }: Place): Promise<string> {
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  for (let count = 1;; count++) {
    const name = count === 1 ? `damaged-${time}` : `damaged-${time}-${count}`;
    if (!await disk.exists(join(directory, name))) return name;
  }
}
