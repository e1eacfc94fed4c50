// The log of Karma 1.x, read entry by entry: `karma.wal.<first lsn>.segment` ascending, `karma.wal`.
//
// Invariant: every entry that a client can have been told about is met once, in order, or a
// DamagedError names the file and the line. Only two things are cut, since Karma 1.x leaves them
// behind: a last line that a crash tore, and the beginning of a line that a full disk tore, behind
// which it went on to write (`{"v":2,"lsn":7,"en{"v":2,"lsn":8,...}`).

import { ENDED, FAULTS } from "../bytes/mod.ts";
import type { ReadWindow } from "../host/mod.ts";
import { DamagedError } from "../errors.ts";
import { Entry } from "./entry.ts";
import type { Source } from "./source.ts";
import type { MigrationReport } from "./migration_report.ts";

export const ACTIVE = "karma.wal";
const SEGMENT = /^karma\.wal\.\d{20}\.segment$/;

/** No entry is longer: where there is no end of a line for so long, there is no log. */
const LINE_BYTES_MAX = 256 * 1024 * 1024;

const LINE_FEED = 0x0a;
const BACKSLASH = 0x5c;
/** What every line begins with; no string within a line can hold it, for its quotes. */
const BEGINNING = new TextEncoder().encode('{"v":2,"lsn":');

/** Which files are parts of the log, in order. */
export function segmentsOf(files: readonly string[]): string[] {
  const segments = files.filter((file) => SEGMENT.test(file)).sort();
  return files.includes(ACTIVE) ? [...segments, ACTIVE] : segments;
}

export class Wal {
  readonly #source: Source;
  readonly #files: readonly string[];
  readonly #report: MigrationReport;
  readonly #entry = new Entry();
  #each: (entry: Entry) => void = () => {};
  #file = "";
  #line = 0;
  /** The first and the last LSN that there are; zero: none. */
  first = 0;
  last = 0;
  #outOfOrder = 0;

  constructor(source: Source, files: readonly string[], report: MigrationReport) {
    this.#source = source;
    this.#files = files;
    this.#report = report;
  }

  /** Meets all entries. The one record for them is used again. */
  async read(each: (entry: Entry) => void): Promise<void> {
    this.#each = each;
    for (const file of this.#files) {
      this.#file = file;
      this.#line = 0;
      await this.#source.read(file, (window) => this.#lines(window));
    }
    if (this.#outOfOrder === 0) return;
    const count = `${this.#outOfOrder} of its entries`;
    this.#report.notes.push(`Log of Karma 1.x: ${count} out of order; were there two servers?`);
  }

  async #lines(window: ReadWindow): Promise<void> {
    const isActive = this.#file === ACTIVE;
    while (await hasLine(window)) {
      for (let end = lineEnd(window, 0); end >= 0; end = lineEnd(window, 0)) {
        this.#read(window.bytes, window.at, end, false);
        window.at = end + 1;
      }
    }
    if (window.at < window.end) this.#read(window.bytes, window.at, window.end, isActive);
  }

  /** Reads a line, or what should have been several; `isTorn` when nothing ends it. */
  #read(bytes: Uint8Array<ArrayBuffer>, start: number, end: number, isTorn: boolean): void {
    this.#line++;
    this.#pieces(bytes, start, end, isTorn);
  }

  #pieces(bytes: Uint8Array<ArrayBuffer>, start: number, end: number, isTorn: boolean): void {
    if (isBlank(bytes, start, end)) return;
    // Reading overwrites escapes, and what a string holds could then look like a beginning.
    const line = bytes.subarray(start, end);
    const asItWas = line.includes(BACKSLASH) ? line.slice() : line;
    const fault = this.#parse(bytes, start, end);
    if (fault === null) return this.#take();
    const second = nextBeginning(asItWas);
    if (second < 0) {
      if (!isTorn) throw this.#fault(fault);
      this.#note(`a crash tore its last line, ${line.length} bytes of it were left out`);
      return;
    }
    const torn = this.#parse(asItWas.slice(0, second), 0, second);
    if (torn === null) this.#take();
    else if (torn === FAULTS[ENDED]) {
      this.#note(`${second} bytes of an entry that was torn were left out`);
    } else throw this.#fault(torn);
    this.#pieces(asItWas, second, asItWas.length, isTorn);
  }

  /** What is wrong with a line as JSON; null: nothing. */
  #parse(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): string | null {
    return this.#located(() => this.#entry.read(bytes, start, end));
  }

  #take(): void {
    const { lsn } = this.#entry;
    if (this.first === 0) this.first = lsn;
    else if (lsn <= this.last) this.#outOfOrder++;
    else if (lsn > this.last + 1) {
      const isOne = lsn - this.last === 2;
      const gap = isOne ? `entry ${lsn - 1} is` : `entries ${this.last + 1} to ${lsn - 1} are`;
      this.#note(`log ${gap} missing before it`);
    }
    this.last = Math.max(this.last, lsn);
    this.#located(() => this.#each(this.#entry));
  }

  #located<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw error instanceof DamagedError ? this.#fault(error.message) : error;
    }
  }

  #note(what: string): void {
    this.#report.notes.push(`Log of Karma 1.x, line ${this.#line} of ${this.#file}: ${what}`);
  }

  #fault(what: string): DamagedError {
    return new DamagedError(`line ${this.#line}: ${what}`);
  }
}

/** Whether the window begins with a line; false at the end of the file, where there may be a last one. */
async function hasLine(window: ReadWindow): Promise<boolean> {
  for (let had = 0; lineEnd(window, had) < 0;) {
    had = window.end - window.at;
    if (had > LINE_BYTES_MAX) throw new DamagedError("a line does not end");
    // Twice as much: all beginnings of a line together then cost no more than its end.
    await window.fill(2 * had + 1);
    if (window.end - window.at === had) return false;
  }
  return true;
}

/** Where the line ends that the window begins with, searched for behind its first bytes; -1: not there. */
function lineEnd({ bytes, at, end }: ReadWindow, behind: number): number {
  const found = bytes.indexOf(LINE_FEED, at + behind);
  return found < end ? found : -1;
}

/** Where another entry begins within a line; -1: nowhere. */
function nextBeginning(line: Uint8Array): number {
  for (let at = line.indexOf(BEGINNING[0], 1); at >= 0; at = line.indexOf(BEGINNING[0], at + 1)) {
    if (BEGINNING.every((byte, index) => line[at + index] === byte)) return at;
  }
  return -1;
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (bytes[at] !== 0x20 && bytes[at] !== 0x09 && bytes[at] !== 0x0d) return false;
  }
  return true;
}
