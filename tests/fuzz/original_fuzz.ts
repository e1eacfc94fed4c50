// The reader of original dumps beside the plainest one: decode everything, then look what it is.
//
// Dumps are written in all the ways that MessagePack allows, then damaged; both readers must agree
// on every one of them, on what it holds or that it is refused.

import { assert, assertEquals } from "@std/assert";
import { readOriginalDump } from "../../lib/legacy/original_dump.ts";
import { ReadWindow } from "../../lib/host/read_window.ts";
import { DamagedError } from "../../lib/errors.ts";
import { checkTree } from "../../lib/tree/check.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { Random } from "../support/random.ts";
import { assertContents, type Contents, contentsOf } from "./dump_fuzz.ts";

const U64_MAX = (1n << 64n) - 1n;
const DAY_MAX = 4294967295n;

// --- The plain reader --------------------------------------------------------------------------

class Refused extends Error {}

/** A decoded value: integers as bigint, strings and bins as text, maps as pairs, the rest as null. */
type Value = bigint | string | Value[] | { pairs: [Value, Value][] } | null;

class Decoder {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  value(): Value {
    const form = Number(this.#number(1));
    if (form < 0x80) return BigInt(form);
    if (form < 0x90) return this.#pairs(form & 15);
    if (form < 0xa0) return this.#items(form & 15);
    if (form < 0xc0) return this.#text(form & 31);
    if (form >= 0xe0) return BigInt(form - 256);
    if (form === 0xc1) throw new Refused("c1 is nothing");
    if (form < 0xc4) return null;
    if (form < 0xc7) return this.#text(this.#number(1 << (form - 0xc4)));
    if (form < 0xca) return this.#skip(this.#number(1 << (form - 0xc7)) + 1n);
    if (form < 0xcc) return this.#skip(form === 0xca ? 4n : 8n);
    if (form < 0xd0) return this.#number(1 << (form - 0xcc));
    if (form < 0xd4) return BigInt.asIntN(8 << (form - 0xd0), this.#number(1 << (form - 0xd0)));
    if (form < 0xd9) return this.#skip(1n + (1n << BigInt(form - 0xd4)));
    if (form < 0xdc) return this.#text(this.#number(1 << (form - 0xd9)));
    if (form < 0xde) return this.#items(this.#number(form === 0xdc ? 2 : 4));
    return this.#pairs(this.#number(form === 0xde ? 2 : 4));
  }

  #number(width: number): bigint {
    return BigInt(`0x${this.#take(width).toHex()}`);
  }

  #take(count: number | bigint): Uint8Array {
    const end = this.#at + Number(count);
    if (end > this.#bytes.length) throw new Refused("too short");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #skip(count: bigint): null {
    this.#take(count);
    return null;
  }

  #text(length: number | bigint): string {
    return String.fromCharCode(...this.#take(length));
  }

  #items(count: number | bigint): Value[] {
    const items: Value[] = [];
    while (items.length < count) items.push(this.value());
    return items;
  }

  #pairs(count: number | bigint): Value {
    const pairs: [Value, Value][] = [];
    while (pairs.length < count) pairs.push([this.value(), this.value()]);
    return { pairs };
  }
}

function check(right: boolean, rule: string): asserts right {
  if (!right) throw new Refused(rule);
}

function pairsOf(value: Value): [Value, Value][] {
  check(typeof value === "object" && value !== null && "pairs" in value, "it is a map");
  return value.pairs;
}

function unsigned(value: Value): bigint {
  check(typeof value === "bigint" && value >= 0n, "it is an unsigned integer");
  return value;
}

/** The values of a map's members by their names, which are all texts. */
function membersOf(value: Value): (name: string) => Value[] {
  const pairs = pairsOf(value);
  check(pairs.every(([name]) => typeof name === "string"), "names are texts");
  return (wanted) => pairs.filter(([name]) => name === wanted).map(([, value]) => value);
}

