// The ledger: the one way to the state. Every change is written as a record into the log's buffer,
// applied from there, and kept in the log if it happened.
//
// Invariant: what comes back as "done" has happened and is in the log; anything else changed nothing.
// Which trees there are is always in the log. What is counted in them may be left out (`isCounted`):
// it is then as lasting as the last dump.

import { parts } from "../dump/transfer.ts";
import { pace } from "../host/clock.ts";
import type { Log } from "../log/log.ts";
import type { Forest } from "../tree/forest.ts";
import type { Tree } from "../tree/tree.ts";
import {
  ADD,
  Changes,
  CREATE,
  DROP,
  PUT,
  RECORD_WORDS_MAX,
  REMOVE,
  ROWS,
  STAGE,
  SUBTRACT,
  SWEEP,
  TOUCH,
  writeRecord,
} from "./change.ts";

/** "overflow": a sum would pass 2^64-1; "full": no space for the log; "crowded": no more trees. */
export type Outcome = "done" | "overflow" | "full" | "crowded";

export class Ledger {
  readonly #forest: Forest;
  readonly #log: Log;
  readonly #isCounted: boolean;
  readonly #changes: Changes;
  /** For each tree that is on its way into the log, the first of its records. */
  readonly #stagings = new Set<number>();

  constructor(forest: Forest, log: Log, isCounted: boolean) {
    this.#forest = forest;
    this.#log = log;
    this.#isCounted = isCounted;
    this.#changes = new Changes(forest);
  }

  /** The first record that a tree needs which is on its way; all others are in the forest. */
  get firstStaged(): number {
    return Math.min(...this.#stagings);
  }

  /** Adds a value to a day of a counter, which it creates. */
  add(tree: Tree, keyLo: number, keyHi: number, day: number, lo: number, hi: number): Outcome {
    if (this.#isCounted && !this.#log.hasRoom(6)) return "full";
    return this.#amount(ADD, tree, keyLo, keyHi, day, lo, hi) ? "done" : "overflow";
  }

  /** Takes a value, or what there is if that is less, from a day of a counter, which it creates. */
  subtract(tree: Tree, keyLo: number, keyHi: number, day: number, lo: number, hi: number): Outcome {
    if (this.#isCounted && !this.#log.hasRoom(6)) return "full";
    this.#amount(SUBTRACT, tree, keyLo, keyHi, day, lo, hi);
    return "done";
  }

  /** Takes away the days in [dayFrom, dayTo] of a counter, which it creates. */
  remove(tree: Tree, keyLo: number, keyHi: number, dayFrom: number, dayTo: number): Outcome {
    if (this.#isCounted && !this.#log.hasRoom(3 + 5)) return "full";
    this.#keyed(TOUCH, tree, keyLo, keyHi);
    this.#count(3);
    const at = this.#keyed(REMOVE, tree, keyLo, keyHi);
    const { words } = this.#log;
    words[at] = dayFrom;
    words[at + 1] = dayTo;
    this.#count(5);
    return "done";
  }

  /** Takes away the days in [dayFrom, dayTo] of every counter; walk the tree afterwards (`settle`). */
  sweep(tree: Tree, dayFrom: number, dayTo: number): Outcome {
    if (this.#isCounted && !this.#log.hasRoom(3)) return "full";
    const { words, at } = this.#log;
    words[at] = SWEEP | tree.number << 8;
    words[at + 1] = dayFrom;
    words[at + 2] = dayTo;
    this.#count(3);
    return "done";
  }

  /** Creates an empty tree; there must be none of that name. */
  create(name: string): Outcome {
    const number = this.#forest.freeNumber();
    if (number === null) return "crowded";
    const bytes = new TextEncoder().encode(name);
    return this.#record(CREATE | number << 8, this.#forest.nextSerial, bytes, true);
  }

  drop(tree: Tree): Outcome {
    if (!this.#log.hasRoom(1)) return "full";
    const { words, at } = this.#log;
    words[at] = DROP | tree.number << 8;
    this.#changes.apply(words, at);
    this.#log.append(1);
    return "done";
  }

  /** Puts a tree in the place of its name: into the log branch by branch, then for all at once. */
  async put(tree: Tree): Promise<Outcome> {
    const log = this.#log;
    const serial = this.#forest.nextSerial++;
    const first = log.lsn + 1;
    this.#stagings.add(first);
    try {
      if (this.#record(STAGE, serial, tree.nameBytes, false) === "full") return "full";
      const rest = pace();
      for (const { payload } of parts(tree, () => 0)) {
        if (this.#record(ROWS, serial, payload, false) === "full") return "full";
        await rest();
      }
      const number = this.#forest.freeNumber();
      if (number === null) return "crowded";
      this.#changes.stage(serial, tree);
      return this.#record(PUT | number << 8, serial, tree.nameBytes, true);
    } finally {
      this.#changes.unstage(serial);
      this.#stagings.delete(first);
    }
  }

  /** Writes a record with bytes; a tree that is here already needs no part of it applied. */
  #record(head: number, serial: number, bytes: Uint8Array, isApplied: boolean): Outcome {
    const log = this.#log;
    if (!log.hasRoom(RECORD_WORDS_MAX + Math.ceil(bytes.length / 4))) return "full";
    const { words, at } = log;
    const size = writeRecord(words, at, head, serial, bytes);
    if (isApplied) this.#changes.apply(words, at);
    log.append(size);
    return "done";
  }

  #amount(
    kind: number,
    tree: Tree,
    keyLo: number,
    keyHi: number,
    day: number,
    lo: number,
    hi: number,
  ): boolean {
    const at = this.#keyed(kind, tree, keyLo, keyHi);
    const { words } = this.#log;
    words[at] = day;
    words[at + 1] = lo;
    words[at + 2] = hi;
    return this.#count(6);
  }

  /** Begins the record of a counter's change; returns where its fields go on. */
  #keyed(kind: number, tree: Tree, keyLo: number, keyHi: number): number {
    const { words, at } = this.#log;
    words[at] = kind | tree.number << 8;
    words[at + 1] = keyLo;
    words[at + 2] = keyHi;
    return at + 3;
  }

  /** Lets the change of counters happen that was written as so many words. False: it is refused. */
  #count(words: number): boolean {
    const log = this.#log;
    if (!this.#changes.apply(log.words, log.at)) return false;
    if (this.#isCounted) log.append(words);
    return true;
  }
}
