// What became of the entries of the log, counted, and sentences for the operator about those that
// need one, but not a sentence for each of a million.

/** What became of an entry; `why` is for the operator. */
export interface Outcome {
  readonly kind: "replayed" | "held" | "refused" | "leftOut";
  readonly why: string;
}

/** It happened again. */
export const REPLAYED: Outcome = { kind: "replayed", why: "" };
/** What was read before the log has it already. */
export const HELD: Outcome = { kind: "held", why: "" };

/** Karma 1.x wrote it down and then refused it, or would not get past it in a replay. */
export function refused(why: string): Outcome {
  return { kind: "refused", why };
}

/** Karma 1.x did it, and we can't. */
export function leftOut(why: string): Outcome {
  return { kind: "leftOut", why };
}

/** Sentences about entries of one kind. */
const TOLD_MAX = 10;

export class MigrationReport {
  readonly counts = { replayed: 0, held: 0, refused: 0, leftOut: 0 };
  /** Items that were left out of entries that were replayed. */
  itemsLeftOut = 0;
  readonly notes: string[] = [];
  #firstItem = "";

  count({ kind, why }: Outcome, lsn: number): void {
    if (++this.counts[kind] > TOLD_MAX || why === "") return;
    const what = kind === "refused" ? "Karma 1.x itself refused" : "had to be left out";
    this.notes.push(`Log entry ${lsn} ${what}: ${why}`);
  }

  /** Items of an entry whose buckets are no days here were left out. */
  leaveOut(items: number, lsn: number): void {
    if (items === 0) return;
    this.itemsLeftOut += items;
    if (this.#firstItem === "") this.#firstItem = `the first in entry ${lsn}`;
  }

  /** All sentences. */
  told(): string[] {
    const told = [...this.notes];
    for (const kind of ["refused", "leftOut"] as const) {
      const more = this.counts[kind] - TOLD_MAX;
      const what = kind === "refused" ? "that Karma 1.x refused" : "that were left out";
      if (more > 0) told.push(`Log entries ${what}: ${more} more than are told here`);
    }
    if (this.itemsLeftOut > 0) {
      const items = counted(this.itemsLeftOut, "item");
      told.push(`${items} left out whose bucket is beyond 4294967295, ${this.#firstItem}`);
    }
    return told;
  }
}

export function counted(count: number, thing: string): string {
  return count === 1 ? `1 ${thing}` : `${count} ${thing}s`;
}
