// Limits as arguments:
//
//   LIMIT tree max window [CARRY max] [NOTIFY part,...] [KEY key] [WEIGHT cost]
//   BUCKET tree burst refill seconds [NOTIFY part,...] [KEY key] [WEIGHT cost]
//
// A window is a word, or the members of its object in JSON: `day`, `days=30`, `hours=5,from=first_use`.
//
// Invariant: a list means what the same list in JSON does, because that is what it is read as.
// Trade-off: for that it is written as JSON. Clients send the same few lists again and again, and what those mean is kept.

import { ARRAY, NameTable } from "../../bytes/mod.ts";
import { type LimitSet, REFILL_SECONDS_MAX, TOKENS_MAX } from "../../command/mod.ts";
import { LimitList } from "../json/limit_list.ts";
import { Value } from "../json/value.ts";
import { type ArgumentReader, SYNTAX } from "./argument_reader.ts";
import { SpanCache } from "./span_cache.ts";

/** Words of limits, and how many arguments each takes with itself. */
const PLACES = { LIMIT: 4, BUCKET: 5, CARRY: 2, NOTIFY: 2, KEY: 2, WEIGHT: 2 } as const;
const WORDS = Object.keys(PLACES) as (keyof typeof PLACES)[];
const TABLE = new NameTable(WORDS);
const COUNTS = WORDS.map((word) => PLACES[word]);

/** A name of digits is a number in JSON, and a number that is none is a text, which it then refuses. */
const NUMBER = /^(0|[1-9]\d*)(\.\d+)?$/;

/** The tree whose buckets `CL.THROTTLE` counts in. */
const THROTTLE_TREE = "cl.throttle";

const NO_BUCKET = `burst must be 0 to ${TOKENS_MAX - 1}, count 1 to ${TOKENS_MAX}, and ` +
  `period 1 to ${REFILL_SECONDS_MAX} seconds`;

const encoder = new TextEncoder();

export class LimitArguments {
  readonly #reader: ArgumentReader;
  readonly #list = new LimitList();
  readonly #value = new Value();
  readonly #known = new SpanCache<LimitSet>();
  readonly #buckets = new SpanCache<LimitSet>();
  /** What was read last. */
  set: LimitSet | null = null;

  constructor(reader: ArgumentReader) {
    this.#reader = reader;
  }

  /** Reads the limits that begin with the next argument; null, or what is wrong. */
  read(): string | null {
    const reader = this.#reader;
    const { args, bytes, start } = reader;
    const first = reader.at;
    for (let word = reader.word(TABLE); word >= 0; word = reader.word(TABLE)) {
      reader.at += COUNTS[word];
      if (reader.at > args.count) return SYNTAX;
    }
    const last = reader.at;
    const end = args.ends[last - 1];
    this.set = this.#known.find(bytes, start, end);
    if (this.set !== null) return null;
    reader.at = first;
    const fault = this.#readAnew(last);
    reader.at = last;
    if (fault === null) this.#known.keep(bytes, start, end, this.set!);
    return fault;
  }

  /** Reads `burst refill seconds` of the bucket that each key has by itself; null, or what is wrong. */
  readBucket(): string | null {
    const reader = this.#reader;
    const { args, bytes, start } = reader;
    const end = args.ends[reader.at + 2];
    this.set = this.#buckets.find(bytes, start, end);
    if (this.set !== null) {
      reader.at += 3;
      return null;
    }
    const fault = this.#take([`{"series":${JSON.stringify(THROTTLE_TREE)},${this.#bucket()}}`]);
    if (fault !== null) return NO_BUCKET; // that of a limit speaks of windows
    this.#buckets.keep(bytes, start, end, this.set!);
    return null;
  }

  #readAnew(last: number): string | null {
    const limits: string[] = [];
    while (this.#reader.at < last) {
      const limit = this.#limit(last);
      if (limit === null) return SYNTAX;
      limits.push(limit);
    }
    return this.#take(limits);
  }

  /** Reads limits that are written as JSON. */
  #take(limits: readonly string[]): string | null {
    const value = this.#value;
    value.bytes = encoder.encode(`[${limits.join()}]`);
    [value.start, value.end, value.kind] = [0, value.bytes.length, ARRAY];
    const list = this.#list;
    const fault = list.read(value) ?? list.valueError;
    if (fault !== null) return fault;
    if (list.unknown !== null) return `Field ${list.unknown} is unknown`;
    this.set = list.set;
    return null;
  }

  /** One limit as JSON; null: it is none. */
  #limit(last: number): string | null {
    const reader = this.#reader;
    const isBucket = reader.word(TABLE) === WORDS.indexOf("BUCKET");
    if (!isBucket && reader.word(TABLE) !== WORDS.indexOf("LIMIT")) return null;
    reader.at++;
    const members = [`"series":${this.#text()}`];
    if (isBucket) members.push(this.#bucket());
    else members.push(`"max":${this.#number()},"window":${windowOf(reader.text() ?? "")}`);
    while (reader.at < last) {
      const word = WORDS[reader.word(TABLE)];
      if (word === "LIMIT" || word === "BUCKET") break;
      reader.at++;
      if (word === "CARRY") members.push(`"carry":{"max":${this.#number()}}`);
      else if (word === "WEIGHT") members.push(`"cost":${this.#number()}`);
      else if (word === "KEY") members.push(`"key":${this.#text()}`);
      else members.push(`"notify":[${(reader.text() ?? "").split(",").map(numberOf).join()}]`);
    }
    return `{${members.join()}}`;
  }

  #bucket(): string {
    const [burst, refill, perSeconds] = [this.#number(), this.#number(), this.#number()];
    return `"window":{"refill":${refill},"per_seconds":${perSeconds},"burst":${burst}}`;
  }

  #text(): string {
    return JSON.stringify(this.#reader.text() ?? "");
  }

  #number(): string {
    return numberOf(this.#reader.text() ?? "");
  }
}

/** A number as it was written, so that it stays exact; what is none, as a string. */
function numberOf(text: string): string {
  return NUMBER.test(text) ? text : JSON.stringify(text);
}

/** `day`, or `days=14,anchor=2026-01-05` as `{"days":14,"anchor":"2026-01-05"}` */
function windowOf(text: string): string {
  if (!text.includes("=")) return JSON.stringify(text.toLowerCase());
  const members = text.split(",").map((member) => {
    const [name, ...value] = member.split("=");
    return `${JSON.stringify(name)}:${numberOf(value.join("="))}`;
  });
  return `{${members.join()}}`;
}
