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
// Trade: nothing is remembered within a counter. Where the window ends before the counter does, it
// is begun again with more in the window; so a counter has a largest size (PIECE_BYTES_MAX).
//
// tidy-allow: the scanner of MessagePack at the end serves nobody else

import { NameTable } from "../bytes/name_table.ts";
import { LANE, LANE_MAX, u64ToBigInt } from "../bytes/u64.ts";
import { DamagedError } from "../errors.ts";
import { runRoom, SLIM, WIDE, widthFor } from "../tree/run.ts";
import type { Tree } from "../tree/tree.ts";
import type { Window } from "./window.ts";

/**
 * The most that is parsed in one go. A counter of this size has a million days; fewer than 2^21 of
 * ten bytes fit, so that their lanes add up exactly as doubles, here and in the tree (run.ts).
 */
const PIECE_BYTES_MAX = 16 * 1024 * 1024;

/** Cells, counters and other pieces between two pauses: about a millisecond. */
const WORK_PER_TURN = 8192;

const FILE_MEMBERS = new NameTable(["branches_num", "branches"]);
const BRANCHES_NUM = 0;
const BRANCHES = 1;

const COUNTER_MEMBERS = new NameTable(["table", "total"]);
const TABLE = 0;
const TOTAL = 1;

/** Fills an empty tree from an original dump; `pause` lets others have their turn. */
export async function readOriginal(
  window: Window,
  file: string,
  tree: Tree,
  log: (line: string) => void,
  pause: () => Promise<void>,
): Promise<void> {
  const reader = new Reader(window, file, tree, pause);
  await reader.read();
  const { wrongTotals, firstWrongTotal } = reader;
  if (wrongTotals > 0) {
    const keys = wrongTotals === 1 ? "1 key is" : `${wrongTotals} keys are`;
    log(`Dump ${file}: the stored totals of ${keys} not the sum of the days: ${firstWrongTotal}`);
  }
  if (await window.fill(1)) log(`Dump ${file}: ${window.left} bytes after its end are ignored`);
}

class Reader {
  readonly #window: Window;
  readonly #file: string;
  readonly #tree: Tree;
  readonly #pause: () => Promise<void>;
  readonly #scanner = new Scanner();
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

