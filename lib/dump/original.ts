// The reader of the dumps that the original Karma (0.1 and 1.x) wrote: one MessagePack value.
//
//   82                                            map of 2
//      ac "branches_num"  09                      any number: our branches are cut otherwise
//      a8 "branches"      99                      array of so many
//         81  KEY  82                             maps of counters: which is in which says nothing
//                      a5 "table"  82  DAY VALUE  DAY VALUE
//                      a5 "total"  TOTAL
//
// Members may come in any order and with unknown ones between them; integers go to 2^64-1, as keys
// too, which is why @std/msgpack cannot read these files.
//
// Invariant: a file loads whole, or a DamagedError names it, its fault and the byte (the tree then
// holds a part and is to be dropped). No length is believed: memory follows the bytes there are.
// Trade: no state is kept within a counter. Where the window ends before the counter does, more is
// read and the counter begun again, so a counter must fit into memory, and PIECE_BYTES_MAX says how
// large it may be.

import { LANE, LANE_MAX, u64ToBigInt } from "../bytes/u64.ts";
import { NameTable } from "../bytes/name_table.ts";
import { DamagedError } from "../errors.ts";
import { Cells } from "../tree/cells.ts";
import type { Tree } from "../tree/tree.ts";
import type { Window } from "./window.ts";

/**
 * The most that is parsed in one go. Values of ten bytes and more are then fewer than 2^21 in a
 * counter, so that their lanes add up exactly in doubles, here and in the tree (run.ts).
 */
const PIECE_BYTES_MAX = 16 * 1024 * 1024;

/** Cells and counters between two pauses: about a millisecond of work. */
const WORK_PER_TURN = 8192;

const MEMBERS = new NameTable(["branches_num", "branches"]);
const BRANCHES_NUM = 0;
const BRANCHES = 1;

const COUNTER_MEMBERS = new NameTable(["table", "total"]);
const TABLE = 0;
const TOTAL = 1;

/** Thrown where the bytes at hand end within a value; it never leaves this file. */
const SHORT = new Error("The bytes at hand end within a value");

/** Fills an empty tree from an original dump. */
export async function readOriginal(
  window: Window,
  file: string,
  tree: Tree,
  log: (line: string) => void,
  pause: () => Promise<void>,
): Promise<void> {
  const reader = new Reader(window, file, tree, pause);
  await reader.read();
  if (await window.fill(1)) log(`Dump ${file}: ${window.left} bytes after its end were ignored`);
  if (reader.wrongTotals > 0) {
    log(
      `Dump ${file}: the stored totals of ${reader.wrongTotals} keys are not the sums of their days, ` +
        `which count: ${reader.firstWrongTotal}`,
    );
  }
}

/** Takes MessagePack values from bytes[at..end), one token after the other. */
class Scanner {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  /** The lanes of the last integer. */
  lo = 0;
  hi = 0;
  /** Where the last text begins; it ends at `at`. */
  start = 0;

  /** Takes an unsigned integer, in whatever form. False: there is something else. */
  unsigned(): boolean {
    const { bytes, at } = this;
    const form = this.#form();
    if (form < 0x80) {
      this.lo = form;
      this.hi = 0;
      this.at = at + 1;
      return true;
    }
    if (form < 0xcc || form > 0xd3) return false;
    const width = 1 << (form & 3); // cc to cf are unsigned, d0 to d3 signed
    this.#need(1 + width);
    if (form >= 0xd0 && bytes[at + 1] > 0x7f) return false; // below zero
    this.at = at + 1 + width;
    this.hi = width === 8 ? this.#word(at + 1) : 0;
    if (width >= 4) this.lo = this.#word(this.at - 4);
    else this.lo = width === 2 ? bytes[at + 1] << 8 | bytes[at + 2] : bytes[at + 1];
    return true;
  }

