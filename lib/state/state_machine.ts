// Changes: what can happen to the state, as the records of the log carry it, and the one function
// that lets it happen, for requests as for replay.
//
//   word 0   kind, and the number of the tree << 8
//   add      key (2) | day | value (2)              subtract likewise; at most what there is
//   touch    key (2)                                a counter without days, unless there is one
//   remove   key (2) | first day | last day         of one counter
//   sweep    first day | last day                   of every counter
//   create   serial (2) | bytes of the name | name ...
//   drop
//   stage    serial (2) | bytes of the name | name ...    a tree is to come, which nobody sees yet
//   rows     serial (2) | bytes | branch ...              the next part of it, as in a dump
//   put      serial (2) | bytes of the name | name ...    all of it is there: it takes its name's place
//   set      key (2) | day | value (2)              what the day holds from now on
//   compact                                         counters without days go
//   adopt    serial (2) | bytes of the name | name ...    a hidden tree takes the place of a name
//   note     kind (2) | bytes | ...                       of the registry
//
// Invariant: a change is refused whole, or happens whole and needs nothing but the state before it,
// so that the same records give the same state. What a record says is what happens: a request is
// written as a record first and the record is then applied, and appended to the log if it worked.

import { assert } from "../assert.ts";
import { compareU64, LANE } from "../bytes/mod.ts";
import { decodeBranch, TreeBuilder } from "../dump/mod.ts";
import type { DedupState } from "../idempotency/mod.ts";
import type { Forest, Tree } from "../tree/mod.ts";

export const ADD = 1;
export const SUBTRACT = 2;
export const TOUCH = 3;
export const REMOVE = 4;
export const SWEEP = 5;
export const CREATE = 6;
export const DROP = 7;
export const STAGE = 8;
export const ROWS = 9;
export const PUT = 10;
export const SET = 11;
export const COMPACT = 12;
export const ADOPT = 13;
export const NOTE = 14;

/** The words of each kind, without what follows a count of bytes. */
const WORDS = [0, 6, 6, 3, 5, 3, 4, 1, 4, 4, 4, 6, 1, 4, 4];

/** Enough for every record of a fixed length, and one with a tree's name. */
export const RECORD_WORDS_MAX = 4 + 256 / 4;

/** The words of the record at words[at]; 0 if it is none. */
export function recordWords(words: Uint32Array, at: number): number {
  const kind = words[at] & 0xff;
  const fixed = WORDS[kind] ?? 0;
  return fixed === 4 ? fixed + Math.ceil(words[at + 3] / 4) : fixed;
}

