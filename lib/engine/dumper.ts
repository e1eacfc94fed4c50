// The dumper: dumps all trees and the registry, and so shortens the log.
//
// Invariant: a segment of the log is removed only when every tree, and the registry, is in dumps that
// are newer. One run goes on at a time; who asks meanwhile shares the next.

import type { RegistryStore } from "../dump/registry_store.ts";
import type { DumpStore } from "../dump/store.ts";
import { HostError } from "../errors.ts";
import { sleep } from "../host/clock.ts";
import type { Log } from "../log/log.ts";
import type { Registry } from "../registry/registry.ts";
import type { Forest } from "../tree/forest.ts";
import type { Tree } from "../tree/tree.ts";
import type { Ledger } from "./ledger.ts";

/** How long after dumps that removed nothing they are tried again, when the log is too large. */
const RETRY_MS = 60_000;

export class Dumper {
  readonly #forest: Forest;
  readonly #dumps: DumpStore;
  readonly #log: Log;
  readonly #ledger: Ledger;
  readonly #registries: RegistryStore;
  readonly #registry: Registry;
  readonly #tell: (line: string) => void;
  #run: Promise<number> = Promise.resolve(0);
  #nextRun: Promise<number> | null = null;
  #isShortening = false;

  constructor(
    forest: Forest,
    dumps: DumpStore,
    log: Log,
    ledger: Ledger,
    registries: RegistryStore,
    registry: Registry,
    tell: (line: string) => void,
  ) {
    this.#forest = forest;
    this.#dumps = dumps;
    this.#log = log;
    this.#ledger = ledger;
    this.#registries = registries;
    this.#registry = registry;
    this.#tell = tell;
  }

  /** Dumps one tree. */
  async dump(tree: Tree): Promise<void> {
    await this.#dumps.write(tree, this.#log);
  }

  /**
   * Dumps every tree, one after the other, and removes what of the log all the dumps hold. Failures
   * are told to the operator; returns how many there were.
   */
  dumpAll(): Promise<number> {
    this.#nextRun ??= this.#run.then(() => {
      this.#nextRun = null;
      return this.#run = this.#dumpForest();
    });
    return this.#nextRun;
  }

  /** Dumps every tree because the log has become too large, until that helps. */
  async shorten(): Promise<void> {
    if (this.#isShortening) return;
    this.#isShortening = true;
    while (this.#log.isLarge) {
      const oldest = this.#log.segments[0]?.lsn;
      await this.dumpAll();
      // What came meanwhile may well be as much again; what doesn't help waits.
      if (this.#log.segments[0]?.lsn === oldest) await sleep(RETRY_MS);
    }
    this.#isShortening = false;
  }

  async #dumpForest(): Promise<number> {
    // A tree that is on its way is in no dump at the end: its records must stay.
    const needed = this.#ledger.firstStaged;
    const begun = this.#log.begin();
    const trees = this.#forest.trees();
    const catalogue = new Map(trees.map(({ serial, name }) => [serial, name])); // as the segment's
    let failures = 0;
    for (const tree of trees) {
      if (!this.#forest.has(tree)) continue; // dropped or replaced meanwhile
      failures += await this.#attempt(() => this.#dumps.write(tree, this.#log));
    }
    failures += await this.#attempt(() => this.#registries.write(this.#registry, this.#log));
    if (failures > 0 || begun === null) return failures;
    return await this.#attempt(() => this.#removeOld(Math.min(begun, needed), catalogue));
  }

  /** Removes what the dumps have made useless. */
  async #removeOld(lsn: number, catalogue: ReadonlyMap<number, string>): Promise<void> {
    await this.#log.removeBefore(lsn);
    await this.#registries.removeOld();
    // Trees that were hidden before have other names by now, or are gone. One that got its name while
    // all was dumped may be in no other dump, and the log still begins with it as a hidden one.
    await this.#dumps.removeHidden((name, serial) => {
      return catalogue.get(serial) === name || this.#forest.named(name)?.serial === serial;
    });
  }

  /** Does something for all trees; returns how many failures there were. */
  async #attempt(work: () => Promise<unknown>): Promise<number> {
    try {
      await work();
      return 0;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#tell(error.message);
      return 1;
    }
  }
}
