// Lists of limits in protocol v2, `[{"series":"api","max":1000,"window":"day"}, ...]`.
//
// Invariant: as in lists.ts, the sentence is about the first value of a wrong shape; values of the right shape
// that are not allowed go to `later`.

import { ARRAY, FRACTION, INTEGER, JsonScanner, NameTable, OBJECT } from "../../bytes/mod.ts";
import {
  isOfCalendar,
  type Limit,
  LIMITS_MAX,
  LimitSet,
  type LimitWindow,
  type Threshold,
  thresholdOf,
  THRESHOLDS_MAX,
} from "../../command/mod.ts";
import { LimitWindowReader } from "./limit_window.ts";
import { Value } from "./value.ts";

const OPEN_BRACE = 0x7b;

const MEMBERS = ["series", "max", "window", "cost", "key", "tree", "carry", "notify"] as const;
const MEMBER_TABLE = new NameTable(MEMBERS);
const CARRY_TABLE = new NameTable(["max"]);

type Lanes = readonly [lo: number, hi: number];

/** A limit of which not all was read yet. */
interface Draft {
  name: Uint8Array | null;
  tree: Uint8Array | null;
  window: LimitWindow | null;
  max: Lanes | null;
  cost: Lanes | null;
  key: Lanes | null;
  carry: Lanes | null;
  notify: readonly Threshold[] | null;
  keyName: Uint8Array | null;
}

const decoder = new TextDecoder();

export class LimitList {
  readonly #scanner = new JsonScanner();
  readonly #nested = new JsonScanner();
  readonly #windows = new LimitWindowReader();
  readonly #value = new Value();
  /** The first thing that is no good; null: nothing. */
  valueError: string | null = null;
  /** The first member that no limit has; null: there is none. */
  unknown: string | null = null;
  /** What `read` has read. */
  set = new LimitSet([]);

  /** Reads the array that a value is; null, or what is wrong. */
  read({ bytes, start, end }: Value): string | null {
    this.valueError = this.unknown = null;
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
    const draft: Draft = {
      name: null,
      tree: null,
      window: null,
      max: null,
      cost: null,
      key: null,
      carry: null,
      notify: null,
      keyName: null,
    };
    const faults: (string | null)[] = MEMBERS.map(() => null);
    scanner.openObject();
    for (let more = scanner.member(true); more > 0; more = scanner.member(false)) {
      const { bytes, start, end } = scanner;
      const index = MEMBER_TABLE.find(bytes, start, end);
      this.#value.next(scanner);
      if (index < 0) this.unknown ??= `limits[].${decoder.decode(bytes.subarray(start, end))}`;
      else faults[index] = this.#member(MEMBERS[index], draft); // the last one counts
    }
    const fault = faults.find((fault) => fault !== null);
    const { max, cost, key, keyName, window, carry, notify } = draft;
    const name = draft.tree ?? draft.name; // as in the request itself
    if (name === null) return "Field limits[].series is required";
    if (fault) return fault;
    const bucket = window?.kind === "fine" ? window.bucket : null;
    if (bucket !== null && max !== null) {
      return "Field limits[].max must be absent: a token bucket has a burst";
    }
    const most = bucket === null ? max : [bucket.burst + 1, 0] as const;
    if (most === null) return "Field limits[].max is required";
    if (window === null) return "Field limits[].window is required";
    if (carry !== null && !isOfCalendar(window)) {
      this.valueError ??= "Field limits[].carry needs a window of the calendar";
    }
    return { name, window, max: most, cost, key, keyName, carry, notify };
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
      case "window": {
        const window = this.#windows.read(value);
        if (typeof window === "string") return window; // which tells all that there are
        const { unknown } = this.#windows;
        if (unknown !== null) this.unknown ??= `limits[].window.${unknown}`;
        draft.window = window;
        return null;
      }
      case "carry":
        return this.#carry(draft);
      case "notify":
        return this.#notify(draft);
      default: {
        const field = `limits[].${member}`;
        const fault = member === "key" ? value.key(field) : value.number(field);
        const isName = member === "key" && value.isName;
        draft[member] = isName ? [0, 0] : [value.lanes[0], value.lanes[1]];
        if (member === "key") {
          draft.keyName = isName ? value.bytes.slice(value.start, value.end) : null;
        }
        return fault;
      }
    }
  }

  /** `{"max":500}` */
  #carry(draft: Draft): string | null {
    const value = this.#value;
    if (value.kind !== OBJECT) return 'Field limits[].carry must be {"max":N}';
    let fault: string | null = "Field limits[].carry.max is required";
    const scanner = this.#nested;
    scanner.open(value.bytes, value.start, value.end);
    scanner.openObject();
    for (let more = scanner.member(true); more > 0; more = scanner.member(false)) {
      const { bytes, start, end } = scanner;
      const member = CARRY_TABLE.find(bytes, start, end);
      value.next(scanner);
      if (member < 0) {
        this.unknown ??= `limits[].carry.${decoder.decode(bytes.subarray(start, end))}`;
        continue;
      }
      fault = value.number("limits[].carry.max");
      draft.carry = [value.lanes[0], value.lanes[1]];
    }
    return fault;
  }
  /** `[0.8,1]` */
  #notify(draft: Draft): string | null {
    const value = this.#value;
    const form = "Field limits[].notify must be a list of numbers";
    if (value.kind !== ARRAY) return form;
    const thresholds: Threshold[] = [];
    const scanner = this.#nested;
    scanner.open(value.bytes, value.start, value.end);
    scanner.openArray();
    for (let more = scanner.element(true); more > 0; more = scanner.element(false)) {
      const { kind, bytes, start, end } = value.next(scanner);
      if (kind !== FRACTION && kind !== INTEGER) return form;
      const threshold = thresholdOf(decoder.decode(bytes.subarray(start, end)));
      if (threshold === null) {
        this.valueError ??= "Field limits[].notify has parts above 0, up to 1, of six decimals";
      } else thresholds.push(threshold);
    }
    if (thresholds.length > THRESHOLDS_MAX) {
      this.valueError ??= `Field limits[].notify has up to ${THRESHOLDS_MAX} parts`;
    }
    draft.notify = thresholds.length === 0 ? null : thresholds;
    return null;
  }
}
