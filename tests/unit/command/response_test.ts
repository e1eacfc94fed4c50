// Responses of every shape as JSON, and any JSON value.

import { assertEquals } from "@std/assert";
import { SendBuffer } from "../../../lib/bytes/send_buffer.ts";
import { highLane, lowLane } from "../../../lib/bytes/u64.ts";
import { type Json, Real } from "../../../lib/command/json.ts";
import { Reply } from "../../../lib/command/reply.ts";
import { writeJson, writeResponse } from "../../../lib/command/response.ts";

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
    assertEquals(written((out) => writeResponse(reply, out)), response);
  }
});

Deno.test("response: fewer sums than there were before", () => {
  const reply = sums([1n, 2n], [3n, 4n], [5n, 6n]);
  reply.beginSums(1);
  assertEquals(written((out) => writeResponse(reply, out)), '[{"key":1,"value":2}]');
  reply.beginSums(0);
  assertEquals(written((out) => writeResponse(reply, out)), "[]");
});

const VALUES: [json: Json, text: string][] = [
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
    for (const [json, text] of VALUES) {
      assertEquals(written((out) => writeJson(json, out)), text);
    }
  }
});

Deno.test("response: more names of members than are remembered", () => {
  const names = Array.from({ length: 3000 }, (_, index) => `name "${index}"`);
  for (let round = 0; round < 2; round++) {
    const json = Object.fromEntries(names.map((name, index) => [name, index]));
    assertEquals(written((out) => writeJson(json, out)), JSON.stringify(json));
  }
});
