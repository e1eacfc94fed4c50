// One value, from a line's members or from within a list.

import { lineOf } from "../../../../lib/bytes/line.ts";
import { assertEquals } from "@std/assert";
import { JsonScanner } from "../../../../lib/bytes/json_scanner.ts";
import { u64ToBigInt } from "../../../../lib/bytes/u64.ts";
import { MEMBER } from "../../../../lib/protocol/json/members.ts";
import { RequestLine } from "../../../../lib/protocol/json/request_line.ts";
import { NOT_A_DATE, Value } from "../../../../lib/protocol/json/value.ts";

const encoder = new TextEncoder();

/** The value both ways: as a member, and as the element of an array. */
function* both(text: string): Generator<Value> {
  const line = encoder.encode(`{"key":${text}}`);
  const requestLine = new RequestLine();
  assertEquals(requestLine.scan(lineOf(line)), true, text);
  yield new Value().of(requestLine, MEMBER.key, line);
  const list = encoder.encode(`[${text}]`);
  const scanner = new JsonScanner();
  scanner.open(list, 0, list.length);
  scanner.openArray();
  assertEquals(scanner.element(true), 1);
  yield new Value().next(scanner);
}

const NOT_WHOLE = "Field n must be an integer from 0 to 18446744073709551615";
const NEGATIVE = "Field n must be greater than or equal to 0";

const NUMBERS: [text: string, number: bigint | string, integer: bigint | string][] = [
  ["0", 0n, 0n],
  ["-0", 0n, 0n],
  ["18446744073709551615", 18446744073709551615n, 18446744073709551615n],
  ["18446744073709551616", NOT_WHOLE, NOT_WHOLE],
  ["-1", NEGATIVE, NEGATIVE],
  ["-18446744073709551615", NEGATIVE, NEGATIVE],
  ['"12"', 12n, NOT_WHOLE],
  ['"x"', NOT_WHOLE, NOT_WHOLE],
  ["1.5", NOT_WHOLE, NOT_WHOLE],
  ["null", NOT_WHOLE, NOT_WHOLE],
  ["[1]", NOT_WHOLE, NOT_WHOLE],
];

Deno.test("value: numbers, and integers", () => {
  for (const [text, number, integer] of NUMBERS) {
    for (const value of both(text)) {
      const lanes = () => u64ToBigInt(value.lanes[0], value.lanes[1]);
      assertEquals(value.integer("n") ?? lanes(), integer, text);
      assertEquals(value.number("n") ?? lanes(), number, text);
    }
  }
});

const DAYS: [text: string, fault: string | null, day?: number][] = [
  ["20260131", null, 20260131],
  ['"2026-01-31"', null, 20260131],
  ["7", NOT_A_DATE, 7],
  ['"7"', NOT_A_DATE, 7],
  ["4294967295", NOT_A_DATE, 4294967295],
  ['"020260131"', NOT_A_DATE, 20260131],
  // What is beyond days is beyond all of them, whoever goes on to compare it.
  ["4294967296", NOT_A_DATE, 4294967296],
  ["18446744073709551615", NOT_A_DATE, 4294967296],
  ['"4294967296"', NOT_A_DATE, 4294967296],
  [`"${"9".repeat(1000)}"`, NOT_A_DATE, 4294967296],
  ['"x"', "Field n must be a bucket date"],
  ["-7", NEGATIVE],
  ["null", NOT_WHOLE],
];

Deno.test("value: days, and numbers that are none", () => {
  for (const [text, fault, day] of DAYS) {
    for (const value of both(text)) {
      const told = value.date("n") ?? (value.isDate ? null : NOT_A_DATE);
      assertEquals(told, fault, text);
      if (day !== undefined) assertEquals(value.day, day, text);
    }
  }
});

Deno.test("value: texts", () => {
  const rows: [text: string, expected: string | null][] = [
    ['""', ""],
    ['"д\\u0430\\n"', "да\n"],
    ['"\\ufeffa"', "\ufeffa"],
    ["5", null],
    ["null", null],
    ["[]", null],
  ];
  for (const [text, expected] of rows) {
    for (const value of both(text)) {
      assertEquals(value.text(), expected, text);
      assertEquals(value.isText, expected !== null, text);
    }
  }
  const [value] = both('"ab"');
  value.bytes[value.start] = 0xc3; // without its second byte
  assertEquals(value.text(), null);
});
