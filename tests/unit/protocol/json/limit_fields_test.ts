// Requests about limits: everything that can be wrong with one, by its sentence and code, and that
// what is refused changes nothing.

import { assertEquals, assertMatch } from "@std/assert";
import { World } from "../../../fuzz/limits_world.ts";

const NOW = Date.UTC(2026, 10, 23, 12);

async function started(): Promise<World> {
  const world = new World("UTC", NOW, 0);
  await world.start();
  return world;
}

const ONE = '{"series":"s","max":5,"window":"day"}';
const LIMITS = `"limits":[${ONE}]`;
const limitWith = (members: string) => `"key":1,"limits":[{${members}}]`;
const windowOf = (window: string) => limitWith(`"series":"s","max":5,"window":${window}`);
const many = (count: number) => `"limits":[${Array.from({ length: count }, () => ONE)}]`;
const U64 = "must be an integer from 0 to 18446744073709551615";
const NEGATIVE = "must be greater than or equal to 0";
const WINDOW =
  'Field limits[].window must be "minute", "hour", "day", "week", "month", "year", "total", ' +
  '{"seconds":N}, {"minutes":N}, {"hours":N}, {"days":N}, one of these with "from":"first_use", ' +
  '{"days":N,"anchor":DAY}, {"week_from":WEEKDAY}, {"month_from":DAY}, {"year_from":"MM-DD"} or ' +
  '{"refill":N,"per_seconds":N,"burst":N}';
const WEEKDAY = "Field limits[].window.week_from must be monday, tuesday, wednesday, thursday, " +
  "friday, saturday, sunday";
const YEAR_FROM = 'Field limits[].window.year_from must be "MM-DD"';
const COSTS = "Field limits[].cost must be one for each series and key";
const ONE_COST = "Field limits[].cost must be one for all limits in mode saturate";
const MODE = "Field mode must be reject, saturate or force";

