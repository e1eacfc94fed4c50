// The fields of a request in protocol v2: how each field that an operation may have is read.
//
// Invariant: `read` fills in the field, or returns the sentence about its shape. A value of the right shape that is not
// allowed goes to `later`: the first of those is reported once all shapes have turned out right.

import {
  ABSENT,
  ARRAY,
  INTEGER,
  JsonScanner,
  NameTable,
  NEGATIVE,
  OBJECT,
  STRING,
} from "../../bytes/mod.ts";
import {
  type Field,
  KEY,
  ordinal,
  RANGE_DAYS_MAX,
  type Request,
  VALUE,
} from "../../command/mod.ts";
import type { ErrorCode } from "../../errors.ts";
import { fileFault } from "../file_rule.ts";
import { readDetail } from "./admin_fields.ts";
import { LimitFields } from "./limit_fields.ts";
import { Lists } from "./lists.ts";
import { MEMBER } from "./members.ts";
import { RequestLine } from "./request_line.ts";
import { NOT_A_DATE, Value } from "./value.ts";

const RANGE_MEMBERS = new NameTable(["from", "to"]);
const RANGE_ENDS = ["range.from", "range.to"];

export class Fields {
  readonly #requestLine: RequestLine;
  readonly #itemsMax: number;
  readonly #value = new Value();
  readonly #lists = new Lists();
  readonly #limits: LimitFields;
  readonly #nested = new JsonScanner();
  readonly #ends = [0, 0];
  /** The code that goes with the sentence of `read`; the caller sets it before it reads. */
  code: ErrorCode = "validation_error";
  /** The first thing that is no good; null: nothing. */
  valueError: string | null = null;
  /** The first member of a list of limits that no limit has; null: there is none. */
  unknown: string | null = null;

  /** `itemsMax`: how long a list may be. */
  constructor(requestLine: RequestLine, itemsMax: number) {
    this.#requestLine = requestLine;
    this.#itemsMax = itemsMax;
    this.#limits = new LimitFields(requestLine);
  }

  /** Reads one field of a request; null, or what is wrong. */
  read(field: Field, request: Request): string | null {
    switch (field) {
      case "tree":
        return this.#tree(request);
      case "key":
        return this.#key(request);
      case "day?":
        return this.#day(request);
      case "value?":
        return this.#amount(request);
      case "range":
      case "range?":
        return this.#range(request, field === "range?");
      case "items":
      case "amounts":
      case "keys":
      case "counters":
        return this.#list(field, request);
      case "limit?":
        return this.#limit(request);
      case "before":
        return this.#before(request);
      case "file":
        return this.#file(request);
      case "key?":
      case "subject":
      case "cost?":
      case "limits":
      case "limitMode?":
      case "wantsReceipt?":
      case "replyForm?":
      case "receipt":
      case "refund?":
        return this.#ofLimits(field, request);
      default:
        return this.#detail(field, request);
    }
  }

  #ofLimits(field: Field, request: Request): string | null {
    const fault = this.#limits.read(field, request);
    if (this.#limits.valueError !== null) this.valueError ??= this.#limits.valueError;
    this.unknown ??= this.#limits.unknown;
    return fault;
  }

