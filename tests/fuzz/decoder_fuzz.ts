// The decoder of requests beside JSON.parse and the rules of protocol v1, on lines of every kind.
//
// The model reads a line as Latin-1, a character a byte: JSON's grammar lies in ASCII, so that
// JSON.parse then accepts what a reader of bytes must accept, valid UTF-8 or not. What JSON.parse
// would round, drop or merge (integers, members given twice) is taken from the line's own tokens.

import { assert, assertEquals } from "@std/assert";
import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import { Reply } from "../../lib/command/reply.ts";
import { DAY_MAX, KEY, Request } from "../../lib/command/request.ts";
import { Random } from "../support/random.ts";
import { needsOf, V1Lines } from "../support/v1.ts";

const U64_MAX = (1n << 64n) - 1n;
const DEPTH_MAX = 512;

// --- The model ---------------------------------------------------------------------------------

/** What each command needs: t a tree, k a key, r a range, R a range or none; `|` parts two operations. */
const COMMANDS: Record<string, Record<string, string>> = {
  ping: { ping: "" },
  trees: { trees: "" },
  create: { create: "t" },
  drop: { drop: "t" },
  increment: { increment: "tk" },
  decrement: { decrement: "tk" },
  sum: { sum: "tkR" },
  find: { find: "tkr", findAll: "tr" },
  reset: { reset: "tk", resetAll: "t" },
  delete: { delete: "tkr", deleteAll: "tr" },
  dump: { dump: "t" },
  dump_all: { dumpAll: "" },
  dumps: { dumps: "" },
  load: { load: "t" },
};

/** One member: its name's and its value's tokens as they stand in the line. */
interface Member {
  readonly name: string;
  readonly value: string;
}

