// The fields of protocol v2 as tables: what each value means, or the sentence about it.

import { assertEquals } from "@std/assert";
import { DAY_MAX } from "../../../../lib/command/request.ts";
import { Asker, latin1 } from "../../../support/asker.ts";

const asker = new Asker(undefined, 3);

type Row = [value: string, answer: string];

/** Asks an operation with one member more, for each of its values; `null` for the member left out. */
function check(op: string, rest: string, member: string, rows: Row[], begin = ""): void {
  for (const [value, answer] of rows) {
    const more = value === "" ? "" : `,"${member}":${value}`;
    const line = `{"v":2,"op":"${op}"${rest}${more}}`;
    const expected = /^(validation|internal|invalid)_/.test(answer) ? answer : begin + answer;
    assertEquals(asker.ask(line), expected, line);
  }
}

const bad = (sentence: string) => `validation_error ${sentence}`;
const WHOLE = "must be an integer from 0 to 18446744073709551615";
const BEYOND = "invalid_json Invalid JSON: a number is too large";

/** What no field takes for a number, whatever else it may be. */
const noNumbers = (name: string): Row[] => [
  ...["null", "true", "false", "[]", "[1]", "{}", "1.0", "1e3", "-0.0", "-1.5"].map(
    (value): Row => [value, bad(`Field ${name} ${WHOLE}`)],
  ),
  ["-1", bad(`Field ${name} must be greater than or equal to 0`)],
  ["-18446744073709551615", bad(`Field ${name} must be greater than or equal to 0`)],
  ["18446744073709551616", BEYOND],
  ["-18446744073709551616", BEYOND],
  ["1e400", BEYOND],
];

/** Unsigned 64-bit numbers, as integers or as their digits. */
const numbers = (name: string): Row[] => [
  ...noNumbers(name),
  ["0", "0"],
  ["-0", "0"],
  ["4294967296", "4294967296"],
  ["9007199254740993", "9007199254740993"],
  ["9223372036854775808", "9223372036854775808"],
  ["18446744073709551615", "18446744073709551615"],
  ['"0"', "0"],
  ['"7"', "7"],
  ['"18446744073709551615"', "18446744073709551615"],
  ['"00000000000000000042"', "42"],
  ['"\\u0034\\u0032"', "42"],
  ...['""', '" 7"', '"7 "', '"+7"', '"-7"', '"-0"', '"7.0"', '"1e3"', '"a"', '"0x7"', '"٣"'].map(
    (value): Row => [value, bad(`Field ${name} ${WHOLE}`)],
  ),
  ['"18446744073709551616"', bad(`Field ${name} ${WHOLE}`)],
  ['"000000000000000000001"', bad(`Field ${name} ${WHOLE}`)],
  ['"99999999999999999999"', bad(`Field ${name} ${WHOLE}`)],
];

const T = ',"tree":"t"';
const NAME = "must be 1 to 255 bytes of UTF-8 without control characters";

Deno.test("fields: the name of a tree, as tree or else as series", () => {
  const rows: [members: string, answer: string][] = [
    ['"tree":"a"', 'create "a"'],
    ['"series":"a"', 'create "a"'],
    ['"tree":"a","series":"b"', 'create "a"'],
    ['"series":"b","tree":"a"', 'create "a"'],
    ['"tree":5,"series":"b"', 'create "b"'],
    ['"tree":null,"series":"b"', 'create "b"'],
    ['"tree":"a","tree":null,"series":"b"', 'create "b"'],
    ['"tree":"a\\u0000\\n"', 'create "a\\u0000\\n"'],
    ['"tree":"день"', `create ${JSON.stringify(latin1(new TextEncoder().encode("день")))}`],
    ['"x":1', bad("Field tree or series is required")],
    ['"tree":null', bad("Field tree or series is required")],
    ['"tree":1,"series":{}', bad("Field tree or series is required")],
    ['"tree":""', bad("Field tree_name is required")],
    ['"series":""', bad("Field tree_name is required")],
    ['"tree":"","series":"b"', bad("Field tree_name is required")],
    ['"tree_name":"a"', bad("Field tree or series is required")],
  ];
  for (const [members, answer] of rows) {
    assertEquals(asker.ask(`{"v":2,"op":"tree.create",${members}}`), answer, members);
  }
});

