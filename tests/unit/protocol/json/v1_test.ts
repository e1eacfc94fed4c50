// Protocol v1: lines to requests or sentences, replies to lines.

import { assert, assertEquals } from "@std/assert";
import { SendBuffer } from "../../../../lib/bytes/send_buffer.ts";
import { u64ToBigInt } from "../../../../lib/bytes/u64.ts";
import { OPERATIONS } from "../../../../lib/command/operation.ts";
import { Reply } from "../../../../lib/command/reply.ts";
import { DAY_MAX, KEY, Request } from "../../../../lib/command/request.ts";
import { checkTree } from "../../../../lib/tree/check.ts";
import { Tree } from "../../../../lib/tree/tree.ts";
import { Walk } from "../../../../lib/tree/walk.ts";
import { needsOf, V1Lines } from "../../../support/v1.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const v1 = new V1Lines();
const request = new Request(); // one for all, as a connection has

/** Decodes a line; what it asks for as text, or the line that answers it. */
function decode(line: string): string {
  const reply = new Reply();
  const bytes = encoder.encode(`"${line}"`);
  if (!v1.decode(bytes, 1, bytes.length - 1, request, reply)) return encoded(reply);
  assertEquals(reply.code, null);
  const { operation, lanes, dayFrom, dayTo, nameStart, nameEnd } = request;
  const needs = needsOf(operation);
  const name = decoder.decode(request.bytes.subarray(nameStart, nameEnd));
  const key = u64ToBigInt(lanes[KEY], lanes[KEY + 1]);
  return [
    operation.id,
    ...(needs.name ? [JSON.stringify(name)] : []),
    ...(needs.key ? [key] : []),
    ...(needs.range === "no" ? [] : [`${dayFrom}-${dayTo}`]),
  ].join(" ");
}

/** The line that a reply is, without its CR and LF. */
function encoded(reply: Reply): string {
  const out = new SendBuffer(1);
  v1.encode(request, reply, out);
  const text = decoder.decode(out.bytes.subarray(0, out.length));
  assert(text.endsWith("\r\n"), text);
  return text.slice(0, -2);
}

const T = '"tree_name":"t"';
const RANGE = '"time_from":20260101,"time_to":20260131';

const REQUESTS: [line: string, request: string][] = [
  ['{"command":"ping"}', "ping"],
  [`{"command":"ping",${T},"key":5,${RANGE}}`, "ping"],
  ['{"command":"trees"}', "trees"],
  [`{"command":"create",${T}}`, 'create "t"'],
  [`{"command":"drop",${T}}`, 'drop "t"'],
  [`{"command":"increment",${T},"key":1}`, 'increment "t" 1'],
  [`{"command":"decrement",${T},"key":18446744073709551615}`, 'decrement "t" 18446744073709551615'],
  [`{"command":"sum",${T},"key":0}`, `sum "t" 0 0-${DAY_MAX}`],
  [`{"command":"sum",${T},"key":0,${RANGE}}`, 'sum "t" 0 20260101-20260131'],
  [`{"command":"sum",${T},"key":9,"time_from":null,"time_to":null}`, `sum "t" 9 0-${DAY_MAX}`],
  [`{"command":"find",${T},"key":4294967296,${RANGE}}`, 'find "t" 4294967296 20260101-20260131'],
  [`{"command":"find",${T},${RANGE}}`, 'findAll "t" 20260101-20260131'],
  [`{"command":"reset",${T},"key":5}`, 'reset "t" 5'],
  [`{"command":"reset",${T}}`, 'resetAll "t"'],
  [`{"command":"reset",${T},${RANGE}}`, 'resetAll "t"'],
  [`{"command":"delete",${T},"key":5,${RANGE}}`, 'delete "t" 5 20260101-20260131'],
  [`{"command":"delete",${T},${RANGE}}`, 'deleteAll "t" 20260101-20260131'],
  [`{"command":"dump",${T}}`, 'dump "t"'],
  ['{"command":"dump_all"}', "dumpAll"],
  ['{"command":"dumps"}', "dumps"],
  ['{"command":"load","tree_name":"1_t.tree"}', 'load "1_t.tree"'],
  // A member that the command does not use may be null: clients send all of their fields.
  ['{"command":"ping","tree_name":null,"key":null,"time_from":null,"time_to":null}', "ping"],
  ['{"command":"drop","tree_name":""}', 'drop ""'],
  ['{"command":"drop","tree_name":"a\\u0000\\/\\ud83d\\ude00"}', 'drop "a\\u0000/😀"'],
  ['{"command":"\\u0070ing"}', "ping"],
  ['{"command":"drop","command":"ping"}', "ping"],
  // Any number is a day; beyond 32 bits there is none.
  [`{"command":"find",${T},"time_from":0,"time_to":4294967295}`, `findAll "t" 0-${DAY_MAX}`],
  [`{"command":"find",${T},"time_from":7,"time_to":4294967296}`, `findAll "t" 7-${DAY_MAX}`],
  [`{"command":"find",${T},"time_from":4294967296,"time_to":4294967297}`, 'findAll "t" 1-0'],
  [`{"command":"find",${T},"time_from":18446744073709551615,"time_to":5}`, 'findAll "t" 1-0'],
  [`{"command":"find",${T},"time_from":9,"time_to":8}`, 'findAll "t" 9-8'],
];

