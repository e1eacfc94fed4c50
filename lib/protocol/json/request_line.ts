// The members of a request: one pass over a line notes the kind and the place of each known member's value. The
// protocols give the values meaning; the scanner checks that the line is JSON.
//
// Invariant: `scan` succeeds only for one whole JSON object. If a member is repeated, the last one counts, and `seen`
// holds the kinds of all of them. Unknown members are checked and skipped.

import {
  ABSENT,
  ARRAY,
  INTEGER,
  JsonScanner,
  type Kind,
  type Line,
  NEGATIVE,
  STRING,
  WRONG,
} from "../../bytes/mod.ts";
import { type LimitSet, type Reply, TimeZones } from "../../command/mod.ts";
import type { ErrorCode } from "../../errors.ts";
import { MEMBER, MEMBER_NAMES, MEMBER_TABLE } from "./members.ts";
import { type Held, type Template, TemplateCache, TemplatePart } from "./template_cache.ts";
import { LimitListCache } from "./limit_list_cache.ts";

/** What no two lines have in common, or nobody is to try out. */
const ONLY_ONCE = [MEMBER.token, MEMBER.idempotency_key, MEMBER.fingerprint];

const OPEN_BRACE = 0x7b;
const BACKSLASH = 0x5c;

/** What was read before, by whatever connection. */
export class DecodeCaches {
  readonly templates = new TemplateCache();
  readonly limitLists = new LimitListCache<LimitSet>();
  readonly timeZones = new TimeZones();
}

export class RequestLine {
  readonly #scanner = new JsonScanner();
  readonly kinds = new Uint8Array(MEMBER_NAMES.length);
  /** One bit for each kind that a member had. */
  readonly seen = new Uint16Array(MEMBER_NAMES.length);
  readonly starts = new Int32Array(MEMBER_NAMES.length);
  readonly ends = new Int32Array(MEMBER_NAMES.length);
  readonly lanes = new Uint32Array(2 * MEMBER_NAMES.length);
  /** Which members the line had, each once. */
  readonly #met = new Uint8Array(MEMBER_NAMES.length);
  #metCount = 0;
  readonly #known: DecodeCaches;
  /** The form of the last line; null: it has none. */
  #form: Template | null = null;
  /** Whether a member was met twice. */
  #isDoubled = false;
  /** The limits of this line, if they were read before. */
  knownLimits: LimitSet | null = null;
  /** The name of the first member that no operation knows; null: all are known to some. */
  unknown: Uint8Array | null = null;
  /** Whether a number somewhere in the line is beyond what numbers can be. */
  isBeyond = false;
  /** What is wrong with a line that `scan` refused. */
  #fault = "";
  #faultCode: ErrorCode = "invalid_json";
  /** The line that was scanned last, and whether it is a request as far as JSON goes. */
  #line: Line | null = null;
  #serial = 0;
  #isObject = false;

  constructor(known = new DecodeCaches()) {
    this.#known = known;
  }

  static nameOf(member: number): string {
    return MEMBER_NAMES[member];
  }

  /** Whether a member of the line, or of what of it was read before a fault, is there. */
  has(member: number): boolean {
    return this.kinds[member] !== ABSENT;
  }

  /** The first member of the line that is none of these, which are marked by ones; -1: there is no other. */
  firstBeside(members: Uint8Array): number {
    for (let index = 0; index < this.#metCount; index++) {
      if (members[this.#met[index]] === 0) return this.#met[index];
    }
    return -1;
  }

  /**
   * Reads a line, unless it was the last to be read: of each line that is once, as strings in it are unescaped
   * where they lie. False: it is no JSON object.
   */
  scan(line: Line): boolean {
    if (line === this.#line && line.serial === this.#serial) return this.#isObject;
    this.#line = line;
    this.#serial = line.serial;
    return this.#isObject = this.#scan(line);
  }

  /** Makes the error of a line that `scan` refused. */
  refuse(reply: Reply): false {
    reply.fail(this.#faultCode, this.#fault);
    return false;
  }

  #scan(line: Line): boolean {
    const { templates: forms } = this.#known;
    const alike = forms.like(line);
    for (let index = 0; index < alike.length; index++) {
      if (this.#recall(alike[index], line)) return true;
    }
    if (!forms.wants(line)) return this.#read(line);
    const text = line.bytes.slice(line.start, line.end);
    const isGood = this.#read(line);
    if (isGood && this.#comesAgain(text)) forms.keep(this.#formOf(text, line.start), line);
    return isGood;
  }

  /** Takes over what is known of lines of a form. False: the line is of another one. */
  #recall(form: Template, line: Line): boolean {
    const scanner = this.#scanner;
    const { parts } = form;
    if (!parts[0].isAt(line.start, line)) return false;
    if (form !== this.#form) this.#begin(form);
    scanner.open(line.bytes, line.start, line.end);
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index];
      const from = scanner.at;
      if (index > 0 && !part.isAt(from, line)) return false;
      const { held, number } = part;
      for (let index = 0; index < held.length; index++) {
        const { member, start, end } = held[index];
        this.starts[member] = from + start;
        this.ends[member] = from + end;
      }
      scanner.at = from + part.bytes.length;
      if (number < 0) return scanner.at === line.end;
      // Nothing but a number is read: it would be unescaped where it lies, before anyone knows it.
      if (!isDigit(line, scanner.at) || scanner.value() !== INTEGER) return false;
      this.starts[number] = scanner.start;
      this.ends[number] = scanner.end;
      this.lanes[2 * number] = scanner.lanes[0];
      this.lanes[2 * number + 1] = scanner.lanes[1];
    }
    return false;
  }

  /** Fills in the kinds of a form's members, and numbers that are no other in any line of it. */
  #begin(form: Template): void {
    this.#forget();
    this.#form = form;
    this.knownLimits = form.limits;
    this.unknown = form.unknown;
    this.isBeyond = false;
    for (const { held, number } of form.parts) {
      for (const { member, kind, lo, hi } of held) {
        this.#meet(member, kind);
        this.lanes[2 * member] = lo;
        this.lanes[2 * member + 1] = hi;
      }
      if (number >= 0) this.#meet(number, INTEGER);
    }
  }

  #meet(member: number, kind: Kind): void {
    if (this.kinds[member] === ABSENT) this.#met[this.#metCount++] = member;
    else this.#isDoubled = true;
    this.kinds[member] = kind;
    this.seen[member] |= 1 << kind;
  }

  /** Whether other lines may be like the one that was read, which was `text`. */
  #comesAgain(text: Uint8Array): boolean {
    return !this.#isDoubled && !this.isBeyond && !text.includes(BACKSLASH) &&
      !ONLY_ONCE.some((member) => this.has(member)) && this.kinds[MEMBER.id] !== STRING &&
      (!this.has(MEMBER.limits) || this.knownLimits !== null);
  }