Deno.test("fields: key", () => {
  const isDecimal = (value: string) => /^"(0|[1-9]\d*|\\u0034\\u0032)"$/.test(value);
  const rows = numbers("key").map(([value, answer]): Row => {
    const isNumber = !value.startsWith('"') ||
      isDecimal(value) && BigInt(JSON.parse(value)) < 1n << 64n;
    if (isNumber) return [value, answer];
    const name = latin1(new TextEncoder().encode(JSON.parse(value)));
    return [value, name === "" ? bad(`Field key ${NAME}`) : JSON.stringify(name)];
  });
  check("counter.reset", T, "key", rows, 'reset "t" key=');
  check("counter.reset", T, "key", [
    [`"${"x".repeat(255)}"`, JSON.stringify("x".repeat(255))],
    ...[`"${"x".repeat(256)}"`, '"\\u0000"', '"a\\u007f"', '"\\u009f"'].map((value): Row => {
      return [value, bad(`Field key ${NAME}`)];
    }),
  ], 'reset "t" key=');
  check("counter.reset", T, "key", [["", bad("Field key is required")]]);
});

Deno.test("fields: value", () => {
  const rows = numbers("value").map(([value, answer]): Row => {
    return [value, answer === "0" ? bad("Field value must be greater than 0") : answer];
  });
  check("counter.increment", `${T},"key":1`, "value", rows, 'increment "t" key=1 day=0 value=');
  check("counter.decrement", `${T},"key":1`, "value", [["", 'decrement "t" key=1 day=0 value=1']]);
});

/** Days, as integers or texts. */
const days = (name: string): Row[] => [
  ...noNumbers(name),
  ["20260101", "20260101"],
  ["20240229", "20240229"],
  ["20000229", "20000229"],
  ["99991231", "99991231"],
  ["10000101", "10000101"],
  ['"20260101"', "20260101"],
  ['"2026-01-01"', "20260101"],
  ['"2024-02-29"', "20240229"],
  ['"\\u0032026-12-31"', "20261231"],
  // The original took dashes out wherever they were.
  ['"2026-0101"', "20260101"],
  ['"2-0-2-6-0-1-0-1-"', "20260101"],
  ...["0", "-0", "1", "7", "20260230", "20260229", "21000229", "20250431", "20260001", "20261301"]
    .map((value): Row => [value, bad("Invalid bucket date")]),
  ...["20260100", "20260132", "99999999", "9991231", "100000101", "120260101", "4294967295"]
    .map((value): Row => [value, bad("Invalid bucket date")]),
  // Those whose low 32 bits are a day.
  [String(2n ** 32n + 20260101n), bad("Invalid bucket date")],
  [String(2n ** 63n + 20260101n), bad("Invalid bucket date")],
  ['"18446744073709551616"', bad("Invalid bucket date")],
  [`"${"9".repeat(400)}"`, bad("Invalid bucket date")],
  ...[
    '"2026-02-30"',
    '"020260101"',
    '"0002026-01-01"',
    '"2026-1-1"',
    '"0"',
    '"2026010"',
    '"202601011"',
    '"12026-01-01"',
  ].map(
    (value): Row => [value, bad("Invalid bucket date")],
  ),
  ...['"-1"', '"-"', '"--"', '"-2026-01-01"'].map(
    (value): Row => [value, bad(`Field ${name} must be greater than or equal to 0`)],
  ),
  ...['""', '"today"', '" 20260101"', '"2026/01/01"', '"2026-01-01T00:00:00Z"', '"2026.0"'].map(
    (value): Row => [value, bad(`Field ${name} must be a bucket date`)],
  ),
];

Deno.test("fields: the day of a change, as date or else as bucket", () => {
  const begin = 'decrement "t" key=1 value=1';
  const rows = (name: string) =>
    days(name).map(([value, answer]): Row => {
      return [value, /^\d/.test(answer) ? begin.replace(" value", ` day=${answer} value`) : answer];
    });
  check("counter.decrement", `${T},"key":1`, "date", rows("date"));
  check("counter.decrement", `${T},"key":1`, "bucket", rows("bucket"));
  const both: Row[] = [
    ["20260102", begin.replace(" value", " day=20260102 value")],
    ["null", bad(`Field date ${WHOLE}`)], // null is not as good as nothing
    ["7", bad("Invalid bucket date")],
  ];
  check("counter.decrement", `${T},"key":1,"bucket":20260101`, "date", both);
});

const REVERSED = bad("Bucket range start must be less than or equal to range end");

/** A range in which one end has each of its values. */
const inRange = (end: "from" | "to", name: string): Row[] => {
  return days(name).map(([value, answer]): Row => {
    const isDay = /^\d/.test(answer);
    // What is a day is asked with itself at the other end.
    const other = isDay ? answer : end === "from" ? "99991231" : "10000101";
    const range = end === "from"
      ? `"from":${value},"to":${other}`
      : `"from":${other},"to":${value}`;
    return [`{${range}}`, isDay ? `${answer}-${answer} "t"` : answer];
  });
};

