import { assert, assertEquals } from "@std/assert";
import { ReceiveBuffer } from "../../../../lib/bytes/receive_buffer.ts";
import { Arguments } from "../../../../lib/protocol/resp/arguments.ts";
import { Random } from "../../../support/random.ts";
import { commandOf } from "../../../support/resp.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const BYTES_MAX = 200;

/** What comes of bytes that arrive in parts: the words of each command, and what is wrong at last. */
function commandsOf(parts: readonly Uint8Array[], isEnded = false): (string[] | string)[] {
  const received = new ReceiveBuffer(BYTES_MAX);
  const args = new Arguments();
  const found: (string[] | string)[] = [];
  for (const [index, part] of parts.entries()) {
    received.space(true).set(part);
    received.filled(part.length);
    for (;;) {
      const frame = args.take(received, isEnded && index === parts.length - 1);
      if (frame === "none") break;
      if (frame === "too long" || args.fault !== null) return [...found, args.fault ?? frame];
      found.push(Array.from({ length: args.count }, (_, at) => {
        return decoder.decode(received.bytes.subarray(args.starts[at], args.ends[at]));
      }));
    }
  }
  received.release();
  return found;
}

/** Every way to cut a text in two, and all bytes alone. */
function cuts(text: string): Uint8Array[][] {
  const bytes = encoder.encode(text);
  const ways = Array.from(bytes, (_, at) => [bytes.subarray(0, at), bytes.subarray(at)]);
  return [[bytes], ...ways, Array.from(bytes, (byte) => Uint8Array.of(byte))];
}

const CASES: [text: string, found: (string[] | string)[]][] = [
  ["*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\n", [["ECHO", "a\r\nb"]]],
  ["*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n", [["PING"], ["PING"]]],
  ["*1\r\n$0\r\n\r\n", [[""]]],
  ["*0\r\n*-1\r\n\r\nPING\r\n", [["PING"]]],
  ['PING\nECHO "a b" \'c"d\' e\r\n', [["PING"], ["ECHO", "a b", 'c"d', "e"]]],
  ["PING\r\n*1\r\n$4\r\nPING\r\n  PING \t x\r\n", [["PING"], ["PING"], ["PING", "x"]]],
  ['ECHO "a\r\n', ["unbalanced quotes in request"]],
  ['ECHO "a"b\r\n', ["unbalanced quotes in request"]],
  ["*x\r\n", ["invalid multibulk length"]],
  ["*12345678901\r\n", ["invalid multibulk length"]],
  ["*1\n$4\r\nPING\r\n", ["invalid multibulk length"]],
  ["*1\r\nPING\r\n", ["expected '$', got 'P'"]],
  ["*1\r\n$-1\r\n", ["invalid bulk length"]],
  ["*1\r\n$x\r\n", ["invalid bulk length"]],
  ["*1\r\n$4\r\nPINGxx", ["expected CR LF behind a string"]],
  ["*1\r\n$201\r\n", ["too long"]],
];

Deno.test("arguments: commands are the same wherever they are cut", () => {
  for (const [text, found] of CASES) {
    for (const parts of cuts(text)) assertEquals(commandsOf(parts), found, JSON.stringify(text));
  }
});

Deno.test("arguments: a line without an end is a command when nothing more comes", () => {
  assertEquals(commandsOf([encoder.encode("PING x")], true), [["PING", "x"]]);
  assertEquals(commandsOf([encoder.encode("*1\r\n$4\r\nPI")], true), []);
});

Deno.test("arguments: a command may be as long as requests may be, and no longer", () => {
  for (const size of [BYTES_MAX - 1, BYTES_MAX, BYTES_MAX + 1]) {
    const word = "x".repeat(size - commandOf("").length - 2);
    const text = commandOf(word);
    assertEquals(text.length, size);
    for (const parts of cuts(text)) {
      assertEquals(commandsOf(parts), size > BYTES_MAX ? ["too long"] : [[word]]);
    }
  }
});

Deno.test("arguments: random commands, cut at random", () => {
  const seed = Date.now() >>> 0;
  const random = new Random(seed);
  for (let round = 0; round < 500; round++) {
    const commands = Array.from({ length: 1 + random.below(5) }, () => {
      return Array.from({ length: 1 + random.below(4) }, () => {
        const bytes = Array.from(
          { length: random.below(12) },
          () => random.pick([..."*$1\r\nax "]),
        );
        return bytes.join("");
      });
    });
    const bytes = encoder.encode(commands.map((words) => commandOf(...words)).join(""));
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const next = Math.min(bytes.length, at + 1 + random.below(20));
      parts.push(bytes.subarray(at, next));
      at = next;
    }
    assertEquals(commandsOf(parts), commands, `seed ${seed}, round ${round}`);
  }
  assert(seed > 0);
});
