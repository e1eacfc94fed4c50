// Witnesses: the parts of Karma that are asked for changes, each telling the model what it has done.
//
// Invariant: they do nothing but call what they stand for, and tell of it at the same moment; a change
// that was refused is not told.

import type { Journal } from "../../lib/dump/transfer.ts";
import type { Dumped } from "../../lib/dump/transfer.ts";
import { DumpStore } from "../../lib/dump/store.ts";
import { Ledger, type Outcome } from "../../lib/engine/ledger.ts";
import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import { Log } from "../../lib/log/log.ts";
import { Forest } from "../../lib/tree/forest.ts";
import type { Tree } from "../../lib/tree/tree.ts";
import { type Counters, withCounters, withoutDays, withValue } from "./model.ts";
import type { Past } from "./past.ts";

/** A forest that tells of trees that come and go. */
export class WatchedForest extends Forest {
  onPut: ((tree: Tree) => void) | null = null;
  onRemove: ((tree: Tree) => void) | null = null;

  override put(tree: Tree, number?: number, serial?: number): void {
    super.put(tree, number, serial);
    this.onPut?.(tree);
  }

  override remove(tree: Tree): void {
    super.remove(tree);
    this.onRemove?.(tree);
  }
}

/** A log that tells what is on the disk. */
export class WatchedLog extends Log {
  onSynced: (lsn: number) => void = () => {};

  override async sync(): Promise<void> {
    const { lsn } = this;
    await super.sync();
    this.onSynced(lsn);
  }
}

/** A store that tells of dumps that are complete, and that were loaded. */
export class WatchedDumps extends DumpStore {
  onBegin: ((tree: Tree) => number) | null = null;
  onDumped: (file: string, tree: Tree, from: number) => void = () => {};
  onLoaded: (file: string, dumped: Dumped) => void = () => {};

  override async write(tree: Tree, journal: Journal): Promise<string> {
    if (this.onBegin === null) return await super.write(tree, journal);
    const from = this.onBegin(tree);
    const file = await super.write(tree, journal);
    this.onDumped(file, tree, from);
    return file;
  }

  override async load(file: string): Promise<Dumped | null> {
    const dumped = await super.load(file);
    if (dumped !== null) this.onLoaded(file, dumped);
    return dumped;
  }
}

/** A ledger that tells of changes of counters. */
export class WatchedLedger extends Ledger {
  readonly #log: Log;
  readonly #past: Past;

  constructor(forest: Forest, log: Log, past: Past) {
    super(forest, log, past.isCounted);
    this.#log = log;
    this.#past = past;
  }

  override add(
    tree: Tree,
    keyLo: number,
    keyHi: number,
    day: number,
    lo: number,
    hi: number,
  ): Outcome {
    const outcome = super.add(tree, keyLo, keyHi, day, lo, hi);
    if (outcome === "done") this.#count(tree, keyLo, keyHi, day, u64ToBigInt(lo, hi));
    return outcome;
  }

  override subtract(
    tree: Tree,
    keyLo: number,
    keyHi: number,
    day: number,
    lo: number,
    hi: number,
  ): Outcome {
    const outcome = super.subtract(tree, keyLo, keyHi, day, lo, hi);
    if (outcome === "done") this.#count(tree, keyLo, keyHi, day, -u64ToBigInt(lo, hi));
    return outcome;
  }

  override remove(tree: Tree, keyLo: number, keyHi: number, from: number, to: number): Outcome {
    const outcome = super.remove(tree, keyLo, keyHi, from, to);
    if (outcome !== "done") return outcome;
    const key = u64ToBigInt(keyLo, keyHi);
    // Two records: the counter is there, then the days are gone.
    const touched = (counters: Counters) => withoutDays(counters, key, 1, 0);
    this.#changed(tree, this.#past.isCounted ? this.#log.lsn - 1 : this.#log.lsn, touched);
    this.#changed(tree, this.#log.lsn, (counters) => withoutDays(counters, key, from, to));
    return outcome;
  }

  override sweep(tree: Tree, from: number, to: number): Outcome {
    const outcome = super.sweep(tree, from, to);
    if (outcome !== "done") return outcome;
    this.#changed(tree, this.#log.lsn, (counters) => withoutDays(counters, null, from, to));
    return outcome;
  }

  #count(tree: Tree, keyLo: number, keyHi: number, day: number, value: bigint): void {
    const key = u64ToBigInt(keyLo, keyHi);
    this.#changed(tree, this.#log.lsn, (counters) => withValue(counters, key, day, value));
  }

  #changed(tree: Tree, lsn: number, change: (counters: Counters) => Counters): void {
    this.#past.change(lsn, withCounters(this.#past.state, tree.name, change));
  }
}
