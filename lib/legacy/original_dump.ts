// The reader of the dumps that the original Karma (0.1 and 1.x) wrote: one MessagePack value.
//
//   82                                      map of 2
//      ac "branches_num"  09                any number: our branches are cut otherwise
//      a8 "branches"  99                    array of so many
//         81  KEY  82                       maps of counters: which is in which says nothing
//                    a5 "table"  82  DAY VALUE  DAY VALUE
//                    a5 "total"  TOTAL      recomputed: the original did not always keep it right
//
// Members come in any order, with unknown ones among them, and integers go to 2^64-1, as keys too:
// that is why @std/msgpack cannot read these files.
//
// Invariant: a file loads whole, or a DamagedError names it, its fault and the byte; the tree then
// holds a part and is to be dropped. No length is believed: memory follows the bytes that are there.
// Trade-off: nothing is remembered within a counter. Where the window ends before the counter does, it
// is begun again with more in the window; so a counter has a largest size (PIECE_BYTES_MAX).

import { assert } from "../assert.ts";
import { LANE_MAX, NameTable, u64ToBigInt } from "../bytes/mod.ts";
import type { ReadWindow } from "../host/mod.ts";
import type { Tree } from "../tree/mod.ts";
import { DamagedError, MemoryFullError } from "../errors.ts";
import { CounterCells } from "./counter_cells.ts";
import { MessagePackScanner, SHORT } from "./message_pack_scanner.ts";

/**
 * The most that is parsed in one go: a counter of a million days. Fewer than 2^21 cells of ten bytes
 * fit, so that the lanes of their values add up exactly as doubles.
 */
const PIECE_BYTES_MAX = 16 * 1024 * 1024;

/** Cells, counters and other pieces between two pauses: a millisecond or two of work. */
const WORK_PER_TURN = 8192;

const FILE_MEMBERS = new NameTable(["branches_num", "branches"]);
const BRANCHES_NUM = 0;
const BRANCHES = 1;

const COUNTER_MEMBERS = new NameTable(["table", "total"]);
const TABLE = 0;
const TOTAL = 1;

/** Fills an empty tree from an original dump; `pause` lets others have their turn. */
export async function readOriginalDump(
  window: ReadWindow,
  file: string,
  tree: Tree,
  log: (line: string) => void,
  pause: () => Promise<void>,
): Promise<void> {
  const reader = new Reader(window, file, tree, pause);
  await reader.read();
  if (reader.wrongTotals > 0) {
    const keys = counted(reader.wrongTotals, "key");
    const what = `the stored total of ${keys} is not the sum of the days, which counts`;
    log(`Dump ${file}: ${what} (first: ${reader.firstWrongTotal})`);
  }
  if (await window.fill(1)) {
    log(`Dump ${file}: ignored ${counted(window.left, "byte")} after its end`);
  }
}

function counted(count: number, thing: string): string {
  return count === 1 ? `1 ${thing}` : `${count} ${thing}s`;
}

class Reader {
  readonly #window: ReadWindow;
  readonly #file: string;
  readonly #tree: Tree;
  readonly #pause: () => Promise<void>;
  readonly #scanner = new MessagePackScanner();
  /** Cells, counters and other pieces since the last pause. */
  #work = 0;
  /** Counters of the current branch that are still to come. */
  #countersLeft = 0;
  /** The current counter. */
  #keyLo = 0;
  #keyHi = 0;
  #totalLo = 0;
  #totalHi = 0;
  readonly #cells = new CounterCells();
  /** How many stored totals were not the sum of the days. */
  wrongTotals = 0;
  firstWrongTotal = "";

  constructor(window: ReadWindow, file: string, tree: Tree, pause: () => Promise<void>) {
    this.#window = window;
    this.#file = file;
    this.#tree = tree;
    this.#pause = pause;
  }

  async read(): Promise<void> {
    let hasNumber = false;
    let hasBranches = false;
    const members = await this.#piece(() => this.#map("the file"));
    for (let member = 0; member < members; member++) {
      const name = await this.#piece(() => this.#name(FILE_MEMBERS));
      if (name === BRANCHES_NUM) {
        await this.#piece(() => this.#number());
        hasNumber = true;
      } else if (name === BRANCHES) {
        if (hasBranches) throw this.#fault("branches is there twice");
        await this.#branches();
        hasBranches = true;
      } else {
        await this.#piece(() => this.#skip());
      }
    }
    if (!hasNumber) throw this.#fault("branches_num is missing");
  }

  async #branches(): Promise<void> {
    const branches = await this.#piece(() => this.#array("branches"));
    for (let branch = 0; branch < branches; branch++) {
      this.#countersLeft = await this.#piece(() => this.#map("a branch"));
      while (this.#countersLeft > 0) await this.#piece(() => this.#counters());
    }
  }

