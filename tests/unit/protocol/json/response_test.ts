// Responses of every shape as JSON, and any JSON value.

import { assert, assertEquals } from "@std/assert";
import { SendBuffer } from "../../../../lib/bytes/send_buffer.ts";
import { highLane, lowLane } from "../../../../lib/bytes/u64.ts";
import { type Data, Real, Rows } from "../../../../lib/command/data.ts";
import { Reply } from "../../../../lib/command/reply.ts";
import { Request } from "../../../../lib/command/request.ts";
import { writeData, writePieces } from "../../../../lib/protocol/json/data.ts";
import { JsonReplyWriter } from "../../../../lib/protocol/json/response.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const U64_MAX = 2n ** 64n - 1n;

function written(write: (out: SendBuffer) => void): string {
  const out = new SendBuffer(1);
  write(out);
  return decoder.decode(out.bytes.subarray(0, out.length));
}

function reply(fill: (reply: Reply) => void): Reply {
  const reply = new Reply();
  fill(reply);
  return reply;
}

function sums(...sums: [key: bigint, value: bigint][]): Reply {
  return reply((reply) => {
    reply.beginSums(sums.length);
    sums.forEach(([key, value], index) => {
      const words = [lowLane(key), highLane(key), lowLane(value), highLane(value)];
      reply.sums.set(words, 4 * index);
    });
  });
}

function tally(shape: "applied" | "tally", count: number, total: bigint): Reply {
  return reply((reply) => {
    reply.shape = shape;
    reply.count = count;
    reply.lanes[0] = lowLane(total);
    reply.lanes[1] = highLane(total);
  });
}

const RESPONSES: [reply: Reply, response: string][] = [
  [reply((reply) => reply.shape = "pong"), '"pong"'],
  [reply((reply) => reply.shape = "ok"), '"OK"'],
  [reply((reply) => reply.shape = "true"), "true"],
  [reply((reply) => reply.number(0, 0)), "0"],
  [reply((reply) => reply.number(4294967295, 4294967295)), `${U64_MAX}`],
  [reply((reply) => Object.assign(reply, { shape: "text", text: 'a"\n' })), '"a\\"\\n"'],
  [tally("applied", 0, 0n), '{"applied":0}'],
  [tally("applied", 10_000, 7n), '{"applied":10000}'],
  [tally("tally", 0, 0n), '{"applied":0,"total":0}'],
  [tally("tally", 2, U64_MAX), `{"applied":2,"total":${U64_MAX}}`],
  [sums(), "[]"],
  [sums([42n, 12n]), '[{"key":42,"value":12}]'],
  [
    sums([U64_MAX, 0n], [0n, U64_MAX], [U64_MAX, 0n]),
    "[" +
    `{"key":${U64_MAX},"value":0},{"key":0,"value":${U64_MAX}},{"key":${U64_MAX},"value":0}]`,
  ],
  [reply((reply) => reply.object({ a: 1 })), '{"a":1}'],
  [
    reply((reply) => Object.assign(reply, { shape: "stored", stored: encoder.encode('{"x":1}') })),
    '{"x":1}',
  ],
  [reply((reply) => reply.shape = "counters"), "{"],
];

Deno.test("response: every shape", () => {
  for (const [reply, response] of RESPONSES) {
    assertEquals(written((out) => new JsonReplyWriter().write(reply, out)), response);
  }
});

Deno.test("response: fewer sums than there were before", () => {
  const reply = sums([1n, 2n], [3n, 4n], [5n, 6n]);
  reply.beginSums(1);
  assertEquals(written((out) => new JsonReplyWriter().write(reply, out)), '[{"key":1,"value":2}]');
  reply.beginSums(0);
  assertEquals(written((out) => new JsonReplyWriter().write(reply, out)), "[]");
});

const VALUES: [data: Data, text: string][] = [
  [null, "null"],
  [true, "true"],
  [false, "false"],
  [0, "0"],
  [4294967295, "4294967295"],
  [4294967296, "4294967296"],
  [9007199254740991, "9007199254740991"],
  [-1, "-1"],
  [-9007199254740991, "-9007199254740991"],
  [1.5, "1.5"],
  [0n, "0"],
  [4294967296n, "4294967296"],
  [9007199254740993n, "9007199254740993"],
  [U64_MAX, `${U64_MAX}`],
  [U64_MAX + 1n, `${U64_MAX + 1n}`],
  [-5n, "-5"],
  [new Real(3), "3.0"],
  ["", '""'],
  ['a"\\/\b\u0001\u007f\u2028день😀', '"a\\"\\\\/\\b\\u0001\\u007f\u2028день😀"'],
  [[], "[]"],
  [{}, "{}"],
  [[1, [2, []], {}], "[1,[2,[]],{}]"],
  [{ b: 1, a: [{ 'c"': null }], "": "" }, '{"b":1,"a":[{"c\\"":null}],"":""}'],
  [{ x: new Real(0), y: 18446744073709551615n }, '{"x":0.0,"y":18446744073709551615}'],
];

Deno.test("response: any JSON value, without spaces", () => {
  // Twice: names of members are remembered.
  for (let round = 0; round < 2; round++) {
    for (const [data, text] of VALUES) {
      assertEquals(written((out) => writeData(data, out)), text);
    }
  }
});

Deno.test("response: more names of members than are remembered", () => {
  const names = Array.from({ length: 3000 }, (_, index) => `name "${index}"`);
  for (let round = 0; round < 2; round++) {
    const json = Object.fromEntries(names.map((name, index) => [name, index]));
    assertEquals(written((out) => writeData(json, out)), JSON.stringify(json));
  }
});

Deno.test("response: rows, and long values in pieces, are written as they are at once", () => {
  const words = Uint32Array.from({ length: 4 * 1000 }, (_, at) => at);
  const rows = new Rows(words, "total");
  const list = Array.from({ length: 500 }, (_, index) => `tree ${index}`);
  const values: Data[] = [{ limit: null, keys: rows }, list, { trees: list, rest: [] }, "short", 7];
  for (const data of values) {
    const whole = written((out) => writeData(data, out));
    let pieces = 1;
    const walked = written((out) => {
      for (const _ of writePieces(data, out)) pieces++;
    });
    assertEquals(walked, whole);
    if (whole.length > 1000) assert(pieces > 3, `${pieces} pieces`);
    const writer = new JsonReplyWriter();
    assertEquals(writer.bytesOf(data), whole.length);
    if (whole.length > 1000) assert(writer.bytesOf(data, 100) > 100);
    const replied = written((out) => {
      const long = reply((reply) => reply.list(data));
      writer.write(long, out);
      while (writer.more(new Request(), long, out) === "more");
    });
    assertEquals(replied, whole);
  }
  const row = written((out) => writeData(new Rows(words.subarray(0, 4), "value"), out));
  assertEquals(row, `[{"key":${2n + (3n << 32n)},"value":${1n << 32n}}]`);
});
