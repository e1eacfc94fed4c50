// Replay: applies the records of the WAL, from its first segment on, to the state of the dumps.
//
// Invariant: no record is applied twice: a dump says for each branch which record was its last, and so does the
// dump of the registry. If a record needs something that is not there, that is damage, unless a later record of the
// WAL drops it.

import { AssertionFailed } from "../assert.ts";
import type { Coverage, DumpStore } from "../dump/mod.ts";
import { nextTurn } from "../host/mod.ts";
import type { DedupState } from "../idempotency/mod.ts";
import {
  ADOPT,
  applyRangeDeletesNow,
  CREATE,
  decodeCatalog,
  DROP,
  hasKey,
  isBelow,
  isOfAll,
  isOfTrees,
  nameAt,
  NOTE,
  PUT,
  recordWords,
  ROWS,
  serialAt,
  STAGE,
  StateMachine,
} from "../state/mod.ts";
import { type Forest, ownerSerialOf } from "../tree/mod.ts";
import type { WalReader } from "../wal/mod.ts";
import { DamagedError, sentenceOf } from "../errors.ts";
import { DumpFinder } from "./dump_finder.ts";
import type { Progress } from "./progress.ts";
import type { Rescue } from "./rescue.ts";

/** Dumps are restored for so long before others may be due. */
const SLICE_MS = 8;

/** After so many records, some 0.3 ms of work, others may be due. */
const REST_RECORDS = 256;

export class Replay {
  readonly #reader: WalReader;
  readonly #dumps: DumpFinder;
  readonly #forest: Forest;
  readonly #stateMachine: StateMachine;
  /** The last record that the registry's dump holds; null: there is no dump of it. */
  readonly #registryLsn: number | null;
  /** What of each tree's records, by its number, its dump holds; null once that is passed. */
  readonly #coverages: (Coverage | null)[] = [];
  /** What is wrong with trees that the log builds on: damage, unless the log drops them. */
  readonly #absent = new Map<number, string>();
  readonly #limit = new Uint32Array(2);
  /** The dump that holds the latest record. */
  #latest = { file: "", lsn: 0 };
  /** How many records were replayed. */
  records = 0;
  #rest: (() => Promise<void>) | null = null;
  /** Set where damage is tolerated. */
  readonly #rescue: Rescue | null;
  readonly #progress: Progress | null;

  constructor(
    reader: WalReader,
    dumps: DumpStore,
    forest: Forest,
    dedup: DedupState,
    registryLsn: number | null,
    rescue: Rescue | null = null,
    progress: Progress | null = null,
  ) {
    this.#progress = progress;
    this.#reader = reader;
    this.#rescue = rescue;
    this.#dumps = new DumpFinder(dumps, reader.id, rescue);
    this.#forest = forest;
    this.#stateMachine = new StateMachine(forest, dedup);
    this.#registryLsn = registryLsn;
  }

