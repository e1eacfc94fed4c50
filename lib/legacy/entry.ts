// An entry of Karma 1.x's log: one command, as a line of JSON.
//
//   {"v":2,"lsn":8,"entry":{"v":2,"op":"counter.increment","series":"alpha","key":1,...}}
//
// One record is used for all of them: fields are kinds and spans of the line, numbers two lanes.
// Invariant: what is no JSON is told by `read`, since a crash may leave that; what is JSON and no
// entry is a DamagedError, since nothing that Karma 1.x does leaves it.

import {
  ABSENT,
  ARRAY,
  INTEGER,
  JsonScanner,
  type Kind,
  LANE,
  NameTable,
  parseU64,
  STRING,
  WRONG,
} from "../bytes/mod.ts";
import { DamagedError } from "../errors.ts";

/** What each operation is called inside of Karma 1.x, and in fingerprints. */
const COMMANDS = {
  "tree.create": "create",
  "tree.drop": "drop",
  "tree.reset": "reset",
  "series.compact": "compact",
  "tree.compact": "compact",
  "system.compact": "compact_all",
  "series.delete_before": "delete_before",
  "tree.delete_before": "delete_before",
  "counter.increment": "increment",
  "series.increment": "increment",
  "counter.decrement": "decrement",
  "series.batch_add": "batch_add",
  "counter.batch_increment": "batch_add",
  "series.batch_set": "batch_set",
  "counter.reset": "reset",
  "counter.delete_range": "delete",
  "tree.delete_range": "delete",
  "counter.batch_reset": "batch_reset",
  "counter.batch_delete_range": "batch_delete_range",
  "ingest.begin": "ingest_begin",
  "ingest.chunk": "ingest_chunk",
  "ingest.commit": "ingest_commit",
  "ingest.abort": "ingest_abort",
  "idempotency.prune": "idempotency_prune",
} as const;

export type Command = typeof COMMANDS[keyof typeof COMMANDS];

const OPS = new NameTable(Object.keys(COMMANDS));
const BY_OP: readonly Command[] = Object.values(COMMANDS);

const LINE_MEMBERS = new NameTable(["lsn", "entry"]);
const LSN = 0;
const ENTRY = 1;

const NAMES = [
  "op",
  "series",
  "tree",
  "key",
  "bucket",
  "date",
  "value",
  "items",
  "keys",
  "before",
  "stream_id",
  "mode",
  "granularity",
  "chunk_seq",
  "limit",
  "idempotency_key",
  "range",
  "from",
  "to",
] as const;
export type Field = typeof NAMES[number];

const MEMBERS = new NameTable(NAMES.slice(0, NAMES.indexOf("from")));
const RANGE_MEMBERS = new NameTable(["from", "to"]);
const AT = Object.fromEntries(NAMES.map((name, index) => [name, index])) as Record<Field, number>;

const OPEN_BRACE = 0x7b;
const LSN_HI_MAX = (1 << 21) - 1;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

export class Entry {
  lsn = 0;
  command: Command = "create";
  bytes: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  /** The span of the series' name; -1: there is none. */
  nameStart = -1;
  nameEnd = -1;
  /** The lanes of the last number that was asked for. */
  lo = 0;
  hi = 0;
  readonly #scanner = new JsonScanner();
  readonly #kinds = new Uint8Array(NAMES.length);
  readonly #starts = new Float64Array(NAMES.length);
  readonly #ends = new Float64Array(NAMES.length);
  readonly #lanes = new Uint32Array(2 * NAMES.length);
  readonly #digits = new Uint32Array(2);

  /** Reads the line bytes[start..end), whose escapes it overwrites. Returns what is wrong with it as JSON; null: nothing. */
  read(bytes: Uint8Array<ArrayBufferLike>, start: number, end: number): string | null {
    const scanner = this.#scanner;
    this.bytes = bytes;
    this.#kinds.fill(ABSENT);
    scanner.open(bytes, start, end);
    let hasLsn = false;
    let hasEntry = false;
    if (!scanner.openObject()) return scanner.fault;
    for (let more = scanner.member(true); more !== 0; more = scanner.member(false)) {
      if (more < 0) return scanner.fault;
      const member = LINE_MEMBERS.find(bytes, scanner.start, scanner.end);
      if (member === ENTRY && scanner.peek() === OPEN_BRACE) {
        hasEntry = this.#members(MEMBERS, 0);
        if (!hasEntry) return scanner.fault;
        continue;
      }
      const kind = scanner.value();
      if (kind === WRONG) return scanner.fault;
      if (member !== LSN) continue;
      hasLsn = kind === INTEGER && scanner.lanes[1] <= LSN_HI_MAX;
      this.lsn = scanner.lanes[1] * LANE + scanner.lanes[0];
    }
    if (!scanner.takeEnd()) return scanner.fault;
    if (!hasLsn || !hasEntry) throw new DamagedError("it is no entry of a log");
    this.#settle();
    return null;
  }