/** Writes a record of a serial and bytes to words[at...]; returns how many words it has. */
export function writeRecord(
  words: Uint32Array<ArrayBuffer>,
  at: number,
  head: number,
  serial: number,
  bytes: Uint8Array,
): number {
  words[at] = head;
  words[at + 1] = serial % LANE;
  words[at + 2] = Math.floor(serial / LANE);
  words.fill(0, at + 4, at + 4 + Math.ceil(bytes.length / 4)); // the last word may not be full
  words[at + 3] = bytes.length;
  new Uint8Array(words.buffer, words.byteOffset).set(bytes, 4 * (at + 4));
  return 4 + Math.ceil(bytes.length / 4);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class StateMachine {
  readonly #forest: Forest;
  readonly #dedup: DedupState;
  /** Trees that are to come, by their serials; whole already if they don't come from records. */
  readonly #staged = new Map<number, TreeBuilder | Tree>();

  constructor(forest: Forest, dedup: DedupState) {
    this.#forest = forest;
    this.#dedup = dedup;
  }

  /** Announces a tree that is complete already: the next `put` with its serial takes it. */
  stage(serial: number, tree: Tree): void {
    this.#staged.set(serial, tree);
  }

  /** Whether a tree with that serial is to come. */
  isStaged(serial: number): boolean {
    return this.#staged.has(serial);
  }

  /** Forgets a tree that will not come. */
  unstage(serial: number): void {
    this.#staged.delete(serial);
  }

  /**
   * Lets the change at words[at] happen. False: its tree refused it, and nothing happened.
   *
   * A change of all counters leaves those from the key `limit` on alone, zero being none.
   */
  apply(words: Uint32Array<ArrayBuffer>, at: number, limitLo = 0, limitHi = 0): boolean {
    const head = words[at];
    switch (head & 0xff) {
      case ADD: {
        const tree = this.#tree(head);
        const lo = words[at + 4];
        return tree.add(words[at + 1], words[at + 2], words[at + 3], lo, words[at + 5]);
      }
      case SUBTRACT: {
        const tree = this.#tree(head);
        const lo = words[at + 4];
        return tree.subtract(words[at + 1], words[at + 2], words[at + 3], lo, words[at + 5]);
      }
      case TOUCH:
        return this.#tree(head).touch(words[at + 1], words[at + 2]);
      case REMOVE:
        this.#tree(head).removeDays(words[at + 1], words[at + 2], words[at + 3], words[at + 4]);
        return true;
      case SWEEP:
        this.#tree(head).sweep(words[at + 1], words[at + 2], limitLo, limitHi);
        return true;
      case COMPACT:
        this.#tree(head).compact(limitLo, limitHi);
        return true;
      case SET: {
        const tree = this.#tree(head);
        const lo = words[at + 4];
        return tree.set(words[at + 1], words[at + 2], words[at + 3], lo, words[at + 5]);
      }
      case NOTE:
        this.#dedup.apply(words[at + 1], words, at + 4, words[at + 3]);
        return true;
      default:
        this.#applyToForest(words, at);
        return true;
    }
  }

  #applyToForest(words: Uint32Array<ArrayBuffer>, at: number): void {
    const number = words[at] >>> 8;
    switch (words[at] & 0xff) {
      case CREATE:
        this.#forest.create(nameAt(words, at), number, serialAt(words, at));
        return;
      case DROP:
        this.#forest.remove(this.#tree(words[at]));
        return;
      case STAGE: {
        const builder = new TreeBuilder(this.#forest.makeTree(nameAt(words, at)));
        this.#staged.set(serialAt(words, at), builder);
        return;
      }
      case ROWS: {
        const builder = this.#staged.get(serialAt(words, at));
        const part = decodeBranch(bytesAt(words, at));
        assert(builder instanceof TreeBuilder && part !== null, "rows belong to a staged tree");
        builder.add(part);
        return;
      }
      case PUT: {
        const serial = serialAt(words, at);
        const staged = this.#staged.get(serial);
        assert(staged !== undefined, "a tree is staged before it is put");
        this.#staged.delete(serial);
        const tree = staged instanceof TreeBuilder ? staged.finish() : staged;
        this.#forest.put(tree, number, serial);
        return;
      }
      case ADOPT:
        this.#forest.adopt(this.#tree(words[at]), nameAt(words, at));
        return;
    }
    assert(false, "there is no other kind of change");
  }

  #tree(head: number): Tree {
    const tree = this.#forest.at(head >>> 8);
    assert(tree !== null, "a change names a tree that is there");
    tree.isChanged = true; // even if the change is refused then: it costs a dump, and no branch here
    return tree;
  }
}

/** The name in a record that has one. */
export function nameAt(words: Uint32Array<ArrayBuffer>, at: number): string {
  return decoder.decode(bytesAt(words, at));
}

/** The serial in a record that has one. */
export function serialAt(words: Uint32Array, at: number): number {
  return words[at + 2] * LANE + words[at + 1];
}

function bytesAt(words: Uint32Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer, words.byteOffset + 4 * (at + 4), words[at + 3]);
}

/** Whether a change is one of a counter, with its key in the two words behind the first. */
export function hasKey(words: Uint32Array, at: number): boolean {
  const kind = words[at] & 0xff;
  return kind >= ADD && kind <= REMOVE || kind === SET;
}

/** Whether a change is one of all counters of a tree, which branches carry out later. */
export function isOfAll(words: Uint32Array, at: number): boolean {
  const kind = words[at] & 0xff;
  return kind === SWEEP || kind === COMPACT;
}

/** Whether a change is one of the trees that there are, or are to come. */
export function isOfTrees(words: Uint32Array, at: number): boolean {
  const kind = words[at] & 0xff;
  return kind >= CREATE && kind <= PUT || kind === ADOPT;
}

/** Whether the key of a change comes before a limit. */
export function isBelow(words: Uint32Array, at: number, limit: Uint32Array): boolean {
  return compareU64(words[at + 1], words[at + 2], limit[0], limit[1]) < 0;
}