  /** The form of the line that was read, which was `text` and began at `start`. */
  #formOf(text: Uint8Array, start: number): Template {
    const { kinds, starts, ends, lanes } = this;
    const parts: TemplatePart[] = [];
    let held: Held[] = [];
    let from = 0;
    for (const member of this.#met.subarray(0, this.#metCount)) {
      const kind = kinds[member];
      if (kind === INTEGER && member !== MEMBER.v) {
        parts.push(new TemplatePart(text.slice(from, starts[member] - start), held, member));
        held = [];
        from = ends[member] - start;
      } else {
        const [lo, hi] = lanes.subarray(2 * member);
        const base = start + from;
        held.push({ member, kind, start: starts[member] - base, end: ends[member] - base, lo, hi });
      }
    }
    parts.push(new TemplatePart(text.slice(from), held, -1));
    return { parts, limits: this.knownLimits, unknown: this.unknown };
  }

  /** Reads a line of which nothing is known. */
  #read({ bytes, start, end }: Line): boolean {
    const scanner = this.#scanner;
    this.#forget();
    scanner.open(bytes, start, end);
    if (scanner.peek() !== OPEN_BRACE) return this.#refuse(scanner, start, scanner.value());
    scanner.openObject();
    let more = scanner.member(true);
    for (; more > 0; more = scanner.member(false)) {
      const member = MEMBER_TABLE.find(bytes, scanner.start, scanner.end);
      if (member < 0) this.unknown ??= bytes.slice(scanner.start, scanner.end);
      const kind = member === MEMBER.limits ? this.#limits(end) : scanner.value();
      if (kind === WRONG) return this.#refuse(scanner, start, kind);
      if (member < 0) continue;
      this.#meet(member, kind);
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
    const known = this.#known.limitLists.find(scanner.bytes, scanner.at, end);
    this.knownLimits = known === null ? null : known.meaning;
    if (known === null) return scanner.value();
    scanner.pass(known.text.length);
    return ARRAY;
  }

  /** The zone that a member of the line, which is a string, names; null: there is none of that name. */
  timeZone(member: number, bytes: Uint8Array): ReturnType<TimeZones["find"]> {
    return this.#known.timeZones.find(bytes, this.starts[member], this.ends[member]);
  }

  /** Remembers what the list of limits `text` means. */
  keepLimits(text: Uint8Array, limits: LimitSet): void {
    this.#known.limitLists.keep(text, limits);
  }

  /** Clears the tables: only what the last line had, since a line has few of all the members. */
  #forget(): void {
    for (let index = 0; index < this.#metCount; index++) {
      this.kinds[this.#met[index]] = ABSENT;
      this.seen[this.#met[index]] = 0;
    }
    this.#metCount = 0;
    this.#isDoubled = false;
    this.#form = null;
    this.knownLimits = this.unknown = null;
  }

  #refuse(scanner: JsonScanner, start: number, kind: Kind): boolean {
    const isJson = kind !== WRONG && scanner.takeEnd();
    this.#faultCode = isJson ? "validation_error" : "invalid_json";
    this.#fault = isJson
      ? "Request must be a JSON object"
      : `Invalid JSON: ${scanner.fault} at byte ${scanner.at - start + 1}`;
    return false;
  }
}

function isDigit({ bytes, end }: Line, at: number): boolean {
  return at < end && bytes[at] >= 0x30 && bytes[at] <= 0x39;
}