  /** Replays the whole log; `rest` is awaited now and then, where others are served meanwhile. */
  async run(rest: (() => Promise<void>) | null = null): Promise<void> {
    const reader = this.#reader;
    this.#rest = rest;
    await reader.read(
      (preamble) => this.#begin(preamble),
      (words, from, to, lsn, records) => {
        this.records += records;
        this.#progress?.tell(() => `Replaying: ${this.records} records, up to ${lsn}`);
        return this.#replay(words, from, to, lsn, records);
      },
    );
    this.#stateMachine.unstageAll();
    if (this.#rescue !== null) return;
    for (const fault of this.#absent.values()) throw this.#incomplete(fault);
    const { file, lsn } = this.#latest;
    if (lsn > reader.lsn) throw ahead(`Dump ${file}`, lsn, reader);
    const registryLsn = this.#registryLsn ?? 0;
    if (registryLsn > reader.lsn) throw ahead("The dump of the registry", registryLsn, reader);
  }

  /** The log goes on from something that is not there. */
  #incomplete(fault: string): DamagedError {
    const aside = this.#reader.aside.map((file) => `; log ${file} was not read`).join("");
    return new DamagedError(`${fault}${aside}`);
  }

  /** The trees that the log begins with come from dumps. */
  async #begin(preamble: Uint8Array): Promise<void> {
    const { nextSerial, trees, hasRegistry, registryMark } = decodeCatalog(preamble);
    const lsn = registryMark ?? this.#reader.lsn;
    if (hasRegistry && (this.#registryLsn ?? -1) < lsn) {
      const fault =
        `No dump of the registry is there as of record ${lsn}, and the log goes on from it`;
      if (this.#rescue === null) throw this.#incomplete(fault);
      const kept = "Idempotency keys, ingest streams and checkpoints";
      this.#rescue.lose(`${kept} of before record ${lsn + 1} are lost: ${fault}`);
    }
    let began = performance.now();
    for (const [index, { number, serial, name, mark }] of trees.entries()) {
      this.#progress?.tell(() => `Restoring: ${index} of ${trees.length} trees`);
      if (performance.now() - began > SLICE_MS) {
        await nextTurn();
        began = performance.now();
      }
      const fault = await this.#restore(name, number, serial, mark ?? this.#reader.lsn, true);
      if (fault !== null) this.#miss(name, number, serial, fault);
    }
    this.#forest.nextSerial = Math.max(this.#forest.nextSerial, nextSerial);
  }

  /**
   * Puts a tree there from a dump that the log goes on from, with what records up to `held` have changed;
   * returns why not, if there is none. `isNeeded`: the log alone does not give the tree.
   */
  async #restore(
    name: string,
    number: number,
    serial: number,
    held = this.#reader.lsn,
    isNeeded = false,
  ): Promise<string | null> {
    const reader = this.#reader;
    const dumped = await this.#dumps.find(name, serial, held, isNeeded);
    const goesOn = `and the log goes on at ${reader.lsn + 1}`;
    if (dumped === null) return `No dump of tree ${JSON.stringify(name)} is there, ${goesOn}`;
    const { file, tree, coverage } = dumped;
    if (coverage.least < held) {
      const fault = `Dump ${file} ends at record ${coverage.least}, ${goesOn}`;
      if (this.#rescue === null) return fault;
      this.#rescue.lose(`What came in between in tree ${JSON.stringify(name)} is lost: ${fault}`);
    }
    if (coverage.most > this.#latest.lsn) this.#latest = { file, lsn: coverage.most };
    this.#forest.put(tree, number, serial);
    tree.mark(coverage.least); // what comes later changes it, also where some of its branches hold it
    this.#coverages[number] = coverage;
    return null;
  }

  /** An empty tree takes the place of one that can't be had. If the log drops it, that is no fault. */
  #miss(name: string, number: number, serial: number, fault: string): void {
    this.#forest.put(this.#forest.makeTree(name), number, serial);
    if (this.#rescue === null) this.#absent.set(number, fault);
    else this.#rescue.lose(`What came before in tree ${JSON.stringify(name)} is lost: ${fault}`);
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
      if (this.#rest !== null && records % REST_RECORDS === 0 && at > from) {
        const [next, nextLsn, left] = [at, lsn, records];
        return this.#rest().then(() => this.#replay(words, next, to, nextLsn, left));
      }
      try {
        if (isOfTrees(words, at) && !this.#replayOfTreesNow(words, at, lsn)) {
          const [next, nextLsn, left] = [at + size, lsn + 1, records - 1];
          return this.#replayOfTrees(words, at, lsn).catch((error) => {
            this.#refuse(error);
          }).then(() => {
            return this.#replay(words, next, to, nextLsn, left);
          });
        }
        if ((words[at] & 0xff) === NOTE) this.#replayNote(words, at, lsn);
        else if (!isOfTrees(words, at)) this.#replayOfCounters(words, at, lsn);
      } catch (error) {
        this.#refuse(error instanceof AssertionFailed ? unreadable(lsn, error) : error);
      }
      at += size;
    }
  }

  /** A record that cannot be replayed is damage, where that is not tolerated. */
  #refuse(error: unknown): void {
    if (this.#rescue === null || !(error instanceof DamagedError)) throw error;
    this.#rescue.skip(error);
  }

