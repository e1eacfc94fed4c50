// The rescue: what can still be restored from a damaged directory, for a report or a repair.
//
// The aim is the state after the last record before the damage, as far as the dumps allow. The best dump of each
// tree is taken: one that holds no later record and that the WAL continues; else one that holds later records, if
// there is no older one; else one that the WAL does not reach back to, without the changes in between.
//
// Invariant: nothing on the disk is changed, and every difference from that state is in `losses`.

import type { DumpStore, NewestDump } from "../dump/mod.ts";
import type { DamagedError } from "../errors.ts";

export class Rescue {
  readonly #dumps: DumpStore;
  /** The last record that the log gives. */
  readonly end: number;
  /** What is damaged. */
  readonly faults: string[] = [];
  /** The files of dumps that are. */
  readonly files = new Set<string>();
  /** What is not as it was before, in sentences. */
  readonly losses: string[] = [];
  #skipped = 0;

  constructor(dumps: DumpStore, end: number) {
    this.#dumps = dumps;
    this.end = end;
  }

  /**
   * The best dump of a tree in a log that must hold a record; null: there is none. One that is not
   * needed, because the log alone gives the tree, must be right.
   */
  async find(
    name: string,
    log: string,
    serial: number,
    held: number,
    isNeeded: boolean,
  ): Promise<NewestDump | null> {
    let best: NewestDump | null = null;
    let rank = 0;
    const later: string[] = [];
    const damaged = (file: string, error: DamagedError) => {
      this.files.add(file);
      this.fault(error);
    };
    for await (const found of this.#dumps.candidates(name, log, serial, damaged)) {
      const { least, most } = found.coverage;
      if (most > this.end) later.push(found.file);
      const other = least < held ? 1 : most > this.end ? 2 : 3;
      if (other > rank) [best, rank] = [found, other];
      if (rank === 3) break;
    }
    const tree = `Tree ${JSON.stringify(name)}`;
    if (rank < 3 && !isNeeded) best = null;
    if (rank === 2 && isNeeded) {
      const { file, coverage: { most } } = best!;
      this.lose(`${tree} is taken from dump ${file}, which holds records up to ${most}`);
    } else {
      for (const file of later) {
        this.lose(`${tree} is newer in dump ${file}: load that to have the tree as it was then`);
      }
    }
    return best;
  }

  fault({ message }: DamagedError): void {
    if (!this.faults.includes(message)) this.faults.push(message);
  }

  lose(loss: string): void {
    if (!this.losses.includes(loss)) this.losses.push(loss);
  }

  /** A record that builds on what is lost is passed over. */
  skip(error: DamagedError): void {
    if (this.#skipped++ === 0) this.lose(`${error.message}; such records are passed over`);
  }
}
