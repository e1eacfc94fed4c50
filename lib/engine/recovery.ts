// Recovery: from what is on the disk to the state that was promised: the newest dump of each tree,
// then the log from there on.
//
// Invariant: `read` changes nothing outside and gives exactly the state after the last record of the
// log, or throws a DamagedError that names the file. A record that a dump holds is not applied twice:
// dumps tell for each branch which record was their last. Only `settle` changes files, and does
// nothing that a crash could not do again.
//
// Where there is no log, the newest dumps of whatever Karma are taken over: each is dumped anew as
// part of a new log, whose first segment then makes it all so at once. Where there is one, it alone
// says which trees there are: dumps of others are left alone.

import { join } from "@std/path";
import { AssertionFailed } from "../assert.ts";
import type { Coverage } from "../dump/coverage.ts";
import type { DumpStore } from "../dump/store.ts";
import { DamagedError, HostError, sentenceOf } from "../errors.ts";
import type { Disk } from "../host/disk.ts";
import { type LogPosition, LogReader } from "../log/reader.ts";
import { idText, segmentLsn, SPACE_BYTES } from "../log/format.ts";
import { TEMPORARY } from "../log/segment.ts";
import type { Forest } from "../tree/forest.ts";
import { Tree } from "../tree/tree.ts";
import { decodeCatalogue } from "./catalogue.ts";
import {
  Changes,
  DROP,
  hasKey,
  isBelow,
  nameAt,
  PUT,
  recordWords,
  ROWS,
  serialAt,
  STAGE,
  SWEEP,
} from "./change.ts";
import { settleNow } from "./sweeping.ts";

export class Recovery {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #dumps: DumpStore;
  readonly #forest: Forest;
  readonly #changes: Changes;
  #reader: LogReader | null = null;
  /** What of each tree's records, by its number, its dump holds; null once that is passed. */
  readonly #coverages: (Coverage | null)[] = [];
  /** What is wrong with trees that the log builds on: damage, unless the log drops them. */
  readonly #absent = new Map<number, string>();
  readonly #limit = new Uint32Array(2);
  /** The dump that holds the latest record. */
  #latest = { file: "", lsn: 0 };
  /** How many records were replayed. */
  records = 0;

  constructor(directory: string, disk: Disk, dumps: DumpStore, forest: Forest) {
    this.#directory = directory;
    this.#disk = disk;
    this.#dumps = dumps;
    this.#forest = forest;
    this.#changes = new Changes(forest);
  }

  /** How many segments the log has. */
  get segments(): number {
    return this.#reader?.segments.length ?? 0;
  }

  /** What a crash left unfinished at the log's end, in words; null if it left nothing. */
  get unfinished(): string | null {
    const reader = this.#reader;
    if (reader === null || reader.cut === null) return null;
    const { file, offset, bytes, files } = reader.cut;
    if (bytes === 0 && files.length === 0) {
      return `Log ${file}: unfinished, it ends at byte ${offset}, after record ${reader.lsn}, ` +
        `where there should be space: records may be missing`;
    }
    const whole = files.length === 0 ? "" : ` with ${files.join(", ")}`;
    return `Log ${file}: after record ${reader.lsn} a crash left ${bytes} bytes unfinished, ` +
      `from byte ${offset} on${whole}`;
  }