/** The answers for ranges: a number that is no day may also lie on the wrong side of the other end. */
const ordered = (rows: Row[]) =>
  rows.map(([value, answer]): Row => {
    const [from, to] = (value.match(/[\d-]+/g) ?? []).map((text) =>
      Number(text.replaceAll("-", ""))
    );
    const isReversed = answer === bad("Invalid bucket date") && from > to;
    return [value, isReversed ? REVERSED : answer];
  });

Deno.test("fields: the ends of a range are days", () => {
  check("tree.series", T, "range", ordered(inRange("from", "range.from")), "findAll ");
  check("tree.series", T, "range", ordered(inRange("to", "range.to")), "findAll ");
});

const RANGES: Row[] = [
  ['{"from":20260101,"to":20260131}', "20260101-20260131"],
  ['{"to":20260131,"x":[{"to":1}],"from":20260101}', "20260101-20260131"],
  ['{"from":1,"from":20260101,"to":-1,"to":20260131}', "20260101-20260131"],
  ['{"\\u0066rom":"2026-01-01","to":"2026-01-31"}', "20260101-20260131"],
  // 366 days of a leap year, and one day more, from either side; and no more.
  ['{"from":20240101,"to":20241231}', "20240101-20241231"],
  ['{"from":20240101,"to":20250101}', "20240101-20250101"],
  ['{"from":20230101,"to":20240102}', "20230101-20240102"],
  ['{"from":20230301,"to":20240301}', "20230301-20240301"],
  ['{"from":20240101,"to":20250102}', bad("Range exceeds max days")],
  ['{"from":20230101,"to":20240103}', bad("Range exceeds max days")],
  ['{"from":10000101,"to":99991231}', bad("Range exceeds max days")],
  ["{}", bad("Field range.from is required")],
  ['{"to":20260101}', bad("Field range.from is required")],
  ['{"From":20260101,"to":20260101}', bad("Field range.from is required")],
  ['{"from":20260101}', bad("Field range.to is required")],
  [
    '{"from":20260102,"to":20260101}',
    REVERSED,
  ],
  [
    '{"from":20260230,"to":20260101}',
    REVERSED,
  ],
  ['{"from":20260101,"to":20260230}', bad("Invalid bucket date")],
  ['{"from":0,"to":0}', bad("Invalid bucket date")],
  ['{"from":-1,"to":"a"}', bad("Field range.from must be greater than or equal to 0")],
  ['{"from":20260230,"to":"a"}', bad("Field range.to must be a bucket date")],
  ...["null", "1", '"20260101"', "[]", "[20260101,20260102]", "true"].map(
    (value): Row => [value, bad("Field range must be an object")],
  ),
];

Deno.test("fields: a range, where there must be one and where there may be", () => {
  const after = (text: string) =>
    RANGES.map(([value, answer]): Row => [value, /^\d/.test(answer) ? answer + text : answer]);
  check("counter.series", `${T},"key":9`, "range", after(' "t" key=9'), "find ");
  check("counter.sum", `${T},"key":9`, "range", after(' "t" key=9'), "sum ");
  check("counter.series", `${T},"key":9`, "range", [["", bad("Field range is required")]]);
  check("counter.sum", `${T},"key":9`, "range", [["", 'sum "t" key=9']]);
  assertEquals([asker.request.hasRange, asker.request.dayFrom, asker.request.dayTo], [
    ...[false, 0, DAY_MAX],
  ]);
});

Deno.test("fields: an escape in a range is read once, whatever lies behind it", () => {
  const line = '{"v":2,"range":{"fr\\u006fm":"2026\\u002d01-01","x":"\\"\\\\","to":20260102},' +
    '"op":"counter.series","key":"\\u0037","tree":"\\u0074"}';
  assertEquals(asker.ask(line), 'find 20260101-20260102 "t" key=7');
});

const LIMITS: [op: string, rest: string, begin: string, fallback: number, max: number][] = [
  ["tree.keys", T, 'treeKeys "t" limit=', 1000, 10000],
  ["tree.top", T, 'treeTop "t" limit=', 100, 1000],
  [
    "snapshot.fetch_chunk",
    ',"file":"1_t.tree"',
    'fetchChunk "1_t.tree" offset=0 limit=',
    262144,
    524288,
  ],
  ["idempotency.prune", ',"before":5', "prune time=5 limit=", 0, 100000],
];