  /** Takes the head of a map; returns how many pairs follow, or -1 when there is something else. */
  map(): number {
    return this.#head(0x80, 0xde);
  }

  /** Takes the head of an array; returns how many values follow, or -1. */
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

  /** Passes over a value. It is counted what is still to come, so that nesting takes no stack. */
  skip(): boolean {
    for (let values = 1; values > 0; values--) {
      const pairs = this.map();
      const items = pairs < 0 ? this.array() : 2 * pairs;
      if (items >= 0) values += items;
      else if (!this.text() && !this.#scalar()) return false;
    }
    return true;
  }

  /** Takes a value that is neither map, array nor text. False: no value begins with this byte. */
  #scalar(): boolean {
    const form = this.#form();
    if (form === 0xc1) return false;
    if (form >= 0xc7 && form <= 0xc9) this.#take(this.#length(1 << (form - 0xc7)) + 1); // ext
    else if (form >= 0xd4 && form <= 0xd8) this.#take(2 + (1 << (form - 0xd4))); // fixext
    else if (form === 0xca || form === 0xcb) this.#take(form === 0xca ? 5 : 9); // float
    else if (form >= 0xcc && form <= 0xd3) this.#take(1 + (1 << (form & 3)));
    else this.#take(1);
    return true;
  }

  #form(): number {
    if (this.at >= this.end) throw SHORT;
    return this.bytes[this.at];
  }

  #need(count: number): void {
    if (this.end - this.at < count) throw SHORT;
  }

  #take(count: number): void {
    this.#need(count);
    this.at += count;
  }

  #head(fixed: number, long: number): number {
    const form = this.#form();
    if (form === long || form === long + 1) return this.#length(form === long ? 2 : 4);
    if ((form & 0xf0) !== fixed) return -1;
    this.at++;
    return form & 0x0f;
  }

  /** Takes the byte of a form and the length in `width` bytes behind it. */
  #length(width: number): number {
    this.#need(1 + width);
    let length = 0;
    for (let index = 1; index <= width; index++) {
      length = length * 256 + this.bytes[this.at + index];
    }
    this.at += 1 + width;
    return length;
  }

  #word(at: number): number {
    const { bytes } = this;
    return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
  }
}

class Reader {
  readonly #window: Window;
  readonly #file: string;
  readonly #tree: Tree;
  readonly #pause: () => Promise<void>;
  readonly #scanner = new Scanner();
  readonly #cells = new Cells();
  /** Counters of the current branch that are still to be read. */
  #countersLeft = 0;
  /** Cells and counters read since the last pause. */
  #work = 0;
  #keyLo = 0;
  #keyHi = 0;
  #totalLo = 0;
  #totalHi = 0;
  wrongTotals = 0;
  firstWrongTotal = "";

  constructor(window: Window, file: string, tree: Tree, pause: () => Promise<void>) {
    this.#window = window;
    this.#file = file;
    this.#tree = tree;
    this.#pause = pause;
  }

  async read(): Promise<void> {
    const seen = [false, false];
    const members = await this.#piece(() => this.#map("the file"));
    for (let member = 0; member < members; member++) {
      const name = await this.#piece(() => this.#member(MEMBERS));
      if (name === BRANCHES && seen[BRANCHES]) throw this.#fault("branches is there twice");
      seen[name] = true;
      if (name === BRANCHES) await this.#branches();
      else if (name === BRANCHES_NUM) await this.#piece(() => this.#unsigned("branches_num"));
      else await this.#piece(() => this.#skip());
    }
    if (!seen[BRANCHES_NUM]) throw this.#fault("branches_num is missing");
  }