Deno.test("v1: lines and what they ask for", () => {
  for (const [line, expected] of REQUESTS) assertEquals(decode(line), expected, line);
});

const U64 = "must be an integer from 0 to 18446744073709551615";

const REFUSED: [sentence: string, ...lines: string[]][] = [
  ["Field command is required", "{}", '{"Command":"ping"}', '{"tree_name":5}'],
  [
    "Field command must be a string",
    ...["null", "1", "true", "[]", "{}"].map((value) => `{"command":${value}}`),
    '{"command":null,"command":"ping"}', // every occurrence is looked at
    '{"command":5,"key":"a"}',
  ],
  [
    "Field tree_name must be a string",
    ...["1", "false", "[]", "{}", "-1.5"].map((value) => `{"command":"ping","tree_name":${value}}`),
    '{"command":"ping","tree_name":5,"tree_name":"t"}',
    '{"key":true,"tree_name":5,"command":"ping"}', // in the order of the fields, not of the line
    '{"command":"nonsense","tree_name":5}', // before the command is looked up
  ],
  ...["key", "time_from", "time_to"].map((name): [string, ...string[]] => [
    `Field ${name} ${U64}`,
    ...["-1", "-0", "1.0", "1e3", "18446744073709551616", "true", "[1]", "{}"].map(
      (value) => `{"command":"ping","${name}":${value}}`,
    ),
    ...(name === "key"
      ? []
      : ['"1"', '""'].map((value) => `{"command":"ping","${name}":${value}}`)),
    `{"command":"ping","${name}":-1,"${name}":1}`,
  ]),
  [`Field key ${U64}`, '{"command":"ping","time_to":"a","time_from":"b","key":true}'],
  ["Unknown command ", '{"command":""}'],
  ["Unknown command PING", '{"command":"PING"}'],
  ["Unknown command pin", '{"command":"pin"}'],
  [
    'Unknown command a\\"\\\\\\n\\u0000день😀',
    '{"command":"a\\"\\\\\\n\\u0000день\\ud83d\\ude00"}',
  ],
  [`Unknown command ${"x".repeat(5000)}`, `{"command":"${"x".repeat(5000)}"}`],
  [
    "Field tree_name is required",
    ...["create", "drop", "increment", "sum", "find", "reset", "delete", "dump", "load"].flatMap(
      (
        command,
      ) => [`{"command":"${command}"}`, `{"command":"${command}","tree_name":null,"key":1}`],
    ),
  ],
  [
    "Field tree_name must name a dump file",
    ...["", "x".repeat(5000)].map((name) => `{"command":"load","tree_name":"${name}"}`),
  ],
  [
    "Field key is required",
    ...["increment", "decrement", "sum"].map((command) => `{"command":"${command}",${T}}`),
  ],
  [ // not as good as absent: without a key it would be the whole tree
    `Field key ${U64}`,
    ...["increment", "decrement", "sum", "find", "reset", "delete"].flatMap((command) => [
      `{"command":"${command}",${T},"key":null,${RANGE}}`,
      `{"command":"${command}",${T},"key":null,"key":1,${RANGE}}`,
      `{"command":"${command}",${T},"key":1,"key":null,${RANGE}}`,
    ]),
  ],
  [
    "Field time_from is required",
    `{"command":"find",${T}}`,
    `{"command":"find",${T},"key":1}`,
    `{"command":"delete",${T},"time_to":5}`,
    `{"command":"sum",${T},"key":1,"time_to":5}`,
  ],
  [
    "Field time_to is required",
    `{"command":"find",${T},"key":1,"time_from":5}`,
    `{"command":"delete",${T},"key":1,"time_from":5,"time_to":null}`,
    `{"command":"sum",${T},"key":1,"time_from":5}`,
  ],
  ["Request must be a JSON object", "5", "[]", "null"],
  ["Invalid JSON: unexpected end at byte 1", ""],
  ["Invalid JSON: unexpected character at byte 1", "ping"],
  ["Invalid JSON: unexpected end at byte 18", '{"command":"ping"'],
];

