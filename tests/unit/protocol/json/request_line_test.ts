// The members of a request: where each one's value is, of what kind, and what is no request at all.

import { lineOf } from "../../../../lib/bytes/line.ts";
import { assert, assertEquals } from "@std/assert";
import {
  ABSENT,
  ARRAY,
  FALSE,
  FRACTION,
  INTEGER,
  type Kind,
  LARGE,
  NEGATIVE,
  NULL,
  OBJECT,
  STRING,
  TRUE,
} from "../../../../lib/bytes/json_scanner.ts";
import { u64ToBigInt } from "../../../../lib/bytes/u64.ts";
import { MEMBER } from "../../../../lib/protocol/json/members.ts";
import { RequestLine } from "../../../../lib/protocol/json/request_line.ts";
import { faultOf } from "../../../support/codec.ts";

const NAMES = ["command", "tree_name", "key", "time_from", "time_to"];

const requestLine = new RequestLine(); // one for all, as a connection has

/** Scans a line that lies between other bytes; the members by their names, or the fault. */
function scan(line: string): Record<string, unknown> | string {
  const bytes = new TextEncoder().encode(`{{{${line}}}}`);
  if (!requestLine.scan(lineOf(bytes, 3, bytes.length - 3))) return faultOf(requestLine);
  const found: Record<string, unknown> = {};
  NAMES.forEach((name, member) => {
    const kind = requestLine.kinds[member];
    if (kind === ABSENT) return;
    const [lo, hi] = requestLine.lanes.subarray(2 * member);
    const span = bytes.subarray(requestLine.starts[member], requestLine.ends[member]);
    if (kind === INTEGER) found[name] = u64ToBigInt(lo, hi);
    else if (kind === STRING) found[name] = new TextDecoder().decode(span);
    else found[name] = { kind };
  });
  return found;
}

const LINES: [line: string, members: Record<string, unknown>][] = [
  ["{}", {}],
  [" { } \r", {}],
  ['{"command":"ping"}', { command: "ping" }],
  [
    '{"time_to":4,"time_from":3,"key":2,"tree_name":"t","command":"c"}',
    { command: "c", tree_name: "t", key: 2n, time_from: 3n, time_to: 4n },
  ],
  ['{"key":18446744073709551615,"time_from":0}', { key: 18446744073709551615n, time_from: 0n }],
  ['{"tree_name":"день \\u0000\\"\\ud83d\\ude00","command":""}', {
    tree_name: 'день \0"😀',
    command: "",
  }],
  // Names are compared after their escapes, and with their case.
  ['{"\\u006bey":1,"tree\\u005fname":"t"}', { key: 1n, tree_name: "t" }],
  ['{"Key":1,"KEY":1,"key ":1," key":1,"ke":1,"":1,"k\\u0065y2":1}', {}],
  // What is unknown is passed over.
  ['{"x":{"key":1,"y":[{"command":"no"}]},"key":7,"z":"\\"key\\":5"}', { key: 7n }],
  // The last one counts, whatever kinds there were.
  ['{"key":1,"key":"a","key":2}', { key: 2n }],
  ['{"key":1,"key":null}', { key: { kind: NULL } }],
  ['{"key":"a","key":3,"\\u006bey":4}', { key: 4n }],
  ['{"tree_name":"long name","tree_name":"s"}', { tree_name: "s" }],
];

Deno.test("members: every known member of a line, and only those", () => {
  for (const [line, expected] of LINES) assertEquals(scan(line), expected, line);
});

const KINDS: [value: string, kind: Kind][] = [
  ["null", NULL],
  ["false", FALSE],
  ["true", TRUE],
  ["-1", NEGATIVE],
  ["-0", NEGATIVE],
  ["18446744073709551616", LARGE],
  ["1.0", FRACTION],
  ["1e3", FRACTION],
  ["[1]", ARRAY],
  ["{}", OBJECT],
];

Deno.test("members: values of other kinds are told apart, for each member", () => {
  for (const name of NAMES) {
    for (const [value, kind] of KINDS) {
      assertEquals(scan(`{"${name}":${value}}`), { [name]: { kind } });
    }
  }
});

