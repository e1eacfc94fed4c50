// The codec beside a second reading of the rules of protocol v2 (request_model.ts), on lines of
// every operation, most of them wrong in one place.
//
// Invariant: what a line says is told alike, whatever was asked before it: the codec that has
// seen all lines answers as one that has seen none. Some lines are asked cut at every length.

import { assert, assertEquals } from "@std/assert";
import { Access } from "../../lib/command/access.ts";
import { OPERATIONS } from "../../lib/command/operation.ts";
import { Asker } from "../support/asker.ts";
import { Random } from "../support/random.ts";
import { JsonLines } from "./json_lines.ts";
import { expected, ROWS, type Tokens } from "./request_model.ts";

const ITEMS_MAX = 4;
const TOKENS: Tokens = { full: "full", read: "read" };

/** The members that each field of an operation is in. */
const MEMBERS: Record<string, readonly string[]> = {
  "tree": ["tree", "series"],
  "day?": ["date", "bucket"],
  "items": ["items"],
  "amounts": ["items"],
  "counters": ["counters"],
  "before": ["before", "date"],
  "time": ["time"],
  "stream": ["stream_id"],
  "sequence": ["chunk_seq"],
  "progress": ["offset", "source_offset", "event_id"],
  "report": ["checked_points", "mismatch_count", "absolute_drift", "max_abs_delta"],
  "subject": ["key", "keys"],
  "limitMode?": ["limitMode"],
  "wantsReceipt?": ["receipt"],
};

const LENGTHS = [255, 256, 257, 511, 512, 513, 1023, 1024, 1025];

