// The codec: which protocol a line is in, and how long a reply may be.

import { assert, assertEquals } from "@std/assert";
import { SendBuffer } from "../../../lib/bytes/send_buffer.ts";
import { Reply } from "../../../lib/command/reply.ts";
import { Request } from "../../../lib/command/request.ts";
import { codecOf } from "../../support/codec.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Walk } from "../../../lib/tree/walk.ts";
import { Asker } from "../../support/asker.ts";

const decoder = new TextDecoder();

const asker = new Asker();

// A line, the protocol that it is in after each, and what it is.
const LINES: [line: string, afterV1: string, afterV2: string, answer?: string][] = [
  ['{"v":2,"op":"system.ping"}', "v2", "v2", "ping"],
  ['{"command":"ping"}', "v1", "v1", "ping"],
  ['{"command":"ping","v":null}', "v2", "v2"],
  ['{"command":"ping","op":"system.ping","v":2}', "v2", "v2", "ping"],
  ['{"op":5,"command":"ping"}', "v2", "v2"],
  ['{"command":null}', "v1", "v1"],
  ['{"\\u006fp":"x"}', "v2", "v2"],
  ['{"c\\u006fmmand":"ping"}', "v1", "v1", "ping"],
  ["{}", "v1", "v2"],
  ['{"tree_name":"t"}', "v1", "v2"],
  ['{"x":{"v":2,"op":"a","command":"b"}}', "v1", "v2"],
  ["", "v1", "v2"],
  ["5", "v1", "v2"],
  ["[]", "v1", "v2"],
  ["ping", "v1", "v2"],
  ['["command"]', "v1", "v2"],
  // Of what was read before the fault.
  ['{"command":"ping"', "v1", "v1"],
  ['{"command":"ping"}x', "v1", "v1"],
  ['{"command":"ping","v":2', "v2", "v2"],
  ['{"command":"ping","v":', "v1", "v1"],
  ['{"command":', "v1", "v2"],
  ['{"command"', "v1", "v2"],
  ['{"v":2x', "v2", "v2"],
  ['{"v":02}', "v1", "v2"],
];

Deno.test("interpreter: a line's members tell its dialect, or else what its connection spoke", () => {
  for (const [line, afterV1, afterV2, answer] of LINES) {
    for (const [spoken, expected] of [["v1", afterV1], ["v2", afterV2]] as const) {
      const told = asker.ask(line, spoken);
      assertEquals(asker.request.protocol, expected, `${line} after ${spoken}`);
      if (answer !== undefined) assertEquals(told, answer, line);
    }
  }
});

Deno.test("interpreter: what a line before had does not tell the dialect of the next", () => {
  for (const line of ['{"command":"ping"}', '{"v":2,"op":"x"}', '{"op":1', '{"command":1,']) {
    asker.ask(line);
    for (const spoken of ["v1", "v2"] as const) {
      for (const next of ["{}", "", "5", "{", '{"x":1}']) {
        asker.ask(next, spoken);
        assertEquals(asker.request.protocol, spoken, `${line}, then ${next}`);
      }
    }
  }
});

Deno.test("interpreter: numbers that are too large are told in v2 only, where any number counts", () => {
  const sentence = "invalid_json Invalid JSON: a number is too large";
  assertEquals(asker.ask('{"v":2,"op":"system.ping","x":1e999}'), sentence);
  assertEquals(asker.ask('{"x":1e999}', "v2"), sentence);
  assertEquals(asker.ask('{"command":"ping","x":1e999}'), "ping");
  assertEquals(asker.ask("18446744073709551616"), "validation_error Request must be a JSON object");
  assertEquals(
    asker.ask('{"v":2,"op":"system.ping"}'),
    "ping",
    "nothing is left of the lines before",
  );
});

/** The line that answers in a protocol, under a limit. */
function encoded(replyBytesMax: number, dialect: string, reply: Reply, before = ""): string {
  const codec = codecOf({ itemsMax: 10, replyBytesMax });
  const request = new Request();
  request.protocol = dialect;
  request.isBounded = dialect !== "v1";
  const out = new SendBuffer(1);
  out.text(before);
  codec.encode(request, reply, out);
  return decoder.decode(out.bytes.subarray(0, out.length));
}

/** A reply in v2 of so many bytes, without its line feed. */
function replyOf(bytes: number): Reply {
  const reply = new Reply();
  reply.shape = "text";
  const frame = '{"protocol_version":2,"success":true,"response":"","error_code":null}'.length;
  reply.text = "x".repeat(bytes - frame);
  return reply;
}

const tooLong = (bytes: number) =>
  `{"protocol_version":2,"success":false,"response":"Response exceeds ${bytes} bytes",` +
  '"error_code":"response_too_large"}\n';

Deno.test("interpreter: a reply in v2 has a longest length, without its line feed", () => {
  for (const max of [100, 101, 500]) {
    assertEquals(encoded(max, "v2", replyOf(max)).length, max + 1);
    const reply = replyOf(max + 1);
    assertEquals(encoded(max, "v2", reply), tooLong(max));
    assertEquals(reply.code, "response_too_large");
    assertEquals(encoded(max, "v2", replyOf(max + 1), "before\n"), `before\n${tooLong(max)}`);
  }
  assertEquals(encoded(0, "v2", replyOf(5000)).length, 5001, "no limit");
  assertEquals(
    encoded(100, "v2", replyOf(100), "x".repeat(500)).length,
    601,
    "others do not count",
  );
});

Deno.test("interpreter: v1 has no longest reply, and no error is too long", () => {
  assert(encoded(100, "v1", replyOf(1000)).startsWith('{"success":true,'));
  const reply = new Reply();
  reply.fail("validation_error", "x".repeat(500));
  assert(encoded(100, "v2", reply).includes("xxx"));
  assert(encoded(10, "v2", replyOf(200)).includes("Response exceeds 10 bytes"), "longer than 10");
});

/** The answer to a find over a tree, as the session writes it. */
function walked(tree: Tree, dialect: string, replyBytesMax: number): string {
  const codec = codecOf({ itemsMax: 10, replyBytesMax });
  const request = new Request();
  request.protocol = dialect;
  request.isBounded = dialect !== "v1";
  const reply = new Reply();
  reply.shape = "counters";
  reply.walk = new Walk(tree);
  const out = new SendBuffer(1);
  codec.encode(request, reply, out);
  while (reply.walk !== null && codec.more(request, reply, out) === "more");
  if (reply.walk !== null) codec.encodeEnd(request, reply, out, 0);
  return decoder.decode(out.bytes.subarray(0, out.length));
}

Deno.test("interpreter: a reply written in parts, and its longest length", () => {
  const tree = new Tree("t");
  tree.add(7, 0, 20260101, 3, 0);
  tree.touch(8, 0);
  const response = '{"7":{"20260101":3},"8":{}}';
  const line = `{"protocol_version":2,"success":true,"response":${response},"error_code":null}\n`;
  assertEquals(walked(tree, "v1", 0), `{"success":true,"response":${response}}\r\n`);
  assertEquals(walked(tree, "v1", 5), `{"success":true,"response":${response}}\r\n`);
  assertEquals(walked(tree, "v2", 0), line);
  assertEquals(walked(tree, "v2", line.length - 1), line);
  assertEquals(walked(tree, "v2", line.length - 2), tooLong(line.length - 2));
  assertEquals(walked(tree, "v2", 5), tooLong(5));
  checkTree(tree);
});