  #of(member: number, request: Request): Value {
    return this.#value.of(this.#requestLine, member, request.bytes);
  }

  #tree(request: Request): string | null {
    const { kinds, starts, ends } = this.#requestLine;
    const member = kinds[MEMBER.tree] === STRING ? MEMBER.tree : MEMBER.series;
    if (kinds[member] !== STRING) return "Field tree or series is required";
    request.nameStart = starts[member];
    request.nameEnd = ends[member];
    if (starts[member] === ends[member]) this.valueError ??= "Field tree_name is required";
    return null;
  }

  #key(request: Request): string | null {
    const value = this.#of(MEMBER.key, request);
    if (value.kind === ABSENT) return "Field key is required";
    const fault = value.key("key");
    request.isNamed = value.isName;
    request.keyStart = value.start;
    request.keyEnd = value.end;
    request.lanes[KEY] = value.lanes[0];
    request.lanes[KEY + 1] = value.lanes[1];
    return fault;
  }

  #number(member: number, request: Request, lane: number): string | null {
    const value = this.#of(member, request);
    const name = RequestLine.nameOf(member);
    if (value.kind === ABSENT) return `Field ${name} is required`;
    const fault = value.number(name);
    request.lanes[lane] = value.lanes[0];
    request.lanes[lane + 1] = value.lanes[1];
    return fault;
  }

  #amount(request: Request): string | null {
    const { lanes } = request;
    lanes[VALUE] = 1;
    lanes[VALUE + 1] = 0;
    if (!this.#requestLine.has(MEMBER.value)) return null;
    const fault = this.#number(MEMBER.value, request, VALUE);
    if (lanes[VALUE] === 0 && lanes[VALUE + 1] === 0) {
      this.valueError ??= "Field value must be greater than 0";
    }
    return fault;
  }

  #day(request: Request): string | null {
    const isDate = this.#requestLine.has(MEMBER.date);
    if (!isDate && !this.#requestLine.has(MEMBER.bucket)) return null;
    const value = this.#of(isDate ? MEMBER.date : MEMBER.bucket, request);
    const fault = value.date(isDate ? "date" : "bucket");
    request.day = value.day;
    if (fault === null && !value.isDate) this.valueError ??= NOT_A_DATE;
    return fault;
  }

  /** `{"from":DAY,"to":DAY}` */
  #range(request: Request, isOptional: boolean): string | null {
    const value = this.#of(MEMBER.range, request);
    if (value.kind === ABSENT) return isOptional ? null : "Field range is required";
    if (value.kind !== OBJECT) return "Field range must be an object";
    const ends = this.#ends;
    const isDate = [true, true];
    const faults: (string | null)[] = RANGE_ENDS.map((name) => `Field ${name} is required`);
    const scanner = this.#nested;
    scanner.open(value.bytes, value.start, value.end);
    scanner.openObject();
    for (let more = scanner.member(true); more > 0; more = scanner.member(false)) {
      const end = RANGE_MEMBERS.find(scanner.bytes, scanner.start, scanner.end);
      value.next(scanner);
      if (end < 0) continue;
      faults[end] = value.date(RANGE_ENDS[end]);
      isDate[end] = value.isDate;
      ends[end] = value.day;
    }
    for (const fault of faults) if (fault !== null) return fault;
    const [from, to] = ends;
    if (from > to) return "Bucket range start must be less than or equal to range end";
    if (isDate.includes(false)) this.valueError ??= NOT_A_DATE;
    else if (ordinal(to) - ordinal(from) >= RANGE_DAYS_MAX) {
      this.valueError ??= "Range exceeds max days";
    }
    request.hasRange = true;
    request.dayFrom = from;
    request.dayTo = to;
    return null;
  }

  #list(field: "items" | "amounts" | "keys" | "counters", request: Request): string | null {
    const name = field === "keys" ? "keys" : "items";
    const value = this.#of(MEMBER[name], request);
    if (value.kind === ABSENT) return `Field ${name} is required`;
    if (value.kind !== ARRAY) return `Field ${name} must be an array`;
    const { items } = request;
    const lists = this.#lists;
    const list = field === "amounts" ? "items" : field;
    const fault = lists[list](value.bytes, value.start, value.end, items);
    if (fault !== null) return fault;
    if (items.count > this.#itemsMax) this.valueError ??= `Field ${name} exceeds max size`;
    if (lists.valueError !== null) this.valueError ??= lists.valueError;
    if (field === "amounts" && items.hasZero) {
      this.valueError ??= "Batch item value must be greater than 0";
    }
    return null;
  }

  /** A number of 32 bits, as the original had it: beyond, it answered just this. */
  #limit(request: Request): string | null {
    const { max, fallback } = request.operation.page!;
    request.pageSize = fallback;
    const value = this.#of(MEMBER.limit, request);
    if (value.kind === ABSENT) return null;
    if (value.kind !== INTEGER && value.kind !== NEGATIVE) return "Field limit must be an integer";
    const size = value.lanes[1] === 0 ? value.lanes[0] : Infinity;
    if (size > (value.kind === NEGATIVE ? 0x80000000 : 0x7fffffff)) {
      this.code = "internal_error";
      return OVERFLOW;
    }
    if (value.kind === NEGATIVE || size === 0) {
      this.valueError ??= "Field limit must be greater than 0";
    }
    if (size > max) this.valueError ??= "Field limit exceeds max size";
    request.pageSize = size;
    return null;
  }

  /** The first day to keep: any number, since any was once stored. */
  #before(request: Request): string | null {
    const name = this.#requestLine.has(MEMBER.before) ? "before" : "date";
    const value = this.#of(MEMBER[name], request);
    if (value.kind === ABSENT) return "Field before is required";
    const fault = value.date(name);
    if (fault !== null) return fault;
    request.dayTo = value.day - 1;
    return null;
  }

  #file(request: Request): string | null {
    const value = this.#of(MEMBER.file, request);
    if (value.kind !== STRING) return "Field file is required";
    request.nameStart = value.start;
    request.nameEnd = value.end;
    const fault = fileFault(value.text(), value.end - value.start, request.operation.id);
    if (fault !== null) this.valueError ??= fault;
    return null;
  }

  #detail(field: Field, request: Request): string | null {
    const told = readDetail(field, request.details, (name) => this.#of(MEMBER[name], request));
    if (told.valueError !== undefined) this.valueError ??= told.valueError;
    return told.fault ?? null;
  }
}

/** What the original said of a number that was too large for it; its code is that of its own fault. */
const OVERFLOW = "Arithmetic overflow";
