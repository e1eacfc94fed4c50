// The cells of a tree from a reply, however its bytes are cut.

import { assertEquals, assertThrows } from "@std/assert";
import { CellsScanner } from "../../../lib/commands/cells_scanner.ts";
import { HostError } from "../../../lib/errors.ts";

const REPLY =
  '{"success":true,"response":{"42":{"20260105":7,"20260106":18446744073709551615},"43":{},' +
  '"a\\"}b":{"20260105":1}}}\r\n';
const CELLS = ["42 20260105 7", "42 20260106 18446744073709551615", 'a\\"}b 20260105 1'];

function scan(...parts: Uint8Array[]) {
  const cells: string[] = [];
  const text = new TextDecoder();
  let key = "";
  const scanner = new CellsScanner({
    key: (bytes) => key = text.decode(bytes),
    cell(bytes, dayStart, dayEnd, start, end) {
      const spans = [bytes.subarray(dayStart, dayEnd), bytes.subarray(start, end)];
      cells.push([key, ...spans.map((span) => text.decode(span))].join(" "));
    },
  });
  for (const part of parts) scanner.push(part);
  return { cells, isOver: scanner.isOver };
}

Deno.test("cells scanner: each cell is told once, wherever the reply is cut", () => {
  const bytes = new TextEncoder().encode(REPLY);
  for (let at = 0; at <= bytes.length; at++) {
    assertEquals(scan(bytes.subarray(0, at), bytes.subarray(at)), { cells: CELLS, isOver: true });
    assertEquals(scan(bytes.subarray(0, at)).isOver, at === bytes.length);
  }
  assertEquals(scan(...[...bytes].map((byte) => Uint8Array.of(byte))), {
    cells: CELLS,
    isOver: true,
  });
});

Deno.test("cells scanner: a tree without counters has no cells", () => {
  const bytes = new TextEncoder().encode('{"success":true,"response":{}}\r\n');
  assertEquals(scan(bytes), { cells: [], isOver: true });
});

Deno.test("cells scanner: another reply is an error that tells it", () => {
  for (
    const line of [
      '{"success":false,"response":"Karma is loading its data"}\r\n',
      '{"protocol_version":2,"success":false}\n',
      '{"success":true,"response":{"42":7}}\r\n',
      '{"success":true,"response":{"42":{"20260105":x}}}\r\n',
      '{"success":true,"response":{42:{}}}\r\n',
      '{"success":true,"response":{}},\r\n',
    ]
  ) {
    assertThrows(
      () => scan(new TextEncoder().encode(line)),
      HostError,
      "The tree could not be read: ",
    );
  }
});