  async #branches(): Promise<void> {
    const branches = await this.#piece(() => {
      const count = this.#scanner.array();
      if (count < 0) throw this.#fault("branches is not an array");
      return count;
    });
    for (let branch = 0; branch < branches; branch++) {
      this.#countersLeft = await this.#piece(() => this.#map("a branch"));
      while (this.#countersLeft > 0) await this.#piece(() => this.#counters());
    }
  }

  /** Parses a piece of the file in one go: again from its beginning as long as it is not all there. */
  async #piece<T>(parse: () => T): Promise<T> {
    const window = this.#window;
    const scanner = this.#scanner;
    if (++this.#work > WORK_PER_TURN) {
      this.#work = 0;
      await this.#pause();
    }
    for (;;) {
      scanner.bytes = window.bytes;
      scanner.at = window.at;
      scanner.end = window.end;
      try {
        const parsed = parse();
        window.at = scanner.at;
        return parsed;
      } catch (error) {
        if (error !== SHORT) throw error;
      }
      const had = window.end - window.at;
      if (had > PIECE_BYTES_MAX) throw this.#faultAt("one value takes over 16 MiB", window.at);
      await window.fill(2 * had + 1); // twice as much, so that all the beginnings cost no more than the end
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
    this.#unsigned("a key");
    this.#keyLo = scanner.lo;
    this.#keyHi = scanner.hi;
    let hasTable = false;
    let hasTotal = false;
    const members = scanner.map();
    if (members < 0) throw this.#fault(`${this.#key} is not a map`);
    for (let member = 0; member < members; member++) {
      const name = this.#member(COUNTER_MEMBERS);
      if (name === TABLE) {
        this.#table();
        hasTable = true;
      } else if (name === TOTAL) {
        if (!scanner.unsigned()) {
          throw this.#fault(`the total of ${this.#key} is not an unsigned integer`);
        }
        this.#totalLo = scanner.lo;
        this.#totalHi = scanner.hi;
        hasTotal = true;
      } else this.#skip();
    }
    if (!hasTable) throw this.#fault(`${this.#key} has no table`);
    if (!hasTotal) throw this.#fault(`${this.#key} has no total`);
  }

  #table(): void {
    const scanner = this.#scanner;
    const cells = this.#cells;
    cells.clear();
    const days = scanner.map();
    if (days < 0) throw this.#fault(`the table of ${this.#key} is not a map`);
    for (let index = 0; index < days; index++) {
      if (!scanner.unsigned()) {
        throw this.#fault(`a day of ${this.#key} is not an unsigned integer`);
      }
      const day = scanner.lo;
      if (scanner.hi !== 0) throw this.#fault(`day beyond`);
      if (!scanner.unsigned()) {
        throw this.#fault(`the value of day ${day} of ${this.#key} is not an unsigned integer`);
      }
      cells.push(day, scanner.lo, scanner.hi);
    }
  }

  #store(): void {
    const { count, words } = this.#cells;
    this.#tree.touch(this.#keyLo, this.#keyHi);
    for (let i = 0; i < 3 * count; i += 3) {
      this.#tree.add(this.#keyLo, this.#keyHi, words[i], words[i + 1], words[i + 2]);
    }
  }
  get #key(): string {
    return `key ${u64ToBigInt(this.#keyLo, this.#keyHi)}`;
  }
  #map(what: string): number {
    const c = this.#scanner.map();
    if (c < 0) throw this.#fault(`${what} is not a map`);
    return c;
  }
  #unsigned(what: string): void {
    if (!this.#scanner.unsigned()) throw this.#fault(`${what} is not an unsigned integer`);
  }
  #skip(): void {
    if (!this.#scanner.skip()) throw this.#fault("no value");
  }
  #member(names: NameTable): number {
    const s = this.#scanner;
    if (!s.text()) throw this.#fault("the name of a member is not a string");
    return names.find(s.bytes, s.start, s.at);
  }
  #fault(what: string) {
    return this.#faultAt(what, this.#scanner.at);
  }
  #faultAt(what: string, at: number) {
    return new DamagedError(
      `Dump ${this.#file} is damaged: ${what}, at byte ${
        this.#window.offset + at - this.#window.at
      }`,
    );
  }
}