  has(field: Field): boolean {
    return this.#kinds[AT[field]] !== ABSENT;
  }

  /** Lays a number into `lo` and `hi`. */
  number(field: Field): void {
    const at = AT[field];
    if (this.#kinds[at] !== INTEGER) throw this.#lacks(`a number as ${field}`);
    this.lo = this.#lanes[2 * at];
    this.hi = this.#lanes[2 * at + 1];
  }

  /** A number below 2^53. */
  integer(field: Field): number {
    this.number(field);
    if (this.hi > LSN_HI_MAX) throw this.#lacks(`a number below 2^53 as ${field}`);
    return this.hi * LANE + this.lo;
  }

  /** Lays the bucket into `lo` and `hi`: a number, or digits with hyphens. */
  bucket(): void {
    const field = this.has("date") ? "date" : "bucket";
    const at = AT[field];
    if (this.#kinds[at] !== STRING) return this.number(field);
    const digits = this.bytes.subarray(this.#starts[at], this.#ends[at]).filter((byte) => {
      return byte !== 0x2d;
    });
    if (!parseU64(digits, 0, digits.length, this.#digits)) throw this.#lacks(`a day as ${field}`);
    this.lo = this.#digits[0];
    this.hi = this.#digits[1];
  }

  /** A text; null when there is none, or bytes that are none. */
  text(field: Field): string | null {
    const at = AT[field];
    if (this.#kinds[at] !== STRING) return null;
    try {
      return decoder.decode(this.bytes.subarray(this.#starts[at], this.#ends[at]));
    } catch {
      return null;
    }
  }

  /** The bytes of a text, or of a number as it is written. */
  textBytes(field: Field): Uint8Array {
    const at = AT[field];
    const kind = this.#kinds[at];
    if (kind !== STRING && kind !== INTEGER) throw this.#lacks(`a text as ${field}`);
    return this.bytes.slice(this.#starts[at], this.#ends[at]);
  }

  /** The series' name; "" when there is none. */
  seriesText(): string {
    return this.nameStart < 0
      ? ""
      : lenient.decode(this.bytes.subarray(this.nameStart, this.nameEnd));
  }

  /** Where a list begins and ends. */
  list(field: Field): [start: number, end: number] {
    const at = AT[field];
    if (this.#kinds[at] !== ARRAY) throw this.#lacks(`a list as ${field}`);
    return [this.#starts[at], this.#ends[at]];
  }

  /** Reads the members of the object that is next. False: it is no JSON. */
  #members(names: NameTable, first: number): boolean {
    const scanner = this.#scanner;
    scanner.openObject();
    for (let more = scanner.member(true); more !== 0; more = scanner.member(false)) {
      if (more < 0) return false;
      const index = names.find(scanner.bytes, scanner.start, scanner.end);
      const at = index < 0 ? -1 : first + index;
      if (at === AT.range && scanner.peek() === OPEN_BRACE) {
        if (!this.#members(RANGE_MEMBERS, AT.from)) return false;
        this.#kinds[at] = INTEGER;
        continue;
      }
      const kind = scanner.value();
      if (kind === WRONG) return false;
      if (at >= 0) this.#take(at, kind);
    }
    return true;
  }

  #take(at: number, kind: Kind): void {
    const { start, end, lanes } = this.#scanner;
    this.#kinds[at] = kind;
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#lanes[2 * at] = lanes[0];
    this.#lanes[2 * at + 1] = lanes[1];
  }

  /** Finds the operation and the series' name. */
  #settle(): void {
    const op = AT.op;
    const isText = this.#kinds[op] === STRING;
    const index = isText ? OPS.find(this.bytes, this.#starts[op], this.#ends[op]) : -1;
    if (index < 0) throw new DamagedError(`its operation ${this.text("op") ?? ""} is unknown`);
    this.command = BY_OP[index];
    const name = this.#kinds[AT.tree] === STRING ? AT.tree : AT.series;
    const isNamed = this.#kinds[name] === STRING;
    this.nameStart = isNamed ? this.#starts[name] : -1;
    this.nameEnd = isNamed ? this.#ends[name] : -1;
  }

  #lacks(what: string): DamagedError {
    return new DamagedError(`its ${this.command} lacks ${what}`);
  }
}