class Lines {
  readonly #random: Random;
  readonly #json: JsonLines;
  /** Lists of limits, of which some are sent again. */
  readonly #limits: string[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.#json = new JsonLines(random);
  }

  next(): Uint8Array {
    const random = this.#random;
    const json = this.#json;
    json.isSloppy = random.chance(0.05);
    const text = random.chance(0.03) ? json.value(0) : this.#request();
    const line = new TextEncoder().encode(json.space() + text + json.space());
    return random.chance(0.15) ? json.mutated(line) : line;
  }

  #request(): string {
    const random = this.#random;
    const json = this.#json;
    const members: string[] = [];
    const add = (name: string, value: string) => {
      const unlike = random.chance(0.02);
      members.push(json.member(name, unlike ? json.value(1) : value));
    };
    const operation = random.pick(random.chance(0.05) ? LIMITED : OPERATIONS);
    const { v2, fields } = operation;
    if (random.chance(0.98)) add("v", random.chance(0.98) ? "2" : random.pick(["1", "2.0", '"2"']));
    if (random.chance(0.98)) {
      const op = random.pick(v2!.ops);
      add("op", random.chance(0.99) ? json.string(op) : json.anyString());
    }
    if (random.chance(0.9)) {
      const token = random.pick(["full", "full", "full", "full", "read", "read", "ful", ""]);
      add("token", json.string(token));
    }
    for (const field of fields) {
      const names = MEMBERS[field] ?? [field.replace("?", "")];
      // A check is about one key, or several.
      for (const name of field === "subject" ? [random.pick(names)] : names) {
        if (random.chance(field.endsWith("?") ? 0.6 : 0.96)) {
          add(NAMES[name] ?? name, this.#member(name));
        }
      }
    }
    if (random.chance(0.3)) {
      add("idempotency_key", this.#label());
      if (random.chance(0.3)) add("fingerprint", this.#label());
      if (random.chance(0.2)) add("idempotency_created_at_unix", json.integer());
    }
    if (fields.includes("limits") && random.chance(0.1)) add("limits", this.#limitList());
    while (random.chance(0.1)) add(random.pick(OTHERS), json.value(1));
    members.sort(() => random.chance(0.7) ? 0 : random.below(3) - 1);
    return `{${json.space()}${members.join(`,${json.space()}`)}${json.space()}}`;
  }

  /** A value of a member that is mostly good. */
  #member(name: string): string {
    const random = this.#random;
    const json = this.#json;
    const some = (other: () => string) => random.chance(0.03) ? json.value(1) : other();
    switch (name) {
      case "tree":
      case "series":
      case "granularity":
      case "stream_id":
      case "source":
        return some(() => random.chance(0.05) ? this.#long() : json.anyString());
      case "date":
      case "bucket":
      case "before":
        return some(() => this.#day());
      case "range":
        return some(() => this.#range());
      case "items":
        return some(() => this.#list(() => this.#item()));
      case "keys":
        return some(() => this.#list(() => some(() => this.#number())));
      case "counters":
        return some(() => this.#list(() => this.#counter()));
      case "limit":
        return some(() => this.#limit());
      case "file":
        return some(() => this.#file());
      case "mode":
        return some(() => json.string(random.pick(["add", "set", "replace_series", "Add", ""])));
      case "limitMode":
        return some(() => json.string(random.pick(["reject", "saturate", "force", "add"])));
      case "receipt":
        return random.chance(0.5) ? random.pick(["true", "false"]) : json.anyString();
      case "time":
        return some(() => random.chance(0.5) ? json.integer() : this.#moment());
      case "limits":
        return this.#limitList();
      case "source_offset":
      case "event_id":
      case "after":
        return this.#label();
      default:
        return some(() => random.chance(0.9) ? this.#number() : json.number());
    }
  }

  #number(): string {
    const json = this.#json;
    const random = this.#random;
    if (random.chance(0.4)) return String(random.below(12));
    const integer = json.integer();
    return random.chance(0.3) ? json.string(integer) : integer;
  }

  #label(): string {
    const random = this.#random;
    const json = this.#json;
    const kind = random.below(8);
    if (kind === 0) return this.#long();
    if (kind === 1) return json.value(1);
    return kind < 4 ? json.number() : json.anyString();
  }

  #long(): string {
    const text = "x".repeat(this.#random.pick(LENGTHS) - 1);
    return this.#json.string(text + this.#random.pick(["x", "x", "", "д"]));
  }

  #day(): string {
    const random = this.#random;
    const json = this.#json;
    const year = random.pick([
      "2024",
      "2025",
      "2026",
      "2026",
      "2000",
      "1900",
      "0999",
      "9999",
      "1000",
    ]);
    const month = String(random.below(random.chance(0.9) ? 12 : 15) + 1).padStart(2, "0");
    const day = String(random.below(random.chance(0.9) ? 28 : 33) + 1).padStart(2, "0");
    const kind = random.below(12);
    if (kind < 5) return String(Number(year + month + day));
    if (kind < 7) return json.string(`${year}${month}${day}`);
    if (kind < 9) return json.string(`${year}-${month}-${day}`);
    if (kind === 9) {
      const digits = [...`${year}${month}${day}`, ...(random.chance(0.2) ? ["a"] : [])];
      return json.string(digits.map((digit) => random.chance(0.2) ? `${digit}-` : digit).join(""));
    }
    if (kind === 10) {
      return json.string(
        random.pick(["", "-", "-5", "7", "020260131", "00020240229", "99999999", "4294967296"]),
      );
    }
    return random.chance(0.5) ? json.integer() : json.string(json.integer());
  }

  #range(): string {
    const random = this.#random;
    const json = this.#json;
    const ends = [this.#day(), this.#day()];
    if (random.chance(0.7)) {
      // Two days about a year from one another, or less.
      const first = Date.UTC(2020 + random.below(8), random.below(12), 1 + random.below(28));
      const days = random.chance(0.5) ? 363 + random.below(6) : random.below(300);
      const numbers = [first, first + days * 86_400_000].map((ms) => {
        const text = new Date(ms).toISOString().slice(0, 10);
        return random.chance(0.3) ? json.string(text) : text.replaceAll("-", "");
      });
      ends.splice(0, 2, ...numbers);
    }
    const members = ["from", "to"].flatMap((name, index) => {
      const isThere = random.chance(0.98);
      const other = random.chance(0.05)
        ? [json.member(random.pick(["from", "to", "x"]), json.value(2))]
        : [];
      return isThere ? [...other, json.member(name, ends[index])] : other;
    });
    if (random.chance(0.3)) members.reverse();
    return `{${json.space()}${members.join(",")}}`;
  }

  #list(element: () => string): string {
    const random = this.#random;
    const json = this.#json;
    const count = random.below(random.chance(0.9) ? ITEMS_MAX + 1 : ITEMS_MAX + 4);
    const elements = Array.from({ length: count }, element);
    return `[${json.space()}${elements.join(`${json.space()},${json.space()}`)}${json.space()}]`;
  }

  #item(): string {
    const random = this.#random;
    const json = this.#json;
    if (random.chance(0.02)) return json.value(2);
    const item = [this.#number(), this.#day(), this.#number()];
    if (random.chance(0.7)) item[1] = "20260131";
    if (random.chance(0.03)) item[random.below(3)] = json.value(2);
    if (random.chance(0.02)) item.push(json.value(2));
    if (random.chance(0.02)) item.length = random.below(3);
    return `[${json.space()}${item.join(`,${json.space()}`)}]`;
  }

  #counter(): string {
    const random = this.#random;
    const json = this.#json;
    if (random.chance(0.02)) return json.value(2);
    const members: string[] = [];
    if (random.chance(0.98)) members.push(json.member("series", json.anyString()));
    if (random.chance(0.98)) members.push(json.member("key", this.#number()));
    while (random.chance(0.1)) {
      members.push(json.member(random.pick(["series", "key", "tree", "x"]), json.value(2)));
    }
    if (random.chance(0.3)) members.reverse();
    return `{${members.join(",")}}`;
  }

  #limit(): string {
    const random = this.#random;
    const edges = [0, 100, 1000, 10_000, 100_000, 524_288, 2 ** 31, 2 ** 32, 2 ** 53 - 5];
    const near = random.pick(edges) + random.below(3) - 1;
    return String(random.chance(0.2) ? -near : random.chance(0.5) ? 1 + random.below(100) : near);
  }

  #file(): string {
    const random = this.#random;
    const name = random.chance(0.5)
      ? "1700000000_t"
      : JSON.parse(asciiOnly(this.#json.anyString()));
    const end = random.pick([".tree", ".tree", ".tree", ".tree", ".TREE", "", ".tree/", ".tree "]);
    return JSON.stringify(name + end);
  }

  #moment(): string {
    const random = this.#random;
    const two = (most: number) => String(random.below(most)).padStart(2, "0");
    const date = `${random.pick(["2026", "2024", "1969", "0999"])}-${two(14)}-${two(33)}`;
    const time = `${two(random.chance(0.9) ? 24 : 26)}:${two(61)}:${two(61)}`;
    const fraction = random.chance(0.3) ? `.${random.below(100_000)}` : "";
    const offset = random.chance(0.5)
      ? random.pick(["Z", "z", "", "+0100"])
      : `+${two(25)}:${two(61)}`;
    return this.#json.string(
      `${date}${random.pick(["T", "T", "t", " "])}${time}${fraction}${offset}`,
    );
  }

  #limitList(): string {
    const random = this.#random;
    const json = this.#json;
    const limits = this.#limits;
    if (limits.length > 0 && random.chance(0.6)) {
      const known = random.pick(limits);
      // Some are cut or changed, so that they only begin like one that is known.
      return random.chance(0.8) ? known : known.replace(/\d(?=\D*$)/, String(random.below(10)));
    }
    const window = () => random.pick(random.chance(0.95) ? WINDOWS : BAD_WINDOWS);
    const list = this.#list(() => {
      const members = [
        json.member("series", random.chance(0.8) ? '"api"' : json.anyString()),
        json.member("max", random.chance(0.95) ? this.#number() : json.value(2)),
        json.member("window", random.chance(0.97) ? window() : json.value(2)),
      ];
      if (random.chance(0.2)) members.push(json.member("key", this.#number()));
      if (random.chance(0.2)) members.push(json.member("cost", this.#number()));
      if (random.chance(0.1)) members.push(json.member("tree", json.anyString()));
      return `{${members.filter(() => random.chance(0.99)).join(",")}}`;
    });
    if (limits.length < 20) limits.push(list);
    return list;
  }
}

const LIMITED = OPERATIONS.filter(({ v2 }) => v2!.ops[0].startsWith("limit."));

const WINDOWS = [
  ...['"day"', '"week"', '"m\\u006fnth"', '"year"', '"total"', '{"days":30}', '{"month_from":15}'],
  ...['{"days":1}', '{"days":36525}', '{"month_from":31}'],
];

const BAD_WINDOWS = [
  ...['"hour"', '{"days":0}', '{"days":36526}', '{"month_from":32}', "{}", "null", '{"days":"3"}'],
];

/** What members are called on the wire, where that isn't how they are called here. */
const NAMES: Record<string, string> = {
  counters: "items",
  time: "before",
  limitMode: "mode",
  after: "cursor",
};

const OTHERS = [
  ...["v", "op", "tree", "series", "key", "value", "date", "range", "items", "keys", "limit"],
  ...["token", "command", "tree_name", "idempotency_key", "fingerprint", "before", "x", ""],
];

/** A string's token in which JSON.parse finds nothing that it refuses. */
function asciiOnly(token: string): string {
  return `"${token.replace(/[^\x20-\x7e]/g, "").replaceAll(/\\.|"/g, "")}"`;
}

/** One round of so many lines; throws where the two differ. */
export function fuzzRequests(seed: number, lines: number): void {
  for (const { id, v2 } of OPERATIONS) {
    for (const op of v2!.ops) {
      assert(op.startsWith("limit.") || ROWS.get(op)?.id === id, `The model knows no ${op}`);
    }
  }
  const random = new Random(seed);
  const source = new Lines(random);
  const tokens = random.chance(0.5) ? TOKENS : null;
  const access = new Access(tokens?.full ?? null, tokens?.read ?? null);
  const asker = new Asker(access, ITEMS_MAX);
  for (let count = 0; count < lines; count++) {
    const line = source.next();
    const spoken = random.pick(["v1", "v2"] as const);
    const isCut = line.length < 500 && random.chance(0.005);
    for (let length = isCut ? 0 : line.length; length <= line.length; length++) {
      const part = line.slice(0, length);
      const where = `line ${count} after ${spoken}, in hexadecimal: ${part.toHex()}`;
      const told = asker.ask(part, spoken);
      const fresh = new Asker(access, ITEMS_MAX);
      assertEquals(told, fresh.ask(part, spoken), `What was asked before shows in ${where}`);
      const isV1 = asker.request.protocol === "v1";
      const answer = expected(part, spoken, tokens, ITEMS_MAX);
      if (answer === "invalid_json") {
        // In which protocol that is told depends on what was read before the fault.
        assert(told.startsWith("invalid_json Invalid JSON: "), `${told} in ${where}`);
      } else if (answer === "v1" || isV1) {
        const isOther = answer === "validation_error Request must be a JSON object";
        assert(isV1 && (answer === "v1" || isOther && spoken === "v1"), `No v1 in ${where}`);
      } else if (answer !== null) assertEquals(told, answer, where);
    }
  }
}
