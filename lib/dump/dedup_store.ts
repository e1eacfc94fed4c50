// The store of the registry's dumps: `LSN-LOG.registry` in the data directory, beside the WAL.
//
// Invariant: as with dumps of trees, a dump is visible only when it is complete, and only when the WAL is on the disk as
// far as the dump has seen it. The newest dump for a WAL counts and replaces the older ones.

import { join } from "@std/path";
import { DamagedError, orHostError } from "../errors.ts";
import { type Clock, type Disk, pace, ReadWindow, replaceFile, type Writing } from "../host/mod.ts";
import type { DedupState } from "../idempotency/mod.ts";
import {
  type DedupCounts,
  type DedupHead,
  readDedup,
  readDedupHead,
  writeDedup,
} from "./dedup_format.ts";
import type { WalSource } from "./tree_io.ts";

const TEMPORARY = ".karma-registry.tmp";
const LSN_DIGITS = 20;

/** The newest dump that this process knows of. */
interface DedupDump extends DedupHead, DedupCounts {
  readonly file: string;
  readonly bytes: number;
}

export class DedupStore {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  #newest: DedupDump | null = null;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(directory: string, disk: Disk, clock: Clock) {
    this.#directory = directory;
    this.#disk = disk;
    this.#clock = clock;
  }

  get newest(): DedupDump | null {
    return this.#newest;
  }

  /** Resolves when none is being written. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  /** Dumps the registry as it is after the last record of a log. */
  write(dedup: DedupState, wal: WalSource): Promise<void> {
    return this.#next(() => this.#write(dedup, wal));
  }

  /** Likewise, unless it is unchanged since a dump that is there. False: it is. */
  writeChanged(dedup: DedupState, wal: WalSource): Promise<boolean> {
    return this.#next(async () => {
      const newest = this.#newest;
      const isHeld = !dedup.isChanged && newest !== null && newest.log === wal.id &&
        newest.lsn >= dedup.markLsn;
      if (isHeld && await this.#isThere(newest.file)) return false;
      await this.#write(dedup, wal);
      return true;
    });
  }

  /** Does something after what was asked for before. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => {}); // the next is not this one's failure
    return done;
  }

  /**
   * Reads the newest dump of a log into an empty registry, but for those that are to be passed over;
   * returns its last record, null if there is none.
   */
  async read(
    dedup: DedupState,
    log: string,
    passOver: ReadonlySet<string> = new Set(),
  ): Promise<number | null> {
    const file = (await this.#files(log)).findLast((name) => !passOver.has(name));
    const dump = file === undefined ? null : await this.#read(file, dedup);
    this.#newest = dump;
    if (dump !== null) dedup.mark(dump.lsn);
    return dump === null ? null : dump.lsn;
  }

  #isThere(file: string): Promise<boolean> {
    return orHostError(`Registry ${file} could not be looked for`, () => {
      return this.#disk.exists(join(this.#directory, file));
    });
  }

  /** Removes all of the log but the newest. */
  async removeOld(): Promise<void> {
    const newest = this.#newest;
    if (newest === null) return;
    const old = (await this.#files(newest.log)).filter((file) => file < newest.file);
    await orHostError("Old dumps of the registry could not be removed", async () => {
      for (const file of old) await this.#disk.remove(join(this.#directory, file));
    });
  }

  async #write(dedup: DedupState, wal: WalSource): Promise<void> {
    await orHostError("The registry could not be dumped", async () => {
      try {
        let dump: DedupDump | null = null;
        await replaceFile(this.#disk, this.#directory, TEMPORARY, async (file) => {
          dump = await this.#fill(file, dedup, wal);
          await wal.sync();
          return dump.file;
        });
        this.#newest = dump;
      } catch (error) {
        dedup.isChanged = true; // there is no dump of it
        throw error;
      }
    });
  }

  /** Writes the state as of one record: changes that come later are in the WAL. */
  async #fill(file: Writing, dedup: DedupState, wal: WalSource): Promise<DedupDump> {
    const seconds = Math.floor(this.#clock.now() / 1000);
    const head = { log: wal.id, lsn: wal.lsn, seconds };
    dedup.mark(head.lsn);
    const written = await writeDedup(dedup, head, file, pace());
    return { ...head, ...written, file: fileName(head) };
  }

  async #read(file: string, dedup: DedupState): Promise<DedupDump | null> {
    const reading = await orHostError(`Registry ${file} could not be opened`, () => {
      return this.#disk.open(join(this.#directory, file));
    });
    if (reading === null) return null;
    try {
      return await orHostError(`Registry ${file} could not be read`, async () => {
        const window = new ReadWindow(reading);
        const head = await readDedupHead(window);
        if (fileName(head) !== file) throw new DamagedError("it has another one's name");
        const counts = await readDedup(window, dedup);
        return { ...head, ...counts, file, bytes: reading.size };
      });
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      const told = `Registry ${file} is damaged: ${error.message}`;
      throw new DamagedError(told, { cause: error, file });
    } finally {
      reading.close();
    }
  }

  /** The file names of a log's dumps, oldest first. */
  async #files(log: string): Promise<string[]> {
    const files = await orHostError(`Directory ${this.#directory} could not be listed`, () => {
      return this.#disk.list(this.#directory);
    });
    return files.filter((file) => file.endsWith(`-${log}.registry`)).sort();
  }
}

function fileName({ lsn, log }: DedupHead): string {
  return `${String(lsn).padStart(LSN_DIGITS, "0")}-${log}.registry`;
}