// What is wrong with both consume and check.
const BOTH: [members: string, sentence: string][] = [
  // Limits.
  ['"key":1', "Field limits is required"],
  ['"key":1,"limits":null', "Field limits must be an array"],
  ['"key":1,"limits":{}', "Field limits must be an array"],
  ['"key":1,"limits":"[]"', "Field limits must be an array"],
  ['"key":1,"limits":[]', "Field limits must not be empty"],
  [`"key":1,${many(17)}`, "Field limits exceeds max size"],
  ['"key":1,"limits":[1]', "Field limits[] must be an object"],
  [`"key":1,"limits":[${ONE},[]]`, "Field limits[] must be an object"],
  [limitWith(""), "Field limits[].series is required"],
  [limitWith('"max":5,"window":"day"'), "Field limits[].series is required"],
  [limitWith('"series":7,"max":5,"window":"day"'), "Field limits[].series is required"],
  [limitWith('"series":null,"max":5,"window":"day"'), "Field limits[].series is required"],
  // A maximum.
  [limitWith('"series":"s","window":"day"'), "Field limits[].max is required"],
  [limitWith('"series":"s","max":null,"window":"day"'), `Field limits[].max ${U64}`],
  [limitWith('"series":"s","max":-1,"window":"day"'), `Field limits[].max ${NEGATIVE}`],
  [limitWith('"series":"s","max":1.5,"window":"day"'), `Field limits[].max ${U64}`],
  [limitWith('"series":"s","max":"many","window":"day"'), `Field limits[].max ${U64}`],
  [
    limitWith('"series":"s","max":"18446744073709551616","window":"day"'),
    `Field limits[].max ${U64}`,
  ],
  // A window.
  [limitWith('"series":"s","max":5'), "Field limits[].window is required"],
  ...[
    '"second"',
    '"Day"',
    '""',
    "null",
    "30",
    "[]",
    "{}",
    '{"hour":3}',
    '{"hours":3,"from":"now"}',
    '{"from":"first_use"}',
    '{"hours":1,"minutes":3}',
    '{"refill":1,"burst":1}',
    '{"days":"7"}',
    '{"days":null}',
    '{"days":7.5}',
    '{"days":-7}',
    '{"days":4294967297}',
    '{"days":7,"month_from":15}',
    '{"days":7,"days":7}',
    '{"anchor":"2026-01-05"}',
    '{"month_from":7,"anchor":"2026-01-05"}',
    '{"week_from":"sunday","month_from":7}',
    '{"week_from":"sunday","week_from":"sunday"}',
  ].map((window): [string, string] => [windowOf(window), WINDOW]),
  [windowOf('{"days":0}'), "Field limits[].window.days must be 1 to 36525"],
  [windowOf('{"days":36526}'), "Field limits[].window.days must be 1 to 36525"],
  [windowOf('{"month_from":0}'), "Field limits[].window.month_from must be 1 to 31"],
  [windowOf('{"month_from":32}'), "Field limits[].window.month_from must be 1 to 31"],
  ...["1", "null", '"Sunday"', '"sun"', '""', "[]"].map((day): [string, string] => {
    return [windowOf(`{"week_from":${day}}`), WEEKDAY];
  }),
  ...["406", "null", '"4-6"', '"04-31"', '"02-30"', '"13-01"', '"00-10"', '"2026-04-06"'].map(
    (date): [string, string] => [windowOf(`{"year_from":${date}}`), YEAR_FROM],
  ),
  ...['"2026-02-30"', "null", '"x"', "7", "{}"].map((day): [string, string] => {
    return [windowOf(`{"days":7,"anchor":${day}}`), "Field limits[].window.anchor must be a day"];
  }),
  // Keys and costs, the request's and a limit's own.
  [`"key":-1,${LIMITS}`, `Field key ${NEGATIVE}`],
  [`"key":true,${LIMITS}`, `Field key ${U64}`],
  [`"key":"",${LIMITS}`, "Field key must be 1 to 255 bytes of UTF-8 without control characters"],
  [`"key":1,"cost":-1,${LIMITS}`, `Field cost ${NEGATIVE}`],
  [`"key":1,"cost":0.5,${LIMITS}`, `Field cost ${U64}`],
  [`"key":1,"cost":null,${LIMITS}`, `Field cost ${U64}`],
  [limitWith('"series":"s","max":5,"window":"day","key":-1'), `Field limits[].key ${NEGATIVE}`],
  [limitWith('"series":"s","max":5,"window":"day","key":[]'), `Field limits[].key ${U64}`],
  [limitWith('"series":"s","max":5,"window":"day","cost":"1e3"'), `Field limits[].cost ${U64}`],
  // The same series twice with different costs.
  [`"key":1,"limits":[${ONE},{"series":"s","max":5,"window":"month","cost":2}]`, COSTS],
  [`"key":1,"cost":2,"limits":[${ONE},{"series":"s","max":5,"window":"month","cost":1}]`, COSTS],
  [`"key":1,"limits":[${ONE},{"series":"s","max":5,"window":"day","cost":2,"key":1}]`, COSTS],
  [
    `"key":1,"mode":"saturate","limits":[${ONE},{"series":"t","max":5,"window":"day","cost":2}]`,
    ONE_COST,
  ],
  // A mode.
  [`"key":1,"mode":"maybe",${LIMITS}`, MODE],
  [`"key":1,"mode":"",${LIMITS}`, MODE],
  [`"key":1,"mode":1,${LIMITS}`, MODE],
  [`"key":1,${LIMITS},"reply":1`, 'Field reply must be "full" or "brief"'],
  [`"key":1,${LIMITS},"reply":"short"`, 'Field reply must be "full" or "brief"'],
  ...['"x"', "1", "{}", "[true]"].map((notify): [string, string] => [
    limitWith(`"series":"s","max":5,"window":"day","notify":${notify}`),
    "Field limits[].notify must be a list of numbers",
  ]),
  ...["0", "0.0", "1.1", "2", "0.1234567", "1e-1"].map((part): [string, string] => [
    limitWith(`"series":"s","max":5,"window":"day","notify":[0.5,${part}]`),
    "Field limits[].notify has parts above 0, up to 1, of six decimals",
  ]),
  [
    limitWith(`"series":"s","max":5,"window":"day","notify":[${"1,".repeat(8)}1]`),
    "Field limits[].notify has up to 8 parts",
  ],
  // The first that is wrong in the order of fields is told; what only says nothing good comes last.
  [`"key":-1,"cost":-1,"mode":1`, `Field key ${NEGATIVE}`],
  [`"key":1,"cost":-1,"limits":[]`, `Field cost ${NEGATIVE}`],
  [`"key":1,"limits":[],"mode":1`, MODE],
  [`"key":1,"limits":[],"mode":"maybe"`, "Field limits must not be empty"],
];