Deno.test("v1: lines that are refused, and the sentence that says why", () => {
  for (const [sentence, ...lines] of REFUSED) {
    for (const line of lines) {
      assertEquals(decode(line), `{"success":false,"response":"${sentence}"}`, line);
    }
  }
});

Deno.test("v1: an unknown command is told as valid UTF-8, whatever was sent", () => {
  const bytes = Uint8Array.from([...encoder.encode('{"command":"'), 0x61, 0xff, 0x80, 0x22, 0x7d]);
  const reply = new Reply();
  assert(!v1.decode(bytes, 0, bytes.length, request, reply));
  bytes.fill(0); // the reply outlives the line
  const out = new SendBuffer(1);
  v1.encode(request, reply, out);
  const told = '{"success":false,"response":"Unknown command a\ufffd\ufffd"}\r\n';
  const strict = new TextDecoder("utf-8", { fatal: true });
  assertEquals(strict.decode(out.bytes.subarray(0, out.length)), told);
});

Deno.test("v1: codes tell what kind of mistake it was", () => {
  for (
    const [line, code] of [
      ["{", "invalid_json"],
      ["5", "validation_error"],
      ["{}", "validation_error"],
      ['{"command":"x"}', "unknown_command"],
      ['{"command":"drop"}', "validation_error"],
    ]
  ) {
    const reply = new Reply();
    const bytes = encoder.encode(line);
    assert(!v1.decode(bytes, 0, bytes.length, request, reply));
    assertEquals(reply.code, code, line);
  }
});

/** A reply with these fields. */
function reply(fields: Partial<Reply>): Reply {
  return Object.assign(new Reply(), fields);
}

function numberReply(lo: number, hi: number): Reply {
  const reply = new Reply();
  reply.number(lo, hi);
  return reply;
}

function cellsReply(...cells: [day: number, lo: number, hi: number][]): Reply {
  const reply = new Reply();
  reply.shape = "cells";
  for (const cell of cells) reply.cells.push(...cell);
  return reply;
}

const RESPONSES: [reply: Reply, response: string][] = [
  [reply({ shape: "pong" }), '"pong"'],
  [reply({ shape: "ok" }), '"OK"'],
  [reply({ shape: "true" }), "true"],
  [numberReply(0, 0), "0"],
  [numberReply(4294967295, 4294967295), "18446744073709551615"],
  [reply({ shape: "text", text: 'Tree "t" saved' }), '"Tree \\"t\\" saved"'],
  [reply({ shape: "text", text: "день\u007f\n" }), '"день\\u007f\\n"'],
  [cellsReply(), "{}"],
  [cellsReply([20260101, 3, 0]), '{"20260101":3}'],
  [cellsReply([0, 3, 0], [7, 0, 1], [4294967295, 1, 0]), '{"0":3,"7":4294967296,"4294967295":1}'],
];

