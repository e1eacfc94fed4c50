// Dumps of the original Karma: real ones, odd ones, damaged ones and made-up ones.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { budget } from "../../support/budget.ts";
import { u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { readOriginalDump } from "../../../lib/legacy/original_dump.ts";
import { ReadWindow } from "../../../lib/host/read_window.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Walk } from "../../../lib/tree/walk.ts";
import { Random } from "../../support/random.ts";

const FIXTURES = new URL("../../fixtures/dumps/", import.meta.url);
const U64_MAX = (1n << 64n) - 1n;

/** Days and values by key, in decimal. */
type Contents = Record<string, Record<string, string>>;

interface Loaded {
  readonly contents: Contents;
  readonly log: string[];
  readonly pauses: number;
  readonly windowBytes: number;
}

/** Loads a dump whose reads give at most `most` bytes each; checks the tree and the memory used. */
async function load(bytes: Uint8Array, most = bytes.length, file = "F"): Promise<Loaded> {
  const log: string[] = [];
  const tree = new Tree("t");
  let at = 0;
  let pauses = 0;
  const window = new ReadWindow({
    size: bytes.length,
    read(into) {
      assert(into.buffer.byteLength <= (1 << 20) + 3 * bytes.length, "memory follows the bytes");
      const count = Math.min(most, into.length, bytes.length - at);
      into.set(bytes.subarray(at, at += count));
      return Promise.resolve(count === 0 ? null : count);
    },
    close() {},
  });
  const pause = () => Promise.resolve(void pauses++);
  await readOriginalDump(window, file, tree, (line) => log.push(line), pause);
  checkTree(tree);
  return { contents: contentsOf(tree), log, pauses, windowBytes: window.bytes.length };
}

/** What a dump is refused with. */
async function refusal(bytes: Uint8Array, most = bytes.length, file = "F"): Promise<string> {
  const error = await assertRejects(() => load(bytes, most, file), DamagedError);
  assertStringIncludes(error.message, `Dump ${file} is damaged: `);
  return error.message.slice(`Dump ${file} is damaged: `.length);
}

function contentsOf(tree: Tree): Contents {
  const contents: Contents = {};
  const walk = new Walk(tree);
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    for (let slot = branch.next(0); slot >= 0; slot = branch.next(branch.after(slot))) {
      const counter: Record<string, string> = {};
      for (let index = 0; index < branch.count(slot); index++) {
        const value = u64ToBigInt(branch.valueLo(slot, index), branch.valueHi(slot, index));
        counter[branch.day(slot, index)] = `${value}`;
      }
      contents[`${u64ToBigInt(branch.keyLo(slot), branch.keyHi(slot))}`] = counter;
    }
  }
  return contents;
}

function fixture(path: string): Uint8Array {
  return Deno.readFileSync(new URL(path, FIXTURES));
}

function fixtureNames(directory: string): string[] {
  const names = [...Deno.readDirSync(new URL(directory, FIXTURES))].map(({ name }) => name);
  return names.filter((name) => name.endsWith(".tree")).sort();
}

// Writing MessagePack: a value is an array of bytes.

type Bytes = readonly number[];

/** The low bytes of a number, big endian. */
function big(value: bigint | number, bytes: number): Bytes {
  return Array.from({ length: bytes }, (_, at) => {
    return Number(BigInt(value) >> BigInt(8 * (bytes - 1 - at)) & 255n);
  });
}

/** All the forms in which MessagePack can write an unsigned integer, the shortest first. */
function forms(value: bigint): Bytes[] {
  const found: Bytes[] = value < 128n ? [[Number(value)]] : [];
  for (const [index, bytes] of [1, 2, 4, 8].entries()) {
    if (value < 1n << BigInt(8 * bytes)) found.push([0xcc + index, ...big(value, bytes)]);
    if (value < 1n << BigInt(8 * bytes - 1)) found.push([0xd0 + index, ...big(value, bytes)]);
  }
  return found;
}

const uint = (value: bigint | number): Bytes => forms(BigInt(value))[0];
const ascii = (text: string): Bytes => [...new TextEncoder().encode(text)];
const str = (text: string): Bytes => [0xa0 + text.length, ...ascii(text)];
const map = (
  ...pairs: [Bytes, Bytes][]
): Bytes => [0xdf, ...big(pairs.length, 4), ...pairs.flat(2)];
const array = (...values: Bytes[]): Bytes => [0xdd, ...big(values.length, 4), ...values.flat()];
const NIL: Bytes = [0xc0];

