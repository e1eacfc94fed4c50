// The reader: reads the WAL from its first record to its last, and decides whether its end is a torn tail or
// damage.
//
// Invariant: it yields the records in the order in which they were written, without a gap, each as it was. They
// end in one of three ways. Zeros: the WAL is complete. A torn tail, which a crash may leave of writes that were
// never synced: it is to be cut. Damage: an error that names the file and the offset. The reader changes nothing.
//
// A crash may keep any part of what was not synced, later parts without earlier ones too. So if the records
// end early, the reader searches all that follows for a group whose `durable` covers a lost record. If there is
// one, if the bytes cannot be those of a torn write, or if the WAL ends before its mark, it is damage. A caller
// that tolerates damage is told of it and gets the records before it.

import { join } from "@std/path";
import { DamagedError, orHostError } from "../errors.ts";
import { type Disk, type Reading, ReadWindow } from "../host/mod.ts";
import {
  GROUP_BYTES,
  GROUP_WORDS,
  groupLsn,
  HEAD_BYTES,
  isGroup,
  isGroupHead,
  MARK_BYTES,
  mayBeTorn,
  segmentFileName,
  type SegmentHead,
  segmentLsn,
} from "./format.ts";
import { type HighWaterMark, MARK_FILE, readMark } from "./mark.ts";
import { type Fault, readSegmentHead, search } from "./scan.ts";
import type { SegmentFile } from "./segment.ts";

/** A segment by its name and what its head says. */
interface Found {
  readonly file: string;
  readonly lsn: number;
  readonly head: SegmentHead | Fault;
}

/** What must go before the log can go on: all behind a point that is no record. */
interface Cut {
  readonly file: string;
  readonly offset: number;
  /** How many bytes from there on are not zero. 0: the file ends, where there should be space. */
  readonly bytes: number;
  /** Segments behind it, none of which was ever on the disk as a whole. */
  readonly files: readonly string[];
}

/** Where a log goes on: what a reader found. */
export interface WalPosition {
  readonly id: string;
  /** The last LSN that is taken. */
  readonly lsn: number;
  /** The segments there are, oldest first. */
  readonly segments: readonly SegmentFile[];
}

/** Is told of damage instead of an error, so that what stands before it is read. */
type Tolerance = (error: DamagedError) => void;

/** A group of records: words[from..to), the first of which has that LSN. */
type Visit = (
  words: Uint32Array<ArrayBuffer>,
  from: number,
  to: number,
  lsn: number,
  records: number,
) => Promise<void> | void;

export class WalReader {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #segments: readonly Found[];
  /** Segments of older logs, which were put aside. */
  readonly aside: readonly string[];
  readonly id: string;
  readonly #mark: HighWaterMark | null;
  readonly #tolerate: Tolerance | null;
  /** Where in the current segment the current group begins. */
  #offset = 0;
  /** The number of the last record read. */
  lsn: number;
  /** Where damage ended the records, if it is tolerated. */
  damage: { readonly file: string; readonly offset: number } | null = null;
  /** Set once all is read, if something is to be cut. */
  cut: Cut | null = null;
  /** The segments that stay, with their true sizes; complete once all is read. */
  readonly segments: SegmentFile[] = [];

  private constructor(
    directory: string,
    disk: Disk,
    segments: readonly Found[],
    aside: readonly string[],
    id: string,
    mark: HighWaterMark | null,
    tolerate: Tolerance | null,
  ) {
    this.#directory = directory;
    this.#disk = disk;
    this.#segments = segments;
    this.aside = aside;
    this.id = id;
    this.#mark = mark;
    this.#tolerate = tolerate;
    this.lsn = segments[0].lsn - 1;
  }

  /** Finds the log in a directory; null when there is none, or no file of it can be told to be one. */
  static async open(
    directory: string,
    disk: Disk,
    tolerate: Tolerance | null = null,
  ): Promise<WalReader | null> {
    // The mark first: where a server goes on meanwhile (`karma check`), the log is not behind it then.
    const mark = await orHostError(
      "The log's mark could not be read",
      () => readMark(directory, disk),
    );
    const names = await orHostError("The log could not be listed", () => disk.list(directory));
    const found: Found[] = [];
    for (const file of names.filter((name) => segmentLsn(name) !== null).sort()) {
      const lsn = segmentLsn(file)!;
      const read = () => readSegmentHead(directory, disk, file);
      let head = await orHostError(`Log ${file} could not be read`, read);
      if (tolerate !== null && mark !== null && "torn" in head && !head.torn) {
        // What it says is known otherwise; whether it was of this log its first group will tell.
        tolerate(damaged(file, 0, head.what));
        head = { id: mark.id, lsn };
      }
      found.push({ file, lsn, head });
    }
    const refuse = (error: DamagedError) => refused(error, tolerate);
    if (found.length === 0) return mark === null ? null : refuse(missing(mark));
    // The newest log is the one; older ones are what `--restore=false` put aside.
    const last = found.findLast(({ head }) => "id" in head)?.head as SegmentHead | undefined;
    if (last === undefined) return refuse(damaged(found[0].file, 0, (found[0].head as Fault).what));
    const begins = found.findIndex(({ head }) => "id" in head && head.id === last.id);
    const aside = found.slice(0, begins).map(({ file }) => file);
    // A log that was put aside may be the one that is marked, if a crash came just then.
    const isAside = (id: string) => found.some(({ head }) => "id" in head && head.id === id);
    if (mark !== null && mark.id !== last.id && !isAside(mark.id)) refuse(missing(mark));
    const marked = mark?.id === last.id ? mark : null;
    const segments = found.slice(begins);
    const isShort = marked !== null && segments[segments.length - 1].lsn < marked.segment;
    if (isShort) refuse(missing(marked));
    return new WalReader(
      directory,
      disk,
      segments,
      aside,
      last.id,
      isShort ? null : marked,
      tolerate,
    );
  }

