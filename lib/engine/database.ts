// The database: everything that belongs to one data directory, from its files to the engine.
//
// Invariant: `open` reads all data before it changes any file, so a start that cannot succeed leaves the directory
// as it was. If the process ends while `open` changes files, the next start does it again. The caller must have
// locked the directory.

import type { Budget } from "../bytes/mod.ts";
import type { ReplyWriter } from "../command/mod.ts";
import { DedupStore, DumpStore } from "../dump/mod.ts";
import type { Calendar, Clock, Disk } from "../host/mod.ts";
import { AgeClock, type DedupLimits, DedupState } from "../idempotency/mod.ts";
import type { Statistics } from "../metrics/mod.ts";
import {
  Archive,
  checkBeside,
  Checkpointer,
  FrozenDisk,
  HOLLOW_LIMITS,
  type Opening,
  Progress,
  Recovery,
} from "../recovery/mod.ts";
import { encodeCatalog, StateWriter } from "../state/mod.ts";
import { Forest, HollowForest } from "../tree/mod.ts";
import { Wal, type WalOptions, type WalPosition } from "../wal/mod.ts";
import type { HostError } from "../errors.ts";
import { Engine, type EngineLimits } from "./engine.ts";

export interface DatabaseOptions {
  readonly directory: string;
  /** False: it begins empty, and leaves what is there aside. */
  readonly restore: boolean;
  /** How many trees clients may create. */
  readonly treesMax: number;
  /** Whether what is counted goes into the log. */
  readonly isCounted: boolean;
  readonly log: WalOptions;
  readonly dedup: DedupLimits;
  readonly engine: EngineLimits;
}

/** What a database uses of the world outside. */
interface DatabaseHost {
  readonly disk: Disk;
  readonly clock: Clock & Calendar;
  /** What the process may take, `beside` being what it takes without any data. */
  readonly budget: Budget;
  /** Bytes of memory that the process holds. */
  readonly memoryBytes: () => number;
  /** Writes what answers are kept as. */
  readonly replyWriter: ReplyWriter;
  /** Tells the operator. */
  readonly tell: (line: string) => void;
  /** What was promised cannot be kept: the process must end. */
  readonly lost: (error: HostError) => void;
}

export class Database {
  readonly engine: Engine;
  readonly #wal: Wal;
  readonly #checkpointer: Checkpointer;
  readonly #tell: (line: string) => void;

  private constructor(
    engine: Engine,
    wal: Wal,
    checkpointer: Checkpointer,
    tell: (line: string) => void,
  ) {
    this.#tell = tell;
    this.engine = engine;
    this.#wal = wal;
    this.#checkpointer = checkpointer;
  }

  /**
   * Brings everything to the state that the directory holds, and begins to log changes to it.
   *
   * @throws {DamagedError} If the data is damaged; then nothing was changed
   * @throws {HostError} If the system refuses something
   */
  static async open(
    options: DatabaseOptions,
    host: DatabaseHost,
    statistics: Statistics,
  ): Promise<Database> {
    const { directory } = options;
    const { disk, clock, tell, budget } = host;
    const forest = new Forest(budget, options.treesMax);
    const dedup = new DedupState(options.dedup, budget);
    budget.isLenient = true;
    const makeTree = (name: string) => forest.makeTree(name);
    const kept = options.engine.dumpsKept;
    const dumps = new DumpStore(directory, disk, clock, kept, tell, makeTree);
    const dedupStore = new DedupStore(directory, disk, clock);
    const recovery = new Recovery(directory, disk, dumps, forest, dedupStore, dedup, clock);
    const position = await recover(recovery, options.restore, tell);
    budget.isLenient = false;
    if (!budget.isWithin(0)) tell(excessOf(budget));
    const wal = new Wal(directory, options.log, position, disk, {
      catalog: (lsn) => encodeCatalog(forest, dedup, lsn),
      onLarge: () => checkpointer.shorten(),
      lost: host.lost,
      tell,
    });
    const begun = wal.begin();
    await wal.sync(); // what is on the disk now is what a crash leaves
    if (begun !== null) await recovery.finish(tell); // else there is no log yet
    const stateWriter = new StateWriter(forest, dedup, wal, options.isCounted);
    const checkpointer = new Checkpointer(forest, dumps, wal, stateWriter, dedupStore, dedup, tell);
    const open = openingOf(options, clock, () => {});
    const outside = {
      clock,
      ages: new AgeClock(() => clock.now(), () => performance.now()),
      calendar: clock,
      statistics,
      memoryBytes: host.memoryBytes,
      replyWriter: host.replyWriter,
      archive: () => Archive.ofLog(disk, directory, dumps, wal),
      examine: () => {
        return checkBeside(open, forest, () => FrozenDisk.of(disk, directory, wal));
      },
    };
    const parts = { forest, dedup, stateWriter, wal, dumps, dedupStore, checkpointer, ...outside };
    return new Database(new Engine(parts, options.engine, tell), wal, checkpointer, tell);
  }

  /**
   * Dumps every tree that has changed, for who or what asks; returns how many failures there were, which
   * are told to the operator.
   */
  dumpAll(cause: string): Promise<number> {
    return this.#checkpointer.dumpAll(cause);
  }

  /** Gives up a backup that is under way: the dumps of a stop do not wait for it. */
  endBackup(): void {
    this.engine.backup.end();
  }

  /**
   * Looks whether directory and log are still there; if not, `lost` is called. Forgets what no window sees any more.
   * To be called once a second.
   */
  look(): void {
    this.#wal.look();
    void this.engine.forgetWindows();
  }

  /** Deletes days that are too old, if any have become so since the last call. */
  async retain(): Promise<void> {
    const told = await this.engine.retain();
    if (told !== "") this.#tell(told);
  }

  /** Brings everything to the disk; nothing may be executed any more. */
  close(): Promise<void> {
    return this.#wal.close();
  }
}

/** What opens the data of a directory, for whoever reads it as a start would. */
export function openingOf(
  { directory, dedup, engine }: DatabaseOptions,
  clock: Clock,
  tell: (line: string) => void,
): Opening {
  return (disk, forest) => {
    const makeTree = (name: string) => forest.makeTree(name);
    const dumps = new DumpStore(directory, disk, clock, engine.dumpsKept, tell, makeTree);
    const dedupStore = new DedupStore(directory, disk, clock);
    const isHollow = forest instanceof HollowForest;
    const read = new DedupState(isHollow ? { ...dedup, ...HOLLOW_LIMITS } : dedup);
    const recovery = new Recovery(directory, disk, dumps, forest, dedupStore, read, clock);
    return { dumps, recovery };
  };
}

/** Says that there is more than fits. */
function excessOf({ used, max }: Budget): string {
  const mebibytes = (bytes: number) => `${Math.round(bytes / 1048576)} MiB`;
  return `The data and the process take ${mebibytes(used)}, more than the ${mebibytes(max)} of ` +
    `--max-memory: what needs more memory is refused, until enough is dropped or deleted`;
}

/** Brings forest and registry to the state that the directory holds; returns where the log goes on. */
async function recover(
  recovery: Recovery,
  restore: boolean,
  tell: (line: string) => void,
): Promise<WalPosition> {
  if (!restore) return await recovery.startEmpty(tell);
  recovery.progress = new Progress(tell);
  await recovery.read();
  return await recovery.settle(tell);
}
