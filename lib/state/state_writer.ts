// The state writer: the one way to the state. Every change is written as a record into the WAL's buffer, applied from
// there, and kept in the log if it happened.
//
// Invariant: what comes back as "done" has happened and is in the log; anything else changed nothing. What follows one
// `reserve` is one group of the log: a crash leaves all of it or nothing. Which trees there are is always in the log.
// What is counted in them, and the registry, may be left out (`isCounted`): they then last as the last dump does.

import { ITEM_WORDS, type Items } from "../command/mod.ts";
import type { DedupState } from "../idempotency/mod.ts";
import {
  besidesOf,
  type Forest,
  isHidden,
  type Refusal,
  type Tree,
  treeBytes,
} from "../tree/mod.ts";
import type { Wal } from "../wal/mod.ts";
import { StateMachine } from "./state_machine.ts";
import {
  ADD,
  ADOPT,
  COMPACT,
  CREATE,
  DROP,
  NAME,
  NOTE,
  RECORD_WORDS_MAX,
  REMOVE,
  SET,
  SUBTRACT,
  SWEEP,
  TOUCH,
  writeRecord,
} from "./record.ts";
import { reclaim } from "./range_delete_sweeper.ts";
import { Staging } from "./staging.ts";
import { Undo } from "./undo.ts";

/** Why a change did not happen; "full": no space for the log; "crowded": no more trees. */
export type Outcome = "done" | Refusal | "full" | "crowded";

/** Words of the record of a change of a counter's day. */
const AMOUNT_WORDS = 6;
const REMOVE_WORDS = 5;

/** Memory beside what a new tree takes: more than its first counter may ask for, so that none is made in vain. */
const FIRST_BYTES = 1 << 19;

export class StateWriter {
  readonly #forest: Forest;
  readonly #wal: Wal;
  /** Whether what is counted is in the log. */
  readonly isCounted: boolean;
  readonly #stateMachine: StateMachine;
  readonly #staging: Staging;
  /** Of a batch: one for each item that created its counter, and what the items' days held before. */
  #created = new Uint8Array(0);
  #before = new Uint32Array(0);
  /** For requests of several changes, one of which may be refused. */
  readonly undo: Undo;
  /** The item that made a batch overflow. */
  overflowIndex = 0;

