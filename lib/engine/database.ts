// The database: everything that belongs to one data directory, from its files to the engine.
//
// Invariant: `open` reads all data before it changes any file, so that a start which cannot succeed leaves
// the directory as it was. What `open` has changed when the process ends halfway, the next start does
// again. It takes the directory for granted: that nobody else has it is the caller's to see to.

import type { Budget } from "../bytes/budget.ts";
import { RegistryStore } from "../dump/dedup_store.ts";
import { DumpStore } from "../dump/store.ts";
import type { HostError } from "../errors.ts";
import type { Calendar, Clock } from "../host/clock.ts";
import type { Disk } from "../host/disk.ts";
import { Log } from "../wal/wal.ts";
import type { LogOptions } from "../wal/hooks.ts";
import type { LogPosition } from "../wal/reader.ts";
import { Registry, type RegistryLimits } from "../idempotency/dedup_state.ts";
import { Forest } from "../tree/forest.ts";
import { HollowForest } from "../tree/hollow.ts";
import { encodeCatalogue } from "../state/catalog.ts";
import { Dumper } from "../recovery/checkpointer.ts";
import { Engine, type EngineLimits } from "./engine.ts";
import { examineBeside, HOLLOW_LIMITS, type Opening } from "../recovery/integrity_check.ts";
import { Ledger } from "../state/state_writer.ts";
import { Progress } from "../recovery/progress.ts";
import { Recovery } from "../recovery/recovery.ts";
import type { Statistics } from "../metrics/statistics.ts";
import { StillDisk } from "../recovery/frozen_disk.ts";

export interface DatabaseOptions {
  readonly directory: string;
  /** False: it begins empty, and leaves what is there aside. */
  readonly restore: boolean;
  /** How many trees clients may create. */
  readonly treesMax: number;
  /** Whether what is counted goes into the log. */
  readonly isCounted: boolean;
  readonly log: LogOptions;
  readonly registry: RegistryLimits;
  readonly engine: EngineLimits;
}

/** What a database uses of the world outside. */
export interface Host {
  readonly disk: Disk;
  readonly clock: Clock & Calendar;
  /** What the process may take, `beside` being what it takes without any data. */
  readonly budget: Budget;
  /** Bytes of memory that the process holds. */
  readonly memoryBytes: () => number;
  /** Tells the operator. */
  readonly tell: (line: string) => void;
  /** What was promised cannot be kept: the process must end. */
  readonly lost: (error: HostError) => void;
}

export class Database {
  readonly engine: Engine;
  readonly #log: Log;
  readonly #dumper: Dumper;

  private constructor(engine: Engine, log: Log, dumper: Dumper) {
    this.engine = engine;
    this.#log = log;
    this.#dumper = dumper;
  }

  /**
   * Brings everything to the state that the directory holds, and begins to log changes to it.
   *
   * @throws {DamagedError} If the data is damaged; then nothing was changed
   * @throws {HostError} If the system refuses something
   */
  static async open(
    options: DatabaseOptions,
    host: Host,
    statistics: Statistics,
  ): Promise<Database> {
    const { directory } = options;
    const { disk, clock, tell, budget } = host;
    const forest = new Forest(budget, options.treesMax);
    const registry = new Registry(options.registry, budget);
    budget.isLenient = true;
    const dumps = new DumpStore(directory, disk, clock, options.engine.dumpsKept, tell);
    const registries = new RegistryStore(directory, disk, clock);
    const recovery = new Recovery(directory, disk, dumps, forest, registries, registry, clock);
    const position = await recover(recovery, options.restore, tell);
    budget.isLenient = false;
    if (!budget.isWithin(0)) tell(excessOf(budget));
    const log = new Log(directory, options.log, position, disk, {
      preamble: (lsn) => encodeCatalogue(forest, registry, lsn),
      onLarge: () => dumper.shorten(),
      lost: host.lost,
      tell,
    });
    const begun = log.begin();
    await log.sync(); // what is on the disk now is what a crash leaves
    if (begun !== null) await recovery.finish(tell); // else there is no log yet
    const ledger = new Ledger(forest, registry, log, options.isCounted);
    const dumper = new Dumper(forest, dumps, log, ledger, registries, registry, tell);
    const open = openingOf(options, clock, () => {});
    const outside = {
      clock,
      calendar: clock,
      statistics,
      memoryBytes: host.memoryBytes,
      examine: () => {
        return examineBeside(open, forest, () => StillDisk.of(disk, directory, log));
      },
    };
    const parts = { forest, registry, ledger, log, dumps, registries, dumper, ...outside };
    return new Database(new Engine(parts, options.engine, tell), log, dumper);
  }

  /**
   * Dumps every tree that has changed, for who or what asks; returns how many failures there were, which
   * are told to the operator.
   */
  dumpAll(cause: string): Promise<number> {
    return this.#dumper.dumpAll(cause);
  }

  /** Looks whether directory and log are still there; if not, `lost` is called. */
  look(): void {
    this.#log.look();
  }

  /** Brings everything to the disk; nothing may be executed any more. */
  close(): Promise<void> {
    return this.#log.close();
  }
}

/** What opens the data of a directory, for whoever reads it as a start would. */
export function openingOf(
  { directory, registry, engine }: DatabaseOptions,
  clock: Clock,
  tell: (line: string) => void,
): Opening {
  return (disk, forest) => {
    const makeTree = (name: string) => forest.makeTree(name);
    const dumps = new DumpStore(directory, disk, clock, engine.dumpsKept, tell, makeTree);
    const registries = new RegistryStore(directory, disk, clock);
    const isHollow = forest instanceof HollowForest;
    const read = new Registry(isHollow ? { ...registry, ...HOLLOW_LIMITS } : registry);
    const recovery = new Recovery(directory, disk, dumps, forest, registries, read, clock);
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
): Promise<LogPosition> {
  if (!restore) return await recovery.startEmpty(tell);
  recovery.progress = new Progress(tell);
  await recovery.read();
  return await recovery.settle(tell);
}
