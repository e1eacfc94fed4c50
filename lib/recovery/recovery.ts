// Recovery: restores the state from the newest dump of each tree and the WAL after it.
//
// Invariant: `read` changes no file, and either restores exactly the state after the last record of the WAL or
// throws a DamagedError that names the file. Only `settle` changes files, and it can be repeated after a crash.
//
// If there is no WAL, the newest dumps of any version of Karma are taken over, with what Karma 1.x left beside
// them. Each tree and the registry are dumped anew for a new WAL, whose first segment makes all of them valid at
// once. If there is a WAL, it alone says which trees there are, and dumps of other trees are left alone.

import { join } from "@std/path";
import {
  batchFrom,
  type DedupStore,
  type Dumped,
  type DumpStore,
  type WalSource,
} from "../dump/mod.ts";
import type { Clock, Disk } from "../host/mod.ts";
import type { DedupState } from "../idempotency/mod.ts";
import { encodeCatalog } from "../state/mod.ts";
import { copyNamed, type Forest, NamedTree, namedTreeName } from "../tree/mod.ts";
import {
  idText,
  removeMark,
  segmentLsn,
  SPACE_BYTES,
  TEMPORARY,
  type WalPosition,
  WalReader,
} from "../wal/mod.ts";
import { DamagedError, HostError, orHostError } from "../errors.ts";
import type { Progress } from "./progress.ts";
import { Replay } from "./replay.ts";
import { Rescue } from "./rescue.ts";
import { Migration } from "./migration.ts";

export class Recovery {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #dumps: DumpStore;
  readonly #forest: Forest;
  readonly #dedupStore: DedupStore;
  readonly #dedup: DedupState;
  readonly #clock: Clock;
  #reader: WalReader | null = null;
  #replay: Replay | null = null;
  #migration: Migration | null = null;
  /** Is told now and then how far `read` is; whoever waits for it sets it. */
  progress: Progress | null = null;

  constructor(
    directory: string,
    disk: Disk,
    dumps: DumpStore,
    forest: Forest,
    dedupStore: DedupStore,
    dedup: DedupState,
    clock: Clock,
  ) {
    this.#directory = directory;
    this.#disk = disk;
    this.#dumps = dumps;
    this.#forest = forest;
    this.#dedupStore = dedupStore;
    this.#dedup = dedup;
    this.#clock = clock;
  }

  /** How many records were replayed. */
  get records(): number {
    return this.#replay?.records ?? 0;
  }

