// Which entries of the log a snapshot of Karma 1.x holds already: those up to the last LSN that
// `SECONDS_TREE.tree.meta.json` tells.
//
//   {"tree":"alpha","file":"1700000100_alpha.tree","timestamp":1700000100,"last_lsn":7,"bytes":84}
//
// A snapshot may have no metadata: it is of an earlier Karma, was copied without, or a crash came
// between the two files. Then it holds at least what any snapshot held that is older. What came
// between that and its making can't be known. Karma 1.x replays the whole log onto any snapshot, and
// so do we here, since a snapshot of an earlier Karma, before the log began, is the most likely of
// them; the operator is told.

import { NameTable } from "../bytes/mod.ts";
import { DamagedError } from "../errors.ts";
import type { JsonReader } from "./json_reader.ts";
import type { Source } from "./source.ts";
import type { MigrationReport } from "./migration_report.ts";

export interface Snapshot {
  readonly tree: string;
  readonly file: string;
}

/** A moment, and the last entry that there was at it. */
export interface Moment {
  readonly seconds: number;
  readonly lsn: number;
}

const MEMBERS = new NameTable(["file", "timestamp", "last_lsn"]);

export class Coverage {
  readonly #lsns = new Map<string, number>();
  /** Snapshots that nothing tells how far they go, by their trees, and how far they can go. */
  readonly #unknown = new Map<string, { readonly file: string; readonly most: number }>();
  /** Trees of those onto which entries were replayed that they may hold. */
  readonly #doubtful = new Set<string>();
  #most = 0;

  /** The last entry that the snapshot of a tree holds; zero: none, or there is no snapshot. */
  of(tree: string): number {
    return this.#lsns.get(tree) ?? 0;
  }

  /** Whether an entry is held already. */
  holds(tree: string, lsn: number): boolean {
    if (lsn <= this.#most && lsn <= this.of(tree)) return true;
    if (this.#unknown.size > 0 && lsn <= (this.#unknown.get(tree)?.most ?? 0)) {
      this.#doubtful.add(tree);
    }
    return false;
  }

  /** Reads the metadata of snapshots; `whole` is when the last snapshot of everything was made. */
  async read(
    source: Source,
    snapshots: readonly Snapshot[],
    whole: Moment | null,
    report: MigrationReport,
  ): Promise<void> {
    const moments: Moment[] = whole === null ? [] : [whole];
    const unknown: Snapshot[] = [];
    for (const snapshot of snapshots) {
      const moment = await metadata(source, snapshot.file, report);
      if (moment === null || moment.lsn === 0) unknown.push(snapshot);
      else {
        moments.push(moment);
        this.#put(snapshot.tree, moment.lsn);
      }
    }
    for (const { tree, file } of unknown) {
      const [least, most] = bounds(moments, parseInt(file));
      this.#put(tree, least);
      this.#unknown.set(tree, { file, most });
    }
  }

  /** Tells what can't be right, or can't be known, about a log whose first entry is `first`. */
  tell(first: number, report: MigrationReport): void {
    for (const tree of this.#doubtful) {
      const replayed = `entries of the log after ${this.of(tree)} were replayed onto it`;
      const doubt = "if it held some of them already, these count twice";
      const { file } = this.#unknown.get(tree)!;
      report.notes.push(`Snapshot ${file} has no metadata: ${replayed}; ${doubt}`);
    }
    for (const [tree, lsn] of this.#lsns) {
      if (first <= lsn + 1 || this.#unknown.has(tree)) continue;
      const gap = `its snapshot ends at log entry ${lsn}, and the log begins at ${first}`;
      const reason = "Karma 1.x had dropped it, or a newer snapshot is missing";
      report.notes.push(`Tree ${JSON.stringify(tree)}: ${gap}; ${reason}`);
    }
  }

  #put(tree: string, lsn: number): void {
    this.#lsns.set(tree, lsn);
    this.#most = Math.max(this.#most, lsn);
  }
}

/** What a snapshot made at `seconds` holds at least, and at most. */
function bounds(moments: readonly Moment[], seconds: number): [least: number, most: number] {
  const lsns = (meets: (other: number) => boolean) => {
    return moments.filter((moment) => meets(moment.seconds)).map(({ lsn }) => lsn);
  };
  const then = lsns((other) => other === seconds);
  const least = Math.max(0, ...lsns((other) => other < seconds));
  const most = Math.min(Infinity, ...lsns((other) => other > seconds));
  if (then.length === 0) return [least, most];
  return [Math.max(least, Math.min(...then)), Math.min(most, Math.max(...then))];
}

/** When a snapshot was made and what it holds; null when nothing tells. */
export async function metadata(
  source: Source,
  file: string,
  report: MigrationReport,
): Promise<Moment | null> {
  const name = `${file}.meta.json`;
  let [of, seconds, lsn] = ["", 0, 0];
  const read = (reader: JsonReader) => {
    reader.object(MEMBERS, (index) => {
      if (index === 0) of = reader.text();
      else if (index === 1) seconds = reader.integer();
      else lsn = reader.integer();
    });
  };
  try {
    if (!await source.readJson(name, read)) return null;
  } catch (error) {
    // It only tells about a file that has its own checks, and a crash may have left it empty.
    if (!(error instanceof DamagedError)) throw error;
    report.notes.push(error.message);
    return null;
  }
  if (of === file) return { seconds, lsn };
  report.notes.push(`File ${name} is about ${JSON.stringify(of)} and was ignored`);
  return null;
}