Deno.test("v1: responses of every shape", () => {
  for (const [reply, response] of RESPONSES) {
    assertEquals(encoded(reply), `{"success":true,"response":${response}}`);
  }
});

Deno.test("v1: the days of one reply do not show in the next", () => {
  const reply = cellsReply([20260101, 1, 0], [20260102, 2, 0]);
  encoded(reply);
  reply.cells.clear();
  reply.cells.push(20260103, 3, 0);
  assertEquals(encoded(reply), '{"success":true,"response":{"20260103":3}}');
});

Deno.test("v1: what isn't there is said in the words of each command", () => {
  const SENTENCES = {
    drop: 'Tree \\"a\\\\\\"b\\" not exists',
    dump: 'Tree \\"a\\\\\\"b\\" not found',
    load: 'Dump \\"a\\\\\\"b\\" not exists',
  };
  for (const [id, sentence] of Object.entries(SENTENCES)) {
    request.operation = OPERATIONS.find((operation) => operation.id === id)!;
    const reply = new Reply();
    reply.notFound(id === "load" ? "Dump" : "Tree", encoder.encode('a\\"b'));
    assertEquals(encoded(reply), `{"success":false,"response":"${sentence}"}`, id);
  }
});

Deno.test("v1: other errors are their sentence", () => {
  const reply = new Reply();
  reply.fail("internal_error", 'Directory "x" could not be read: no\nsuch');
  const sentence = 'Directory \\"x\\" could not be read: no\\nsuch';
  assertEquals(encoded(reply), `{"success":false,"response":"${sentence}"}`);
});

/** The reply to a find over a whole tree, written branch by branch. */
function walked(tree: Tree, dayFrom: number, dayTo: number): string {
  const reply = new Reply();
  reply.shape = "counters";
  reply.walk = new Walk(tree);
  const out = new SendBuffer(1);
  Object.assign(request, { dayFrom, dayTo });
  v1.write(request, reply, out);
  return decoder.decode(out.bytes.subarray(0, out.length));
}

Deno.test("v1: a find over a tree tells every counter with its days in range", () => {
  const tree = new Tree("t");
  assertEquals(walked(tree, 0, DAY_MAX), '{"success":true,"response":{}}\r\n');
  tree.add(7, 0, 20260101, 3, 0);
  tree.add(7, 0, 20260103, 0, 1);
  tree.add(7, 0, 20260105, 1, 0);
  tree.touch(8, 0);
  tree.add(4294967295, 4294967295, 20260102, 5, 0);
  const WALKS: [dayFrom: number, dayTo: number, response: string][] = [
    [
      0,
      DAY_MAX,
      '{"7":{"20260101":3,"20260103":4294967296,"20260105":1},"8":{},' +
      '"18446744073709551615":{"20260102":5}}',
    ],
    [
      20260102,
      20260103,
      '{"7":{"20260103":4294967296},"8":{},"18446744073709551615":{"20260102":5}}',
    ],
    [20260105, DAY_MAX, '{"7":{"20260105":1},"8":{},"18446744073709551615":{}}'],
    [20260106, 0, '{"7":{},"8":{},"18446744073709551615":{}}'],
    [20260105, 20260101, '{"7":{},"8":{},"18446744073709551615":{}}'],
  ];
  for (const [dayFrom, dayTo, response] of WALKS) {
    assertEquals(walked(tree, dayFrom, dayTo), `{"success":true,"response":${response}}\r\n`);
  }
  checkTree(tree);
});

Deno.test("v1: a find over many branches is one JSON object with every key once", () => {
  const tree = new Tree("t");
  for (let key = 0; key < 5000; key++) tree.add(key * 7, key % 3, 20260101, key + 1, 0);
  assert(tree.branches.length > 2);
  const { response } = JSON.parse(walked(tree, 0, DAY_MAX));
  assertEquals(Object.keys(response).length, 5000);
  for (let key = 0; key < 5000; key++) {
    assertEquals(response[String(u64ToBigInt(key * 7, key % 3))], { "20260101": key + 1 });
  }
  checkTree(tree);
});