Deno.test("members: seen has the kinds of all members of a name", () => {
  scan('{"key":1,"key":"a","key":null,"command":"c","key":2,"x":true}');
  assertEquals([...requestLine.seen.subarray(0, 5)], [
    1 << STRING,
    0,
    1 << INTEGER | 1 << STRING | 1 << NULL,
    0,
    0,
  ]);
  scan("{}");
  assertEquals(
    requestLine.seen.filter((kinds) => kinds > 0).length,
    0,
    "nothing is left of the line before",
  );
});

const OTHER = "Request must be a JSON object";

const REFUSED: [fault: string, ...lines: string[]][] = [
  [OTHER, "1", " null ", "true", '"command"', "[]", '[{"command":"ping"}]', "-1.5e3"],
  ["Invalid JSON: unexpected end at byte 1", ""],
  ["Invalid JSON: unexpected end at byte 3", "  ", "\t\r", " {", "[1", '"a'],
  ["Invalid JSON: unexpected character at byte 1", "ping", "}", "\ufeff{}", "'a'"],
  ["Invalid JSON: unexpected character at byte 3", "{}{}", "{}x", "1 2", "[]]", "{}}", '""""'],
  ["Invalid JSON: unexpected character at byte 8", '{"key":}', '{"key":x}', '{"key":,'],
  ["Invalid JSON: unexpected character at byte 9", '{"key":1]', '{"key":01}', '{"key":1"a":2}'],
  ["Invalid JSON: unexpected end at byte 9", '{"key":1'],
  ["Invalid JSON: control character in a string at byte 3", '{"\t":1}'],
  ["Invalid JSON: unknown escape at byte 4", '{"\\x":1}'],
  ["Invalid JSON: half of a surrogate pair at byte 3", '{"\\ud800":1}'],
  ["Invalid JSON: nesting deeper than 512 at byte 513", "[".repeat(600)],
  ["Invalid JSON: nesting deeper than 512 at byte 517", `{"a":${"[".repeat(600)}`],
];

Deno.test("members: what is not one JSON object is refused, with the byte counted from 1", () => {
  for (const [fault, ...lines] of REFUSED) {
    for (const line of lines) assertEquals(scan(line), fault, line);
  }
});

Deno.test("members: nameOf tells the name of each member", () => {
  assertEquals(NAMES.map((_, member) => RequestLine.nameOf(member)), NAMES);
});

Deno.test("members: every member has a place of its own, and is found there", () => {
  const names = Object.keys(MEMBER) as (keyof typeof MEMBER)[];
  assertEquals(names.map((name) => MEMBER[name]), [...names.keys()]);
  for (const name of names) {
    scan(`{"other":1,"${name}":7,"x${name}":8}`);
    assertEquals(names.filter((other) => requestLine.has(MEMBER[other])), [name]);
    assertEquals(requestLine.lanes[2 * MEMBER[name]], 7);
  }
  scan("{}");
  assertEquals(names.filter((name) => requestLine.has(MEMBER[name])), []);
});

Deno.test("members: what was read before a fault is there", () => {
  scan('{"op":1,"v":2,"key":');
  assert(requestLine.has(MEMBER.op) && requestLine.has(MEMBER.v) && !requestLine.has(MEMBER.key));
});

Deno.test("members: a number that is too large anywhere in the line", () => {
  const rows: [line: string, isBeyond: boolean][] = [
    ['{"x":18446744073709551616}', true],
    ['{"x":18446744073709551615}', false],
    ['{"x":[[{"y":-18446744073709551616}]]}', true],
    ['{"x":-18446744073709551615}', false],
    ['{"key":1e309,"key":1}', true],
    ['{"key":1e308}', false],
    [`{"x":${"9".repeat(310)}.0}`, true],
    [`{"x":"${"9".repeat(310)}"}`, false],
    ["{}", false],
  ];
  for (const [line, isBeyond] of rows) {
    scan(line);
    assertEquals(requestLine.isBeyond, isBeyond, line);
  }
});
