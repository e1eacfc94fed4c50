// Lists in protocol v2 as tables: items, keys and counters, and the first thing wrong in them.

import { assertEquals } from "@std/assert";
import { Asker } from "../../../support/asker.ts";

const ITEMS_MAX = 5;
const asker = new Asker(undefined, ITEMS_MAX);

const bad = (sentence: string) => `validation_error ${sentence}`;
const WHOLE = "must be an integer from 0 to 18446744073709551615";
const FORM = "Each item must be [key, bucket, value]";
const DAY = "Invalid bucket date";

type Row = [list: string, answer: string];

/** Asks with each list, or without one where it is empty. */
function check(op: string, member: string, rows: Row[], begin: string, rest = ',"tree":"t"'): void {
  for (const [list, answer] of rows) {
    const more = list === "" ? "" : `,"${member}":${list}`;
    const expected = answer.startsWith("[") ? begin + answer : bad(answer);
    assertEquals(asker.ask(`{"v":2,"op":"${op}"${rest}${more}}`), expected, list);
  }
}

/** What must be a list, and is none. */
const noLists = (name: string): Row[] => [
  ["", `Field ${name} is required`],
  ...["null", "1", '"[]"', "{}", "true"].map((value): Row => [
    value,
    `Field ${name} must be an array`,
  ]),
];

const NAME = "must be 1 to 255 bytes of UTF-8 without control characters";

const ITEMS: Row[] = [
  ...noLists("items"),
  ["[]", "[]=0"],
  ["[[1,20260101,5]]", "[1/20260101/5]=5"],
  [' [ [ 1 , 20260101 , 5 ] , [2,"2026-01-02","7"] ] ', "[1/20260101/5,2/20260102/7]=12"],
  ["[[1,20260101,5],[1,20260101,5]]", "[1/20260101/5,1/20260101/5]=10"],
  [
    '[["18446744073709551615",20260101,18446744073709551615]]',
    "[18446744073709551615/20260101/18446744073709551615]=18446744073709551615",
  ],
  [
    "[[1,20260101,4294967295],[2,20260101,1]]",
    "[1/20260101/4294967295,2/20260101/1]=4294967296",
  ],
  [
    "[[1,20260101,18446744073709551615],[2,20260101,1]]",
    "[1/20260101/18446744073709551615,2/20260101/1]=beyond",
  ],
  ['[["\\u0031",20260101,"\\u0032"],[3,20260101,4]]', "[1/20260101/2,3/20260101/4]=6"],
  // The shape of an item, before what is in the next one.
  ...["1", "null", '"1"', "{}", "true", "1.5"].map((value): Row => [
    `[[1,20260101,5],${value}]`,
    "Field items[] must be an array",
  ]),
  ...["[]", "[1]", "[1,20260101]", "[1,20260101,5,6]", "[1,20260101,5,null]"].map((item): Row => [
    `[${item},1]`,
    FORM,
  ]),
  ...["null", "1.0", "[]", "{}", "true"].map((value): Row => {
    return [`[[${value},20260101,5]]`, `Field items[][0] ${WHOLE}`];
  }),
  ...["null", "1.0", "[]", "{}", "true", '"a"', '""', '"-1"', '"18446744073709551616"'].map(
    (value): Row => [`[[1,20260101,${value}]]`, `Field items[][2] ${WHOLE}`],
  ),
  ['[["",20260101,5]]', `Field items[][0] ${NAME}`],
  [
    '[["a",20260101,5],["7",20260101,1],["07",20260101,1]]',
    '["a"/20260101/5,7/20260101/1,"07"/20260101/1]=7',
  ],
  ["[[-1,20260101,5]]", "Field items[][0] must be greater than or equal to 0"],
  ["[[1,-1,5]]", "Field items[][1] must be greater than or equal to 0"],
  ["[[1,20260101,-1]]", "Field items[][2] must be greater than or equal to 0"],
  ["[[1,null,5]]", `Field items[][1] ${WHOLE}`],
  ["[[1,[],5]]", `Field items[][1] ${WHOLE}`],
  ['[[1,"-1",5]]', "Field items[][1] must be greater than or equal to 0"],
  ['[[1,"",5]]', "Field items[][1] must be a bucket date"],
  // Days that are none are told when all shapes are right.
  ["[[1,7,5]]", DAY],
  ["[[1,20260230,5],[2,20260101,5]]", DAY],
  ["[[1,7,5],5]", "Field items[] must be an array"],
  ["[[1,7,-5]]", "Field items[][2] must be greater than or equal to 0"],
  [
    `[${"[1,20260101,1],".repeat(ITEMS_MAX - 1)}[1,20260101,1]]`,
    `[${"1/20260101/1,".repeat(ITEMS_MAX - 1)}1/20260101/1]=5`,
  ],
  [`[${"[1,20260101,1],".repeat(ITEMS_MAX)}[1,20260101,1]]`, "Field items exceeds max size"],
  [`[${"[1,20260101,1],".repeat(ITEMS_MAX)}[1]]`, FORM],
];

Deno.test("lists: items, where a value may be zero", () => {
  const rows: Row[] = [...ITEMS, ["[[1,20260101,0]]", "[1/20260101/0]=0"]];
  check("series.batch_set", "items", rows, 'setAll "t" ');
});