Deno.test("fields: limits, each with its own default and maximum", () => {
  for (const [op, rest, begin, fallback, max] of LIMITS) {
    const few = bad("Field limit must be greater than 0");
    check(op, rest, "limit", [
      ["", `${fallback}`],
      ["1", "1"],
      [`${max}`, `${max}`],
      [`${max + 1}`, bad("Field limit exceeds max size")],
      ["2147483647", bad("Field limit exceeds max size")],
      ["2147483648", "internal_error Arithmetic overflow"],
      ["18446744073709551615", "internal_error Arithmetic overflow"],
      ["18446744073709551616", BEYOND],
      ["0", few],
      ["-0", few],
      ["-1", few],
      ["-2147483648", few],
      ["-2147483649", "internal_error Arithmetic overflow"],
      ...["null", '"5"', "1.0", "true", "[]", "{}"].map(
        (value): Row => [value, bad("Field limit must be an integer")],
      ),
    ], begin);
  }
});

Deno.test("fields: cursor, which may be null, and is told apart from none", () => {
  const rows: Row[] = [...numbers("cursor").filter(([value]) => value !== "null"), [
    "null",
    "null",
  ]];
  for (const [op, id] of [["tree.keys", "treeKeys"], ["tree.top", "treeTop"]]) {
    const limit = op === "tree.keys" ? 1000 : 100;
    check(op, T, "cursor", rows, `${id} "t" limit=${limit} cursor=`);
    check(op, T, "cursor", [["", `${limit}`]], `${id} "t" limit=`);
  }
  check("tree.summary", T, "cursor", rows, 'treeSummary "t" cursor=');
});

const BEFORE: Row[] = [
  ...noNumbers("before"),
  ["20260101", "20260100"],
  // Any number will do: any was once stored.
  ["0", "-1"],
  ["-0", "-1"],
  ["1", "0"],
  ["20260230", "20260229"],
  ["4294967295", "4294967294"],
  ["4294967296", `${DAY_MAX}`],
  ["18446744073709551615", `${DAY_MAX}`],
  ['"20260101"', "20260100"],
  ['"2026-01-01"', "20260100"],
  ['"7"', "6"],
  ['"4294967295"', "4294967294"],
  ['"0000020260101"', "20260100"],
  ['"18446744073709551615"', `${DAY_MAX}`],
  ['""', bad("Field before must be a bucket date")],
  ['"soon"', bad("Field before must be a bucket date")],
  ['"-5"', bad("Field before must be greater than or equal to 0")],
];

Deno.test("fields: the first day to keep, as before or else as date", () => {
  check("series.delete_before", T, "before", BEFORE, 'deleteBefore "t" to=');
  const rows = BEFORE.map(([value, answer]): Row => [value, answer.replace("before", "date")]);
  check("tree.delete_before", T, "date", rows, 'deleteBefore "t" to=');
  check("tree.delete_before", T, "before", [["", bad("Field before is required")]]);
  check("tree.delete_before", `${T},"date":5`, "before", [
    ["7", 'deleteBefore "t" to=6'],
    ["null", bad(`Field before ${WHOLE}`)],
  ]);
});

Deno.test("fields: the name of a dump's file", () => {
  const path = bad("Field file must be a snapshot basename");
  check("snapshot.load", "", "file", [
    ['"1700000000_t.tree"', 'load "1700000000_t.tree"'],
    ['"1_a\\u002eb_c.tree"', 'load "1_a.b_c.tree"'],
    ['".tree"', 'load ".tree"'],
    ["", bad("Field file is required")],
    ...["null", "5", "[]", "true"].map((value): Row => [value, bad("Field file is required")]),
    ['""', bad("Field file must not be empty")],
    ...['"/1_t.tree"', '"../1_t.tree"', '"a/"', '"\\u002f1_t.tree"', '"1_\\u0000.tree"'].map(
      (value): Row => [value, path],
    ),
    ...['"1_t"', '"1_t.TREE"', '"1_t.tree.json"', '"tree"', '"1_t.tree "'].map(
      (value): Row => [value, bad("Field file must end with .tree")],
    ),
    [`"${"x".repeat(5000)}.tree"`, bad("Field file must name a dump file")],
  ]);
  const text = '{"v":2,"op":"snapshot.load","file":"?_t.tree"}';
  const bytes = new TextEncoder().encode(text);
  bytes[text.indexOf("?")] = 0xff;
  assertEquals(asker.ask(bytes), path, "what is no UTF-8 is no file of ours");
});