  /** Brings the forest to the state that is on the disk. */
  async read(): Promise<void> {
    // Before the log: where a server goes on meanwhile (`karma check`), none is ahead of it then.
    const newest = await this.#dumps.newest();
    const reader = await LogReader.open(this.#directory, this.#disk);
    this.#reader = reader;
    if (reader === null) {
      for (const dump of newest) {
        this.#forest.put((await this.#dumps.restore(dump)).tree);
      }
      return;
    }
    await reader.read(
      (preamble) => this.#begin(preamble),
      (words, from, to, lsn, records) => {
        this.records += records;
        return this.#replay(words, from, to, lsn, records);
      },
    );
    for (const fault of this.#absent.values()) {
      const hint = "To start from the dumps alone, move the log (*.wal) away";
      const aside = reader.aside.map((file) => `; log ${file} was not read`).join("");
      throw new DamagedError(`${fault}${aside}. ${hint}`);
    }
    const { file, lsn } = this.#latest;
    if (lsn <= reader.lsn) return;
    throw new DamagedError(`Dump ${file} holds record ${lsn}, and the log ends at ${reader.lsn}`);
  }

  /**
   * Makes the disk ready for the log to go on: cuts what a crash left unfinished; where there is no
   * log, takes over the trees that were read. Returns where the log goes on.
   */
  async settle(tell: (line: string) => void): Promise<LogPosition> {
    const reader = this.#reader;
    if (reader === null) return await this.#takeOver(tell);
    const { cut, segments, id, lsn } = reader;
    try {
      // All to their true size, and with it to the disk: the next segment will rely on that.
      for (const { file, bytes } of segments) {
        const path = join(this.#directory, file);
        // What is cut must be zeros; elsewhere there are zeros already, and never too few of them.
        if (file === cut?.file) await this.#disk.truncate(path, bytes);
        await this.#disk.truncate(path, bytes + SPACE_BYTES);
      }
      for (const file of cut?.files ?? []) await this.#disk.remove(join(this.#directory, file));
      // The next segment must be a new file: what one that never got its name holds could come back.
      const temporary = join(this.#directory, TEMPORARY);
      if (await this.#disk.exists(temporary)) await this.#disk.remove(temporary);
      await this.#disk.syncDirectory(this.#directory);
    } catch (error) {
      throw new HostError("The log could not be made ready", error);
    }
    if (this.unfinished !== null) tell(this.unfinished);
    return { id, lsn, segments };
  }

  /** Leaves everything on the disk alone; the log goes on as a new one, of an empty forest. */
  async startEmpty(tell: (line: string) => void): Promise<LogPosition> {
    const files = await listed(this.#disk, this.#directory);
    const logs = files.filter((file) => segmentLsn(file) !== null).sort();
    const dumps = await this.#dumps.list();
    const aside = [...logs, ...dumps];
    const named = aside.length === 0 ? "nothing was there" : `left aside: ${aside.join(", ")}`;
    tell(`Starting empty, as --restore=false says; ${named}`);
    // Names of segments ascend, so that the newest log is found; dumps of the older have another id.
    return { id: newId(), lsn: segmentLsn(logs.at(-1) ?? "") ?? 0, segments: [] };
  }

  async #takeOver(tell: (line: string) => void): Promise<LogPosition> {
    const id = newId();
    const trees = this.#forest.trees();
    for (const tree of trees) {
      await this.#dumps.write(tree, { id, lsn: 0, sync: () => Promise.resolve() });
    }
    if (trees.length > 0) {
      const names = trees.map(({ name }) => JSON.stringify(name)).join(", ");
      tell(`There was no log: took over the newest dumps of ${names}, and dumped them anew`);
    }
    return { id, lsn: 0, segments: [] };
  }

  /** The trees that the log begins with come from dumps. */
  async #begin(preamble: Uint8Array): Promise<void> {
    const { nextSerial, trees } = decodeCatalogue(preamble);
    for (const { number, serial, name } of trees) {
      const fault = await this.#restore(name, number, serial);
      if (fault !== null) this.#miss(name, number, serial, fault);
    }
    this.#forest.nextSerial = Math.max(this.#forest.nextSerial, nextSerial);
  }

  /** Puts a tree there from a dump that the log goes on from; returns why not, if there is none. */
  async #restore(name: string, number: number, serial: number): Promise<string | null> {
    const reader = this.#reader!;
    const dumped = await this.#dumps.find(name, reader.id, serial);
    const goesOn = `and the log goes on at ${reader.lsn + 1}`;
    if (dumped === null) return `No dump of tree ${JSON.stringify(name)} is there, ${goesOn}`;
    const { file, tree, coverage } = dumped;
    if (coverage.least < reader.lsn) {
      return `Dump ${file} ends at record ${coverage.least}, ${goesOn}`;
    }
    if (coverage.most > this.#latest.lsn) this.#latest = { file, lsn: coverage.most };
    this.#forest.put(tree, number, serial);
    this.#coverages[number] = coverage;
    return null;
  }

  /** An empty tree takes the place of one that can't be had. If the log drops it, that is no fault. */
  #miss(name: string, number: number, serial: number, fault: string): void {
    this.#forest.put(new Tree(name, this.#forest.pool), number, serial);
    this.#absent.set(number, fault);
  }

  /** Replays a group of records. */
  #replay(
    words: Uint32Array<ArrayBuffer>,
    from: number,
    to: number,
    lsn: number,
    records: number,
  ): Promise<void> | void {
    for (let at = from; records > 0; records--, lsn++) {
      const size = recordWords(words, at);
      if (size === 0 || at + size > to) throw unreadable(lsn);
      try {
        if ((words[at] & 0xff) > SWEEP) {
          const [next, nextLsn, left] = [at + size, lsn + 1, records - 1];
          return this.#replayOfTrees(words, at, lsn).then(() => {
            return this.#replay(words, next, to, nextLsn, left);
          });
        }
        this.#replayOfCounters(words, at, lsn);
      } catch (error) {
        if (error instanceof AssertionFailed) throw unreadable(lsn, error);
        throw error;
      }
      at += size;
    }
  }

  #replayOfCounters(words: Uint32Array<ArrayBuffer>, at: number, lsn: number): void {
    const number = words[at] >>> 8;
    const limit = this.#limit;
    limit[0] = limit[1] = 0;
    const coverage = this.#coverages[number];
    if (coverage) {
      if (coverage.isPassed(lsn)) this.#coverages[number] = null;
      else {
        coverage.limit(lsn, limit);
        const isHeld = limit[0] === 0 && limit[1] === 0;
        if (isHeld || hasKey(words, at) && !isBelow(words, at, limit)) return;
      }
    }
    if (this.#absent.size > 0 && this.#absent.has(number)) return;
    if (!this.#changes.apply(words, at, limit[0], limit[1])) throw unreadable(lsn);
    if ((words[at] & 0xff) === SWEEP) settleNow(this.#forest.at(number)!);
  }

  async #replayOfTrees(words: Uint32Array<ArrayBuffer>, at: number, lsn: number): Promise<void> {
    const kind = words[at] & 0xff;
    const number = words[at] >>> 8;
    if (kind === DROP) this.#absent.delete(number);
    if (kind !== DROP && await this.#isElsewhere(words, at, kind, number)) return;
    this.#coverages[number] = kind === STAGE || kind === ROWS ? this.#coverages[number] : null;
    try {
      this.#changes.apply(words, at);
    } catch (error) {
      if (error instanceof AssertionFailed || error instanceof DamagedError) {
        throw unreadable(lsn, error);
      }
      throw error;
    }
  }

  /** Whether a tree that is created, or comes in parts, is not to be had from the log alone. */
  async #isElsewhere(
    words: Uint32Array<ArrayBuffer>,
    at: number,
    kind: number,
    number: number,
  ): Promise<boolean> {
    const serial = serialAt(words, at);
    // Also of one that doesn't come: the next one must have another.
    this.#forest.nextSerial = Math.max(this.#forest.nextSerial, serial + 1);
    if (kind === STAGE) return false;
    // The log may begin behind the first parts of a tree, when it was dumped since.
    const isStaged = this.#changes.isStaged(serial);
    if (kind === ROWS) return !isStaged;
    const name = nameAt(words, at);
    if (kind === PUT) this.#replaced(name);
    const fault = await this.#restore(name, number, serial);
    if (fault === null) this.#changes.unstage(serial);
    if (fault !== null && kind === PUT && !isStaged) this.#miss(name, number, serial, fault);
    return fault === null || kind === PUT && !isStaged;
  }

  /** A tree that can't be had is not needed if another one takes its name. */
  #replaced(name: string): void {
    for (const number of this.#absent.keys()) {
      if (this.#forest.at(number)?.name === name) this.#absent.delete(number);
    }
  }
}

function unreadable(lsn: number, cause?: Error): DamagedError {
  const fault = cause === undefined ? "it makes no sense" : sentenceOf(cause);
  return new DamagedError(`Record ${lsn} of the log cannot be replayed: ${fault}`, { cause });
}

function newId(): string {
  const [lo, hi] = crypto.getRandomValues(new Uint32Array(2));
  return idText(lo, hi);
}

async function listed(disk: Disk, directory: string): Promise<string[]> {
  try {
    return await disk.list(directory);
  } catch (error) {
    throw new HostError(`Directory ${directory} could not be listed`, error);
  }
}