  /** Parses a piece of the file in one go, from its beginning again until all of it is there. */
  async #piece<T>(parse: () => T): Promise<T> {
    const window = this.#window;
    const scanner = this.#scanner;
    if (++this.#work > WORK_PER_TURN) {
      this.#work = 0;
      await this.#pause();
    }
    for (;;) {
      scanner.open(window.bytes, window.at, window.end);
      try {
        const parsed = parse();
        window.at = scanner.at;
        return parsed;
      } catch (error) {
        if (error !== SHORT) throw error;
      }
      const had = window.end - window.at;
      if (had >= PIECE_BYTES_MAX) {
        throw this.#faultAt("one counter or member takes more than 16 MiB", window.at);
      }
      // Twice as much: all beginnings of a piece together then cost no more than its end.
      await window.fill(Math.min(2 * had + 1, PIECE_BYTES_MAX));
      if (window.end - window.at === had) throw this.#faultAt("it ends too early", window.end);
    }
  }

  /** Reads counters of a branch until they, the bytes at hand or a turn's work are done. */
  #counters(): void {
    do {
      this.#counter();
      this.#store();
      this.#window.at = this.#scanner.at; // what is in the tree is not read again
      this.#countersLeft--;
      this.#work += this.#cells.count + 1;
    } while (this.#countersLeft > 0 && this.#work < WORK_PER_TURN);
  }

  #counter(): void {
    const scanner = this.#scanner;
    if (!scanner.unsigned()) throw this.#notUnsigned("a key");
    this.#keyLo = scanner.lo;
    this.#keyHi = scanner.hi;
    let hasTable = false;
    let hasTotal = false;
    const members = scanner.map();
    if (members < 0) throw this.#fault(`${this.#key} is not a map`);
    for (let member = 0; member < members; member++) {
      const name = this.#name(COUNTER_MEMBERS);
      if (name === TABLE) {
        this.#table();
        hasTable = true;
      } else if (name === TOTAL) {
        if (!scanner.unsigned()) throw this.#notUnsigned(`the total of ${this.#key}`);
        this.#totalLo = scanner.lo;
        this.#totalHi = scanner.hi;
        hasTotal = true;
      } else {
        this.#skip();
      }
    }
    if (!hasTable) throw this.#fault(`${this.#key} has no table`);
    if (!hasTotal) throw this.#fault(`${this.#key} has no total`);
  }

  #table(): void {
    const scanner = this.#scanner;
    const cells = this.#cells;
    const days = scanner.map();
    if (days < 0) throw this.#fault(`the table of ${this.#key} is not a map`);
    cells.clear();
    for (let index = 0; index < days; index++) {
      const at = scanner.at;
      if (!scanner.unsigned()) throw this.#notUnsigned(`a day of ${this.#key}`);
      const day = scanner.lo;
      if (scanner.hi !== 0) {
        const beyond = u64ToBigInt(day, scanner.hi);
        const what =
          `day ${beyond} of ${this.#key} is beyond ${LANE_MAX}, the last that Karma holds`;
        throw this.#faultAt(what, at);
      }
      if (!scanner.unsigned()) throw this.#notUnsigned(`the value of day ${day} of ${this.#key}`);
      cells.push(day, scanner.lo, scanner.hi);
    }
    cells.tidy();
  }

  /** Puts the counter into the tree, in the place of an earlier one of its key. */
  #store(): void {
    const tree = this.#tree;
    const cells = this.#cells;
    cells.addUp();
    if (cells.sumHi > LANE_MAX) {
      throw this.#fault(`the days of ${this.#key} add up to more than 18446744073709551615`);
    }
    if (cells.sumLo !== this.#totalLo || cells.sumHi !== this.#totalHi) this.#countWrongTotal();
    if (tree.fill(this.#keyLo, this.#keyHi, cells.width, cells, cells.count)) return;
    // One counter in some hundreds meets a full branch; `add` is slower but makes room.
    if (!tree.touch(this.#keyLo, this.#keyHi)) throw new MemoryFullError("no memory for a dump");
    tree.removeDays(this.#keyLo, this.#keyHi, 0, LANE_MAX);
    for (let at = 0; at < cells.count; at++) {
      const day = cells.days[at];
      const done = tree.add(this.#keyLo, this.#keyHi, day, cells.lows[at], cells.highs[at]);
      if (!done && tree.refusal === "memory") throw new MemoryFullError("no memory for a dump");
      assert(done, "days whose sum fits 64 bits can be added");
    }
  }

  #countWrongTotal(): void {
    if (this.wrongTotals++ > 0) return;
    const stored = u64ToBigInt(this.#totalLo, this.#totalHi);
    const sum = u64ToBigInt(this.#cells.sumLo, this.#cells.sumHi);
    this.firstWrongTotal = `${this.#key}, stored ${stored}, sum ${sum}`;
  }

  get #key(): string {
    return `key ${u64ToBigInt(this.#keyLo, this.#keyHi)}`;
  }

  #map(what: string): number {
    const pairs = this.#scanner.map();
    if (pairs < 0) throw this.#fault(`${what} is not a map`);
    return pairs;
  }

  #array(what: string): number {
    const values = this.#scanner.array();
    if (values < 0) throw this.#fault(`${what} is not an array`);
    return values;
  }

  #number(): void {
    if (!this.#scanner.unsigned()) throw this.#notUnsigned("branches_num");
  }

  /** Takes the name of a member; returns its index in `names`, or -1. */
  #name(names: NameTable): number {
    const scanner = this.#scanner;
    if (!scanner.text()) throw this.#fault("the name of a member is not a string");
    return names.find(scanner.bytes, scanner.start, scanner.at);
  }

  #skip(): void {
    if (!this.#scanner.skip()) throw this.#fault("byte c1 begins no value");
  }

  #notUnsigned(what: string): DamagedError {
    return this.#fault(`${what} is not an unsigned integer`);
  }

  /** What is wrong with the value that is next. */
  #fault(what: string): DamagedError {
    return this.#faultAt(what, this.#scanner.at);
  }

  #faultAt(what: string, at: number): DamagedError {
    const offset = this.#window.offset + at - this.#window.at;
    const dump = this.#file;
    return new DamagedError(`Dump ${dump} is damaged: ${what}, at byte ${offset}`, { dump });
  }
}
