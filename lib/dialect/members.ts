// The members of a request: one pass over a line notes where each known member's value is and of
// what kind it is. What the values mean is for the dialects; what JSON is, is for the scanner.
//
// Invariant: `scan` succeeds only for one whole JSON object; of members given twice the last one
// counts, and `seen` tells the kinds of all of them. Unknown members are checked and passed over.

import { ABSENT, INTEGER, JsonScanner, type Kind, WRONG } from "../bytes/json_scanner.ts";
import { NameTable } from "../bytes/name_table.ts";

const NAMES = ["command", "tree_name", "key", "time_from", "time_to"] as const;

/** The index of each member in the tables below. */
export const COMMAND = 0;
export const TREE_NAME = 1;
export const MEMBER_KEY = 2;
export const TIME_FROM = 3;
export const TIME_TO = 4;

const TABLE = new NameTable(NAMES);

export class Members {
  readonly #scanner = new JsonScanner();
  readonly kinds = new Uint8Array(NAMES.length);
  /** One bit for each kind that a member had. */
  readonly seen = new Uint16Array(NAMES.length);
  readonly starts = new Int32Array(NAMES.length);
  readonly ends = new Int32Array(NAMES.length);
  readonly lanes = new Uint32Array(2 * NAMES.length);
  /** What is wrong with a line that `scan` refused. */
  fault = "";

  static nameOf(member: number): string {
    return NAMES[member];
  }

  /** Reads the line bytes[start..end). Strings in it are unescaped where they lie. */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    const scanner = this.#scanner;
    for (let member = 0; member < NAMES.length; member++) { // a call of `fill` costs more than this
      this.kinds[member] = ABSENT;
      this.seen[member] = 0;
    }
    scanner.open(bytes, start, end);
    if (scanner.peek() !== 0x7b) return this.#refuse(scanner, start, scanner.value());
    scanner.openObject();
    let more = scanner.member(true);
    for (; more > 0; more = scanner.member(false)) {
      const member = TABLE.find(bytes, scanner.start, scanner.end);
      const kind = scanner.value();
      if (kind === WRONG) return this.#refuse(scanner, start, kind);
      if (member < 0) continue;
      this.kinds[member] = kind;
      this.seen[member] |= 1 << kind;
      this.starts[member] = scanner.start;
      this.ends[member] = scanner.end;
      if (kind === INTEGER) {
        this.lanes[2 * member] = scanner.lanes[0];
        this.lanes[2 * member + 1] = scanner.lanes[1];
      }
    }
    if (more < 0 || !scanner.takeEnd()) return this.#refuse(scanner, start, WRONG);
    return true;
  }

  #refuse(scanner: JsonScanner, start: number, kind: Kind): boolean {
    this.fault = kind !== WRONG && scanner.takeEnd()
      ? "Request must be a JSON object"
      : `Invalid JSON: ${scanner.fault} at byte ${scanner.at - start + 1}`;
    return false;
  }
}
