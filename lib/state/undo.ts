// Undo: takes back changes of one request that are in the WAL's buffer and in memory, because a later one of
// the same request was refused.
//
// Invariant: between `begin` and `takeBack` nothing was written, which one `reserve` for all of it sees to,
// and nobody else had a turn. Afterwards the state and the log are as they were before; only a serial that
// was given to a tree stays used.
// Trade-off: the batch of one tree, which may have thousands of items, keeps what it needs itself (state_writer.ts).

import type { Forest, Tree } from "../tree/mod.ts";
import type { Wal } from "../wal/mod.ts";

interface Added {
  readonly tree: Tree;
  readonly keyLo: number;
  readonly keyHi: number;
  readonly day: number;
  readonly lo: number;
  readonly hi: number;
  /** Whether the counter was created for it. */
  readonly created: boolean;
  /** Whether the lanes are what the day held before, not what was added. */
  readonly isOld: boolean;
}

interface Named {
  readonly tree: Tree;
  readonly idLo: number;
  readonly idHi: number;
}

export class Undo {
  readonly #forest: Forest;
  readonly #wal: Wal;
  #at = 0;
  #lsn = 0;
  #added: Added[] = [];
  #named: Named[] = [];
  #made: Tree[] = [];
  /** Whether changes may be taken back. */
  #isOpen = false;

  constructor(forest: Forest, wal: Wal) {
    this.#forest = forest;
    this.#wal = wal;
  }

  /** From here on changes may be taken back; there must be room in the log for all of them. */
  begin(): void {
    this.#at = this.#wal.at;
    this.#lsn = this.#wal.lsn;
    this.#added = [];
    this.#named = [];
    this.#made = [];
    this.#isOpen = true;
  }

  /** From here on all that was noted stays. */
  end(): void {
    this.#isOpen = false;
  }

  /** Notes that a named counter was created. */
  named(tree: Tree, idLo: number, idHi: number): void {
    if (this.#isOpen) this.#named.push({ tree, idLo, idHi });
  }

  /** Notes what the last `add` to a tree did. */
  added(tree: Tree, keyLo: number, keyHi: number, day: number, lo: number, hi: number): void {
    this.#added.push({ tree, keyLo, keyHi, day, lo, hi, created: tree.created, isOld: false });
  }

  /** Notes what a day held before the last `set` to a tree. */
  replaced(tree: Tree, keyLo: number, keyHi: number, day: number): void {
    const [lo, hi] = tree.old;
    this.#added.push({ tree, keyLo, keyHi, day, lo, hi, created: tree.created, isOld: true });
  }

  /** Notes that a tree was created. */
  made(tree: Tree): void {
    if (this.#isOpen) this.#made.push(tree);
  }

  /** Takes back all that was noted, the last first. */
  takeBack(): void {
    this.#forest.budget.leniently(() => {
      for (const { tree, keyLo, keyHi, day, lo, hi, created, isOld } of this.#added.reverse()) {
        if (isOld) tree.set(keyLo, keyHi, day, lo, hi);
        else tree.subtract(keyLo, keyHi, day, lo, hi);
        if (created) tree.forget(keyLo, keyHi);
      }
      for (const { tree, idLo, idHi } of this.#named) tree.forget(idLo, idHi);
    });
    for (const tree of this.#made.reverse()) if (this.#forest.has(tree)) this.#forest.remove(tree);
    this.end();
    const wal = this.#wal;
    wal.append(this.#at - wal.at, this.#lsn - wal.lsn);
  }
}
