// Requests as they are written in a shell or at the prompt.

import { assertEquals, assertThrows } from "@std/assert";
import { RequestError, requestOf, wordsOf } from "../../../lib/commands/request_words.ts";

const WRITTEN: [words: string[], token: string | null, line: string][] = [
  [["system.ping"], null, '{"v":2,"op":"system.ping"}'],
  [["system.ping"], 't"', '{"v":2,"token":"t\\"","op":"system.ping"}'],
  [
    ["x", "series=a b", "key=18446744073709551615", "e="],
    null,
    '{"v":2,"op":"x","series":"a b","key":18446744073709551615,"e":""}',
  ],
  [
    ["x", 'series="42"', "a=b=c", "l=[1,2]"],
    null,
    '{"v":2,"op":"x","series":"42","a":"b=c","l":[1,2]}',
  ],
  [['{"op":"x","key":18446744073709551615}'], null, '{"v":2,"op":"x","key":18446744073709551615}'],
  [[' {\n"op": "x"\n} '], "t", '{"v":2,"token":"t","op": "x"}'],
  [['{"v":2,"token":"mine","op":"x"}'], "t", '{"v":2,"token":"mine","op":"x"}'],
  [["{}"], null, '{"v":2}'],
];

Deno.test("request words: what is written becomes one line", () => {
  for (const [words, token, line] of WRITTEN) {
    assertEquals(requestOf(words, token), line);
    JSON.parse(line);
  }
});

Deno.test("request words: what cannot be a request is told", () => {
  const table: [words: string[], sentence: string][] = [
    [["x", "key"], 'A field is written FIELD=VALUE: "key"'],
    [["x", "=1"], 'A field is written FIELD=VALUE: "=1"'],
    [["{x}"], "The request is no JSON: "],
    [["{}", "key=1"], 'Behind a request in JSON there is nothing: "key=1"'],
  ];
  for (const [words, sentence] of table) {
    assertThrows(() => requestOf(words, null), RequestError, sentence);
  }
});

Deno.test("request words: a line is parted by blanks, but not within values", () => {
  assertEquals(wordsOf("  x  a=1 "), ["x", "a=1"]);
  assertEquals(wordsOf(""), []);
  assertEquals(wordsOf(' {"op": "x"} '), ['{"op": "x"}']);
  const line = 'x series="a \\" b" items=[[1, 2, 3], [4, 5, 6]] range={"from": 1, "to": 2}';
  assertEquals(wordsOf(line), [
    "x",
    'series="a \\" b"',
    "items=[[1, 2, 3], [4, 5, 6]]",
    'range={"from": 1, "to": 2}',
  ]);
});