  /** The number of the log's last record. */
  get lsn(): number {
    return this.#reader?.lsn ?? 0;
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

  /** What there is to tell of data that is read for the first time. */
  get news(): readonly string[] {
    return this.#reader === null && this.#migration !== null ? this.#migration.told : [];
  }

  /** Brings the forest to the state that is on the disk; `rest` is awaited now and then. */
  async read(rest: (() => Promise<void>) | null = null): Promise<void> {
    // Before the log: where a server goes on meanwhile (`karma check`), none is ahead of it then.
    const newest = await this.#dumps.newest();
    this.#migration = await Migration.open(this.#directory, this.#disk);
    const reader = await WalReader.open(this.#directory, this.#disk);
    this.#reader = reader;
    if (reader === null && this.#migration !== null) {
      const seconds = Math.floor(this.#clock.now() / 1000);
      return await this.#migration.read(this.#dumps, this.#forest, this.#dedup, seconds);
    }
    if (reader === null) {
      for (const dump of newest) {
        await this.#take(await this.#dumps.restore(dump));
      }
      return;
    }
    const registryLsn = await this.#dedupStore.read(this.#dedup, reader.id);
    const { progress } = this;
    this.#replay = new Replay(
      reader,
      this.#dumps,
      this.#forest,
      this.#dedup,
      registryLsn,
      null,
      progress,
    );
    await this.#replay.run(rest);
  }

  /**
   * Brings the forest to the best state that a damaged directory can give, without the dumps of the
   * registry that are to be passed over. Returns what is damaged, and what is lost.
   *
   * @throws {DamagedError} With a file, if a dump of the registry is damaged, which is to be passed over then
   */
  async rescue(passOver: ReadonlySet<string>): Promise<Rescue> {
    const faults: DamagedError[] = [];
    const open = () => {
      return WalReader.open(this.#directory, this.#disk, (error) => faults.push(error));
    };
    // First only to its end: which dumps are good depends on how far the log goes.
    const first = await open();
    let hasTrees = false;
    await first?.read(() => Promise.resolve(void (hasTrees = true)), () => {});
    const rescue = new Rescue(this.#dumps, first?.lsn ?? 0);
    const reader = this.#reader = await open();
    if (reader === null || !hasTrees) await this.#rescueDumps(rescue, reader?.id ?? null);
    if (reader !== null) {
      const { id } = reader;
      const registryLsn = await this.#dedupStore.read(this.#dedup, id, passOver);
      if ((registryLsn ?? 0) > rescue.end) {
        const kept = "Idempotency keys, ingest streams and checkpoints";
        rescue.lose(`${kept} are taken from a dump that holds records up to ${registryLsn}`);
      }
      const parts = [reader, this.#dumps, this.#forest, this.#dedup, registryLsn] as const;
      this.#replay = new Replay(...parts, rescue);
      await this.#replay.run(); // where nothing can be read, it changes nothing
    }
    for (const error of faults) rescue.fault(error);
    return rescue;
  }

  /** Where damage ended what `rescue` has read of the log. */
  get damage(): { readonly file: string; readonly offset: number } | null {
    return this.#reader?.damage ?? null;
  }

  /** Where the log does not tell which trees there are: the newest dump of each that can be read. */
  async #rescueDumps(rescue: Rescue, log: string | null): Promise<void> {
    rescue.lose(
      "The log does not tell any more which trees there were: the newest dump of each is taken, also of " +
        "those that were dropped",
    );
    if (log === null) rescue.lose("Idempotency keys, ingest streams and checkpoints are lost");
    const done = new Set<string>();
    for (const dump of await this.#dumps.dumpIndex.dumps()) {
      const { file, group } = dump;
      if (done.has(group)) continue;
      try {
        if (log !== null && (await this.#dumps.dumpIndex.head(dump))?.log !== log) continue;
        await this.#take(await this.#dumps.restore({ file }));
        done.add(group);
      } catch (error) {
        if (!(error instanceof DamagedError)) throw error;
        rescue.fault(error);
        rescue.files.add(file);
      }
    }
  }

  /** Puts a tree there from a dump of whatever log: the ids of its names mean nothing here. */
  async #take({ tree, named }: Dumped): Promise<void> {
    this.#forest.put(tree);
    if (named === null) return;
    const forest = this.#forest;
    const own = forest.makeTree(namedTreeName(tree.serial));
    if (named.tree instanceof NamedTree && own instanceof NamedTree) {
      await copyNamed(named.tree, own, () => forest.nextSerial++);
    }
    forest.put(own);
  }

  /** What a log that goes on from here begins with. */
  catalog(lsn: number): Uint8Array {
    return encodeCatalog(this.#forest, this.#dedup, lsn);
  }

  /** Makes what was read the beginning of a new log, whose files come after all that are there. */
  async rebase(): Promise<WalPosition> {
    const files = await listed(this.#disk, this.#directory);
    const lsns = files.map((file) => segmentLsn(file) ?? 0);
    return await this.#dumpAnew(newId(), Math.max(this.lsn, ...lsns));
  }

  async #dumpAnew(id: string, lsn: number): Promise<WalPosition> {
    for (const tree of this.#forest.trees()) await this.#dumps.write(tree, journalOf(id, lsn));
    return await this.#beginLog(id, lsn);
  }

  /**
   * Makes the disk ready for the log to go on: cuts what a crash left unfinished; where there is no
   * log, takes over the trees that were read. Returns where the log goes on.
   */
  async settle(tell: (line: string) => void): Promise<WalPosition> {
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
      await this.#dumps.removeLeftovers();
      await this.#disk.syncDirectory(this.#directory);
    } catch (error) {
      throw new HostError("The log could not be made ready", error);
    }
    if (this.unfinished !== null) tell(this.unfinished);
    return { id, lsn, segments };
  }

  /** Moves away what the new log has made useless; to be called when that has begun. */
  async finish(tell: (line: string) => void): Promise<void> {
    await this.#migration?.settle(tell);
  }

  /** Leaves everything on the disk alone; the log goes on as a new one, of an empty forest. */
  async startEmpty(tell: (line: string) => void): Promise<WalPosition> {
    const files = await listed(this.#disk, this.#directory);
    const logs = files.filter((file) => segmentLsn(file) !== null).sort();
    const dumps = await this.#dumps.list();
    const aside = [...logs, ...dumps];
    const named = aside.length === 0 ? "nothing was there" : `left aside: ${aside.join(", ")}`;
    tell(`Starting empty, as --restore=false says; ${named}`);
    const failure = "The mark of the old log could not be removed";
    await orHostError(failure, () => removeMark(this.#directory, this.#disk));
    // Names of segments ascend, so that the newest log is found; dumps of the older have another id.
    return await this.#beginLog(newId(), segmentLsn(logs.at(-1) ?? "") ?? 0);
  }

  async #takeOver(tell: (line: string) => void): Promise<WalPosition> {
    const id = newId();
    const trees = this.#forest.trees();
    for (const line of this.news) tell(line);
    for (let at = 0; at < trees.length;) {
      const batch = batchFrom(trees, at);
      const outcomes = await this.#dumps.writeAll(batch, journalOf(id, 0), "all");
      for (const { error } of outcomes) if (error !== null) throw error;
      at += batch.length;
    }
    if (trees.length > 0 && this.#migration === null) {
      const names = trees.map(({ name }) => JSON.stringify(name)).join(", ");
      tell(`There was no log: took over the newest dumps of ${names}, and dumped them anew`);
    }
    return await this.#beginLog(id, 0);
  }

  /** A new log goes on from the registry as it is: its first segment relies on that. */
  async #beginLog(id: string, lsn: number): Promise<WalPosition> {
    await this.#dedupStore.write(this.#dedup, journalOf(id, lsn));
    return { id, lsn, segments: [] };
  }
}

/** A log that has no records yet: there is nothing to wait for. */
function journalOf(id: string, lsn: number): WalSource {
  return { id, lsn, sync: () => Promise.resolve() };
}

function newId(): string {
  const [lo, hi] = crypto.getRandomValues(new Uint32Array(2));
  return idText(lo, hi);
}

async function listed(disk: Disk, directory: string): Promise<string[]> {
  return await orHostError(
    `Directory ${directory} could not be listed`,
    () => disk.list(directory),
  );
}