const CONSUME: [members: string, sentence: string][] = [
  [LIMITS, "Field key is required"],
  [`"limits":[${ONE},{"series":"s","max":5,"window":"day","key":1}]`, "Field key is required"],
  [`"key":1,"receipt":1,${LIMITS}`, "Field receipt must be true or false"],
  [`"key":1,"receipt":"true",${LIMITS}`, "Field receipt must be true or false"],
  [`"key":1,"receipt":null,${LIMITS}`, "Field receipt must be true or false"],
  ...['""', '"\\u0000"', '"tab\\t"', `"${"n".repeat(256)}"`].map((name): [string, string] => [
    limitWith(`"series":${name},"max":5,"window":"day"`),
    "Field limits[].series must be 1 to 255 bytes of UTF-8 without control characters",
  ]),
  [`"key":1,"idempotency_key":"",${LIMITS}`, "Field idempotency_key must not be empty"],
  [`"key":1,"idempotency_key":true,${LIMITS}`, "Field idempotency_key must be a string or integer"],
];

const CHECK: [members: string, sentence: string][] = [
  [LIMITS, "Field key or keys is required"],
  [`"key":1,"keys":[1],${LIMITS}`, "Field key or keys is required, and not both"],
  [`"keys":1,${LIMITS}`, "Field keys must be an array"],
  [`"keys":null,${LIMITS}`, "Field keys must be an array"],
  [`"keys":[1,-1],${LIMITS}`, `Field keys[] ${NEGATIVE}`],
  [`"keys":[true],${LIMITS}`, `Field keys[] ${U64}`],
  [
    `"keys":[${Array.from({ length: 1001 }, (_, n) => n)}],${LIMITS}`,
    "Field keys exceeds max size",
  ],
  // One of the keys is a limit's own.
  [`"keys":[2,1],"limits":[${ONE},{"series":"s","max":5,"window":"day","cost":2,"key":1}]`, COSTS],
];

const REFUND: [members: string, sentence: string][] = [
  ["", "Field receipt is required"],
  [',"receipt":""', "Field receipt is required"],
  [',"receipt":true', "Field receipt is required"],
  [',"receipt":5', "Field receipt is required"],
  [`,"receipt":"${"r".repeat(257)}"`, "Field receipt exceeds max size"],
  [`,"receipt":"r","amount":-1`, `Field amount ${NEGATIVE}`],
  [`,"receipt":"r","amount":null`, `Field amount ${U64}`],
  [`,"receipt":"r","amount":0`, "Field amount must be greater than 0"],
];

function failure(code: string, sentence: string): string {
  const text = JSON.stringify(sentence);
  return `{"protocol_version":2,"success":false,"response":${text},"error_code":"${code}"}\n`;
}

Deno.test("limit fields: everything that is wrong, by its sentence", async () => {
  const world = await started();
  const TABLE = [
    ...BOTH.map(([members, sentence]) => [`limit.consume",${members}`, sentence]),
    ...BOTH.map(([members, sentence]) => [`limit.check",${members}`, sentence]),
    ...CONSUME.map(([members, sentence]) => [`limit.consume",${members}`, sentence]),
    ...CHECK.map(([members, sentence]) => [`limit.check",${members}`, sentence]),
    ...REFUND.map(([members, sentence]) => [`limit.refund"${members}`, sentence]),
  ];
  const { lsn } = world.karma.wal;
  // Twice, since lists that were read are remembered.
  for (const [members, sentence] of [...TABLE, ...TABLE]) {
    const line = `{"v":2,"op":"${members}}`;
    assertEquals(await world.ask(line), failure("validation_error", sentence), line);
  }
  assertEquals(world.karma.wal.lsn, lsn, "nothing was changed");
  assertEquals(world.karma.forest.visible(), []);
});

Deno.test("limit fields: what is not there, or not to be said", async () => {
  const world = await started();
  const consume = `{"v":2,"op":"limit.consume","key":1,${LIMITS}`;
  const TABLE: [line: string, code: string, sentence: string][] = [
    ['{"v":2,"op":"limit.refund","receipt":"r"}', "not_found", 'Receipt "r" not found'],
    ['{"v":2,"op":"limit.refund","receipt":"é\\""}', "not_found", 'Receipt "é"" not found'],
    ['{"v":2,"op":"limit.grant","key":1}', "unknown_command", "Unknown op limit.grant"],
    [
      consume.replace("5", "18446744073709551616") + "}",
      "invalid_json",
      "Invalid JSON: a number is too large",
    ],
    [
      `${consume},"idempotency_key":"k","fingerprint":"other"}`,
      "idempotency_conflict",
      "Field fingerprint does not match request fingerprint",
    ],
  ];
  for (const [line, code, sentence] of TABLE) {
    assertEquals(await world.ask(line), failure(code, sentence), line);
  }
});