const table = (...days: [bigint | number, bigint | number][]): Bytes =>
  map(...days.map(([day, value]): [Bytes, Bytes] => [uint(day), uint(value)]));
const counter = (table: Bytes, total: Bytes): Bytes =>
  map([str("table"), table], [str("total"), total]);
const week = counter(table([20230101, 3], [20230102, 4]), uint(7));
const dumpOf = (...branches: Bytes[]): Uint8Array =>
  Uint8Array.from(map([str("branches_num"), [9]], [str("branches"), array(...branches)]));
/** A dump of one counter, with key 5. */
const five = (counter: Bytes) => dumpOf(map([[5], counter]));

Deno.test("original: every dump of Karma 0.1 and 1.0.1 loads to exactly what it holds", async () => {
  for (const directory of ["karma-0.1/", "karma-1.0.1/"]) {
    for (const name of fixtureNames(directory)) {
      const bytes = fixture(directory + name);
      const { data }: { data: Contents } = JSON.parse(
        Deno.readTextFileSync(new URL(`${directory}${name}.json`, FIXTURES)),
      );
      // A day that falls to zero is gone; the original of 2023 kept it.
      for (const counter of Object.values(data)) {
        for (const day of Object.keys(counter)) if (counter[day] === "0") delete counter[day];
      }
      for (let most = 1; most <= bytes.length; most++) {
        const { contents, log } = await load(bytes, most);
        assertEquals(contents, data, name);
        assertEquals(log, []);
      }
    }
  }
});

const GOOD: Contents = { 5: { 20230101: "3", 20230102: "4" }, 14: { 20230101: "1" } };

/** What each file in damaged/ loads to, or the refusal; `log` is what is told while it loads. */
const DAMAGED: Record<string, { loads: Contents; log?: string } | string> = {
  "array": "the file is not a map, at byte 0",
  "bin-names": { loads: {} },
  "counter-total-first": { loads: { 5: { 20230101: "3" } } },
  "day-0-and-max": "day 18446744073709551615 of key 5 is beyond 4294967295, " +
    "the last that Karma holds, at byte 42",
  "empty-counter": { loads: { 5: {} } },
  "empty-counter-map": "key 5 has no table, at byte 33",
  "extra-key-in-map": { loads: GOOD },
  "ff": "the file is not a map, at byte 0",
  "float-day-value": "the value of day 20230101 of key 5 is not an unsigned integer, at byte 45",
  "garbage-text": "the file is not a map, at byte 0",
  "good": { loads: GOOD },
  "huge-map-len": "it ends too early, at byte 30",
  "missing-branches": { loads: {} },
  "missing-total": "key 5 has no total, at byte 46",
  "n0": { loads: {} },
  "n3": { loads: { 5: { 20230101: "3" }, 7: { 20230101: "1" } } },
  "num-3-9-branches": { loads: {} },
  "overflowing-total": "the days of key 5 add up to more than 18446744073709551615, at byte 75",
  "signed-int-forms": { loads: { 5: { 20230373: "3" } } },
  "string-keys": "a key is not an unsigned integer, at byte 26",
  "timestamp-ext": "branches_num is not an unsigned integer, at byte 14",
  "trailing-bytes": { loads: GOOD, log: "ignored 2 bytes after its end" },
  "truncated-1-byte": "it ends too early, at byte 1",
  "truncated-by-1": "it ends too early, at byte 83",
};

Deno.test("original: damaged files are refused with their fault, odd ones load", async () => {
  const names = Object.keys(DAMAGED).map((name) => `1700000000_${name}.tree`);
  assertEquals(fixtureNames("damaged/"), names.sort());
  for (const [name, expected] of Object.entries(DAMAGED)) {
    const file = `1700000000_${name}.tree`;
    const bytes = fixture(`damaged/${file}`);
    for (let most = 1; most <= bytes.length; most++) {
      if (typeof expected === "string") {
        assertEquals(await refusal(bytes, most, file), expected);
      } else {
        const { contents, log } = await load(bytes, most, file);
        assertEquals(contents, expected.loads, name);
        assertEquals(log, expected.log === undefined ? [] : [`Dump ${file}: ${expected.log}`]);
      }
    }
  }
});

