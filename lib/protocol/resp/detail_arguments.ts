// The fields of cold operations as arguments: each is given to the reader that it has in JSON, so that it may be the
// same there and here.
//
// Invariant: an argument is a string there, or an integer where the field is a number.

import { ABSENT, INTEGER, type Kind, NULL, parseU64, STRING } from "../../bytes/mod.ts";
import type { Field, Request } from "../../command/mod.ts";
import { readDetail } from "../json/admin_fields.ts";
import type { MEMBER } from "../json/members.ts";
import { Value } from "../json/value.ts";
import { type ArgumentReader, SYNTAX } from "./argument_reader.ts";

type Member = keyof typeof MEMBER;

const WORDS = [
  "CURSOR",
  "OFFSET",
  "GRANULARITY",
  "SOURCE",
  "EVENT",
  "DRIFT",
  "MAXDELTA",
] as const;
type Word = (typeof WORDS)[number];

/** Arguments of a field: those without a word, and those behind one, each with its member in JSON. */
interface Detail {
  readonly placed: readonly Member[];
  readonly words: Partial<Record<Word, Member>>;
  readonly isNumber: boolean;
}

const FIELDS: Partial<Record<Field, Detail>> = {
  "cursor?": { placed: [], words: { CURSOR: "cursor" }, isNumber: false },
  "after?": { placed: [], words: { CURSOR: "cursor" }, isNumber: false },
  "offset?": { placed: [], words: { OFFSET: "offset" }, isNumber: true },
  "stream": { placed: ["stream_id"], words: {}, isNumber: false },
  "mode": { placed: ["mode"], words: {}, isNumber: false },
  "granularity?": { placed: [], words: { GRANULARITY: "granularity" }, isNumber: false },
  "sequence": { placed: ["chunk_seq"], words: {}, isNumber: true },
  "source": { placed: ["source"], words: {}, isNumber: false },
  "source?": { placed: [], words: { SOURCE: "source" }, isNumber: false },
  "progress": { placed: [], words: { OFFSET: "offset", EVENT: "event_id" }, isNumber: false },
  "time": { placed: ["before"], words: {}, isNumber: true },
  "report": {
    placed: ["checked_points", "mismatch_count"],
    words: { DRIFT: "absolute_drift", MAXDELTA: "max_abs_delta" },
    isNumber: true,
  },
};

const NAMES = Object.keys(FIELDS) as Field[];

/** What plans are made of. */
export const DETAILS = {
  options: WORDS,
  placed: NAMES.filter((field) => FIELDS[field]!.placed.length > 0),
  has: (field: Field) => FIELDS[field] !== undefined,
  optionsOf: (field: Field) => Object.keys(FIELDS[field]!.words) as Word[],
  /** How many arguments without a word a field is. */
  placesOf: (field: Field) => FIELDS[field]?.placed.length ?? 1,
};

export class DetailArguments {
  readonly #reader: ArgumentReader;
  readonly #value = new Value();
  readonly #lanes = new Uint32Array(2);
  /** Where the arguments are that are there. */
  readonly #places = new Map<Member, number>();

  constructor(reader: ArgumentReader) {
    this.#reader = reader;
  }

  begin(): void {
    if (this.#places.size > 0) this.#places.clear();
  }

  /** Takes the arguments without a word; false: that is no field of ours. */
  place(field: Field): boolean {
    const detail = FIELDS[field];
    if (detail === undefined) return false;
    for (const member of detail.placed) this.#places.set(member, this.#reader.at++);
    return true;
  }

  /** Takes the argument behind a word, for one of these fields. */
  option(option: string, fields: readonly Field[]): string | null {
    const of = (field: Field) => FIELDS[field]!.words[option as Word];
    const member = fields.map(of).find((member) => member !== undefined);
    if (member === undefined) return SYNTAX;
    this.#places.set(member, this.#reader.at++);
    return null;
  }

  /** Reads the fields from what was taken; null, or what is wrong. */
  read(fields: readonly Field[], { details }: Request): string | null {
    for (const field of fields) {
      const { isNumber } = FIELDS[field]!;
      const { fault, valueError } = readDetail(field, details, (member) => {
        return this.#valueOf(member, isNumber);
      });
      const wrong = fault ?? valueError;
      if (wrong !== undefined) return wrong;
    }
    return null;
  }

  #valueOf(member: Member, isNumber: boolean): Value {
    const value = this.#value;
    const { args, bytes } = this.#reader;
    const place = this.#places.get(member);
    value.bytes = bytes;
    value.start = place === undefined ? 0 : args.starts[place];
    value.end = place === undefined ? 0 : args.ends[place];
    value.kind = place === undefined ? ABSENT : this.#kindOf(value, member, isNumber);
    value.lanes.set(this.#lanes);
    return value;
  }

  /** An empty cursor begins, and the reply will tell where to go on. */
  #kindOf({ bytes, start, end }: Value, member: Member, isNumber: boolean): Kind {
    if (member === "cursor" && start === end) return NULL;
    return isNumber && parseU64(bytes, start, end, this.#lanes) ? INTEGER : STRING;
  }
}