  #replayNote(words: Uint32Array<ArrayBuffer>, at: number, lsn: number): void {
    if (lsn > (this.#registryLsn ?? 0)) this.#stateMachine.apply(words, at);
  }

  #replayOfCounters(words: Uint32Array<ArrayBuffer>, at: number, lsn: number): void {
    const number = words[at] >>> 8;
    const limit = this.#limit;
    limit[0] = limit[1] = 0;
    const coverage = this.#coverages[number];
    if (coverage) {
      if (coverage.isPassed(lsn)) this.#coverages[number] = null;
      else {
        if (lsn > coverage.least) this.#forest.at(number)!.isChanged = true;
        coverage.limit(lsn, limit);
        const isHeld = limit[0] === 0 && limit[1] === 0;
        if (isHeld || hasKey(words, at) && !isBelow(words, at, limit)) return;
      }
    }
    if (this.#absent.size > 0 && this.#absent.has(number)) return;
    if (!this.#stateMachine.apply(words, at, limit[0], limit[1])) throw unreadable(lsn);
    if (isOfAll(words, at)) applyRangeDeletesNow(this.#forest.at(number)!);
  }

  /**
   * Replays a record of a tree for which no dump has to be looked for, as that of a new tree of a name that
   * no dump has: nothing is awaited then. False: one may have to be.
   */
  #replayOfTreesNow(words: Uint32Array<ArrayBuffer>, at: number, lsn: number): boolean {
    const kind = words[at] & 0xff;
    const number = words[at] >>> 8;
    if (kind === DROP) {
      this.#absent.delete(number);
      const named = this.#forest.at(number)?.named;
      if (named) this.#absent.delete(named.number);
    } else if (kind !== CREATE || !this.#dumps.hasNone(nameAt(words, at))) return false;
    this.#coverages[number] = null;
    this.#applyOfTrees(words, at, lsn);
    return true;
  }

  async #replayOfTrees(words: Uint32Array<ArrayBuffer>, at: number, lsn: number): Promise<void> {
    const kind = words[at] & 0xff;
    const number = words[at] >>> 8;
    const isComing = kind === STAGE || kind === ROWS;
    if (kind === ADOPT) this.#replaced(nameAt(words, at));
    else if (await this.#isElsewhere(words, at, kind, number)) return;
    if (!isComing && kind !== ADOPT) this.#coverages[number] = null;
    this.#applyOfTrees(words, at, lsn);
    if (kind !== ADOPT) return;
    // Dumps under the name that it has from now on hold more of it than those under the hidden one.
    const named = this.#forest.at(number)?.named ?? null;
    const fault = await this.#restore(nameAt(words, at), number, serialAt(words, at));
    if (fault === null) this.#absent.delete(number);
    if (fault === null && named !== null) {
      const missing = await this.#restore(named.name, named.number, named.serial);
      if (missing !== null) this.#miss(named.name, named.number, named.serial, missing);
      else this.#absent.delete(named.number);
    }
  }

  #applyOfTrees(words: Uint32Array<ArrayBuffer>, at: number, lsn: number): void {
    try {
      this.#stateMachine.apply(words, at);
      while (this.#forest.reclaim());
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
    const isStaged = this.#stateMachine.isStaged(serial);
    if (kind === ROWS) return !isStaged;
    const name = nameAt(words, at);
    if (kind === PUT) this.#replaced(name);
    const fault = await this.#restore(name, number, serial, undefined, kind === PUT && !isStaged);
    if (fault === null) this.#stateMachine.unstage(serial);
    if (fault !== null && kind === PUT && !isStaged) this.#miss(name, number, serial, fault);
    return fault === null || kind === PUT && !isStaged;
  }

  /** A tree that can't be had is not needed if another one takes its name. */
  #replaced(name: string): void {
    for (const number of this.#absent.keys()) {
      const tree = this.#forest.at(number);
      const owner = tree === null ? -1 : ownerSerialOf(tree.name);
      const isReplaced = tree?.name === name ||
        owner >= 0 && this.#forest.named(name)?.serial === owner;
      if (isReplaced) this.#absent.delete(number);
    }
  }
}

function ahead(dump: string, lsn: number, reader: WalReader): DamagedError {
  return new DamagedError(`${dump} holds record ${lsn}, and the log ends at ${reader.lsn}`);
}

function unreadable(lsn: number, cause?: Error): DamagedError {
  const fault = cause === undefined ? "it makes no sense" : sentenceOf(cause);
  return new DamagedError(`Record ${lsn} of the log cannot be replayed: ${fault}`, { cause });
}
