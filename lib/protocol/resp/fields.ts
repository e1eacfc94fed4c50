// The fields of an operation as arguments of a command, as its plan has them.
//
// Invariant: `read` fills in the fields of the request, or returns what is wrong. The rules for values are those of
// protocol v2.
// Trade-off: keys may be any string, so in a list a word of the command ends it, and a key that is spelled like one has
// `KEY` before it.

import { NameTable, u64ToBigInt } from "../../bytes/mod.ts";
import {
  CHECKED_KEYS_MAX,
  type Field,
  FINGERPRINT_BYTES_MAX,
  IDEMPOTENCY_KEY_BYTES_MAX,
  KEY,
  LIMIT_MODES,
  RECEIPT_BYTES_MAX,
  type Request,
  type TimeZones,
  VALUE,
} from "../../command/mod.ts";
import { fileFault } from "../file_rule.ts";
import { areCostsAgreed, haveOneCost } from "../limit_costs.ts";
import { ArgumentReader, NO_DAY, SYNTAX } from "./argument_reader.ts";
import type { Arguments } from "./arguments.ts";
import { DetailArguments } from "./detail_arguments.ts";
import { LimitArguments } from "./limit_arguments.ts";
import { OPTION_TABLE, OPTIONS, type Plan } from "./plan.ts";

/** The word before a key that is spelled like an option. */
const KEY_WORD = new NameTable(["KEY"]);

const MODE_TABLE = new NameTable(LIMIT_MODES.map((mode) => mode.toUpperCase()));

const NO_AMOUNT = "the amount must be greater than 0";

export class Fields {
  readonly #itemsMax: number;
  readonly #zones: TimeZones;
  readonly #reader: ArgumentReader;
  readonly #details: DetailArguments;
  readonly #limits: LimitArguments;

  /** `itemsMax`: how long a list may be. */
  constructor(args: Arguments, itemsMax: number, zones: TimeZones) {
    this.#zones = zones;
    this.#itemsMax = itemsMax;
    this.#reader = new ArgumentReader(args);
    this.#details = new DetailArguments(this.#reader);
    this.#limits = new LimitArguments(this.#reader);
  }

  /** Reads the arguments behind a command's name, of which there are enough; null, or what is wrong. */
  read(plan: Plan, request: Request): string | null {
    const reader = this.#reader;
    reader.begin(request.bytes);
    this.#details.begin();
    for (let index = 0; index < plan.placed.length; index++) {
      const fault = this.#placed(plan.placed[index], request);
      if (fault !== null) return fault;
    }
    const { page } = request.operation;
    if (page !== undefined) request.pageSize = page.fallback;
    if (plan.hasLimits) this.#beginLimits(request);
    const fault = this.#days(plan, request) ?? this.#amount(plan, request) ??
      this.#list(plan, request);
    if (fault !== null) return fault;
    while (reader.isMore) {
      const fault = this.#option(plan, request);
      if (fault !== null) return fault;
    }
    if (plan.hasLimits) return this.#endLimits(request);
    const isRangeMissing = plan.options.has("RANGE") && !request.hasRange &&
      request.operation.fields.includes("range");
    if (isRangeMissing) return "RANGE from to is required";
    return plan.details.length === 0 ? null : this.#details.read(plan.details, request);
  }

  /** Reads `key burst count period [quantity]`, of which there are enough; null, or what is wrong. */
  readThrottle(request: Request): string | null {
    const reader = this.#reader;
    reader.begin(request.bytes);
    this.#beginLimits(request);
    const fault = this.#key(request) ?? this.#limits.readBucket();
    if (fault !== null) return fault;
    const wrong = reader.isMore ? this.#number(request.lanes) : null;
    if (reader.isMore) return SYNTAX;
    return wrong === null || wrong === NO_AMOUNT ? this.#endLimits(request) : wrong;
  }

