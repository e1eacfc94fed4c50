// Witnesses: the parts of Karma that are asked for changes, each telling the model what it has done.
//
// Invariant: they do nothing but call what they stand for, and tell of it at the same moment; a change
// that was refused is not told. Trade-off: the WAL's buffer is full more often than it would be, always
// where it may be: between the requests of a turn, and never within what was reserved together.

import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import { ITEM_WORDS, type Items } from "../../lib/command/items.ts";
import type { Reply } from "../../lib/command/reply.ts";
import type { Request } from "../../lib/command/request.ts";
import type { DumpOutcome } from "../../lib/dump/batch.ts";
import { DumpStore } from "../../lib/dump/store.ts";
import type { Dumped, WalSource } from "../../lib/dump/tree_io.ts";
import { Engine } from "../../lib/engine/engine.ts";
import { type Outcome as LedgerOutcome, StateWriter } from "../../lib/state/state_writer.ts";
import { GROUP_WORDS } from "../../lib/wal/format.ts";
import { Wal } from "../../lib/wal/wal.ts";
import { type DedupLimits, type DedupState, PRUNE } from "../../lib/idempotency/dedup_state.ts";
import { Forest } from "../../lib/tree/forest.ts";
import type { Tree } from "../../lib/tree/tree.ts";
import {
  type Counters,
  type Item,
  withCounters,
  withDay,
  withItems,
  withKey,
  withoutDays,
  withoutEmpty,
  withValue,
} from "./model.ts";
import type { Past } from "./past.ts";
import { noted } from "./registry_model.ts";

/** Enough for all that is ever reserved at once. */
const PENDING_WORDS = 9216;

/** Words of the buffer that the log keeps free. */
const SPARE_WORDS = 16;

/** How often the buffer is full when room is asked for. */
const FULL_EVERY = 5;

/** Requests of which all records belong together, whether they were reserved or not. */
const IS_WHOLE = /"idempotency_key"|"op":"(ingest\.|series\.batch_|limit\.)/;

/** A forest that tells of trees that come and go. */
export class WatchedForest extends Forest {
  onPut: ((tree: Tree) => void) | null = null;
  onRemove: ((tree: Tree) => void) | null = null;
  onAdopt: ((tree: Tree, was: string) => void) | null = null;

  override put(tree: Tree, number?: number, serial?: number): void {
    super.put(tree, number, serial);
    this.onPut?.(tree);
  }

  override remove(tree: Tree): void {
    super.remove(tree);
    this.onRemove?.(tree);
  }

  override adopt(tree: Tree, name: string): void {
    const was = tree.name;
    super.adopt(tree, name);
    this.onAdopt?.(tree, was);
  }
}

/** A log that tells what is on the disk. */
export class WatchedLog extends Wal {
  onSynced: (lsn: number) => void = () => {};
  override words = new Uint32Array(PENDING_WORDS);
  /** Up to where there is room for records that belong together. */
  #granted = 0;
  #asks = 0;

  override hasRoom(words: number): boolean {
    const isGranted = this.at + words <= this.#granted;
    if (!isGranted && this.at > GROUP_WORDS && ++this.#asks % FULL_EVERY === 0) {
      super.hasRoom(this.words.length - SPARE_WORDS - this.at + 1); // writes what waits
    }
    const hasRoom = super.hasRoom(words);
    if (!isGranted) this.#granted = hasRoom ? this.at + words : 0;
    return hasRoom;
  }

  /** What was reserved is done. */
  release(): void {
    this.#granted = 0;
  }

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

  override async writeAll(
    trees: readonly Tree[],
    wal: WalSource,
    which: "all" | "changed",
  ): Promise<DumpOutcome[]> {
    const { onBegin } = this;
    if (onBegin === null) return await super.writeAll(trees, wal, which);
    const from = new Map(trees.map((tree) => [tree, onBegin(tree)]));
    const outcomes = await super.writeAll(trees, wal, which);
    for (const { tree, entry } of outcomes) {
      if (entry !== null) this.onDumped(entry.file, tree, from.get(tree)!);
    }
    return outcomes;
  }

  override async load(file: string): Promise<Dumped | null> {
    const dumped = await super.load(file);
    if (dumped !== null) this.onLoaded(file, dumped);
    return dumped;
  }
}

/** An engine that tells when a request is carried out, which for sweeps is some time after it has come. */
export class WatchedEngine extends Engine {
  onBegin: (request: Request) => void = () => {};
  onDone: () => void = () => {};

  protected override carryOut(request: Request, reply: Reply): unknown {
    this.onBegin(request);
    const result = super.carryOut(request, reply);
    this.onDone();
    return result;
  }
}

/** A state writer that tells of changes of counters and of the registry, and which belong together. */
export class WatchedLedger extends StateWriter {
  readonly #log: WatchedLog;
  readonly #past: Past;
  readonly #dedup: DedupState;
  readonly #limits: DedupLimits;
  /** The record before those that belong together, and the last of them; null: none do. */
  #from: number | null = null;
  #to = 0;
  /** The request that is carried out, as its line; null: not known. */
  #line: string | null = null;
  onFault: (fault: string) => void = () => {};

  constructor(
    forest: Forest,
    dedup: DedupState,
    log: WatchedLog,
    past: Past,
    limits: DedupLimits,
  ) {
    super(forest, dedup, log, past.isCounted);
    this.#log = log;
    this.#past = past;
    this.#dedup = dedup;
    this.#limits = limits;
  }

