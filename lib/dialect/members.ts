// The members of a request: one pass over a line notes where each known member's value is and of
// what kind it is. What the values mean is for the dialects; what JSON is, is for the scanner.
//
// Invariant: `scan` succeeds only for one whole JSON object; of members given twice the last one
// counts, and `seen` tells the kinds of all of them. Unknown members are checked and passed over.

import {
  ABSENT,
  ARRAY,
  INTEGER,
  JsonScanner,
  type Kind,
  NEGATIVE,
  WRONG,
} from "../bytes/json_scanner.ts";
import { NameTable } from "../bytes/name_table.ts";
import type { LimitSet } from "../command/limits.ts";
import { Memory } from "./memory.ts";

const NAMES = [
  // protocol v1
  "command",
  "tree_name",
  "key",
  "time_from",
  "time_to",
  // both
  "token",
  // protocol v2
  "v",
  "op",
  "tree",
  "series",
  "date",
  "bucket",
  "value",
  "range",
  "items",
  "keys",
  "idempotency_key",
  "fingerprint",
  "idempotency_created_at_unix",
  "limit",
  "cursor",
  "before",
  "file",
  "offset",
  "stream_id",
  "mode",
  "granularity",
  "chunk_seq",
  "source",
  "source_offset",
  "event_id",
  "checked_points",
  "mismatch_count",
  "absolute_drift",
  "max_abs_delta",
  "cost",
  "limits",
  "receipt",
] as const;

/** The index of each member in the tables below. */
export const MEMBER = Object.fromEntries(NAMES.map((name, index) => [name, index])) as Record<
  (typeof NAMES)[number],
  number
>;

const TABLE = new NameTable(NAMES);

export class Members {
  readonly #scanner = new JsonScanner();
  readonly kinds = new Uint8Array(NAMES.length);
  /** One bit for each kind that a member had. */
  readonly seen = new Uint16Array(NAMES.length);
  readonly starts = new Int32Array(NAMES.length);
  readonly ends = new Int32Array(NAMES.length);
  readonly lanes = new Uint32Array(2 * NAMES.length);
  /** Which members the line had, each once. */
  readonly #met = new Uint8Array(NAMES.length);
  #metCount = 0;
  /** Lists of limits that were read before; and the one of this line, if it is among them. */
  readonly memory = new Memory<LimitSet>();
  knownLimits: LimitSet | null = null;
  /** Whether a number somewhere in the line is beyond what numbers can be. */
  isBeyond = false;
  /** What is wrong with a line that `scan` refused. */
  fault = "";

  static nameOf(member: number): string {
    return NAMES[member];
  }

  /** Whether a member of the line, or of what of it was read before a fault, is there. */
  has(member: number): boolean {
    return this.kinds[member] !== ABSENT;
  }

  /** Reads the line bytes[start..end). Strings in it are unescaped where they lie. */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    const scanner = this.#scanner;
    this.#forget();
    scanner.open(bytes, start, end);
    if (scanner.peek() !== 0x7b) return this.#refuse(scanner, start, scanner.value());
    scanner.openObject();
    let more = scanner.member(true);
    for (; more > 0; more = scanner.member(false)) {
      const member = TABLE.find(bytes, scanner.start, scanner.end);
      const kind = member === MEMBER.limits ? this.#limits(end) : scanner.value();
      if (kind === WRONG) return this.#refuse(scanner, start, kind);
      if (member < 0) continue;
      if (this.kinds[member] === ABSENT) this.#met[this.#metCount++] = member;
      this.kinds[member] = kind;
      this.seen[member] |= 1 << kind;
      this.starts[member] = scanner.start;
      this.ends[member] = scanner.end;
      if (kind === INTEGER || kind === NEGATIVE) {
        this.lanes[2 * member] = scanner.lanes[0];
        this.lanes[2 * member + 1] = scanner.lanes[1];
      }
    }
    if (more < 0 || !scanner.takeEnd()) return this.#refuse(scanner, start, WRONG);
    this.isBeyond = scanner.isBeyond;
    return true;
  }

  /** Reads the value of the member `limits`, or knows it. */
  #limits(end: number): Kind {
    const scanner = this.#scanner;
    scanner.peek();
    const known = this.memory.find(scanner.bytes, scanner.at, end);
    this.knownLimits = known === null ? null : known.meaning;
    if (known === null) return scanner.value();
    scanner.pass(known.text.length);
    return ARRAY;
  }

  /** Clears the tables: only what the last line had, since a line has few of all the members. */
  #forget(): void {
    for (let index = 0; index < this.#metCount; index++) {
      this.kinds[this.#met[index]] = ABSENT;
      this.seen[this.#met[index]] = 0;
    }
    this.#metCount = 0;
    this.knownLimits = null;
  }

  #refuse(scanner: JsonScanner, start: number, kind: Kind): boolean {
    this.fault = kind !== WRONG && scanner.takeEnd()
      ? "Request must be a JSON object"
      : `Invalid JSON: ${scanner.fault} at byte ${scanner.at - start + 1}`;
    return false;
  }
}
