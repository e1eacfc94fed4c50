// The format of backups: one file that holds a data directory as it was at one moment.
//
//     {"format":"karma-backup","version":1,"moment":"2026-11-27T13:40:00.123Z",...}⏎
//     {"file":"1795393585_api_requests.tree","bytes":70144}⏎
//     ... 70144 bytes
//     {"file":"00000000000000000042.wal","bytes":5283}⏎
//     ... 5283 bytes
//     {"sha256":"9f86d0...","files":2}⏎                              of all bytes before this line
//
// Invariant: a backup is whole if its last line is there and fits; nothing that is read of it may be used before.
// Trade-off: lines of JSON can be looked at with `head` and `tail`, and files be cut out without Karma.

import { createHash } from "node:crypto";
import { DamagedError } from "../errors.ts";

const FORMAT = "karma-backup";
const VERSION = 1;

/** A line of JSON has no more: a file's name has 255 bytes, each of which may be escaped. */
const LINE_BYTES_MAX = 4096;
const LINE_FEED = 10;

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];

/** What the first line says. */
export interface BackupHead {
  /** When the data was as it is in the backup, in UTC. */
  readonly moment: string;
  /** The last record of the log; null: that is not known. */
  readonly lsn: number | null;
  readonly files: number;
  /** Of the files, with the lines that name them. */
  readonly bytes: number;
}

/** Writes a backup: its head, then the entries as they come, then its end. */
export class BackupWriter {
  readonly #out: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
  readonly #hash = createHash("sha256");
  #files = 0;

  constructor(out: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>) {
    this.#out = out;
  }

  async begin(head: BackupHead): Promise<void> {
    this.#files = head.files;
    await this.entries(lineOf({ format: FORMAT, version: VERSION, ...head }));
  }

  /** Writes some bytes of the entries. */
  async entries(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#hash.update(bytes);
    await this.#out(bytes);
  }

  async end(): Promise<void> {
    await this.#out(lineOf({ sha256: this.#hash.digest("hex"), files: this.#files }));
  }
}

/** What a reader of a backup does with it. */
export interface BackupTaker {
  /** A file of so many bytes follows. */
  begin(file: string, bytes: number): Promise<void>;
  /** Some of its bytes. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** All of them were there. */
  end(): Promise<void>;
}

/**
 * Reads a backup to its end.
 *
 * @param read Fills an array and returns how many bytes it was; null at the end
 * @throws {DamagedError} If it is no backup, damaged or cut; then nothing that was taken may be used
 */
export async function readBackup(
  read: (into: Uint8Array<ArrayBuffer>) => Promise<number | null>,
  taker: BackupTaker,
): Promise<BackupHead> {
  const source = new HashedSource(read);
  const first = await source.line();
  if (first?.format !== FORMAT) throw new DamagedError("This is no backup of Karma");
  if (first.version !== VERSION) {
    throw new DamagedError(
      `The backup is of version ${first.version}, which this Karma does not know`,
    );
  }
  const head = first as unknown as BackupHead;
  for (let files = 0;; files++) {
    const expected = source.digest();
    const line = await source.line();
    if (line === null) throw new DamagedError("The backup is cut: its end is missing");
    if (typeof line.sha256 === "string") {
      if (line.sha256 !== expected || line.files !== files || head.files !== files) {
        throw new DamagedError("The backup is damaged: its checksum is wrong");
      }
      if (await source.hasMore()) {
        throw new DamagedError("The backup is damaged: more follows its end");
      }
      return head;
    }
    const { file, bytes } = line;
    if (typeof file !== "string" || !isPlain(file) || !Number.isSafeInteger(bytes)) {
      throw new DamagedError(`The backup is damaged behind file ${files}`);
    }
    await taker.begin(file, bytes as number);
    await source.bytes(bytes as number, (part) => taker.write(part));
    await taker.end();
  }
}

/** Whether a name leads nowhere else. */
function isPlain(file: string): boolean {
  return /^[^/\\\0]+$/.test(file) && file !== "." && file !== "..";
}

function lineOf(value: object): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(value) + "\n");
}

/** Lines and bytes of an input, with the checksum of all that was taken. */
class HashedSource {
  readonly #read: (into: Uint8Array<ArrayBuffer>) => Promise<number | null>;
  readonly #hash = createHash("sha256");
  readonly #buffer = new Uint8Array(1 << 20);
  #start = 0;
  #end = 0;

  constructor(read: (into: Uint8Array<ArrayBuffer>) => Promise<number | null>) {
    this.#read = read;
  }

  /** The checksum so far. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  /** The next line as data; null if there is none. */
  async line(): Promise<Record<string, unknown> | null> {
    let at;
    while ((at = this.#buffer.subarray(0, this.#end).indexOf(LINE_FEED, this.#start)) < 0) {
      if (this.#end - this.#start > LINE_BYTES_MAX || !await this.#fill()) return null;
    }
    const bytes = this.#take(at + 1);
    try {
      const value = JSON.parse(decoder.decode(bytes));
      return value !== null && typeof value === "object" ? value : null;
    } catch {
      return null;
    }
  }

  /** Gives so many bytes, in parts. */
  async bytes(
    count: number,
    take: (part: Uint8Array<ArrayBuffer>) => Promise<void>,
  ): Promise<void> {
    for (let left = count; left > 0;) {
      if (this.#start === this.#end && !await this.#fill()) {
        throw new DamagedError("The backup is cut: its end is missing");
      }
      const part = this.#take(Math.min(this.#end, this.#start + left));
      left -= part.length;
      await take(part);
    }
  }

  async hasMore(): Promise<boolean> {
    return this.#start < this.#end || await this.#fill();
  }

  #take(end: number): Uint8Array<ArrayBuffer> {
    const part = this.#buffer.subarray(this.#start, end);
    this.#start = end;
    this.#hash.update(part);
    return part;
  }

  /** Reads more; false at the end. What was taken before is no longer good. */
  async #fill(): Promise<boolean> {
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    const read = await this.#read(this.#buffer.subarray(this.#end));
    this.#end += read ?? 0;
    return read !== null;
  }
}