  /** Reads all: the preamble of the first segment goes to `begin`, then every group to `visit`. */
  async read(begin: (preamble: Uint8Array) => Promise<void>, visit: Visit): Promise<void> {
    await this.#read(begin, visit);
    const mark = this.#mark;
    const last = this.segments[this.segments.length - 1];
    if (mark === null || this.damage !== null) return;
    if (last.lsn >= mark.segment && this.lsn >= mark.lsn) return;
    this.#refuse(last.file, last.bytes, `it ends there, and ${said(mark)}`);
  }

  async #read(begin: (preamble: Uint8Array) => Promise<void>, visit: Visit): Promise<void> {
    for (let index = 0; index < this.#segments.length; index++) {
      const { file, lsn, head } = this.#segments[index];
      if ("torn" in head) return await this.#end(index, 0, head);
      const preamble = index === 0 ? begin : null;
      const fault = await this.#told(
        file,
        (reading) => this.#readSegment(reading, preamble, visit),
      );
      const offset = this.#offset;
      this.segments.push({ file, lsn, bytes: offset });
      const next = this.#segments[index + 1];
      if (next?.lsn === this.lsn + 1) continue; // what follows the last group is space
      return await this.#end(index, offset, fault);
    }
  }

  /** Reads a segment to where its groups end; returns what is wrong there, or that space begins. */
  async #readSegment(
    reading: Reading,
    begin: ((preamble: Uint8Array) => Promise<void>) | null,
    visit: Visit,
  ): Promise<Fault> {
    const window = new ReadWindow(reading);
    await window.fill(HEAD_BYTES);
    window.at += HEAD_BYTES;
    let words = new Uint32Array(window.bytes.buffer);
    for (let isPreamble = true;; isPreamble = false) {
      const offset = this.#offset = window.offset;
      const hasHead = await window.fill(GROUP_BYTES);
      if (words.buffer !== window.bytes.buffer) words = new Uint32Array(window.bytes.buffer);
      let at = window.at >>> 2;
      if (!hasHead || !isGroupHead(words, at)) {
        const end = Math.min(window.end, window.at + GROUP_BYTES);
        const torn = !hasHead || mayBeTorn(window.bytes, window.at, end, offset);
        return { what: "no group begins there", torn, isEnd: !hasHead };
      }
      const length = words[at] + GROUP_BYTES + MARK_BYTES;
      const isThere = await window.fill(length);
      if (words.buffer !== window.bytes.buffer) words = new Uint32Array(window.bytes.buffer);
      at = window.at >>> 2;
      if (!isThere || !isGroup(words, at)) {
        const end = Math.min(window.end, window.at + length);
        const torn = !isThere || mayBeTorn(window.bytes, window.at, end, offset);
        return { what: "the checksum of a group is wrong", torn };
      }
      const lsn = groupLsn(words, at);
      if (lsn !== this.lsn + 1) {
        return { what: `record ${lsn} is there instead of ${this.lsn + 1}`, torn: false };
      }
      const from = at + GROUP_WORDS;
      const to = from + words[at] / 4;
      if (isPreamble) await begin?.(window.bytes.subarray(4 * from, 4 * to));
      else {
        const records = words[at + 1];
        const visited = visit(words, from, to, lsn, records);
        if (visited !== undefined) await visited;
        this.lsn += records;
      }
      window.at += length;
    }
  }

  /** The records end here: what a crash may have left behind them is cut, all else is damage. */
  async #end(index: number, offset: number, fault: Fault): Promise<void> {
    const { file } = this.#segments[index];
    const rest = this.#segments.slice(index);
    if (!fault.torn) return this.#refuse(file, offset, fault.what);
    let bytes = 0;
    for (const segment of rest) {
      const from = segment.file === file ? offset : 0;
      const found = await this.#told(segment.file, (reading) => {
        return search(reading, from, this.lsn + 1);
      });
      if (found.isDurable) {
        return this.#refuse(file, offset, `${fault.what}, and record ${this.lsn + 1} was safe`);
      }
      bytes += found.last - from;
    }
    const files = rest.slice(offset === 0 ? 0 : 1).map(({ file }) => file);
    if (bytes === 0 && files.length === 0 && !fault.isEnd) return;
    const last = this.segments.at(-1);
    if (last === undefined) return this.#refuse(file, offset, fault.what);
    this.cut = { file: last.file, offset: last.bytes, bytes, files };
  }

  /** Ends what is read. */
  #refuse(file: string, offset: number, fault: string): void {
    refused(damaged(file, offset, fault), this.#tolerate);
    this.damage = { file, offset };
  }

  #told<T>(file: string, work: (reading: Reading) => Promise<T>): Promise<T> {
    return orHostError(`Log ${file} could not be read`, async () => {
      const reading = await this.#disk.open(join(this.#directory, file));
      if (reading === null) throw new Error("it is not there any more");
      try {
        return await work(reading);
      } finally {
        reading.close();
      }
    });
  }
}

/** The log, or its last segment, is not there though it was. */
function missing(mark: HighWaterMark): DamagedError {
  return new DamagedError(`Log ${segmentFileName(mark.segment)} is missing: ${said(mark)}`);
}

function said({ segment, lsn }: HighWaterMark): string {
  return `${MARK_FILE} says that ${segmentFileName(segment)} and record ${lsn} were on the disk`;
}

function damaged(file: string, offset: number, fault: string): DamagedError {
  return new DamagedError(`Log ${file} is damaged at byte ${offset}: ${fault}`);
}

function refused(error: DamagedError, tolerate: Tolerance | null): null {
  if (tolerate === null) throw error;
  tolerate(error);
  return null;
}