  /** A request is carried out now; null: its line is not known. */
  begin(line: string | null): void {
    this.#line = line;
    this.#from = line !== null && IS_WHOLE.test(line) ? this.#log.lsn : null;
    this.#to = this.#log.lsn;
  }

  /** It is done: what comes now belongs to others. */
  done(): void {
    this.#log.release();
    this.#line = null;
    const [from, to] = [this.#from, this.#to];
    if (from !== null && to > from + 1) this.#past.spans.push([from, to]);
    this.#from = null;
  }

  override reserve(records: number, bytes: number, amounts: number): boolean {
    const hasRoom = super.reserve(records, bytes, amounts);
    if (this.#from === null) this.#from = this.#to = this.#log.lsn;
    return hasRoom;
  }

  override add(
    tree: Tree,
    keyLo: number,
    keyHi: number,
    day: number,
    lo: number,
    hi: number,
  ): LedgerOutcome {
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
  ): LedgerOutcome {
    const outcome = super.subtract(tree, keyLo, keyHi, day, lo, hi);
    if (outcome === "done") this.#count(tree, keyLo, keyHi, day, -u64ToBigInt(lo, hi));
    return outcome;
  }

  override set(
    tree: Tree,
    keyLo: number,
    keyHi: number,
    day: number,
    lo: number,
    hi: number,
  ): LedgerOutcome {
    const [key, value] = [u64ToBigInt(keyLo, keyHi), u64ToBigInt(lo, hi)];
    const outcome = super.set(tree, keyLo, keyHi, day, lo, hi);
    return this.#changed(tree, outcome, (all) => withDay(all, key, day, value));
  }

  override addAll(tree: Tree, items: Items): LedgerOutcome {
    return this.#all("add", tree, items, super.addAll(tree, items));
  }

  override setAll(tree: Tree, items: Items): LedgerOutcome {
    return this.#all("set", tree, items, super.setAll(tree, items));
  }

  override drop(tree: Tree): LedgerOutcome {
    return this.#done(super.drop(tree));
  }

  override adopt(tree: Tree, name: string): LedgerOutcome {
    return this.#done(super.adopt(tree, name));
  }

  override create(name: string): LedgerOutcome {
    return this.#done(super.create(name));
  }

  override touch(tree: Tree, keyLo: number, keyHi: number): LedgerOutcome {
    const key = u64ToBigInt(keyLo, keyHi);
    return this.#changed(tree, super.touch(tree, keyLo, keyHi), (all) => withKey(all, key));
  }

  override remove(
    tree: Tree,
    keyLo: number,
    keyHi: number,
    from: number,
    to: number,
  ): LedgerOutcome {
    const key = u64ToBigInt(keyLo, keyHi);
    const outcome = super.remove(tree, keyLo, keyHi, from, to);
    return this.#changed(tree, outcome, (all) => withoutDays(all, key, from, to));
  }

  override sweep(tree: Tree, from: number, to: number): LedgerOutcome {
    const outcome = super.sweep(tree, from, to);
    return this.#changed(tree, outcome, (all) => withoutDays(all, null, from, to));
  }

  override compact(tree: Tree): LedgerOutcome {
    return this.#changed(tree, super.compact(tree), withoutEmpty);
  }

  override note(kind: number, payload: Uint8Array): LedgerOutcome {
    if (kind === PRUNE) this.done(); // it comes alone, at any time
    const outcome = super.note(kind, payload);
    if (outcome !== "done") return outcome;
    this.#to = this.#log.lsn;
    const { dedup } = this.#past;
    const next = noted(dedup, this.#limits, kind, payload, this.#line);
    this.#past.note(this.#log.lsn, next);
    const pruned = dedup.answers.size - next.answers.size;
    if (kind === PRUNE && this.#dedup.pruned !== pruned) {
      this.onFault(`${this.#dedup.pruned} answers were forgotten, not ${pruned}`);
    }
    return outcome;
  }

  #all(
    how: "add" | "set",
    tree: Tree,
    { count, words }: Items,
    outcome: LedgerOutcome,
  ): LedgerOutcome {
    const items = Array.from({ length: count }, (_, index): Item => {
      const [keyLo, keyHi, day, lo, hi] = words.subarray(ITEM_WORDS * index);
      return [u64ToBigInt(keyLo, keyHi), day, u64ToBigInt(lo, hi)];
    });
    return this.#changed(tree, outcome, (all) => withItems(all, items, how)!);
  }

  #count(tree: Tree, keyLo: number, keyHi: number, day: number, value: bigint): void {
    const key = u64ToBigInt(keyLo, keyHi);
    this.#changed(tree, "done", (counters) => withValue(counters, key, day, value));
  }

  #changed(
    tree: Tree,
    outcome: LedgerOutcome,
    change: (counters: Counters) => Counters,
  ): LedgerOutcome {
    if (outcome !== "done") return outcome;
    this.#past.change(this.#log.lsn, withCounters(this.#past.state, tree.name, change));
    return this.#done(outcome);
  }

  /** A record, if it is one, belongs to what was reserved. */
  #done(outcome: LedgerOutcome): LedgerOutcome {
    this.#to = this.#log.lsn;
    return outcome;
  }
}
