// Lists of limits in protocol v2, `[{"series":"api","max":1000,"window":"day"}, ...]`.
//
// Invariant: as in lists.ts, the sentence is about the first value of a wrong shape; values of the right shape
// that are not allowed go to `later`.

import { JsonScanner, NameTable, OBJECT } from "../../bytes/mod.ts";
import {
  type Limit,
  LIMITS_MAX,
  LimitSet,
  type LimitWindow,
  ROLLING_DAYS_MAX,
} from "../../command/mod.ts";
import { Value } from "./value.ts";

const OPEN_BRACE = 0x7b;

const MEMBERS = ["series", "max", "window", "cost", "key", "tree"] as const;
const MEMBER_TABLE = new NameTable(MEMBERS);

const WINDOW_NAMES = ["day", "week", "month", "year", "total"] as const;
const WINDOW_TABLE = new NameTable(WINDOW_NAMES);
const WINDOWS: readonly LimitWindow[] = WINDOW_NAMES.map((kind) => ({ kind }));
const SPAN_MEMBERS = new NameTable(["days", "month_from"]);
const DAYS = 0;

const WINDOW_FORM =
  'Field limits[].window must be "day", "week", "month", "year", "total", {"days":N} or {"month_from":DAY}';

type Lanes = readonly [lo: number, hi: number];

/** A limit of which not all was read yet. */
interface Draft {
  name: Uint8Array | null;
  tree: Uint8Array | null;
  window: LimitWindow | null;
  max: Lanes | null;
  cost: Lanes | null;
  key: Lanes | null;
}

export class LimitList {
  readonly #scanner = new JsonScanner();
  readonly #nested = new JsonScanner();
  readonly #value = new Value();
  readonly #number = new Value();
  /** The first thing that is no good; null: nothing. */
  valueError: string | null = null;
  /** What `read` has read. */
  set = new LimitSet([]);

  /** Reads the array that a value is; null, or what is wrong. */
  read({ bytes, start, end }: Value): string | null {
    this.valueError = null;
    const limits: Limit[] = [];
    const scanner = this.#scanner;
    scanner.open(bytes, start, end);
    scanner.openArray();
    for (let more = scanner.element(true); more > 0; more = scanner.element(false)) {
      if (scanner.peek() !== OPEN_BRACE) return "Field limits[] must be an object";
      const limit = this.#limit(scanner);
      if (typeof limit === "string") return limit;
      limits.push(limit);
    }
    if (limits.length === 0) this.valueError = "Field limits must not be empty";
    if (limits.length > LIMITS_MAX) this.valueError = "Field limits exceeds max size";
    this.set = new LimitSet(limits.slice(0, LIMITS_MAX));
    return null;
  }

  #limit(scanner: JsonScanner): Limit | string {
    const draft: Draft = { name: null, tree: null, window: null, max: null, cost: null, key: null };
    const faults: (string | null)[] = MEMBERS.map(() => null);
    scanner.openObject();
    for (let more = scanner.member(true); more > 0; more = scanner.member(false)) {
      const index = MEMBER_TABLE.find(scanner.bytes, scanner.start, scanner.end);
      this.#value.next(scanner);
      if (index >= 0) faults[index] = this.#member(MEMBERS[index], draft); // the last one counts
    }
    const fault = faults.find((fault) => fault !== null);
    const { max, cost, key, window } = draft;
    const name = draft.tree ?? draft.name; // as in the request itself
    if (name === null) return "Field limits[].series is required";
    if (fault) return fault;
    if (max === null) return "Field limits[].max is required";
    if (window === null) return "Field limits[].window is required";
    return { name, window, max, cost, key };
  }

  #member(member: (typeof MEMBERS)[number], draft: Draft): string | null {
    const value = this.#value;
    switch (member) {
      case "series":
      case "tree": {
        const name = value.isText ? value.bytes.slice(value.start, value.end) : null;
        if (member === "tree") draft.tree = name;
        else draft.name = name;
        return null;
      }
      case "window":
        return this.#window(draft);
      default: {
        const fault = value.number(`limits[].${member}`);
        draft[member] = [value.lanes[0], value.lanes[1]];
        return fault;
      }
    }
  }

  #window(draft: Draft): string | null {
    const value = this.#value;
    if (value.isText) {
      const index = WINDOW_TABLE.find(value.bytes, value.start, value.end);
      if (index < 0) return WINDOW_FORM;
      draft.window = WINDOWS[index];
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
      const count = number.lanes[0];
      const most = member === DAYS ? ROLLING_DAYS_MAX : 31;
      if (count < 1 || count > most) {
        return `Field limits[].window.${
          member === DAYS ? "days" : "month_from"
        } must be 1 to ${most}`;
      }
      draft.window = member === DAYS
        ? { kind: "days", days: count }
        : { kind: "monthFrom", day: count };
    }
    return found < 0 ? WINDOW_FORM : null;
  }
}
