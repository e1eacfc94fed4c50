// The fields of the limit operations in protocol v2.
//
// Invariant: as in fields.ts, a reader returns the sentence about a wrong shape, and leaves a value of the right
// shape that is not allowed in `later`.

import { ABSENT, ARRAY, FALSE, STRING, TRUE, u64ToBigInt } from "../../bytes/mod.ts";
import {
  CHECKED_KEYS_MAX,
  type Field,
  KEY,
  LIMIT_MODES,
  RECEIPT_BYTES_MAX,
  type Request,
  VALUE,
} from "../../command/mod.ts";
import { areCostsAgreed, haveOneCost } from "../limit_costs.ts";
import { LimitList } from "./limit_list.ts";
import { Lists } from "./lists.ts";
import { MEMBER } from "./members.ts";
import type { RequestLine } from "./request_line.ts";
import { Value } from "./value.ts";

export class LimitFields {
  readonly #requestLine: RequestLine;
  readonly #value = new Value();
  readonly #list = new LimitList();
  readonly #lists = new Lists();
  /** Whether the request has one key for all limits. */
  #hasKey = false;
  valueError: string | null = null;
  /** The first member of a limit that no limit has; null: there is none. */
  unknown: string | null = null;

  constructor(requestLine: RequestLine) {
    this.#requestLine = requestLine;
  }

  /** Reads one field; null, or what is wrong. */
  read(field: Field, request: Request): string | null {
    this.valueError = this.unknown = null;
    switch (field) {
      case "key?":
        return this.#key(request, false);
      case "subject":
        return this.#subject(request);
      case "cost?":
        return this.#cost(request);
      case "limits":
        return this.#limits(request);
      case "limitMode?":
        return this.#mode(request);
      case "wantsReceipt?":
        return this.#wantsReceipt(request);
      case "replyForm?":
        return this.#replyForm(request);
      case "refund?":
        return this.#refund(request);
      default:
        return this.#receipt(request);
    }
  }

  #of(member: number, request: Request): Value {
    return this.#value.of(this.#requestLine, member, request.bytes);
  }

  #key(request: Request, isRequired: boolean): string | null {
    const value = this.#of(MEMBER.key, request);
    request.hasKeys = false;
    request.lanes[KEY] = request.lanes[KEY + 1] = 0;
    this.#hasKey = value.kind !== ABSENT;
    if (value.kind === ABSENT) return isRequired ? "Field key or keys is required" : null;
    const fault = value.key("key");
    request.isNamed = value.isName;
    request.keyStart = value.start;
    request.keyEnd = value.end;
    request.lanes[KEY] = value.isName ? 0 : value.lanes[0];
    request.lanes[KEY + 1] = value.isName ? 0 : value.lanes[1];
    return fault;
  }

  #subject(request: Request): string | null {
    const value = this.#of(MEMBER.keys, request);
    if (value.kind === ABSENT) return this.#key(request, true);
    if (this.#requestLine.has(MEMBER.key)) return "Field key or keys is required, and not both";
    if (value.kind !== ARRAY) return "Field keys must be an array";
    const { items, lanes } = request;
    const fault = this.#lists.keys(value.bytes, value.start, value.end, items);
    if (items.count > CHECKED_KEYS_MAX) this.valueError = "Field keys exceeds max size";
    request.hasKeys = true;
    lanes[KEY] = lanes[KEY + 1] = 0;
    return fault;
  }

  #cost(request: Request): string | null {
    const value = this.#of(MEMBER.cost, request);
    request.lanes[VALUE] = 1;
    request.lanes[VALUE + 1] = 0;
    if (value.kind === ABSENT) return null;
    const fault = value.number("cost");
    request.lanes[VALUE] = value.lanes[0];
    request.lanes[VALUE + 1] = value.lanes[1];
    return fault;
  }

  #limits(request: Request): string | null {
    const value = this.#of(MEMBER.limits, request);
    if (value.kind === ABSENT) return "Field limits is required";
    if (value.kind !== ARRAY) return "Field limits must be an array";
    const { limits, lanes } = request;
    let set = this.#requestLine.knownLimits;
    if (set === null) {
      const text = value.bytes.slice(value.start, value.end); // before strings are unescaped in it
      const fault = this.#list.read(value);
      this.unknown = this.#list.unknown;
      if (fault !== null) return fault;
      this.valueError = this.#list.valueError;
      set = this.#list.set;
      if (this.valueError === null && this.unknown === null) {
        this.#requestLine.keepLimits(text, set);
      }
    }
    if (!request.hasKeys && !this.#hasKey && !set.areKeyed) return "Field key is required";
    const keyName = request.isNamed ? request.bytes.slice(request.keyStart, request.keyEnd) : null;
    limits.use(set, lanes[KEY], lanes[KEY + 1], lanes[VALUE], lanes[VALUE + 1], keyName);
    if (limits.hasOwnCosts && !areCostsAgreed(request)) {
      this.valueError ??= "Field limits[].cost must be one for each series and key";
    }
    return null;
  }

  #mode(request: Request): string | null {
    const value = this.#of(MEMBER.mode, request);
    request.mode = "reject";
    if (value.kind === ABSENT) return null;
    const mode = LIMIT_MODES.find((mode) => mode === value.text());
    if (mode === undefined) {
      const form = `Field mode must be ${LIMIT_MODES.slice(0, -1).join(", ")} or ${
        LIMIT_MODES.at(-1)
      }`;
      if (value.kind !== STRING) return form;
      this.valueError = form;
      return null;
    }
    request.mode = mode;
    if (mode === "saturate" && !haveOneCost(request)) {
      this.valueError = "Field limits[].cost must be one for all limits in mode saturate";
    }
    return null;
  }

  #wantsReceipt(request: Request): string | null {
    const { kind } = this.#of(MEMBER.receipt, request);
    request.wantsReceipt = kind === TRUE;
    const isGood = kind === ABSENT || kind === TRUE || kind === FALSE;
    return isGood ? null : "Field receipt must be true or false";
  }

  #replyForm(request: Request): string | null {
    const value = this.#of(MEMBER.reply, request);
    request.isBrief = false;
    if (value.kind === ABSENT) return null;
    const form = 'Field reply must be "full" or "brief"';
    if (value.kind !== STRING) return form;
    const text = value.text();
    request.isBrief = text === "brief";
    if (text !== "brief" && text !== "full") this.valueError = form;
    return null;
  }

  #refund(request: Request): string | null {
    const value = this.#of(MEMBER.amount, request);
    if (value.kind === ABSENT) return null;
    const fault = value.number("amount");
    if (fault !== null) return fault;
    const amount = u64ToBigInt(value.lanes[0], value.lanes[1]);
    if (amount === 0n) this.valueError = "Field amount must be greater than 0";
    request.details.set("refund", amount);
    return null;
  }

  #receipt(request: Request): string | null {
    const value = this.#of(MEMBER.receipt, request);
    if (value.kind !== STRING || value.start === value.end) return "Field receipt is required";
    if (value.end - value.start > RECEIPT_BYTES_MAX) {
      this.valueError = "Field receipt exceeds max size";
    }
    request.details.set("receipt", value.text() ?? "");
    return null;
  }
}