  #placed(field: Field, request: Request): string | null {
    const reader = this.#reader;
    switch (field) {
      case "key":
      case "key?":
        return this.#key(request);
      case "tree":
      case "file":
        request.nameStart = reader.start;
        request.nameEnd = reader.end;
        if (field === "file") {
          const bytes = reader.end - reader.start;
          return fileFault(reader.text(), bytes, request.operation.id);
        }
        reader.at++;
        return request.nameStart < request.nameEnd ? null : "the name of a tree must not be empty";
      case "before": {
        const day = reader.small(0xffffffff);
        request.dayTo = day - 1;
        return day < 0 ? NO_DAY : null;
      }
      case "receipt": {
        const isTooLong = reader.end - reader.start > RECEIPT_BYTES_MAX;
        const receipt = reader.text() ?? "";
        request.details.set("receipt", receipt);
        return receipt === "" || isTooLong ? "invalid receipt" : null;
      }
      default:
        this.#details.place(field);
        return null;
    }
  }

  #key(request: Request): string | null {
    const reader = this.#reader;
    const fault = reader.key();
    const { lanes } = request;
    request.isNamed = reader.isName;
    [request.keyStart, request.keyEnd] = [reader.lanes[0], reader.lanes[1]];
    lanes[KEY] = reader.isName ? 0 : reader.lanes[0];
    lanes[KEY + 1] = reader.isName ? 0 : reader.lanes[1];
    return fault;
  }

  #days({ range }: Plan, request: Request): string | null {
    if (range === "no" || range === "may" && !this.#reader.isNumber) return null;
    return this.#reader.range(request);
  }

  #amount({ hasAmount }: Plan, { lanes }: Request): string | null {
    if (!hasAmount) return null;
    lanes[VALUE] = 1;
    lanes[VALUE + 1] = 0;
    return this.#reader.isNumber ? this.#number(lanes) : null;
  }

  /** Reads a number that is not zero as the value. */
  #number(lanes: Uint32Array): string | null {
    const reader = this.#reader;
    const fault = reader.number();
    lanes[VALUE] = reader.lanes[0];
    lanes[VALUE + 1] = reader.lanes[1];
    return fault ?? (lanes[VALUE] === 0 && lanes[VALUE + 1] === 0 ? NO_AMOUNT : null);
  }

  #list(plan: Plan, request: Request): string | null {
    if (plan.list === null) return null;
    const { items, operation } = request;
    const reader = this.#reader;
    items.clear();
    do {
      if (reader.word(KEY_WORD) === 0) reader.at++;
      const fault = this.#item(plan, request);
      if (fault !== null) return fault;
      if (items.count > this.#itemsMax) return `lists have at most ${this.#itemsMax} items`;
    } while (reader.isMore && (reader.isNumber || !this.#isOption(plan)));
    if (plan.hasLimits) return this.#checked(request);
    const isZero = operation.fields.includes("amounts") && items.hasZero;
    return isZero ? NO_AMOUNT : null;
  }

  #isOption({ options }: Plan): boolean {
    const option = this.#reader.word(OPTION_TABLE);
    return option >= 0 && options.has(OPTIONS[option]);
  }

  #item({ list }: Plan, { items }: Request): string | null {
    const reader = this.#reader;
    const [nameStart, nameEnd] = [reader.start, reader.end];
    if (list === "counters") reader.at++;
    const fault = reader.key();
    if (fault !== null) return fault;
    const { isName, lanes } = reader;
    const [lo, hi] = lanes;
    if (list === "keys") items.pushKey(lo, hi);
    else if (list === "counters") items.pushCounter(nameStart, nameEnd, lo, hi);
    else {
      const day = reader.day();
      if (day < 0) return NO_DAY;
      const fault = reader.number();
      if (fault !== null) return fault;
      items.pushItem(lo, hi, day, lanes[0], lanes[1]);
    }
    if (isName) items.markName();
    return null;
  }

  #option(plan: Plan, request: Request): string | null {
    const reader = this.#reader;
    const option = OPTIONS[reader.word(OPTION_TABLE)];
    if (option === undefined || !plan.options.has(option)) return SYNTAX;
    if (option === "LIMIT" || option === "BUCKET") {
      return this.#limits.set === null ? this.#limits.read() : "limits must stand together";
    }
    reader.at++;
    if (option === "RECEIPT") request.wantsReceipt = true;
    else if (option === "BRIEF") request.isBrief = true;
    else if (!reader.isMore) return SYNTAX;
    switch (option) {
      case "RECEIPT":
      case "BRIEF":
        return null;
      case "DAY":
        request.day = reader.day();
        return request.day < 0 ? NO_DAY : null;
      case "RANGE":
        return reader.range(request);
      case "COUNT":
        return this.#count(request);
      case "TIMEZONE":
        request.zone = this.#zones.find(reader.bytes, reader.start, reader.end);
        reader.at++;
        return request.zone === null ? "TIMEZONE must be the name of a time zone" : null;
      case "IDEMPOTENCY":
      case "FINGERPRINT":
        return this.#once(option === "IDEMPOTENCY", request);
      case "COST": {
        const fault = this.#number(request.lanes);
        return fault === NO_AMOUNT ? null : fault; // a cost may be nothing
      }
      case "MODE": {
        const mode = LIMIT_MODES[reader.word(MODE_TABLE)];
        reader.at++;
        request.mode = mode ?? "reject";
        return mode === undefined ? `MODE must be one of ${LIMIT_MODES.join(", ")}` : null;
      }
      case "AMOUNT": {
        const fault = this.#number(request.lanes);
        const { lanes } = request;
        request.details.set("refund", u64ToBigInt(lanes[VALUE], lanes[VALUE + 1]));
        return fault;
      }
      default:
        return this.#details.option(option, plan.details);
    }
  }

  #once(isKey: boolean, request: Request): string | null {
    const { start, end } = this.#reader;
    this.#reader.at++;
    const bytesMax = isKey ? IDEMPOTENCY_KEY_BYTES_MAX : FINGERPRINT_BYTES_MAX;
    const name = isKey ? "IDEMPOTENCY" : "FINGERPRINT";
    if (end === start || end - start > bytesMax) return `${name} must have 1 to ${bytesMax} bytes`;
    if (isKey) {
      request.idempotencyKeyStart = start;
      request.idempotencyKeyEnd = end;
    } else {
      request.fingerprintStart = start;
      request.fingerprintEnd = end;
    }
    return null;
  }

  #count(request: Request): string | null {
    const { max } = request.operation.page!;
    const count = this.#reader.small(max);
    request.pageSize = count;
    return count < 1 ? `COUNT must be 1 to ${max}` : null;
  }

  #beginLimits(request: Request): void {
    const { lanes } = request;
    this.#limits.set = null;
    lanes[VALUE] = 1;
    lanes[VALUE + 1] = 0;
    request.hasKeys = request.wantsReceipt = request.isBrief = false;
    request.mode = "reject";
  }

  /** A check of one key has one verdict, a check of several a list of them. */
  #checked(request: Request): string | null {
    const { items, lanes } = request;
    const [lo, hi] = items.words;
    const isName = items.isName(0);
    request.hasKeys = items.count > 1;
    request.isNamed = !request.hasKeys && isName;
    [request.keyStart, request.keyEnd] = [lo, hi];
    const isNumber = !request.hasKeys && !isName;
    lanes[KEY] = isNumber ? lo : 0;
    lanes[KEY + 1] = isNumber ? hi : 0;
    return items.count > CHECKED_KEYS_MAX ? `lists have at most ${CHECKED_KEYS_MAX} items` : null;
  }

  #endLimits(request: Request): string | null {
    const { set } = this.#limits;
    const { limits, lanes, bytes } = request;
    if (set === null) return "LIMIT tree max window is required";
    const name = request.isNamed ? bytes.slice(request.keyStart, request.keyEnd) : null;
    limits.use(set, lanes[KEY], lanes[KEY + 1], lanes[VALUE], lanes[VALUE + 1], name);
    if (limits.hasOwnCosts && !areCostsAgreed(request)) {
      return "WEIGHT must be one for each tree and key";
    }
    const isApart = request.mode === "saturate" && limits.hasOwnCosts && !haveOneCost(request);
    return isApart ? "WEIGHT must be one for all limits in mode saturate" : null;
  }
}
