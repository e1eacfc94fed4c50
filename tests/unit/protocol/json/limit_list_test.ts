// Lists of limits, read: what each limit says, however it is written, also when it is remembered.

import { lineOf } from "../../../../lib/bytes/line.ts";
import { assertEquals } from "@std/assert";
import { u64ToBigInt } from "../../../../lib/bytes/u64.ts";
import type { Limit } from "../../../../lib/command/limits.ts";
import { LimitList } from "../../../../lib/protocol/json/limit_list.ts";
import { MEMBER } from "../../../../lib/protocol/json/members.ts";
import { RequestLine } from "../../../../lib/protocol/json/request_line.ts";
import { Value } from "../../../../lib/protocol/json/value.ts";
import { faultOf } from "../../../support/codec.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Reads the list of a line. */
function read(list: string): { fault: string | null; read: LimitList } {
  const bytes = encoder.encode(`{"limits":${list}}`);
  const requestLine = new RequestLine();
  assertEquals(requestLine.scan(lineOf(bytes)), true, faultOf(requestLine));
  const limits = new LimitList();
  return { fault: limits.read(new Value().of(requestLine, MEMBER.limits, bytes)), read: limits };
}

function said({ name, window, max, cost, key }: Limit): unknown[] {
  const number = (lanes: readonly [number, number] | null) => lanes && u64ToBigInt(...lanes);
  return [decoder.decode(name), window, number(max), number(cost), number(key)];
}

Deno.test("limit list: each limit, with what it has of its own", () => {
  const { fault, read: list } = read(`[
    {"series":"api","max":1000,"window":"day"},
    { "window" : {"days":30} , "key":18446744073709551615, "cost":"0" , "max":"18446744073709551615",
      "series" : "a \\"b\\" \\u00e9\\ud83d\\ude00" },
    {"tree":"t","series":"s","max":0,"window":{"month_from":31}},
    {"series":"s","window":"total","max":4294967296,"window":"year"}
  ]`);
  assertEquals([fault, list.valueError], [null, null]);
  assertEquals(list.set.limits.map(said), [
    ["api", { kind: "day" }, 1000n, null, null],
    ['a "b" é😀', { kind: "days", days: 30 }, (1n << 64n) - 1n, 0n, (1n << 64n) - 1n],
    ["t", { kind: "monthFrom", day: 31 }, 0n, null, null],
    ["s", { kind: "year" }, 1n << 32n, null, null],
  ]);
});

Deno.test("limit list: sixteen limits are read, and of more it is told that they are too many", () => {
  const list = (count: number) =>
    `[${Array.from({ length: count }, (_, n) => `{"series":"s${n}","max":${n},"window":"week"}`)}]`;
  const full = read(list(16));
  assertEquals([full.fault, full.read.valueError, full.read.set.limits.length], [null, null, 16]);
  const over = read(list(17));
  assertEquals([over.fault, over.read.valueError], [null, "Field limits exceeds max size"]);
  assertEquals(over.read.set.limits.length, 16);
  const none = read("[]");
  assertEquals([none.fault, none.read.valueError], [null, "Field limits must not be empty"]);
  // A list goes on where the one before ended.
  const again = new LimitList();
  const bytes = encoder.encode(`{"limits":[]}`);
  const requestLine = new RequestLine();
  requestLine.scan(lineOf(bytes));
  again.read(new Value().of(requestLine, MEMBER.limits, bytes));
  assertEquals(again.valueError, "Field limits must not be empty");
  const good = encoder.encode(`{"limits":${list(1)}}`);
  requestLine.scan(lineOf(good));
  assertEquals(again.read(new Value().of(requestLine, MEMBER.limits, good)), null);
  assertEquals([again.valueError, again.set.limits.length], [null, 1]);
});

Deno.test("limit list: the first fault of a limit is told, and only when its series is known", () => {
  const FAULTS: [limit: string, fault: string][] = [
    ['{"max":-1,"window":"x"}', "Field limits[].series is required"],
    [
      '{"series":"s","max":-1,"window":"x"}',
      "Field limits[].max must be greater than or equal to 0",
    ],
    [
      '{"max":-1,"window":"day","series":"s"}',
      "Field limits[].max must be greater than or equal to 0",
    ],
    ['{"series":"s"}', "Field limits[].max is required"],
    ['{"series":"s","max":1}', "Field limits[].window is required"],
    ['{"series":"s","max":1,"window":{"days":0}}', "Field limits[].window.days must be 1 to 36525"],
  ];
  const good = '{"series":"s","max":1,"window":"day"}';
  for (const [limit, fault] of FAULTS) {
    assertEquals(read(`[${limit}]`).fault, fault);
    assertEquals(read(`[${good},${limit},7]`).fault, fault, "behind a good one");
  }
});

Deno.test("limit list: what may be carried over, and where", () => {
  const carried = (carry: string, window = '"month"') => {
    const { fault, read: list } = read(
      `[{"series":"s","max":5,"window":${window},"carry":${carry}}]`,
    );
    const [limit] = list.set.limits;
    return fault ?? list.valueError ?? (limit.carry === null ? null : u64ToBigInt(...limit.carry));
  };
  assertEquals(carried('{"max":500}'), 500n);
  assertEquals(
    carried('{"note":[],"max":"18446744073709551615"}', '{"week_from":"sunday"}'),
    (1n << 64n) - 1n,
  );
  assertEquals(carried('{"max":0}', '{"days":7,"anchor":20260105}'), 0n);
  const FORM = 'Field limits[].carry must be {"max":N}';
  for (const text of ["5", "null", "[1]", '"500"', "true"]) assertEquals(carried(text), FORM, text);
  assertEquals(carried("{}"), "Field limits[].carry.max is required");
  assertEquals(
    carried('{"max":1.5}'),
    "Field limits[].carry.max must be an integer from 0 to 18446744073709551615",
  );
  assertEquals(
    carried('{"max":-1}'),
    "Field limits[].carry.max must be greater than or equal to 0",
  );
  for (const window of ['"total"', '{"days":30}']) {
    assertEquals(
      carried('{"max":5}', window),
      "Field limits[].carry needs a window of the calendar",
    );
  }
});