Deno.test("original: every truncation of a good file is refused", async () => {
  const files = ["karma-0.1/", "karma-1.0.1/"].flatMap((directory) => {
    return fixtureNames(directory).map((name) => directory + name);
  });
  files.push("damaged/1700000000_extra-key-in-map.tree", "damaged/1700000000_bin-names.tree");
  for (const file of files) {
    const bytes = fixture(file);
    for (let length = 0; length < bytes.length; length++) {
      const found = await refusal(bytes.slice(0, length));
      assertEquals(found, `it ends too early, at byte ${length}`);
    }
  }
});

Deno.test("original: mutated bytes load or are refused, and nothing else", async () => {
  const random = new Random(20230714);
  const good = ["karma-0.1/", "karma-1.0.1/", "damaged/"].flatMap((directory) => {
    return fixtureNames(directory).map((name) => fixture(directory + name));
  });
  let loaded = 0;
  let refused = 0;
  for (let round = 0; round < budget(1000, 6000); round++) {
    let bytes = [...random.pick(good)];
    for (let left = 1 + random.below(3); left > 0; left--) bytes = mutated(bytes, random);
    try {
      await load(Uint8Array.from(bytes), 1 + random.below(bytes.length + 1));
      loaded++;
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      assert(/^Dump F is damaged: .+, at byte \d+$/.test(error.message), error.message);
      refused++;
    }
  }
  assert(
    loaded > budget(50, 300) && refused > budget(50, 300),
    `${loaded} loaded, ${refused} refused`,
  );
});

function mutated(bytes: number[], random: Random): number[] {
  const at = random.below(bytes.length + 1);
  const forms = [0x80, 0xa5, 0xc1, 0xc6, 0xc9, 0xca, 0xcf, 0xd3, 0xd8, 0xdb, 0xdd, 0xdf, 0xff];
  const byte = random.chance(0.5) ? random.pick(forms) : random.below(256);
  switch (random.below(4)) {
    case 0:
      return bytes.toSpliced(at, 1, byte);
    case 1:
      return bytes.toSpliced(at, 0, byte);
    case 2:
      return bytes.toSpliced(at, 1 + random.below(4));
    default: // a part comes twice
      return bytes.toSpliced(at, 0, ...bytes.slice(at, at + random.below(40)));
  }
}

Deno.test("original: integers in all their forms, as keys and as values", async () => {
  for (const bits of [0, 7, 8, 15, 16, 31, 32, 53, 63, 64]) {
    for (const value of [(1n << BigInt(bits)) - 1n, 1n << BigInt(bits)]) {
      for (const form of value <= U64_MAX ? forms(value) : []) {
        const days: Contents[string] = value === 0n ? {} : { 20230101: `${value}` };
        const dump = dumpOf(map([form, counter(map([uint(20230101), form]), form)]));
        const { contents, log } = await load(dump, 1);
        assertEquals({ contents, log }, { contents: { [`${value}`]: days }, log: [] });
      }
    }
  }
});

/** Values that are no unsigned integers, one of each form. */
const OTHERS: Bytes[] = [
  NIL,
  [0xc2],
  [0xc3],
  [0xe0], // -32
  [0xff], // -1
  [0xd0, 0x80],
  [0xd1, ...big(0x8000, 2)],
  [0xd2, ...big(0xffffffff, 4)],
  [0xd3, ...big(1n << 63n, 8)],
  [0xca, ...big(0x40400000, 4)],
  [0xcb, ...big(0, 8)],
  str("5"),
  [0xd9, 1, 0x35],
  [0xda, 0, 1, 0x35],
  [0xdb, 0, 0, 0, 1, 0x35],
  [0xc4, 1, 0xc1],
  [0xc5, 0, 1, 0xc1],
  [0xc6, 0, 0, 0, 1, 0xc1],
  [0xc7, 2, 9, 0xc1, 0xc1],
  [0xc8, 0, 2, 9, 0xc1, 0xc1],
  [0xc9, 0, 0, 0, 2, 9, 0xc1, 0xc1],
  ...[1, 2, 4, 8, 16].map((bytes, index) => [0xd4 + index, ...big(0, 1 + bytes)]),
  [0x90],
  [0x93, 1, 2, 3],
  [0xdc, 0, 1, 1],
  array([1], array()),
  [0x80],
  [0x81, 0xc0, 0x81, 0xc0, 0xc0],
  [0xde, 0, 1, 1, 1],
  map([array([1]), map()]),
];

