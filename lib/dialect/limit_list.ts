// The limits of a request in protocol v2, `[{"series":"api","max":1000,"window":"day"}, ...]`, read into
// the request.
//
// Invariant: as for lists (lists.ts): the sentence tells the first thing of the wrong shape; what is of
// the right shape but no good is in `later`.

import { JsonScanner, OBJECT } from "../bytes/json_scanner.ts";
import { NameTable } from "../bytes/name_table.ts";
import { COST, type Limits, LIMITS_MAX, MAX, SUBJECT } from "../command/limits.ts";
import { KEY as REQUEST_KEY, type Request, VALUE } from "../command/request.ts";
import { ROLLING_DAYS_MAX, type Window } from "../command/window.ts";
import { Value } from "./value.ts";

const OPEN_BRACE = 0x7b;

const MEMBERS = new NameTable(["series", "max", "window", "cost", "key", "tree"]);
const [SERIES, MAX_MEMBER, WINDOW, COST_MEMBER, KEY, TREE] = [0, 1, 2, 3, 4, 5];

const WINDOW_NAMES = ["day", "week", "month", "year", "total"] as const;
const WINDOW_TABLE = new NameTable(WINDOW_NAMES);
const WINDOWS: readonly Window[] = WINDOW_NAMES.map((kind) => ({ kind }));
const SPAN_MEMBERS = new NameTable(["days", "month_from"]);

const WINDOW_FORM =
  'Field limits[].window must be "day", "week", "month", "year", "total", {"days":N} or {"month_from":DAY}';

/** Windows with numbers, so that there is one object for each: requests mostly repeat them. */
const numbered = new Map<number, Window>();
const NUMBERED_MAX = 1000;

export class LimitList {
  readonly #scanner = new JsonScanner();
  readonly #nested = new JsonScanner();
  readonly #value = new Value();
  readonly #number = new Value();
  /** The first thing that is no good; null: nothing. */
  later: string | null = null;
  #window: Window | null = null;

  /** Reads the array that a value is; limits without key or cost have those of the request. */
  read(array: Value, request: Request): string | null {
    this.later = null;
    const { limits } = request;
    const scanner = this.#scanner;
    scanner.open(array.bytes, array.start, array.end);
    scanner.openArray();
    for (let more = scanner.element(true); more > 0; more = scanner.element(false)) {
      if (scanner.peek() !== OPEN_BRACE) return "Field limits[] must be an object";
      if (limits.count === LIMITS_MAX) {
        this.later ??= "Field limits exceeds max size";
        return null;
      }
      const fault = this.#limit(scanner, request);
      if (fault !== null) return fault;
    }
    if (limits.count === 0) this.later ??= "Field limits must not be empty";
    return null;
  }

  #limit(scanner: JsonScanner, { limits, lanes }: Request): string | null {
    const value = this.#value;
    const index = limits.push();
    limits.put(index, COST, lanes[VALUE], lanes[VALUE + 1]);
    limits.put(index, SUBJECT, lanes[REQUEST_KEY], lanes[REQUEST_KEY + 1]);
    let fault: string | null = null;
    let nameStart = -1;
    let nameEnd = -1;
    let hasMax = false;
    this.#window = null;
    scanner.openObject();
    for (let more = scanner.member(true); more > 0; more = scanner.member(false)) {
      const member = MEMBERS.find(scanner.bytes, scanner.start, scanner.end);
      value.next(scanner);
      if (member === SERIES || member === TREE && nameStart < 0) {
        nameStart = value.isText ? value.start : -1;
        nameEnd = value.end;
      } else if (member === MAX_MEMBER) {
        hasMax = true;
        fault ??= this.#put(limits, index, MAX, "limits[].max");
      } else if (member === WINDOW) {
        fault ??= this.#readWindow();
      } else if (member === COST_MEMBER) {
        fault ??= this.#put(limits, index, COST, "limits[].cost");
      } else if (member === KEY) {
        fault ??= this.#put(limits, index, SUBJECT, "limits[].key");
        limits.own(index);
      }
    }
    if (nameStart < 0) return "Field limits[].series is required";
    if (fault !== null) return fault;
    if (!hasMax) return "Field limits[].max is required";
    if (this.#window === null) return "Field limits[].window is required";
    limits.place(index, nameStart, nameEnd, this.#window);
    return null;
  }

  #put(limits: Limits, index: number, field: number, name: string): string | null {
    const fault = this.#value.number(name);
    if (fault === null) limits.put(index, field, this.#value.lanes[0], this.#value.lanes[1]);
    return fault;
  }

  #readWindow(): string | null {
    const value = this.#value;
    if (value.isText) {
      const index = WINDOW_TABLE.find(value.bytes, value.start, value.end);
      if (index < 0) return WINDOW_FORM;
      this.#window = WINDOWS[index];
      return null;
    }
    if (value.kind !== OBJECT) return WINDOW_FORM;
    const scanner = this.#nested;
    scanner.open(value.bytes, value.start, value.end);
    scanner.openObject();
    let found = -1;
    for (let more = scanner.member(true); more > 0; more = scanner.member(false)) {
      const member = SPAN_MEMBERS.find(scanner.bytes, scanner.start, scanner.end);
      const number = this.#number.next(scanner);
      if (member < 0) continue;
      if (found >= 0 || number.integer("") !== null || number.lanes[1] !== 0) return WINDOW_FORM;
      found = member;
      const most = member === 0 ? ROLLING_DAYS_MAX : 31;
      const count = number.lanes[0];
      if (count < 1 || count > most) {
        return `Field limits[].window.${member === 0 ? "days" : "month_from"} must be 1 to ${most}`;
      }
      this.#window = numberedWindow(member === 0, count);
    }
    return found < 0 ? WINDOW_FORM : null;
  }
}

function numberedWindow(isRolling: boolean, number: number): Window {
  const place = isRolling ? number : -number;
  const known = numbered.get(place);
  if (known !== undefined) return known;
  const window: Window = isRolling
    ? { kind: "days", days: number }
    : { kind: "monthFrom", day: number };
  if (numbered.size < NUMBERED_MAX) numbered.set(place, window);
  return window;
}
