// What the frames of a dump hold, to the byte, and what is refused in them.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { encode } from "@std/msgpack";
import {
  decodeBranch,
  decodeEnd,
  decodeHead,
  encodeBranch,
  encodeEnd,
  encodeHead,
} from "../../../lib/dump/format.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { Columns } from "../../../lib/tree/columns.ts";

type Value = Parameters<typeof encode>[0];

/** Columns of two counters: 5 with two days, the second of 2^32 + 9, and one that is empty. */
function columns(): Columns {
  return Object.assign(new Columns(), {
    keyCount: 2,
    cellCount: 2,
    keys: Uint32Array.of(5, 0, 6, 7, 99), // what lies behind the counts does not count
    counts: Uint32Array.of(2, 0, 99),
    days: Uint32Array.of(20260101, 20260102, 99),
    lows: Uint32Array.of(3, 9, 99),
    highs: Uint32Array.of(0, 1, 99),
    hasHighs: true,
  });
}

const PLAIN = Object.assign(columns(), { hasHighs: false });
const NONE = Object.assign(columns(), { keyCount: 0, cellCount: 0 });

const NAME = {
  format: "a6666f726d6174",
  version: "a776657273696f6e",
  tree: "a474726565",
  seconds: "a77365636f6e6473",
  log: "a36c6f67",
  serial: "a673657269616c",
  start: "a57374617274",
  lsn: "a36c736e",
  keys: "a46b657973",
  counts: "a6636f756e7473",
  days: "a464617973",
  lows: "a46c6f7773",
  highs: "a56869676873",
  branches: "a86272616e63686573",
  cells: "a563656c6c73",
};

const DAY = { tree: "день", seconds: 1700000000, log: "00ff" };

// The bytes of version 1. They must never change: dumps are kept for years.
const GOLDEN: [what: string, payload: Uint8Array, hex: string[]][] = [
  ["head", encodeHead({ ...DAY, serial: 2 ** 32 + 3, lsn: 2 ** 33 + 1 }), [
    ...["87", NAME.format, "aa6b61726d612d64756d70", NAME.version, "01"],
    ...[NAME.tree, "c408d0b4d0b5d0bdd18c", NAME.seconds, "ce6553f100"],
    ...[NAME.log, "a430306666", NAME.serial, "c4080300000001000000"],
    ...[NAME.lsn, "c4080100000002000000"],
  ]],
  ["branch with highs", encodeBranch(1, 2, columns(), 2 ** 33 + 1), [
    ...["87", NAME.start, "c4080100000002000000", NAME.lsn, "c4080100000002000000"],
    ...[NAME.keys, "c41005000000000000000600000007000000", NAME.counts, "c4080200000000000000"],
    ...[NAME.days, "c4080525350106253501", NAME.lows, "c4080300000009000000"],
    ...[NAME.highs, "c4080000000001000000"],
  ]],
  ["branch without highs", encodeBranch(0, 0, PLAIN, 0), [
    ...["87", NAME.start, "c4080000000000000000", NAME.lsn, "c4080000000000000000"],
    ...[NAME.keys, "c41005000000000000000600000007000000", NAME.counts, "c4080200000000000000"],
    ...[NAME.days, "c4080525350106253501", NAME.lows, "c4080300000009000000", NAME.highs, "c400"],
  ]],
  ["empty branch", encodeBranch(0, 0, NONE, 0), [
    ...["87", NAME.start, "c4080000000000000000", NAME.lsn, "c4080000000000000000"],
    ...[NAME.keys, "c400", NAME.counts, "c400", NAME.days, "c400", NAME.lows, "c400"],
    ...[NAME.highs, "c400"],
  ]],
  ["end", encodeEnd({ branches: 1, keys: 4294967296, cells: 2 ** 53 - 1 }), [
    ...["83", NAME.branches, "c4080100000000000000", NAME.keys, "c4080000000001000000"],
    ...[NAME.cells, "c408ffffffffffff1f00"],
  ]],
];

Deno.test("format: the bytes that are written", () => {
  for (const [what, payload, hex] of GOLDEN) assertEquals(payload.toHex(), hex.join(""), what);
});

Deno.test("format: heads come back", () => {
  for (const tree of ["t", "день", "\ufefft", "a/b", "x".repeat(255), "😀", "\0staged-1"]) {
    for (const seconds of [0, 1, 1700000000, 4294967295]) {
      for (const [log, serial] of [["", 0], ["0123456789abcdef", 2 ** 53 - 1]] as const) {
        const head = { tree, seconds, log, serial, lsn: serial };
        assertEquals(decodeHead(encodeHead(head)), head);
      }
    }
  }
});

Deno.test("format: branches come back, also from bytes that lie anywhere", () => {
  for (
    const [start, expected] of [[[1, 2], columns()], [[0, 0], PLAIN], [
      [5, 4294967295],
      NONE,
    ]] as const
  ) {
    const payload = encodeBranch(start[0], start[1], expected, 2 ** 40);
    for (let offset = 0; offset < 4; offset++) {
      const bytes = new Uint8Array(payload.length + offset);
      bytes.set(payload, offset);
      const { columns, startLo, startHi } = decodeBranch(bytes.subarray(offset))!;
      bytes.fill(0xff); // the columns have memory of their own
      assertEquals([startLo, startHi], [...start]);
      const { keyCount, cellCount, hasHighs } = expected;
      assertEquals([columns.keyCount, columns.cellCount], [keyCount, cellCount]);
      assertEquals(columns.hasHighs, hasHighs && cellCount > 0);
      assertEquals(columns.keys, expected.keys.slice(0, 2 * keyCount));
      assertEquals(columns.counts, expected.counts.slice(0, keyCount));
      assertEquals(columns.days, expected.days.slice(0, cellCount));
      assertEquals(columns.lows, expected.lows.slice(0, cellCount));
      if (columns.hasHighs) assertEquals(columns.highs, expected.highs.slice(0, cellCount));
    }
  }
});