Deno.test("original: what is no unsigned integer is refused where one must be", async () => {
  for (const other of OTHERS) {
    const days = map([uint(20230101), other]);
    const places: [string, Uint8Array][] = [
      ["a key", dumpOf(map([other, week]))],
      ["a day of key 5", five(counter(map([other, [1]]), [1]))],
      ["the value of day 20230101 of key 5", five(counter(days, [1]))],
      ["the total of key 5", five(counter(table(), other))],
      ["branches_num", Uint8Array.from(map([str("branches_num"), other]))],
    ];
    for (const [place, dump] of places) {
      assertStringIncludes(await refusal(dump), `${place} is not an unsigned integer, at byte `);
    }
  }
});

Deno.test("original: what is no map, array or name is refused where one must be", async () => {
  const places: [string, (value: Bytes) => Uint8Array][] = [
    ["the file is not a map", (value) => Uint8Array.from(value)],
    ["a branch is not a map", (value) => dumpOf(value)],
    ["key 5 is not a map", (value) => five(value)],
    ["the table of key 5 is not a map", (value) => five(counter(value, [0]))],
    ["branches is not an array", (value) => Uint8Array.from(map([str("branches"), value]))],
    ["the name of a member is not a string", (value) => Uint8Array.from(map([value, [1]]))],
    ["the name of a member is not a string", (value) => five(map([value, [1]]))],
  ];
  for (const [fault, dump] of places) {
    for (const value of [NIL, [1], [0xff], [0xc1], [0xcb, ...big(0, 8)]]) {
      assertStringIncludes(await refusal(dump(value)), `${fault}, at byte `);
    }
  }
});

Deno.test("original: members come in any order, unknown ones of any kind among them", async () => {
  const expected = (await load(five(week))).contents;
  const unknown: [Bytes, Bytes][] = [...OTHERS, [0], [0xcf, ...big(1, 8)]].map((value, index) => {
    return [str(`u${index}`), value];
  });
  const within = map(
    ...unknown,
    [str("total"), [7]],
    ...unknown,
    [str("table"), table([20230101, 3], [20230102, 4])],
    ...unknown,
  );
  const number: [Bytes, Bytes] = [str("branches_num"), [9]];
  const branches: [Bytes, Bytes] = [str("branches"), array(map([[5], within]))];
  for (const members of [[number, branches], [branches, number]]) {
    const [first, second] = members;
    const dump = Uint8Array.from(map(...unknown, first, ...unknown, second, ...unknown));
    for (const most of [1, 7, dump.length]) {
      assertEquals((await load(dump, most)).contents, expected);
    }
  }
});

Deno.test("original: names are strings or bins of every length form", async () => {
  const text = ascii("total");
  const heads = [[0xa5], [0xd9, 5], [0xda, 0, 5], [0xdb, 0, 0, 0, 5]];
  heads.push([0xc4, 5], [0xc5, 0, 5], [0xc6, 0, 0, 0, 5]);
  for (const head of heads) {
    const dump = five(map([str("table"), table([1, 2])], [[...head, ...text], [2]]));
    assertEquals((await load(dump)).contents, { 5: { 1: "2" } });
  }
});

Deno.test("original: a deeply nested unknown member takes no stack", async () => {
  const deep = [...new Array<number>(1_000_000).fill(0x91), 0xc0];
  const dump = Uint8Array.from([
    0x83,
    ...str("x"),
    ...deep,
    ...str("branches_num"),
    9,
    ...str("y"),
    1,
  ]);
  assertEquals((await load(dump)).contents, {});
  assertEquals(await refusal(dump.slice(0, 900_000)), "it ends too early, at byte 900000");
});

Deno.test("original: a byte that begins no value is refused", async () => {
  const dump = Uint8Array.from([0x82, ...str("x"), 0x92, 1, 0xc1, ...str("branches_num"), 9]);
  assertEquals(await refusal(dump), "byte c1 begins no value, at byte 5");
});

