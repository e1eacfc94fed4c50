// The decoder of requests beside JSON.parse and the rules of protocol v1, on lines of every kind.
//
// The model takes a line's tokens as they stand there (json_text.ts): JSON.parse would round integers
// and drop members that are given twice.

import { assert, assertEquals } from "@std/assert";
import { u64ToBigInt } from "../../lib/bytes/u64.ts";
import { Reply } from "../../lib/command/reply.ts";
import { DAY_MAX, KEY, Request } from "../../lib/command/request.ts";
import { latin1 } from "../support/asker.ts";
import { Random } from "../support/random.ts";
import { needsOf, V1Lines } from "../support/v1.ts";
import { JsonLines } from "./json_lines.ts";
import { bytesOf, tokensOf } from "./json_text.ts";
import { keyTextOf } from "./key_model.ts";

const U64_MAX = (1n << 64n) - 1n;

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
  load: { load: "f" },
};

/** One member: its name's and its value's tokens as they stand in the line. */
interface Member {
  readonly name: string;
  readonly value: string;
}

/** What a line asks for, or why it is refused, as one text. */
function expected(line: Uint8Array): string {
  const tokens = tokensOf(line);
  if (tokens === null) return "invalid_json";
  if (tokens[0] !== "{") return "validation_error Request must be a JSON object";
  return decided(membersOf(tokens));
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
    const isGood = (value: string) => {
      return isU64(value) || value === "null" || name === "key" && isString(value);
    };
    if (named(name).every(isGood)) continue;
    return refuse(`${name} must be an integer from 0 to ${U64_MAX}`);
  }
  const last = (name: string) => {
    const value = named(name).at(-1) ?? "null";
    return value === "null" ? null : value;
  };
  const command = bytesOf(commands.at(-1)!);
  const operations = Object.entries(COMMANDS).find(([name]) => name === command)?.[1];
  if (operations === undefined) return `unknown_command ${command}`;
  const takesKey = Object.values(operations).some((needs) => needs.includes("k"));
  if (takesKey && named("key").includes("null")) {
    return refuse(`key must be an integer from 0 to ${U64_MAX}`);
  }
  return asked(operations, last);
}

function asked(operations: Record<string, string>, last: (name: string) => string | null): string {
  const rows = Object.entries(operations);
  const [id, needs] = rows[last("key") === null && rows.length > 1 ? 1 : 0];
  const required = (name: string) => `validation_error Field ${name} is required`;
  const [name, key, from, to] = ["tree_name", "key", "time_from", "time_to"].map(last);
  const keyText = key?.startsWith('"')
    ? keyTextOf(bytesOf(key))
    : key === null
    ? ""
    : String(BigInt(key));
  if (needs.includes("k") && keyText === null) {
    return "validation_error Field key must be 1 to 255 bytes of UTF-8 without control characters";
  }
  if (/[tf]/.test(needs) && name === null) return required("tree_name");
  if (needs.includes("f") && bytesOf(name!) === "") {
    return "validation_error Field tree_name must name a dump file";
  }
  if (needs.includes("k") && key === null) return required("key");
  const ranged = needs.includes("r") || needs.includes("R") && (from !== null || to !== null);
  if (ranged && from === null) return required("time_from");
  if (ranged && to === null) return required("time_to");
  return [
    id,
    /[tf]/.test(needs) ? bytesOf(name!) : "",
    needs.includes("k") ? keyText : "",
    /r/i.test(needs) ? range(BigInt(from ?? 0), BigInt(to ?? U64_MAX), ranged) : "",
  ].join(" ");
}

/** The days of a range that there are: none, or the first and last. */
function range(from: bigint, to: bigint, ranged = true): string {
  if (!ranged) return `0-${DAY_MAX}`;
  const last = to < BigInt(DAY_MAX) ? to : BigInt(DAY_MAX);
  return from > last ? "none" : `${from}-${last}`;
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
    if (reply.code === "unknown_command") return `unknown_command ${latin1(reply.subject)}`;
    return `${reply.code} ${reply.text}`;
  }
  const { operation, lanes, dayFrom, dayTo, nameStart, nameEnd } = request;
  const key = request.isNamed
    ? JSON.stringify(latin1(bytes.subarray(request.keyStart, request.keyEnd)))
    : u64ToBigInt(lanes[KEY], lanes[KEY + 1]);
  const needs = needsOf(operation);
  return [
    operation.id,
    needs.name ? latin1(bytes.subarray(nameStart, nameEnd)) : "",
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

class Lines {
  readonly #random: Random;
  readonly #json: JsonLines;

  constructor(random: Random) {
    this.#random = random;
    this.#json = new JsonLines(random);
  }

  /** One line: most are requests, many of them wrong in one place. */
  next(): Uint8Array {
    const random = this.#random;
    const json = this.#json;
    json.isSloppy = random.chance(0.2);
    const kind = random.below(10);
    const text = kind === 0 ? json.value(0) : kind === 1 ? json.deep() : this.#request();
    const line = new TextEncoder().encode(json.space() + text + json.space());
    return random.chance(0.3) ? json.mutated(line) : line;
  }

  #request(): string {
    const random = this.#random;
    const json = this.#json;
    const members: string[] = [];
    const add = (name: string, value: string) => members.push(json.member(name, value));
    if (random.chance(0.95)) add("command", json.string(random.pick(Object.keys(COMMANDS))));
    if (random.chance(0.8)) {
      add("tree_name", random.chance(0.9) ? json.anyString() : json.value(1));
    }
    for (const name of ["key", "time_from", "time_to"]) {
      if (!random.chance(0.7)) continue;
      if (name === "key" && random.chance(0.3)) add(name, json.anyString());
      else add(name, random.chance(0.9) ? json.integer() : json.value(1));
    }
    while (random.chance(0.2)) {
      const names = ["command", "tree_name", "key", "time_from", "time_to", "other", "", "keys"];
      add(random.pick(names), json.value(1));
    }
    members.sort(() => random.chance(0.7) ? 0 : random.below(3) - 1);
    return `{${json.space()}${members.join(`,${json.space()}`)}${json.space()}}`;
  }
}

/** One round of so many lines; throws where the two differ. */
export function fuzzDecoder(seed: number, lines: number): void {
  const source = new Lines(new Random(seed));
  for (let count = 0; count < lines; count++) {
    const line = source.next();
    assertEquals(decoded(line), expected(line), `line ${count}, in hexadecimal: ${line.toHex()}`);
  }
}
