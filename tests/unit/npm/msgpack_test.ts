// What Karma relies on of @std/msgpack, to the byte; it passes with the real package and with
// lib/npm/msgpack.ts, so a dump written over one is read over the other.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { decode, encode } from "@std/msgpack";

type Value = Parameters<typeof encode>[0];

/** Bytes in hexadecimal; spaces are for the reader. */
function bytes(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex.replaceAll(" ", ""));
}

const filled = (length: number) => new Uint8Array(length).fill(7);
const list = (length: number) => new Array<number>(length).fill(1);
const object = (length: number) =>
  Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i]));

const EXACT: [value: Value, hex: string][] = [
  [null, "c0"],
  [false, "c2"],
  [true, "c3"],
  [0, "00"],
  [-0, "00"],
  [127, "7f"],
  [128, "cc80"],
  [255, "ccff"],
  [256, "cd0100"],
  [65535, "cdffff"],
  [65536, "ce00010000"],
  [2147483648, "ce80000000"],
  [4294967295, "ceffffffff"],
  // Larger integers are floats: Karma never writes them as numbers.
  [4294967296, "cb41f0000000000000"],
  [20000000000, "cb4212a05f20000000"],
  [-1, "ff"],
  [-32, "e0"],
  [-33, "d0df"],
  [-128, "d080"],
  [-129, "d1ff7f"],
  [-32769, "d2ffff7fff"],
  [-2147483648, "d280000000"],
  [-600000000000, "cbc26176592e000000"],
  [0.3, "cb3fd3333333333333"],
  [0n, "cf0000000000000000"],
  [18446744073709551615n, "cfffffffffffffffff"],
  [-10n, "d3fffffffffffffff6"],
  ["", "a0"],
  ["hello world", "ab 68656c6c6f20776f726c64"],
  ["\u0000я€😀", "aa 00 d18f e282ac f09f9880"],
  ["a".repeat(31), "bf" + "61".repeat(31)],
  ["a".repeat(32), "d920" + "61".repeat(32)],
  ["я".repeat(32), "d940" + "d18f".repeat(32)],
  ["a".repeat(255), "d9ff" + "61".repeat(255)],
  ["a".repeat(256), "da0100" + "61".repeat(256)],
  ["a".repeat(65536), "db00010000" + "61".repeat(65536)],
  [filled(0), "c400"],
  [filled(255), "c4ff" + "07".repeat(255)],
  [filled(256), "c50100" + "07".repeat(256)],
  [filled(65535), "c5ffff" + "07".repeat(65535)],
  [filled(65536), "c600010000" + "07".repeat(65536)],
  [[], "90"],
  [list(15), "9f" + "01".repeat(15)],
  [list(16), "dc0010" + "01".repeat(16)],
  [list(65536), "dd00010000" + "01".repeat(65536)],
  [[[1, [2]], []], "92 92 01 91 02 90"],
  [{}, "80"],
  [{ b: 1, a: 2 }, "82 a162 01 a161 02"],
  [{ "2": 1, "10": { x: null } }, "82 a132 01 a23130 81 a178 c0"],
];

// The head of a dump and a frame of columns, in miniature: what must never change.
const GOLDEN: [value: Value, hex: string][] = [
  [
    { format: "karma", version: 2, tree: "users", time: 1689325200, lsn: filled(8) },
    "85 a6666f726d6174 a56b61726d61 a776657273696f6e 02 a474726565 a57573657273" +
    "a474696d65 ce64b10e90 a36c736e c4080707070707070707",
  ],
  [
    { branch: 300, keys: filled(2), days: filled(0) },
    "83 a66272616e6368 cd012c a46b657973 c4020707 a464617973 c400",
  ],
];

Deno.test("msgpack: encode() writes these bytes and decode() reads them back", () => {
  for (const [value, hex] of [...EXACT, ...GOLDEN]) {
    const encoded = encode(value);
    assertEquals(encoded, bytes(hex), hex.slice(0, 40));
    assertEquals(decode(encoded), Object.is(value, -0) ? 0 : value, hex.slice(0, 40));
  }
  for (const length of [15, 16, 65536]) {
    const encoded = encode(object(length));
    assertEquals(
      encoded.subarray(0, 5).toHex().slice(0, length < 16 ? 2 : length > 16 ? 10 : 6),
      {
        15: "8f",
        16: "de0010",
        65536: "df00010000",
      }[length],
    );
    assertEquals(decode(encoded), object(length));
  }
});

Deno.test("msgpack: encode() gives bytes with a buffer to themselves", () => {
  const encoded = encode({ a: filled(10) });
  assertEquals(encoded.byteOffset, 0);
  assertEquals(encoded.buffer.byteLength, encoded.length);
});

Deno.test("msgpack: decode() gives plain objects, views of bin, and bigint for 64 bits", () => {
  const input = bytes("00 00 82 a161 c4020102 a162 cf00000000000000ff").subarray(2);
  const value = decode(input) as Record<string, unknown>;
  assertEquals(Object.getPrototypeOf(value), Object.prototype);
  assertEquals(Object.keys(value), ["a", "b"]);
  assert(value.a instanceof Uint8Array);
  assertEquals([...value.a], [1, 2]);
  assertEquals(value.a.buffer, input.buffer);
  assertEquals(value.b, 255n);
  assertEquals(decode(bytes("d3ffffffffffffffff")), -1n);
  assertEquals(decode(bytes("81 05 06")), { "5": 6 });
  assertEquals(decode(bytes("ca3f800000")), 1);
});

// So a text that must come back as it was is stored as bin, unless it cannot open with U+FEFF.
Deno.test("msgpack: decode() drops a byte order mark that opens a text, long or short", () => {
  for (const rest of ["", "x", "x\ufeff", "x".repeat(300)]) {
    const marked = "\ufeff" + rest;
    assertEquals(decode(encode(marked)), rest);
    assertEquals(decode(encode([{ [marked]: marked }])), [{ [rest]: rest }]);
  }
});

Deno.test("msgpack: decode() refuses every cut of a value and every byte too many", () => {
  const whole = encode({
    text: "hello",
    longer: "a".repeat(40),
    bin: filled(20),
    list: [1, 300, 70000, -5, -500, 1.5, 5n],
    map: { x: null, y: true },
  });
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => decode(whole.subarray(0, length)), Error, "", `cut to ${length} bytes`);
  }
  for (const extra of ["00", "c0", "ff"]) {
    assertThrows(() => decode(new Uint8Array([...whole, ...bytes(extra)])), Error);
  }
});

const REFUSED = [
  "",
  "c1",
  "d401ff", // fixext
  "d6ff00000000", // a timestamp
  "c70101ff", // ext 8
  "c403ffff", // bin cut short
  "c6ffffffff00", // bin longer than anything
  "a3ffff", // string cut short
  "ddffffffff", // array longer than anything
  "dfffffffff", // map longer than anything
  "81cf000000000000000101", // a uint64 as a key
  "81c001", // nil as a key
  "819001", // an array as a key
];

Deno.test("msgpack: decode() refuses what it cannot represent", () => {
  for (const hex of REFUSED) assertThrows(() => decode(bytes(hex)), Error, "", hex);
});

Deno.test("msgpack: encode() refuses what is not plain", () => {
  for (const value of [new Date(0), new Map(), new Uint16Array(1), () => 1, [Symbol("x")]]) {
    assertThrows(() => encode(value as unknown as Value), Error);
  }
});