Deno.test("original: a missing member is told, a second list of branches too", async () => {
  assertEquals(await refusal(Uint8Array.of(0x80)), "branches_num is missing, at byte 1");
  assertStringIncludes(await refusal(five(map([str("total"), [7]]))), "key 5 has no table");
  assertStringIncludes(await refusal(five(map([str("table"), table()]))), "key 5 has no total");
  const lists: [Bytes, Bytes] = [str("branches"), array()];
  const twice = Uint8Array.from(map([str("branches_num"), [9]], lists, lists));
  assertStringIncludes(await refusal(twice), "branches is there twice, at byte ");
});

Deno.test("original: of a key that is there twice the last counter counts, whole", async () => {
  const other = counter(table([20230301, 9]), [9]);
  const empty = counter(table(), [0]);
  const last = { 5: { 20230301: "9" } };
  assertEquals((await load(dumpOf(map([[5], week], [[5], other])))).contents, last);
  assertEquals((await load(dumpOf(map([[5], week]), map([uint(5), other])))).contents, last);
  assertEquals((await load(dumpOf(map([[5], week], [[5], empty])))).contents, { 5: {} });
});

Deno.test("original: of a day that is there twice the last value counts, zeros are gone", async () => {
  const cases: [[number, number][], Contents[string]][] = [
    [[[3, 1], [1, 2], [2, 3]], { 1: "2", 2: "3", 3: "1" }],
    [[[1, 5], [1, 6]], { 1: "6" }],
    [[[1, 5], [2, 1], [1, 0]], { 2: "1" }],
    [[[1, 0], [1, 5]], { 1: "5" }],
    [[[1, 5], [1, 0]], {}],
    [[[1, 0], [2, 0], [3, 7]], { 3: "7" }],
    [[[2, 9], [1, 0]], { 2: "9" }],
  ];
  for (const [days, expected] of cases) {
    const total = Object.values(expected).reduce((sum, value) => sum + Number(value), 0);
    const { contents, log } = await load(five(counter(table(...days), uint(total))));
    assertEquals({ contents, log }, { contents: { 5: expected }, log: [] });
  }
});

Deno.test("original: a stored total that is not the sum is told once a file", async () => {
  const wrong = (total: bigint | number) => counter(table([1, U64_MAX - 1n], [2, 1]), uint(total));
  const one = await load(dumpOf(map([[5], week], [uint(U64_MAX), wrong(0)])));
  const told = "is not the sum of the days, which counts (first:";
  assertEquals(one.log, [
    `Dump F: the stored total of 1 key ${told} key ${U64_MAX}, stored 0, sum ${U64_MAX})`,
  ]);
  const two = dumpOf(map([[6], wrong(U64_MAX - 1n)], [[5], week]), map([[7], wrong(1)]));
  for (const most of [1, two.length]) {
    assertEquals((await load(two, most)).log, [
      `Dump F: the stored total of 2 keys ${told} key 6, stored ${U64_MAX - 1n}, sum ${U64_MAX})`,
    ]);
  }
});

Deno.test("original: days that add up beyond 2^64-1 are refused", async () => {
  const halves = (more: bigint) => {
    return five(counter(table([1, 1n << 63n], [2, (1n << 63n) - 1n], [3, more]), uint(U64_MAX)));
  };
  assertEquals((await load(halves(0n))).log, []);
  assertStringIncludes(await refusal(halves(1n)), `key 5 add up to more than ${U64_MAX}, at byte `);
  assertStringIncludes(await refusal(halves(U64_MAX)), `add up to more than ${U64_MAX}`);
});

Deno.test("original: a day fits 32 bits", async () => {
  const { contents } = await load(five(counter(table([0, 1], [4294967295, 2]), [3])));
  assertEquals(contents, { 5: { 0: "1", 4294967295: "2" } });
  const beyond = five(counter(table([4294967296, 2]), [2]));
  assertStringIncludes(await refusal(beyond), "day 4294967296 of key 5 is beyond 4294967295");
});