/** What a dump holds, or null when it must be refused. */
function expected(bytes: Uint8Array): Contents | null {
  try {
    const members = membersOf(new Decoder(bytes).value());
    const branches = members("branches");
    check(members("branches_num").map(unsigned).length > 0, "branches_num is there");
    check(branches.length < 2, "branches are there once");
    const contents: Contents = new Map();
    for (const list of branches) {
      check(Array.isArray(list), "branches are an array");
      for (const [key, counter] of list.flatMap(pairsOf)) {
        contents.set(unsigned(key), daysOf(counter));
      }
    }
    return contents;
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

function daysOf(counter: Value): Map<number, bigint> {
  const members = membersOf(counter);
  check(members("total").map(unsigned).length > 0, "there is a total");
  const tables = members("table").map((table) => {
    const days = new Map<number, bigint>();
    for (const [day, value] of pairsOf(table)) {
      check(unsigned(day) <= DAY_MAX, "days have 32 bits");
      days.set(Number(day), unsigned(value));
    }
    return days;
  });
  const days = tables.at(-1);
  check(days !== undefined, "there is a table");
  for (const [day, value] of days) if (value === 0n) days.delete(day);
  check([...days.values()].reduce((sum, value) => sum + value, 0n) <= U64_MAX, "the sum fits");
  return days;
}

// --- Dumps -------------------------------------------------------------------------------------

/** Writes values in any of the forms that they may have. */
class Writer {
  readonly #random: Random;
  readonly bytes: number[] = [];
  /** Of so many integers one is below zero, which none may be. */
  readonly #negative: number;

  constructor(random: Random) {
    this.#random = random;
    this.#negative = random.chance(0.2) ? random.pick([0.1, 0.01, 0.001]) : 0;
  }

  integer(value: bigint): void {
    const random = this.#random;
    if (random.chance(this.#negative)) {
      const size = random.below(4);
      return this.#form(0xd0 + size, -1n - BigInt(random.below(128)), 1 << size);
    }
    const least = [0x80n, 0x100n, 0x10000n, 1n << 32n, 1n << 64n].findIndex((limit) =>
      value < limit
    );
    const chosen = random.chance(0.8) ? least : least + random.below(5 - least);
    if (chosen === 0) return void this.bytes.push(Number(value));
    const width = 1 << (chosen - 1);
    const signed = value < 1n << BigInt(8 * width - 1) && random.chance(0.1);
    this.#form((signed ? 0xcf : 0xcb) + chosen, value, width);
  }

  text(text: string): void {
    const kind = this.#random.below(10);
    if (kind < 7) this.bytes.push(0xa0 + text.length);
    else if (kind < 9) this.#form(kind === 7 ? 0xd9 : 0xc4, BigInt(text.length), 1);
    else this.#form(this.#random.pick([0xda, 0xc5]), BigInt(text.length), 2);
    this.bytes.push(...new TextEncoder().encode(text));
  }

  /** The head of an array (`short` 0x90, `long` 0xdc) or a map (0x80, 0xde). */
  head(short: number, long: number, count: number): void {
    if (count < 16 && this.#random.chance(0.8)) this.bytes.push(short + count);
    else if (this.#random.chance(0.8)) this.#form(long, BigInt(count), 2);
    else this.#form(long + 1, BigInt(count), 4);
  }

  /** A map of members in any order, sometimes with one that nobody knows. */
  members(members: [name: string, write: () => void][]): void {
    const random = this.#random;
    if (random.chance(0.05)) members.push(["other", () => this.anything(0)]);
    if (random.chance(0.03)) members.push(members[random.below(members.length)]);
    if (random.chance(0.1)) members.reverse();
    this.head(0x80, 0xde, members.length);
    for (const [name, write] of members) {
      this.text(name);
      write();
    }
  }

  anything(depth: number): void {
    const random = this.#random;
    const kind = random.below(depth > 3 ? 3 : 5);
    if (kind === 0) this.integer(random.u64() >> BigInt(random.below(64)));
    else if (kind === 1) this.text("text");
    else if (kind === 2) {
      const lengths: Record<number, number> = {
        0xc7: 5,
        0xca: 4,
        0xcb: 8,
        0xd4: 2,
        0xd8: 17,
        0xe0: 0,
      };
      const form = random.pick([0xc0, 0xc2, 0xc3, ...Object.keys(lengths).map(Number)]);
      const rest = Array.from({ length: lengths[form] ?? 0 }, () => random.below(256));
      if (form === 0xc7) rest[0] = rest.length - 2;
      this.bytes.push(form, ...rest);
    } else {
      const count = random.below(4);
      this.head(kind === 3 ? 0x90 : 0x80, kind === 3 ? 0xdc : 0xde, count);
      for (let item = 0; item < count * (kind === 3 ? 1 : 2); item++) this.anything(depth + 1);
    }
  }

  #form(form: number, value: bigint, width: number): void {
    this.bytes.push(form);
    for (let byte = width - 1; byte >= 0; byte--) {
      this.bytes.push(Number(value >> BigInt(8 * byte) & 0xffn));
    }
  }
}

function randomDump(random: Random): Uint8Array {
  const out = new Writer(random);
  const [keys, days] = random.pick([[1, 400], [5, 40], [20, 7], [50, 40], [500, 1], [1000, 7]]);
  const bits = random.pick([1, 8, 20, 40, 56, 64]);
  const dayStep = random.pick([1, 1, 10_000_019]);
  const branches = random.pick([0, 1, 1, 9]);
  const value = () =>
    random.chance(0.05) ? 0n : random.u64() >> BigInt(64 - 1 - random.below(bits));
  const table = () => {
    const count = random.below(days + 1);
    out.head(0x80, 0xde, count);
    const sorted = random.chance(0.8);
    for (let day = 0; day < count; day++) {
      const number = sorted ? day : random.below(days);
      out.integer(BigInt(20240101 + number * dayStep) % (DAY_MAX + 1n));
      out.integer(value());
    }
  };
  const branch = () => {
    const count = random.below(Math.ceil(keys / branches) + 1);
    out.head(0x80, 0xde, count);
    for (let counter = 0; counter < count; counter++) {
      out.integer(random.chance(0.5) ? BigInt(random.below(keys)) : random.u64());
      out.members([["table", table], ["total", () => out.integer(value())]]);
    }
  };
  out.members([
    ["branches_num", () => out.integer(BigInt(branches))],
    ["branches", () => {
      out.head(0x90, 0xdc, branches);
      for (let index = 0; index < branches; index++) branch();
    }],
  ]);
  return Uint8Array.from(out.bytes);
}

function damaged(dump: Uint8Array, random: Random): Uint8Array {
  const bytes = [...dump];
  for (let change = 1 + random.below(3); change > 0; change--) {
    const at = random.below(bytes.length + 1);
    const count = 1 + random.below(random.pick([1, 4, 100]));
    const kind = random.below(6);
    if (kind === 0) bytes.length = at;
    else if (kind === 1) bytes.splice(at, count);
    else if (kind === 2) bytes.splice(at, 0, ...bytes.slice(at, at + count));
    else if (kind === 3) {
      bytes.splice(
        at,
        0,
        ...Array.from({ length: count }, () => random.below(256)),
      );
    } else bytes[at] = kind === 4 ? random.below(256) : (bytes[at] ?? 0) ^ 1 << random.below(8);
  }
  return Uint8Array.from(bytes);
}

/** One dump, and so many damaged versions of it. */
export async function fuzzOriginal(seed: number, versions: number): Promise<void> {
  const random = new Random(seed);
  const dump = randomDump(random);
  await compare(dump, random);
  for (let version = 0; version < versions; version++) await compare(damaged(dump, random), random);
}

async function compare(dump: Uint8Array, random: Random): Promise<void> {
  const tree = await read(dump, random);
  const contents = expected(dump);
  const bytes = `${dump.length} bytes: ${dump.subarray(0, 1000).toHex()}`;
  assertEquals(tree === null, contents === null, `refused or not, ${bytes}`);
  if (tree !== null) assertContents(contentsOf(tree), contents!, bytes);
}

/** The tree that a dump makes, or null when it is refused. */
async function read(dump: Uint8Array, random: Random): Promise<Tree | null> {
  const disk = new MemoryDisk("/dumps");
  disk.put("/dumps/x", dump);
  disk.readBytesMax = random.pick([3, 100, 10_000, Infinity]) + (dump.length >> 9);
  const tree = new Tree("x");
  const window = new ReadWindow((await disk.open("/dumps/x"))!);
  try {
    await readOriginalDump(window, "x", tree, () => {}, () => Promise.resolve());
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error;
    assert(error.message.startsWith("Dump x is damaged: "), error.message);
    return null;
  }
  checkTree(tree);
  return tree;
}
