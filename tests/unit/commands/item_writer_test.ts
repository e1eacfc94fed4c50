// Items as bytes: the quick way and the thorough one must give the same.

import { assertEquals } from "@std/assert";
import { ItemWriter, USUAL } from "../../../lib/commands/item_writer.ts";
import { rowReader } from "../../../lib/commands/row_reader.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function text({ bytes, length }: ItemWriter): string {
  return new TextDecoder().decode(bytes.subarray(0, length));
}

/** What the quick way makes of a line; null: it leaves the line to the other. */
function quick(line: string, format: "csv" | "jsonl"): string | null {
  const writer = new ItemWriter(10, true);
  const from = bytes(`#${line}\n`);
  const end = writer.usual(from, 1, from.length, USUAL[format]);
  assertEquals(end, writer.count === 1 ? from.length : 1, line);
  return writer.count === 1 ? text(writer) : null;
}

function thorough(line: string, format: "csv" | "jsonl"): string {
  const writer = new ItemWriter(10, true);
  const row = rowReader(format)(line);
  if (row === null || typeof row === "string") return `${row}`;
  return writer.item(row.key, row.day, row.value) ?? text(writer);
}

const LINES: [csv: string, item: string, isQuick: boolean][] = [
  ["42,20260105,7", "[42,20260105,7]", true],
  ["42,20260105,7\r", "[42,20260105,7]", true],
  ["0,20240229,1", "[0,20240229,1]", true],
  ["9999999999999999999,20260105,9999999999999999999", "", true],
  ["18446744073709551615,20260105,18446744073709551615", "", false],
  ["18446744073709551616,20260105,7", '["18446744073709551616",20260105,7]', false],
  ["007,20260105,007", '["007",20260105,7]', false],
  ["user-7,2026-01-05,7", '["user-7",20260105,7]', false],
  [' "a ""b"", c" ,20260105,7', "the quotes do not fit", false],
  ['"a ""b"", c",20260105,7', '["a \\"b\\", c",20260105,7]', false],
  ["42,20260230,7", '"20260230" is no day', false],
  ["42,2026010,7", '"2026010" is no day', false],
  ["42,202601055,7", '"202601055" is no day', false],
  ["42,20260105,0", "the value is 0", false],
  ["42,20260105,-1", '"-1" is no value from 0 to 2^64-1', false],
  ["42,20260105,1.5", '"1.5" is no value from 0 to 2^64-1', false],
  [
    "42,20260105,18446744073709551616",
    '"18446744073709551616" is no value from 0 to 2^64-1',
    false,
  ],
  ["42,20260105,", '"" is no value from 0 to 2^64-1', false],
  [",20260105,7", "the key must have 1 to 255 bytes", false],
  ["42,20260105", "there are 2 columns", false],
  ["42;20260105;7", "there are 1 columns", false],
  ["", "null", false],
];

Deno.test("item writer: what a line of CSV becomes", () => {
  for (const [line, item, isQuick] of LINES) {
    const plain = line.replace(/\r$/, "");
    const expected = item || `[${plain}]`;
    assertEquals(thorough(plain, "csv"), expected, line);
    assertEquals(quick(line, "csv"), isQuick ? expected : null, line);
  }
});

Deno.test("item writer: the usual JSON is read quickly, other lines too", () => {
  const table: [line: string, item: string, isQuick: boolean][] = [
    ['{"key":42,"day":20260105,"value":7}', "[42,20260105,7]", true],
    [
      '{"key":18446744073709551615,"day":20260105,"value":7}',
      "[18446744073709551615,20260105,7]",
      false,
    ],
    ['{"value":7,"key":"42","date":"2026-01-05"}', "[42,20260105,7]", false],
    ['{"key": 42, "day": 20260105, "value": 7}', "[42,20260105,7]", false],
    ["[42,20260105,7]", "[42,20260105,7]", false],
    ['{"key":"a\\nb","bucket":20260105,"value":7}', '["a\\nb",20260105,7]', false],
    ['{"key":42,"day":20260105}', "it has no value", false],
    ['{"key":42,"day":20260105,"value":7.5}', '"7.5" is no value from 0 to 2^64-1', false],
    ['{"key":42,"value":7}', "it has no day", false],
    ["7", "it is neither an object nor a list", false],
    ["null", "it is neither an object nor a list", false],
    ['{"key":42', "it is no JSON", false],
  ];
  for (const [line, item, isQuick] of table) {
    assertEquals(thorough(line, "jsonl"), item, line);
    assertEquals(quick(line, "jsonl"), isQuick ? item : null, line);
  }
});

Deno.test("item writer: a line that is cut anywhere is left until it is whole", () => {
  for (const format of ["csv", "jsonl"] as const) {
    const line = bytes(
      format === "csv" ? "42,20260105,7\r\n" : '{"key":42,"day":20260105,"value":7}\n',
    );
    for (let end = 0; end < line.length; end++) {
      const writer = new ItemWriter(10, true);
      assertEquals(writer.usual(line, 0, end, USUAL[format]), 0);
      assertEquals([writer.count, writer.length], [0, 0]);
    }
  }
});

Deno.test("item writer: a chunk is full by items or by bytes", () => {
  const few = new ItemWriter(2, true);
  const line = bytes("42,20260105,7\n");
  few.usual(line, 0, line.length, USUAL.csv);
  assertEquals(few.isFull, false);
  few.item("x", "20260105", "7");
  assertEquals([few.isFull, text(few)], [true, '[42,20260105,7],["x",20260105,7]']);
  few.clear();
  assertEquals([few.isFull, few.count, text(few)], [false, 0, ""]);
  const long = new ItemWriter(1_000_000, true);
  while (!long.isFull) assertEquals(long.item("\u0001".repeat(255), "20260105", "7"), null);
  assertEquals(long.count < 1000 && long.length < 1_000_000, true);
});