Deno.test("original: memory follows the bytes of a file, not its claims", async () => {
  const claims = [[0xdb], [0xc6], [0xc9], [0xdd], [0xdf]].map((form) => [...form, ...big(-1, 4)]);
  for (const claim of claims) {
    for (
      const bytes of [
        claim,
        [0x82, ...claim],
        [0x82, ...str("x"), ...claim],
        [0x82, ...str("branches"), ...claim],
        [...five(counter(claim, [0])).slice(0, -7)],
      ]
    ) {
      const found = await refusal(Uint8Array.from([...bytes, 1, 1, 1]));
      assert(/^(it ends too early|.* is not an? .*), at byte \d+$/.test(found), found);
    }
  }
});

/** A dump of one counter with so many days, descending, of value 1. */
function long(days: number): Uint8Array {
  const empty = five(counter([0xdf, ...big(days, 4)], uint(days)));
  const tableEnd = empty.length - str("total").length - uint(days).length;
  const dump = new Uint8Array(empty.length + 6 * days);
  dump.set(empty.subarray(0, tableEnd));
  const view = new DataView(dump.buffer);
  for (let day = 0, at = tableEnd; day < days; day++, at += 6) {
    view.setUint8(at, 0xce);
    view.setUint32(at + 1, 4000000000 - day);
    view.setUint8(at + 5, 1);
  }
  dump.set(empty.subarray(tableEnd), tableEnd + 6 * days);
  return dump;
}

Deno.test("original: a counter larger than the window makes it grow, up to a limit", async () => {
  const { contents, log, windowBytes } = await load(long(300_000), 100_000);
  assertEquals(Object.keys(contents["5"]).length, 300_000);
  assertEquals(log, []);
  assert(windowBytes > 1_800_000 && windowBytes < 5_000_000);
  assertStringIncludes(
    await refusal(long(3_000_000)),
    "one counter or member takes more than 16 MiB, at byte 38",
  );
});

Deno.test("original: others get their turn every few thousand cells", async () => {
  const counters = Array.from({ length: 20_000 }, (_, key): [Bytes, Bytes] => [uint(key), week]);
  const { contents, pauses } = await load(dumpOf(map(...counters)));
  assertEquals(Object.keys(contents).length, 20_000);
  assert(pauses >= 5 && pauses <= 20, `${pauses} pauses`);
  const members = new Array<[Bytes, Bytes]>(50_000).fill([str("x"), NIL]);
  const odd = await load(Uint8Array.from(map([str("branches_num"), [9]], ...members)));
  assert(odd.pauses >= 5, `${odd.pauses} pauses`);
});

Deno.test("original: what the disk says passes unchanged", async () => {
  const failure = new Error("Input/output error (os error 5)");
  const window = new ReadWindow({ size: 9, read: () => Promise.reject(failure), close() {} });
  const nothing = () => Promise.resolve();
  const error = await assertRejects(() => {
    return readOriginalDump(window, "F", new Tree("t"), () => {}, nothing);
  });
  assertEquals(error, failure);
});

Deno.test("original: made-up dumps load to what a model holds", async () => {
  const random = new Random(42);
  for (let round = 0; round < budget(8, 30); round++) {
    const model: Contents = {};
    const counters: [Bytes, Bytes][] = [];
    const keys = random.pick([3, 100, 3000]);
    for (let left = random.pick([1, 10, 1000]); left > 0; left--) {
      const key = random.chance(0.1) ? random.u64() : BigInt(random.below(keys));
      const days = new Map<number, bigint>();
      const cells: [Bytes, Bytes][] = [];
      const ordered = random.chance(0.7);
      for (let index = random.below(random.pick([2, 8, 40])); index > 0; index--) {
        const day = ordered ? 20240101 + cells.length : 20240101 + random.below(30);
        const value = random.u64() >> BigInt(random.pick([8, 30, 56, 62, 64]));
        days.set(day, value);
        cells.push([random.pick(forms(BigInt(day))), random.pick(forms(value))]);
      }
      const total = [...days.values()].reduce((sum, value) => sum + value, 0n);
      counters.push([random.pick(forms(key)), counter(map(...cells), uint(total))]);
      const kept = [...days].filter(([, value]) => value > 0n);
      model[`${key}`] = Object.fromEntries(kept.map(([day, value]) => [day, `${value}`]));
    }
    const half = random.below(counters.length + 1);
    const dump = dumpOf(map(...counters.slice(0, half)), map(), map(...counters.slice(half)));
    const { contents, log } = await load(dump, 1 + random.below(dump.length));
    assertEquals(contents, model);
    assertEquals(log, []);
  }
});