  constructor(window: Window, file: string, tree: Tree, pause: () => Promise<void>) {
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
        throw this.#faultAt("more than 16 MiB belong together", window.at);
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
    if (this.#fill()) return;
    // One counter in some hundreds meets a full branch; `add` is slower but makes room.
    tree.touch(this.#keyLo, this.#keyHi);
    tree.removeDays(this.#keyLo, this.#keyHi, 0, LANE_MAX);
    for (let at = 0; at < cells.count; at++) {
      tree.add(this.#keyLo, this.#keyHi, cells.days[at], cells.lows[at], cells.highs[at]);
    }
  }

  /** Writes the cells into their branch at once. False: it has no room for them. */
  #fill(): boolean {
    const cells = this.#cells;
    const branch = this.#tree.branchAt(this.#tree.indexOf(this.#keyLo, this.#keyHi));
    const width = cells.width;
    if (branch.top + runRoom(cells.count, width) > branch.words.length) return false;
    let slot = branch.locate(this.#keyLo, this.#keyHi);
    if (slot >= 0) {
      branch.remove(slot, 0, branch.count(slot));
    } else {
      if (!branch.hasSlot) return false;
      slot = ~slot;
      branch.take(slot, this.#keyLo, this.#keyHi);
    }
    branch.fill(slot, width, cells, 0, cells.count);
    return true;
  }

  #countWrongTotal(): void {
    if (this.wrongTotals++ > 0) return;
    const stored = u64ToBigInt(this.#totalLo, this.#totalHi);
    const sum = u64ToBigInt(this.#cells.sumLo, this.#cells.sumHi);
    this.firstWrongTotal = `${this.#key} has ${stored} stored and ${sum} in its days`;
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
    return new DamagedError(`Dump ${this.#file} is damaged: ${what}, at byte ${offset}`);
  }
}

/** The cells of one counter: the columns that a branch is filled with, after `tidy`. */
class CounterCells {
  count = 0;
  days = new Uint32Array(64);
  lows = new Uint32Array(64);
  highs = new Uint32Array(64);
  readonly hasHighs = true;
  /** The sum of the values: `sumHi` is beyond a lane when the sum is beyond 64 bits. */
  sumLo = 0;
  sumHi = 0;
  #lastDay = -1;
  #ascends = true;

  clear(): void {
    this.count = 0;
    this.#lastDay = -1;
    this.#ascends = true;
  }

  push(day: number, lo: number, hi: number): void {
    if (day <= this.#lastDay) this.#ascends = false;
    this.#lastDay = day;
    // A zero may stand for an earlier value of its day, but not as long as days ascend.
    if (this.#ascends && lo === 0 && hi === 0) return;
    const at = this.count++;
    if (at === this.days.length) this.#grow();
    this.days[at] = day;
    this.lows[at] = lo;
    this.highs[at] = hi;
  }

  /** Brings the cells into the order of their days, keeps the last of each day, and drops zeros. */
  tidy(): void {
    if (this.#ascends) return;
    const lasts = new Map<number, number>();
    for (let at = 0; at < this.count; at++) lasts.set(this.days[at], at);
    const lows = this.lows.slice(0, this.count);
    const highs = this.highs.slice(0, this.count);
    this.clear();
    for (const day of Uint32Array.from(lasts.keys()).sort()) {
      const at = lasts.get(day)!;
      this.push(day, lows[at], highs[at]);
    }
  }

  addUp(): void {
    let lo = 0;
    let hi = 0;
    for (let at = 0; at < this.count; at++) {
      lo += this.lows[at];
      hi += this.highs[at];
    }
    const carry = Math.floor(lo / LANE);
    this.sumLo = lo - carry * LANE;
    this.sumHi = hi + carry;
  }

  /** The width of a run for these cells, of which the newest goes into the slot (branch.ts). */
  get width(): number {
    const last = this.count - 1;
    let width = last >= 0 && this.highs[last] !== 0 ? WIDE : SLIM;
    for (let at = 0; at < last && width < WIDE; at++) {
      width = Math.max(width, widthFor(this.days[at], this.lows[at], this.highs[at]));
    }
    return width;
  }

  #grow(): void {
    const { days, lows, highs } = this;
    this.days = new Uint32Array(2 * days.length);
    this.lows = new Uint32Array(2 * days.length);
    this.highs = new Uint32Array(2 * days.length);
    this.days.set(days);
    this.lows.set(lows);
    this.highs.set(highs);
  }
}

/** Thrown where the bytes at hand end within a value; it never leaves this file. */
const SHORT = new Error("The bytes at hand end within a value");

/** Takes MessagePack values, token by token, from bytes[at..end); throws SHORT at the end. */
class Scanner {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  #end = 0;
  /** The lanes of the last integer. */
  lo = 0;
  hi = 0;
  /** Where the last text begins; it ends at `at`. */
  start = 0;

  open(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  /** Takes an unsigned integer, in whatever form. False: there is something else. */
  unsigned(): boolean {
    const form = this.#form();
    if (form < 0x80) {
      this.lo = form;
      this.hi = 0;
      this.at++;
      return true;
    }
    if (form < 0xcc || form > 0xd3) return false;
    const bytes = this.bytes;
    const at = this.at + 1;
    const width = 1 << (form & 3); // cc to cf are unsigned, d0 to d3 signed
    this.#need(1 + width);
    if (form >= 0xd0 && bytes[at] > 0x7f) return false; // below zero
    this.at = at + width;
    this.hi = width === 8 ? this.#lane(at) : 0;
    if (width >= 4) this.lo = this.#lane(at + width - 4);
    else this.lo = width === 2 ? bytes[at] << 8 | bytes[at + 1] : bytes[at];
    return true;
  }

  /** Takes the head of a map; returns how many pairs follow, or -1 when there is something else. */
  map(): number {
    return this.#head(0x80, 0xde);
  }

  /** Takes the head of an array; returns how many values follow, or -1 when there is something else. */
  array(): number {
    return this.#head(0x90, 0xdc);
  }

  /** Takes a string or a bin. False: there is something else. */
  text(): boolean {
    const form = this.#form();
    let length = form & 0x1f;
    if (form >= 0xc4 && form <= 0xc6) length = this.#length(1 << (form - 0xc4));
    else if (form >= 0xd9 && form <= 0xdb) length = this.#length(1 << (form - 0xd9));
    else if (form >= 0xa0 && form <= 0xbf) this.at++;
    else return false;
    this.start = this.at;
    this.#take(length);
    return true;
  }

  /** Takes a value of any kind; it counts what is to come, so that nesting takes no stack. */
  skip(): boolean {
    for (let values = 1; values > 0; values--) {
      const pairs = this.map();
      const items = pairs < 0 ? this.array() : 2 * pairs;
      if (items >= 0) values += items;
      else if (!this.text() && !this.#scalar()) return false;
    }
    return true;
  }

  /** Takes a value that is neither map, array nor text. False: no value begins so. */
  #scalar(): boolean {
    const form = this.#form();
    if (form === 0xc1) return false;
    if (form >= 0xc7 && form <= 0xc9) this.#take(this.#length(1 << (form - 0xc7)) + 1); // ext
    else if (form >= 0xd4 && form <= 0xd8) this.#take(2 + (1 << (form - 0xd4))); // fixext
    else if (form >= 0xcc && form <= 0xd3) this.#take(1 + (1 << (form & 3))); // integer
    else if (form === 0xca || form === 0xcb) this.#take(form === 0xca ? 5 : 9); // float
    else this.#take(1);
    return true;
  }

  #head(short: number, long: number): number {
    const form = this.#form();
    if (form === long || form === long + 1) return this.#length(form === long ? 2 : 4);
    if ((form & 0xf0) !== short) return -1;
    this.at++;
    return form & 0x0f;
  }

  /** Takes a form and the number in the `width` bytes behind it. */
  #length(width: number): number {
    this.#need(1 + width);
    let length = 0;
    for (let index = 1; index <= width; index++) {
      length = length * 256 + this.bytes[this.at + index];
    }
    this.at += 1 + width;
    return length;
  }

  #form(): number {
    if (this.at >= this.#end) throw SHORT;
    return this.bytes[this.at];
  }

  #take(count: number): void {
    this.#need(count);
    this.at += count;
  }

  #need(count: number): void {
    if (this.#end - this.at < count) throw SHORT;
  }

  #lane(at: number): number {
    const bytes = this.bytes;
    return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
  }
}