Deno.test("lists: items, where no value may be zero", () => {
  const rows: Row[] = [
    ...ITEMS,
    ["[[1,20260101,0]]", "Batch item value must be greater than 0"],
    ['[[1,20260101,1],[1,20260101,"0"]]', "Batch item value must be greater than 0"],
    ["[[1,20260101,-0]]", "Batch item value must be greater than 0"],
    ["[[1,20260101,0],[1]]", FORM],
  ];
  check("series.batch_add", "items", rows, 'addAll "t" ');
});

Deno.test("lists: items of a chunk", () => {
  const begin = 'ingestChunk "t" stream="s" sequence=1 ';
  check("ingest.chunk", "items", ITEMS, begin, ',"series":"t","stream_id":"s","chunk_seq":1');
});

const KEYS: Row[] = [
  ...noLists("keys"),
  ["[]", "[]"],
  ["[7]", "[7]"],
  ["[3,1,3]", "[3,1,3]"],
  ['[0,-0,"18446744073709551615",18446744073709551615,"\\u0031\\u0032",5]', "[0,0,x]"],
  ["[-1]", "Field keys[] must be greater than or equal to 0"],
  ["[1,[2]]", `Field keys[] ${WHOLE}`],
  ['["a",1,"1","01"]', '["a",1,1,"01"]'],
  ['[1,""]', `Field keys[] ${NAME}`],
  ...["null", "1.5", "1e3", "{}", "false"].map((value): Row => [
    `[1,${value},-1]`,
    `Field keys[] ${WHOLE}`,
  ]),
  ["[1,2,3,4,5]", "[1,2,3,4,5]"],
  ["[1,2,3,4,5,6]", "Field keys exceeds max size"],
  ["[1,2,3,4,5,6,-1]", "Field keys[] must be greater than or equal to 0"],
];

Deno.test("lists: keys", () => {
  const rows = KEYS.map(([list, answer]): Row => {
    return [list, answer === "[0,0,x]" ? "Field keys exceeds max size" : answer];
  });
  check("counter.batch_sum", "keys", rows, 'sumAll "t" ');
  check("counter.batch_reset", "keys", rows, 'resetKeys "t" ');
  const five = '[-0,"18446744073709551615",18446744073709551615,"\\u0031\\u0032",5]';
  assertEquals(
    asker.ask(`{"v":2,"op":"series.batch_sum","tree":"t","keys":${five}}`),
    'sumAll "t" [0,18446744073709551615,18446744073709551615,12,5]',
  );
});

const COUNTERS: Row[] = [
  ...noLists("items"),
  ["[]", "[]"],
  ['[{"series":"a","key":1}]', '["a"/1]'],
  ['[{"key":"2","x":{"series":1},"series":"b"},{"series":"a","key":0}]', '["b"/2,"a"/0]'],
  ['[{"series":"x","series":"a","key":-1,"key":1}]', '["a"/1]'],
  ['[{"\\u0073eries":"\\u0061\\n","key":"\\u0031"},{"key":2,"series":"c"}]', '["a\\n"/1,"c"/2]'],
  ...["1", "null", '"a"', "[]", "true"].map((value): Row => [
    `[{"series":"a","key":1},${value}]`,
    "Field items[] must be an object",
  ]),
  ["[{}]", "Field items[].series is required"],
  ['[{"key":1}]', "Field items[].series is required"],
  ['[{"key":"a"}]', "Field items[].series is required"],
  ['[{"tree":"a","key":1}]', "Field items[].series is required"],
  ['[{"series":null,"key":1}]', "Field items[].series is required"],
  ['[{"series":"a","series":5,"key":1}]', "Field items[].series is required"],
  ['[{"series":"a"}]', "Field items[].key is required"],
  ['[{"series":"a","Key":1}]', "Field items[].key is required"],
  ['[{"series":"a","key":-1}]', "Field items[].key must be greater than or equal to 0"],
  ['[{"series":"a","key":null}]', `Field items[].key ${WHOLE}`],
  ['[{"series":"a","key":1.5}]', `Field items[].key ${WHOLE}`],
  ['[{"series":"","key":1}]', "Field items[].series must not be empty"],
  [
    '[{"series":"","key":1},{"series":"a","key":-1}]',
    "Field items[].key must be greater than or equal to 0",
  ],
  [
    `[${'{"series":"a","key":1},'.repeat(5)}{"series":"a","key":1}]`,
    "Field items exceeds max size",
  ],
];

Deno.test("lists: counters of several trees", () => {
  check("counter.multi_sum", "items", COUNTERS, "sumAcross ", "");
  assertEquals(
    asker.ask(
      '{"v":2,"op":"counter.multi_sum","items":[{"series":"a","key":1}],"range":{"from":20260101,"to":20260102}}',
    ),
    'sumAcross 20260101-20260102 ["a"/1]',
  );
});

Deno.test("lists: what one request had does not show in the next", () => {
  const long = `[${"[1,20260101,18446744073709551615],".repeat(4)}[1,20260101,0]]`;
  assertEquals(
    asker.ask(`{"v":2,"op":"series.batch_set","tree":"t","items":${long}}`).at(-1),
    "d", // beyond
  );
  const short = '{"v":2,"op":"series.batch_add","tree":"t","items":[[2,20260102,3]]}';
  assertEquals(asker.ask(short), 'addAll "t" [2/20260102/3]=3');
});
