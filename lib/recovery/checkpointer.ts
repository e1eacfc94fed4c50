// The checkpointer: dumps all trees and the registry, and then shortens the WAL.
//
// Invariant: a segment of the WAL is removed only when every tree and the registry are in dumps that hold all of its
// changes. The dump of what has not changed since may be an older one (catalog.ts). One checkpoint runs at a
// time; requests for one that arrive meanwhile share the next.

import { batchFrom, type DedupStore, type DumpStore } from "../dump/mod.ts";
import { sleep } from "../host/mod.ts";
import type { DedupState } from "../idempotency/mod.ts";
import type { StateWriter } from "../state/mod.ts";
import type { Forest, Tree } from "../tree/mod.ts";
import type { Wal } from "../wal/mod.ts";
import { HostError } from "../errors.ts";
import { bytesText, Progress, secondsText } from "./progress.ts";

/** How long after dumps that removed nothing they are tried again, when the log is too large. */
const RETRY_MS = 60_000;

/** Failures that a run tells one by one: where the disk is full, every tree would be one. */
const FAILURES_TOLD_MAX = 10;

/** What a run has done. */
class Run {
  readonly began = performance.now();
  trees = 0;
  bytes = 0;
  unchanged = 0;
  failures = 0;
  hasRegistry = false;
}

export class Checkpointer {
  readonly #forest: Forest;
  readonly #dumps: DumpStore;
  readonly #wal: Wal;
  readonly #stateWriter: StateWriter;
  readonly #dedupStore: DedupStore;
  readonly #dedup: DedupState;
  readonly #tell: (line: string) => void;
  /** The last run, or whatever else no run may go beside. */
  #last: Promise<unknown> = Promise.resolve();
  #nextRun: Promise<number> | null = null;
  /** Who has asked for the next run. */
  #causes = new Set<string>();
  #isShortening = false;

  constructor(
    forest: Forest,
    dumps: DumpStore,
    wal: Wal,
    stateWriter: StateWriter,
    dedupStore: DedupStore,
    dedup: DedupState,
    tell: (line: string) => void,
  ) {
    this.#forest = forest;
    this.#dumps = dumps;
    this.#wal = wal;
    this.#stateWriter = stateWriter;
    this.#dedupStore = dedupStore;
    this.#dedup = dedup;
    this.#tell = tell;
  }

  /**
   * Dumps one tree, whether it has changed or not; if it is replaced meanwhile, the one that has its name
   * then. False: it was dropped before all of it was written, and there is no dump.
   */
  async dump({ name }: Tree): Promise<boolean> {
    const began = performance.now();
    let tree = this.#forest.named(name);
    while (tree !== null) {
      const [{ entry, error }] = await this.#dumps.writeAll([tree], this.#wal, "all");
      if (error !== null) throw error;
      if (entry !== null) {
        const { file, bytes = 0 } = entry;
        this.#tell(`Dumped ${file} for a request: ${bytesText(bytes)} in ${secondsText(began)}`);
        return true;
      }
      tree = this.#forest.named(name);
    }
    return false;
  }

  /**
   * Dumps every tree that has changed since its last dump, and removes what of the log all the dumps
   * hold. `cause` is who asks: a signal, a client, the size of the log. What was done, and failures, are told to the operator; returns how many failures there were.
   */
  dumpAll(cause: string): Promise<number> {
    this.#causes.add(cause);
    this.#nextRun ??= this.#next(() => {
      this.#nextRun = null;
      const causes = [...this.#causes].join(" and ");
      this.#causes.clear();
      return this.#dumpForest(causes);
    });
    return this.#nextRun;
  }

  /** Does something while no dump and no segment comes or goes, after what was asked for before. */
  hold<T>(work: () => Promise<T>): Promise<T> {
    return this.#next(() => this.#dumps.hold(work));
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {}); // the next one is not this one's failure
    return done;
  }

  /** Dumps every tree because the log has become too large, until that helps. */
  async shorten(): Promise<void> {
    if (this.#isShortening) return;
    this.#isShortening = true;
    while (this.#wal.isLarge) {
      const oldest = this.#wal.segments[0]?.lsn;
      await this.dumpAll("the size of the log");
      // What came meanwhile may well be as much again; what doesn't help waits.
      if (this.#wal.segments[0]?.lsn === oldest) await sleep(RETRY_MS);
    }
    this.#isShortening = false;
  }

  async #dumpForest(causes: string): Promise<number> {
    const run = new Run();
    // A tree that is on its way is in no dump at the end: its records must stay.
    const needed = this.#stateWriter.firstStaged;
    const begun = this.#wal.begin();
    const trees = this.#forest.trees();
    const catalog = new Map(trees.map(({ serial, name }) => [serial, name])); // as the segment's
    await this.#attempt(run, () => this.#dumps.dumpIndex.look()); // a dump that was removed is made again
    await this.#dumpTrees(run, trees);
    await this.#attempt(run, async () => {
      run.hasRegistry = await this.#dedupStore.writeChanged(this.#dedup, this.#wal);
    });
    if (run.failures === 0 && begun !== null) {
      await this.#attempt(run, () => this.#removeOld(Math.min(begun, needed), catalog));
    }
    this.#report(run, causes);
    return run.failures;
  }

  async #dumpTrees(run: Run, trees: readonly Tree[]): Promise<void> {
    const progress = new Progress(this.#tell);
    for (let at = 0; at < trees.length;) {
      const batch = batchFrom(trees, at);
      at += batch.length;
      const left = batch.filter((tree) => this.#forest.has(tree)); // not dropped or replaced meanwhile
      await this.#attempt(run, async () => {
        const outcomes = await this.#dumps.writeAll(left, this.#wal, "changed");
        for (const { tree, entry, error } of outcomes) {
          if (error !== null) this.#fail(run, error);
          else if (entry !== null) {
            run.trees++;
            run.bytes += entry.bytes ?? 0;
          } else if (!tree.isGone) run.unchanged++; // of one that is gone nothing is needed
        }
      });
      progress.tell(() => {
        return `Dumping: ${at} of ${trees.length} trees looked at, ${run.trees} dumped, ` +
          bytesText(run.bytes);
      });
    }
  }

  #report({ trees, bytes, unchanged, failures, hasRegistry, began }: Run, causes: string): void {
    const parts = [`Dumped ${trees} ${trees === 1 ? "tree" : "trees"} for ${causes}`];
    if (hasRegistry) parts[0] += " and the registry";
    parts.push(`${bytesText(bytes)} in ${secondsText(began)}`);
    if (unchanged > 0) parts.push(`${unchanged} ${unchanged === 1 ? "was" : "were"} unchanged`);
    if (failures > 0) parts.push(`${failures} failed`);
    this.#tell(parts.join(", "));
  }

  /** Removes what the dumps have made useless. */
  async #removeOld(lsn: number, catalog: ReadonlyMap<number, string>): Promise<void> {
    await this.#wal.removeBefore(lsn);
    await this.#dedupStore.removeOld();
    // Trees that were hidden before have other names by now, or are gone. One that got its name while
    // all was dumped may be in no other dump, and the log still begins with it as a hidden one.
    await this.#dumps.removeHidden((name, serial) => {
      return catalog.get(serial) === name || this.#forest.named(name)?.serial === serial;
    });
  }

  /** Does something for all trees; a failure is counted and told. */
  async #attempt(run: Run, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#fail(run, error);
    }
  }

  #fail(run: Run, error: unknown): void {
    if (!(error instanceof HostError)) throw error;
    if (++run.failures <= FAILURES_TOLD_MAX) this.#tell(error.message);
  }
}