/** What a line asks for, or why it is refused, as one text. */
function expected(line: Uint8Array): string {
  const text = Array.from(line, (byte) => String.fromCharCode(byte)).join("");
  try {
    JSON.parse(text);
  } catch {
    return "invalid_json";
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s"[\]{}:,]+/g)!;
  if (deepest(tokens) > DEPTH_MAX) return "invalid_json";
  const strings = tokens.filter((token) => token.startsWith('"'));
  if (!strings.every((token) => JSON.parse(token).isWellFormed())) return "invalid_json";
  if (tokens[0] !== "{") return "validation_error Request must be a JSON object";
  return decided(membersOf(tokens));
}

function deepest(tokens: string[]): number {
  let depth = 0;
  let most = 0;
  for (const token of tokens) {
    if (token === "[" || token === "{") most = Math.max(most, ++depth);
    else if (token === "]" || token === "}") depth--;
  }
  return most;
}

function membersOf(tokens: string[]): Member[] {
  const members: Member[] = [];
  let depth = 0;
  for (const [at, token] of tokens.entries()) {
    if (token === "]" || token === "}") depth--;
    if (depth === 1 && token === ":") members.push({ name: tokens[at - 1], value: tokens[at + 1] });
    if (token === "[" || token === "{") depth++;
  }
  return members;
}

/** The rules: each occurrence is checked, the last one counts, null is as good as nothing. */
function decided(members: Member[]): string {
  const named = (name: string) =>
    members.filter((member) => JSON.parse(member.name) === name).map(({ value }) => value);
  const commands = named("command");
  const isString = (value: string) => value.startsWith('"');
  const isU64 = (value: string) => /^\d+$/.test(value) && BigInt(value) <= U64_MAX;
  const refuse = (sentence: string) => `validation_error Field ${sentence}`;
  if (commands.length === 0) return refuse("command is required");
  if (!commands.every(isString)) return refuse("command must be a string");
  if (!named("tree_name").every((value) => isString(value) || value === "null")) {
    return refuse("tree_name must be a string");
  }
  for (const name of ["key", "time_from", "time_to"]) {
    if (named(name).every((value) => isU64(value) || value === "null")) continue;
    return refuse(`${name} must be an integer from 0 to ${U64_MAX}`);
  }
  const last = (name: string) => {
    const value = named(name).at(-1) ?? "null";
    return value === "null" ? null : value;
  };
  const command = bytesOf(commands.at(-1)!);
  const operations = Object.entries(COMMANDS).find(([name]) => latin1(name) === command)?.[1];
  if (operations === undefined) return `unknown_command ${command}`;
  return asked(operations, last);
}

function asked(operations: Record<string, string>, last: (name: string) => string | null): string {
  const rows = Object.entries(operations);
  const [id, needs] = rows[last("key") === null && rows.length > 1 ? 1 : 0];
  const required = (name: string) => `validation_error Field ${name} is required`;
  const [name, key, from, to] = ["tree_name", "key", "time_from", "time_to"].map(last);
  if (needs.includes("t") && name === null) return required("tree_name");
  if (needs.includes("k") && key === null) return required("key");
  const ranged = needs.includes("r") || needs.includes("R") && (from !== null || to !== null);
  if (ranged && from === null) return required("time_from");
  if (ranged && to === null) return required("time_to");
  return [
    id,
    needs.includes("t") ? bytesOf(name!) : "",
    needs.includes("k") ? BigInt(key!) : "",
    /r/i.test(needs) ? range(BigInt(from ?? 0), BigInt(to ?? U64_MAX), ranged) : "",
  ].join(" ");
}

/** The days of a range that there are: none, or the first and last. */
function range(from: bigint, to: bigint, ranged = true): string {
  if (!ranged) return `0-${DAY_MAX}`;
  const last = to < BigInt(DAY_MAX) ? to : BigInt(DAY_MAX);
  return from > last ? "none" : `${from}-${last}`;
}

/** The bytes that a string's token stands for, in hexadecimal. */
function bytesOf(token: string): string {
  const pair = /\\u[dD][89abAB]..\\u[dD][c-fC-F]../;
  const pieces = token.slice(1, -1).match(new RegExp(`${pair.source}|\\\\u....|\\\\.|[^]`, "g")) ??
    [];
  return pieces.map((piece) => {
    return piece.startsWith("\\")
      ? new TextEncoder().encode(JSON.parse(`"${piece}"`)).toHex()
      : latin1(piece);
  }).join("");
}

function latin1(text: string): string {
  return Uint8Array.from(text, (character) => character.charCodeAt(0)).toHex();
}

// --- The real one ------------------------------------------------------------------------------

const v1 = new V1Lines();
const request = new Request();

const GUARD = 0x22;

/** What the decoder makes of a line, as the same text; it must not touch what lies around the line. */
function decoded(line: Uint8Array): string {
  const bytes = new Uint8Array(line.length + 6).fill(GUARD);
  bytes.set(line, 3);
  const reply = new Reply();
  const done = v1.decode(bytes, 3, bytes.length - 3, request, reply);
  const around = [...bytes.subarray(0, 3), ...bytes.subarray(-3)];
  assert(around.every((byte) => byte === GUARD), "nothing around the line is written");
  if (!done) {
    assert(reply.code !== null, "a refusal has a code");
    if (reply.code === "invalid_json") return checkedFault(reply.text, line);
    if (reply.code === "unknown_command") return `unknown_command ${reply.subject.toHex()}`;
    return `${reply.code} ${reply.text}`;
  }
  const { operation, lanes, dayFrom, dayTo, nameStart, nameEnd } = request;
  const key = u64ToBigInt(lanes[KEY], lanes[KEY + 1]);
  const needs = needsOf(operation);
  return [
    operation.id,
    needs.name ? bytes.subarray(nameStart, nameEnd).toHex() : "",
    needs.key ? key : "",
    needs.range === "no" ? "" : range(BigInt(dayFrom), BigInt(dayTo)),
  ].join(" ");
}

/** The place that a fault tells must be the first at which the line can be no JSON any more. */
function checkedFault(sentence: string, line: Uint8Array): string {
  const match = /^Invalid JSON: (.+) at byte (\d+)$/.exec(sentence);
  assert(match !== null, sentence);
  const at = Number(match[2]);
  assert(at >= 1 && at <= line.length + 1, sentence);
  assertEquals(match[1] === "unexpected end", at === line.length + 1, sentence);
  const before = new Uint8Array(line.subarray(0, at - 1));
  const reply = new Reply();
  const done = v1.decode(before, 0, before.length, request, reply);
  if (at <= line.length && !done && reply.code === "invalid_json") {
    assertEquals(reply.text, `Invalid JSON: unexpected end at byte ${at}`, sentence);
  }
  return "invalid_json";
}

// --- Lines -------------------------------------------------------------------------------------

const NUMBERS = [
  ...[
    0n,
    1n,
    9n,
    10n,
    1n << 31n,
    1n << 32n,
    1n << 53n,
    1n << 63n,
    1n << 64n,
    1n << 65n,
    10n ** 19n,
  ],
  ...[20260101n, 429496729n, 4294967290n, 1844674407370955161n, 18446744073709551610n, 10n ** 40n],
];

class Lines {
  readonly #random: Random;
  /** Whether the current line may hold parts that are no JSON. */
  #sloppy = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** One line: most are requests, many of them wrong in one place. */
  next(): Uint8Array {
    const random = this.#random;
    this.#sloppy = random.chance(0.2);
    const kind = random.below(10);
    const text = kind === 0 ? this.#value(0) : kind === 1 ? this.#deep() : this.#request();
    const line = new TextEncoder().encode(this.#space() + text + this.#space());
    return random.chance(0.3) ? this.#mutated(line) : line;
  }

  #request(): string {
    const random = this.#random;
    const members: string[] = [];
    const add = (name: string, value: string) => members.push(this.#member(name, value));
    if (random.chance(0.95)) add("command", this.#string(random.pick(Object.keys(COMMANDS))));
    if (random.chance(0.8)) {
      add("tree_name", random.chance(0.9) ? this.#anyString() : this.#value(1));
    }
    for (const name of ["key", "time_from", "time_to"]) {
      if (random.chance(0.7)) add(name, random.chance(0.9) ? this.#integer() : this.#value(1));
    }
    while (random.chance(0.2)) {
      const names = ["command", "tree_name", "key", "time_from", "time_to", "other", "", "keys"];
      add(random.pick(names), this.#value(1));
    }
    members.sort(() => random.chance(0.7) ? 0 : random.below(3) - 1);
    return `{${this.#space()}${members.join(`,${this.#space()}`)}${this.#space()}}`;
  }

  #member(name: string, value: string): string {
    return `${this.#string(name)}${this.#space()}:${this.#space()}${value}${this.#space()}`;
  }

  #value(depth: number): string {
    const random = this.#random;
    const kind = random.below(depth > 4 ? 6 : 9);
    if (kind < 2) return this.#number();
    if (kind < 4) return this.#anyString();
    if (kind < 6) return random.pick(["null", "true", "false"]);
    const items = Array.from({ length: random.below(4) }, () => this.#value(depth + 1));
    if (kind < 7) return `[${this.#space()}${items.join(`${this.#space()},`)}]`;
    const members = items.map((item) =>
      this.#member(random.pick(["key", "a", "command", ""]), item)
    );
    return `{${members.join(",")}}`;
  }

  /** Arrays and objects within each other, about as deep as is allowed. */
  #deep(): string {
    const random = this.#random;
    const depth = DEPTH_MAX - 3 + random.below(6);
    let text = random.chance(0.5) ? "" : "1";
    let outer = "{";
    for (let level = 1; level < depth; level++) {
      outer = random.pick(["[", "{"]);
      text = outer === "[" ? `[${text}]` : `{"a":${text || 0}}`;
      if (random.chance(0.01)) text = `[[],${text}]`;
    }
    return random.chance(0.2) ? text : `{"command":"ping","x":${text}}`;
  }

  #integer(): string {
    const random = this.#random;
    const near = random.pick(NUMBERS) + BigInt(random.below(5)) - 2n;
    return String(near < 0n || random.chance(0.2) ? random.u64() : near);
  }

  #number(): string {
    const random = this.#random;
    const pick = (chance: number, right: string[], wrong: string[]) => {
      if (!random.chance(chance)) return "";
      return random.pick(this.#sloppy ? [...right, ...wrong] : right);
    };
    const sign = pick(0.15, ["-"], ["+", "--", "0", "-0"]);
    const fraction = pick(0.15, [".0", ".5", ".00000000001"], [".", ".5.5"]);
    const exponent = pick(0.15, ["e3", "E+5", "e-0", "e400"], ["e", "E-", "e1.5"]);
    return sign + this.#integer() + fraction + exponent;
  }

  /** A string that stands for `text`, some of its characters escaped. */
  #string(text: string): string {
    const random = this.#random;
    if (random.chance(0.8)) return `"${text}"`;
    const escaped = Array.from(text, (character) => {
      return random.chance(0.3) ? unicodeEscape(character.charCodeAt(0), random) : character;
    });
    return `"${escaped.join("")}"`;
  }

  #anyString(): string {
    const parts = Array.from({ length: this.#random.below(6) }, () => this.#stringPart());
    return `"${parts.join("")}"`;
  }

  #stringPart(): string {
    const random = this.#random;
    const kind = random.below(this.#sloppy ? 7 : 5);
    if (kind === 0) {
      return random.pick(["t", "день", "日", "😀", " ", "\u007f", "\u2028", "{}[]:,"]);
    }
    if (kind === 1) return "\\" + random.pick([...'"\\/bfnrt']);
    if (kind === 2) {
      const high = unicodeEscape(0xd800 + random.below(0x400), random);
      return high + unicodeEscape(0xdc00 + random.below(0x400), random);
    }
    if (kind === 3) return unicodeEscape(random.below(0xd800), random);
    const edges = [0, 0x1f, 0x20, 0x22, 0x5c, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff];
    if (kind === 4) return unicodeEscape(random.pick(edges), random);
    if (kind === 5) return unicodeEscape(random.pick([0xd800, 0xdbff, 0xdc00, 0xdfff]), random);
    return random.pick(["\\a", "\\0", "\\x41", "\\'", "\\u12", "\\u 123", "\\ud800x", "\n", "\0"]);
  }

  #space(): string {
    const random = this.#random;
    if (random.chance(0.9)) return "";
    const wrong = ["\u00a0", "\f", "\ufeff", "\u2028", "\0"];
    return random.pick([" ", "  ", "\t", "\r", "\n", " \t\r\n ", ...(this.#sloppy ? wrong : [])]);
  }

  /** The line with a few bytes changed, missing, added or said twice. */
  #mutated(line: Uint8Array): Uint8Array {
    const random = this.#random;
    let bytes = [...line];
    for (let change = 1 + random.below(3); change > 0; change--) {
      const at = random.below(bytes.length + 1);
      const count = 1 + random.below(random.pick([1, 1, 4, 40]));
      switch (random.below(6)) {
        case 0:
          bytes[at] ^= 1 << random.below(8);
          break;
        case 1:
          bytes.splice(at, count);
          break;
        case 2:
          bytes.splice(at, 0, random.pick([...'"\\{}[]:,0-.eEu \t\n', "\0", "\xff"]).charCodeAt(0));
          break;
        case 3:
          bytes.splice(at, 0, ...bytes.slice(at, at + count));
          break;
        case 4:
          bytes = bytes.slice(0, at);
          break;
        default:
          bytes[at] = random.below(256);
      }
    }
    return Uint8Array.from(bytes);
  }
}

function unicodeEscape(unit: number, random: Random): string {
  const digits = unit.toString(16).padStart(4, "0");
  return "\\u" + (random.chance(0.5) ? digits : digits.toUpperCase());
}

/** One round of so many lines; throws where the two differ. */
export function fuzzDecoder(seed: number, lines: number): void {
  const source = new Lines(new Random(seed));
  for (let count = 0; count < lines; count++) {
    const line = source.next();
    assertEquals(decoded(line), expected(line), `line ${count}, in hexadecimal: ${line.toHex()}`);
  }
}