Deno.test("format: ends come back, exact to 2^53, and are no branches", () => {
  for (const number of [0, 1, 4294967295, 4294967296, 2 ** 53 - 1]) {
    const counts = { branches: number, keys: number + 1, cells: 0 };
    assertEquals(decodeEnd(encodeEnd(counts)), counts);
    assertEquals(decodeBranch(encodeEnd(counts)), null);
  }
});

const bin = (length: number) => new Uint8Array(length);
const HEAD = { format: "karma-dump", version: 1, tree: new TextEncoder().encode("t"), seconds: 1 };
const BRANCH = {
  ...{ start: bin(8), lsn: bin(8), keys: bin(8), counts: bin(4) },
  ...{ days: bin(4), lows: bin(4), highs: bin(0) },
};
const END = { branches: bin(8), keys: bin(8), cells: bin(8) };

Deno.test("format: what the tables below alter is right before", () => {
  assertEquals(decodeHead(encode(HEAD)), { tree: "t", seconds: 1, log: "", serial: 0, lsn: 0 });
  assertEquals(decodeBranch(encode(BRANCH))!.columns.keyCount, 1);
  assertEquals(decodeEnd(encode(END)), { branches: 0, keys: 0, cells: 0 });
  // A later version may add members.
  assertEquals(decodeHead(encode({ ...HEAD, more: [1] })).tree, "t");
  assert(decodeBranch(encode({ ...BRANCH, more: null })) !== null);
  assertEquals(decodeEnd(encode({ ...END, more: "x" })).keys, 0);
});

type Decode = (payload: Uint8Array) => unknown;

const REFUSED: [fault: string, decode: Decode, ...values: Value[]][] = [
  ["a frame holds no map", decodeHead, null, 5, "x", [], [HEAD]],
  ["a frame holds no map", decodeBranch, null, []],
  ["a frame holds no map", decodeEnd, 1, []],
  [
    "it does not begin as a dump of Karma does",
    decodeHead,
    ...[{}, BRANCH, END, { ...HEAD, format: "other" }, { ...HEAD, format: null }],
  ],
  ["it has version 3; this Karma reads versions 1 and 2", decodeHead, { ...HEAD, version: 3 }],
  ["its names are no bytes", decodeBranch, { ...BRANCH, names: 5 }, { ...BRANCH, names: "a" }],
  ["a name is incomplete", decodeBranch, { ...BRANCH, names: Uint8Array.of(1) }],
  ["a name is incomplete", decodeBranch, { ...BRANCH, names: Uint8Array.of(0) }],
  ["more or fewer names than keys", decodeBranch, { ...BRANCH, names: bin(0) }],
  ["it has version 1; this Karma", decodeHead, { ...HEAD, version: "1" }, { ...HEAD, version: 1n }],
  ["it has version undefined", decodeHead, { format: "karma-dump" }],
  [
    "its head is incomplete",
    decodeHead,
    ...[{ format: "karma-dump", version: 1 }, { ...HEAD, tree: "t" }, { ...HEAD, tree: 5 }],
    ...[{ ...HEAD, seconds: "1" }, { ...HEAD, seconds: null }, { ...HEAD, seconds: 1n }],
  ],
  [
    "its head names no tree",
    decodeHead,
    ...[bin(0), bin(1), bin(256).fill(0x78), Uint8Array.of(0xff)].map((tree) => ({
      ...HEAD,
      tree,
    })),
  ],
  ...["lsn", "keys", "counts", "days", "lows", "highs"].map((
    name,
  ): [string, Decode, ...Value[]] => [
    `its column "${name}" is missing`,
    decodeBranch,
    ...[5, "text", null, []].map((value) => ({ ...BRANCH, [name]: value })),
    Object.fromEntries(Object.entries(BRANCH).filter(([other]) => other !== name)),
  ]),
  ['its column "start" is missing', decodeBranch, { ...BRANCH, start: 0 }, {
    ...BRANCH,
    start: null,
  }],
  ...["start", "lsn", "keys", "counts", "days", "lows", "highs"].map(
    (name): [string, Decode, ...Value[]] => [
      `the wrong length`,
      decodeBranch,
      ...[1, 3, 5, 12].map((length) => ({ ...BRANCH, [name]: bin(length) })),
    ],
  ),
  ...["branches", "keys", "cells"].map((name): [string, Decode, ...Value[]] => [
    `its column "${name}" is missing`,
    decodeEnd,
    ...[5, "text", null].map((value) => ({ ...END, [name]: value })),
    Object.fromEntries(Object.entries(END).filter(([other]) => other !== name)),
  ]),
  ['its column "keys" has the wrong length', decodeEnd, { ...END, keys: bin(4) }],
];

Deno.test("format: payloads of any other make are refused by name", () => {
  for (const [fault, decode, ...values] of REFUSED) {
    for (const value of values) assertThrows(() => decode(encode(value)), DamagedError, fault);
  }
});

Deno.test("format: what is no MessagePack is refused, however it goes wrong", () => {
  const deep = new Uint8Array(100_000).fill(0x91);
  const huge = Uint8Array.fromHex("ddffffffff");
  const proto = encode(JSON.parse('{"__proto__":{"start":1}}'));
  for (
    const payload of [bin(0), Uint8Array.of(0xc1), encode(HEAD).subarray(1), deep, huge, proto]
  ) {
    for (const decode of [decodeHead, decodeBranch, decodeEnd]) {
      if (payload === proto && decode === decodeBranch) continue; // a map without a start: an end
      assertThrows(() => decode(payload), DamagedError);
    }
  }
});