Deno.test("limit fields: a member that is not known is refused by its name, read before or not", async () => {
  const world = await started();
  const limit = (more: string) => `"limits":[{"series":"s","max":5,"window":"day"${more}}]`;
  const windowOf = (text: string) => `"limits":[{"series":"s","max":5,"window":${text}}]`;
  const TABLE: [op: string, members: string, name: string][] = [
    ["consume", `"key":1,"amout":2,${LIMITS}`, "amout"],
    ["consume", `"key":1,"value":2,${LIMITS}`, "value"], // of other operations
    ["consume", `"keys":[1],${LIMITS}`, "keys"],
    ["consume", `"key":1,"limts":[]`, "limts"],
    ["consume", `"key":1,${limit(',"costs":3')}`, "limits[].costs"],
    ["consume", `"key":1,${limit(',"carry":{"max":1,"min":0}')}`, "limits[].carry.min"],
    ["consume", `"key":1,${windowOf('{"hours":5,"form":"first_use"}')}`, "limits[].window.form"],
    ["check", `"key":1,"receipt":true,${LIMITS}`, "receipt"],
    ["check", `"key":1,"${"x".repeat(100)}":true,${LIMITS}`, "x".repeat(64)],
    ["refund", `"receipt":"r","cost":1`, "cost"],
  ];
  for (let round = 0; round < 20; round++) {
    for (const [op, members, name] of TABLE) {
      const text = await world.ask(`{"v":2,"op":"limit.${op}",${members}}`);
      assertEquals(text, failure("unknown_field", `Field ${name} is unknown to limit.${op}`));
    }
  }
  assertEquals(world.karma.forest.visible(), []);
  const others = '{"v":2,"op":"counter.increment","series":"s","key":1,"note":{}}'; // as Karma 1.x
  for (let round = 0; round < 20; round++) assertMatch(await world.ask(others), /"success":true/);
});

Deno.test("limit fields: shapes that are good", async () => {
  const world = await started();
  const GOOD = [
    `"key":0,${LIMITS}`,
    `"key":"18446744073709551615",${LIMITS}`,
    `"key":1,"cost":"18446744073709551615",${LIMITS}`,
    `"key":1,"cost":-0,${LIMITS}`,
    `"key":1,${many(16)}`,
    `"key":1,"mode":"force","mode":"reject",${LIMITS}`,
    `"limits":[{"series":"s","max":5,"window":"day","key":1}],"key":9`,
    limitWith('"tree":"s","max":"0","window":"total"'),
    limitWith('"series":"t","tree":"s","max":5,"window":{"days":36525}'),
    limitWith('"window":{"month_from":31},"max":5,"series":"s","max":6'),
    // Different costs of one series for different keys.
    `"key":1,"limits":[${ONE},{"series":"s","max":5,"window":"day","cost":2,"key":2}]`,
    // One cost, said twice.
    `"key":1,"cost":2,"mode":"saturate","limits":[${ONE},{"series":"s","max":5,"window":"day","cost":2}]`,
  ];
  for (const members of GOOD) {
    const text = await world.ask(`{"v":2,"op":"limit.check",${members}}`);
    assertEquals(text.includes('"success":true'), true, `${members} ${text}`);
  }
  // All limits have keys of their own, and need no other.
  const own = '"limits":[{"series":"s","max":5,"window":"day","key":1}]';
  const text = await world.ask(`{"v":2,"op":"limit.consume",${own}}`);
  assertEquals(text.includes('"allowed":true'), true, text);
  // The same series, for keys that are not a limit's own, even if they are not zero.
  const others =
    `"keys":[7,8],"limits":[${ONE},{"series":"s","max":5,"window":"day","cost":2,"key":0}]`;
  const results = await world.ask(`{"v":2,"op":"limit.check",${others}}`);
  assertEquals(results.includes('{"results":[{"allowed":true'), true, results);
  const none = await world.ask(`{"v":2,"op":"limit.check","keys":[],${LIMITS}}`);
  assertEquals(none.includes('"response":{"results":[]}'), true, none);
});