  constructor(forest: Forest, dedup: DedupState, wal: Wal, isCounted: boolean) {
    this.#forest = forest;
    this.#wal = wal;
    this.isCounted = isCounted;
    this.#stateMachine = new StateMachine(forest, dedup);
    this.undo = new Undo(forest, wal);
    this.#staging = new Staging(forest, wal, this.#stateMachine, {
      reserve: (records, bytes, amounts) => this.reserve(records, bytes, amounts),
      isCrowded: (name) => this.#isCrowded(name),
      dropBeside: (tree, words) => this.dropBeside(tree, words),
      record: (head, serial, bytes, isApplied) => this.#record(head, serial, bytes, isApplied),
    });
  }

  /** The first record that a tree needs which is on its way; all others are in the forest. */
  get firstStaged(): number {
    return this.#staging.first;
  }

  /** Makes room for changes that belong together: so many records, with so many bytes and changes of days. */
  reserve(records: number, bytes: number, amounts: number): boolean {
    const words = records * RECORD_WORDS_MAX + Math.ceil(bytes / 4) + amounts * AMOUNT_WORDS;
    return this.#wal.hasRoom(words);
  }

  /** Adds a value to a day of a counter, which it creates. */
  add(tree: Tree, keyLo: number, keyHi: number, day: number, lo: number, hi: number): Outcome {
    if (this.isCounted && !this.#wal.hasRoom(AMOUNT_WORDS)) return "full";
    return this.#amount(ADD, tree, keyLo, keyHi, day, lo, hi) ? "done" : tree.refusal;
  }

  /** Takes a value, or what there is if that is less, from a day of a counter, which it creates. */
  subtract(tree: Tree, keyLo: number, keyHi: number, day: number, lo: number, hi: number): Outcome {
    if (this.isCounted && !this.#wal.hasRoom(AMOUNT_WORDS)) return "full";
    return this.#amount(SUBTRACT, tree, keyLo, keyHi, day, lo, hi) ? "done" : tree.refusal;
  }

  /** Gives a day of a counter, which it creates, a value. */
  set(tree: Tree, keyLo: number, keyHi: number, day: number, lo: number, hi: number): Outcome {
    if (this.isCounted && !this.#wal.hasRoom(AMOUNT_WORDS)) return "full";
    return this.#amount(SET, tree, keyLo, keyHi, day, lo, hi) ? "done" : tree.refusal;
  }

  /** Adds all items, or none; see `culprit`. */
  addAll(tree: Tree, items: Items): Outcome {
    return this.#all(ADD, tree, items);
  }

  /** Sets the days of all items, or of none; see `culprit`. */
  setAll(tree: Tree, items: Items): Outcome {
    return this.#all(SET, tree, items);
  }

  /** Creates a counter without days, unless there is one. */
  touch(tree: Tree, keyLo: number, keyHi: number): Outcome {
    if (this.isCounted && !this.#wal.hasRoom(3)) return "full";
    this.#keyed(TOUCH, tree, keyLo, keyHi);
    return this.#count(3) ? "done" : tree.refusal;
  }

  /** Creates a counter without days under an id and its name, unless there is one. */
  name(tree: Tree, id: number, name: Uint8Array): Outcome {
    if (this.isCounted && !this.#wal.hasRoom(RECORD_WORDS_MAX)) return "full";
    const { words, at } = this.#wal;
    const size = writeRecord(words, at, NAME | tree.number << 8, id, name);
    return this.#count(size) ? "done" : tree.refusal;
  }

  /** Takes away the days in [dayFrom, dayTo] of a counter. */
  remove(tree: Tree, keyLo: number, keyHi: number, dayFrom: number, dayTo: number): Outcome {
    if (this.isCounted && !this.#wal.hasRoom(REMOVE_WORDS)) return "full";
    const at = this.#keyed(REMOVE, tree, keyLo, keyHi);
    const { words } = this.#wal;
    words[at] = dayFrom;
    words[at + 1] = dayTo;
    this.#count(REMOVE_WORDS);
    return "done";
  }

  /** Takes away the days in [dayFrom, dayTo] of every counter; walk the tree afterwards (`settle`). */
  sweep(tree: Tree, dayFrom: number, dayTo: number): Outcome {
    if (this.isCounted && !this.#wal.hasRoom(3)) return "full";
    const { words, at } = this.#wal;
    words[at] = SWEEP | tree.number << 8;
    words[at + 1] = dayFrom;
    words[at + 2] = dayTo;
    this.#count(3);
    return "done";
  }

  /** Takes away the counters without days; walk the tree afterwards (`settle`). */
  compact(tree: Tree): Outcome {
    if (this.isCounted && !this.#wal.hasRoom(1)) return "full";
    const { words, at } = this.#wal;
    words[at] = COMPACT | tree.number << 8;
    this.#count(1);
    return "done";
  }

  /** Changes the registry. */
  note(kind: number, payload: Uint8Array): Outcome {
    const wal = this.#wal;
    if (!wal.hasRoom(RECORD_WORDS_MAX + Math.ceil(payload.length / 4))) return "full";
    this.#count(writeRecord(wal.words, wal.at, NOTE, kind, payload));
    return "done";
  }

  /** Creates an empty tree; there must be none of that name. */
  create(name: string): Outcome {
    const number = this.#forest.freeNumber();
    if (number === null || this.#isCrowded(name)) return "crowded";
    const bytes = new TextEncoder().encode(name);
    if (!this.hasRoomFor(name)) return "memory";
    return this.#record(CREATE | number << 8, this.#forest.nextSerial, bytes, true);
  }

  /** Whether there is memory for something that is called so, and for its first counter. */
  hasRoomFor(name: string): boolean {
    return this.#forest.budget.fits(treeBytes(name) + FIRST_BYTES);
  }

  /** Drops a tree, and the hidden ones that go with it. */
  drop(tree: Tree): Outcome {
    return this.#drop([...besidesOf(tree), tree], 0);
  }

  /** Drops only those, and leaves room for so many words that belong to the same change. */
  dropBeside(tree: Tree | null, words = 0): Outcome {
    return this.#drop(tree === null ? [] : besidesOf(tree), words);
  }

  #drop(trees: readonly Tree[], moreWords: number): Outcome {
    const wal = this.#wal;
    if (!wal.hasRoom(trees.length + moreWords)) return "full";
    for (const { number } of trees) {
      wal.words[wal.at] = DROP | number << 8;
      this.#stateMachine.apply(wal.words, wal.at);
      wal.append(1);
    }
    reclaim(this.#forest);
    return "done";
  }

  /** Lets a hidden tree take the place of a name, and of the tree that has it. */
  adopt(tree: Tree, name: string): Outcome {
    if (this.#isCrowded(name)) return "crowded";
    const bytes = new TextEncoder().encode(name);
    if (this.dropBeside(this.#forest.named(name), RECORD_WORDS_MAX) === "full") return "full";
    return this.#record(ADOPT | tree.number << 8, tree.serial, bytes, true);
  }

  /** Puts a tree in the place of its name, and its named tree beside it (staging.ts). */
  put(tree: Tree, named: Tree | null = null): Promise<Outcome> {
    return this.#staging.put(tree, named);
  }

  /** Whether a tree of that name would be one too many. Hidden ones are as many as there are streams. */
  #isCrowded(name: string): boolean {
    return this.#forest.room <= 0 && !isHidden(name) && this.#forest.named(name) === null;
  }

  /** Writes a record with bytes; a tree that is here already needs no part of it applied. */
  #record(head: number, serial: number, bytes: Uint8Array, isApplied: boolean): Outcome {
    const wal = this.#wal;
    if (!wal.hasRoom(RECORD_WORDS_MAX + Math.ceil(bytes.length / 4))) return "full";
    const { words, at } = wal;
    const size = writeRecord(words, at, head, serial, bytes);
    if (isApplied) this.#stateMachine.apply(words, at);
    wal.append(size);
    if (isApplied) reclaim(this.#forest); // of the tree whose place was taken, if any was
    return "done";
  }

  /** Lets all items of a batch happen, each as a record; at one that overflows takes all back. */
  #all(kind: number, tree: Tree, items: Items): Outcome {
    const wal = this.#wal;
    const { count, words: from, hasNames } = items;
    let part = tree;
    if (!wal.hasRoom(AMOUNT_WORDS * count)) return "full";
    if (this.#created.length < count) {
      this.#created = new Uint8Array(2 * count);
      this.#before = new Uint32Array(4 * count);
    }
    const { words } = wal;
    let at = wal.at;
    for (let index = 0, item = 0; index < count; index++, item += ITEM_WORDS) {
      if (hasNames) part = items.isName(index) ? tree.named! : tree;
      words[at] = kind | part.number << 8;
      words[at + 1] = from[item];
      words[at + 2] = from[item + 1];
      words[at + 3] = from[item + 2];
      words[at + 4] = from[item + 3];
      words[at + 5] = from[item + 4];
      if (!this.#stateMachine.apply(words, at)) {
        const { refusal } = part;
        this.overflowIndex = index;
        this.#forest.budget.leniently(() => this.#takeBack(kind, tree, items));
        return refusal;
      }
      this.#created[index] = part.created ? 1 : 0;
      if (kind === SET) {
        this.#before[2 * index] = part.old[0];
        this.#before[2 * index + 1] = part.old[1];
      }
      at += AMOUNT_WORDS;
    }
    if (this.isCounted) wal.append(AMOUNT_WORDS * count, count);
    return "done";
  }

  /** Undoes the items before the culprit, from the last to the first. */
  #takeBack(kind: number, tree: Tree, items: Items): void {
    for (let index = this.overflowIndex - 1; index >= 0; index--) {
      const [keyLo, keyHi, day, lo, hi] = items.words.subarray(ITEM_WORDS * index);
      const part = items.isName(index) ? tree.named! : tree;
      if (kind === ADD) part.subtract(keyLo, keyHi, day, lo, hi);
      else part.set(keyLo, keyHi, day, this.#before[2 * index], this.#before[2 * index + 1]);
      if (this.#created[index] === 1) part.forget(keyLo, keyHi);
    }
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
    const { words } = this.#wal;
    words[at] = day;
    words[at + 1] = lo;
    words[at + 2] = hi;
    return this.#count(AMOUNT_WORDS);
  }

  /** Begins the record of a counter's change; returns where its fields go on. */
  #keyed(kind: number, tree: Tree, keyLo: number, keyHi: number): number {
    const { words, at } = this.#wal;
    words[at] = kind | tree.number << 8;
    words[at + 1] = keyLo;
    words[at + 2] = keyHi;
    return at + 3;
  }

  /** Lets the change of what is counted happen that was written as so many words. False: it is refused. */
  #count(words: number): boolean {
    const wal = this.#wal;
    if (!this.#stateMachine.apply(wal.words, wal.at)) return false;
    if (this.isCounted) wal.append(words);
    return true;
  }
}
