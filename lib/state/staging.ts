// Staging: puts whole trees into the log, branch by branch, and then in the place of their names at once.
//
//   stage ─► rows, rows, ... ─► (stage ─► rows, ... of its named tree) ─► put (put)
//
// Invariant: both puts are in one group of the log, so a tree never stands without its named counters. What was staged
// and not put is nothing.
// Trade-off: the rows are in the log, not the name of a file: that may be removed.

import { parts } from "../dump/mod.ts";
import { pace } from "../host/mod.ts";
import { type Forest, namedTreeName, type Tree } from "../tree/mod.ts";
import type { Wal } from "../wal/mod.ts";
import { PUT, RECORD_WORDS_MAX, ROWS, STAGE } from "./record.ts";
import type { StateMachine } from "./state_machine.ts";
import type { Outcome } from "./state_writer.ts";

/** What staging takes of the state writer. */
interface Writer {
  reserve(records: number, bytes: number, amounts: number): boolean;
  isCrowded(name: string): boolean;
  dropBeside(tree: Tree | null, words: number): Outcome;
  record(head: number, serial: number, bytes: Uint8Array, isApplied: boolean): Outcome;
}

export class Staging {
  readonly #forest: Forest;
  readonly #wal: Wal;
  readonly #stateMachine: StateMachine;
  readonly #writer: Writer;
  /** For each tree that is on its way into the log, the first of its records. */
  readonly #firsts = new Set<number>();

  constructor(forest: Forest, wal: Wal, stateMachine: StateMachine, writer: Writer) {
    this.#forest = forest;
    this.#wal = wal;
    this.#stateMachine = stateMachine;
    this.#writer = writer;
  }

  /** The first record that a tree needs which is on its way; Infinity: none is. */
  get first(): number {
    return Math.min(...this.#firsts);
  }

  /** Puts a tree in the place of its name, and its named tree beside it, if it has one. */
  async put(tree: Tree, named: Tree | null): Promise<Outcome> {
    const writer = this.#writer;
    if (writer.isCrowded(tree.name)) return "crowded";
    const serial = this.#forest.nextSerial++;
    const first = this.#wal.lsn + 1;
    this.#firsts.add(first);
    try {
      if (await this.#stage(tree, serial) === "full") return "full";
      const namedSerial = this.#forest.nextSerial;
      if (named !== null) {
        this.#forest.nextSerial++;
        named.rename(namedTreeName(serial));
        if (await this.#stage(named, namedSerial) === "full") return "full";
      }
      if (!writer.reserve(2, 0, 0)) return "full";
      if (writer.isCrowded(tree.name)) return "crowded";
      const old = this.#forest.named(tree.name);
      if (writer.dropBeside(old, 2 * RECORD_WORDS_MAX) === "full") return "full";
      const outcome = this.#put(tree, serial);
      return named === null || outcome !== "done" ? outcome : this.#put(named, namedSerial);
    } finally {
      this.#firsts.delete(first);
    }
  }

  async #stage(tree: Tree, serial: number): Promise<Outcome> {
    const writer = this.#writer;
    if (writer.record(STAGE, serial, tree.nameBytes, false) === "full") return "full";
    const rest = pace();
    for (const { payload } of parts(tree, () => 0)) {
      if (writer.record(ROWS, serial, payload, false) === "full") return "full";
      await rest();
    }
    return "done";
  }

  #put(tree: Tree, serial: number): Outcome {
    const number = this.#forest.freeNumber();
    if (number === null) return "crowded";
    this.#stateMachine.stage(serial, tree);
    try {
      return this.#writer.record(PUT | number << 8, serial, tree.nameBytes, true);
    } finally {
      this.#stateMachine.unstage(serial);
    }
  }
}
