// The JSON scanner as tables: what each text is, and where and why a wrong one is wrong.

import { assert, assertEquals } from "@std/assert";
import {
  ARRAY,
  FALSE,
  FRACTION,
  INTEGER,
  JsonScanner,
  type Kind,
  LARGE,
  NEGATIVE,
  NULL,
  OBJECT,
  STRING,
  TRUE,
  WRONG,
} from "../../../lib/bytes/json_scanner.ts";
import { DEPTH_MAX } from "../../../lib/bytes/json_string.ts";
import { u64ToBigInt } from "../../../lib/bytes/u64.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const scanner = new JsonScanner();

/** Opens a text that lies between other bytes, of which none may count. */
function open(text: string): Uint8Array {
  const bytes = encoder.encode(`99"${text}"99`);
  scanner.open(bytes, 3, bytes.length - 3);
  return bytes;
}

/** The kind of the one value that a text is; its span stays in the scanner. */
function kindOf(text: string): Kind {
  open(text);
  const kind = scanner.value();
  return kind !== WRONG && scanner.takeEnd() ? kind : WRONG;
}

function span(): string {
  return decoder.decode(scanner.bytes.subarray(scanner.start, scanner.end));
}

const WORDS: [text: string, kind: Kind][] = [
  ["null", NULL],
  ["true", TRUE],
  ["false", FALSE],
  [" \t\r\nnull \t\r\n", NULL],
];

Deno.test("json_scanner: words, with white space around them", () => {
  for (const [text, kind] of WORDS) assertEquals(kindOf(text), kind, JSON.stringify(text));
});

const INTEGERS = [
  ...["0", "1", "9", "10", "99", "429496728", "429496729", "4294967289", "4294967290"],
  ...["4294967294", "4294967295", "4294967296", "4294967297", "9007199254740991"],
  ...["9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808"],
  ...["1844674407370955161", "1844674407370955162", "9999999999999999999"],
  ...["10000000000000000000", "18446744073709551609", "18446744073709551610"],
  ...["18446744069414584319", "18446744069414584320", "18446744073709551614"],
  "18446744073709551615",
];

Deno.test("json_scanner: integers from 0 to 2^64-1 are exact", () => {
  for (const text of INTEGERS) {
    assertEquals(kindOf(text), INTEGER, text);
    assertEquals(u64ToBigInt(scanner.lanes[0], scanner.lanes[1]), BigInt(text));
  }
});

const OTHER_NUMBERS: [kind: Kind, texts: string[]][] = [
  [LARGE, [
    ...["18446744073709551616", "18446744073709551617", "18446744073709551620"],
    ...["18446744073709551625", "18446744073709551700", "20000000000000000000"],
    // Those whose low 64 bits are small again, which a wrapped sum would take for an integer.
    ...[
      "18446744073709551616000",
      "36893488147419103232",
      "340282366920938463463374607431768211456",
    ],
    // ... and those that grow into an integer once more.
    "184467440737095516164294967296",
    "9".repeat(100),
  ]],
  [NEGATIVE, ["-0", "-1", "-18446744073709551616", "-" + "9".repeat(50)]],
  [FRACTION, [
    ...["1.0", "0.5", "-0.0", "1e3", "1E3", "1e+3", "1e-3", "0e0", "-1.25e+10", "1.0e0"],
    ...["18446744073709551616.5", "1e400", "0.000000000000000000000000000001"],
  ]],
];

Deno.test("json_scanner: other numbers are told apart", () => {
  for (const [kind, texts] of OTHER_NUMBERS) {
    for (const text of texts) assertEquals(kindOf(text), kind, text);
  }
});

const STRINGS: [text: string, value: string][] = [
  ['""', ""],
  ['"a"', "a"],
  ['"день 日 😀 \u007f\u2028"', "день 日 😀 \u007f\u2028"],
  ['"\\""', '"'],
  ['"\\\\"', "\\"],
  ['"\\/"', "/"],
  ['"\\b\\f\\n\\r\\t"', "\b\f\n\r\t"],
  ['"a\\nb"', "a\nb"],
  ['"\\\\n"', "\\n"],
  ['"\\\\\\""', '\\"'],
  ['"\\u0041"', "A"],
  ['"\\u0000"', "\0"],
  ['"\\u001f"', "\u001f"],
  ['"\\u007F"', "\u007f"],
  ['"\\u0080"', "\u0080"],
  ['"\\u07ff\\u0800"', "\u07ff\u0800"],
  ['"\\uabcd\\uABCD\\uaBcD"', "\uabcd\uabcd\uabcd"],
  ['"\\ud7ff\\ue000\\uffff"', "\ud7ff\ue000\uffff"],
  ['"\\ud800\\udc00"', "\u{10000}"],
  ['"\\uD83D\\uDE00"', "😀"],
  ['"\\udbff\\udfff"', "\u{10ffff}"],
  ['"é\\u00e9é\\u00e9é"', "ééééé"],
  ['"\\ud83d\\ude00\\ud83d\\ude00x"', "😀😀x"],
  [`"${"\\u0041\\n".repeat(1000)}"`, "A\n".repeat(1000)],
];

Deno.test("json_scanner: strings, unescaped where they lie", () => {
  for (const [text, value] of STRINGS) {
    assertEquals(kindOf(text), STRING, text);
    assertEquals(span(), value);
  }
});

Deno.test("json_scanner: an escape changes nothing behind its string", () => {
  const text = '"\\u0041\\ud83d\\ude00\\n"';
  const bytes = open(`${text}:1,"x"`);
  assertEquals(scanner.value(), STRING);
  assertEquals(decoder.decode(bytes.subarray(3 + text.length)), ':1,"x""99');
  assertEquals(decoder.decode(bytes.subarray(0, 4)), '99""');
});

Deno.test("json_scanner: bytes that are not UTF-8 stay as they are", () => {
  const inside = Uint8Array.of(0x80, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0xf0);
  for (const escape of [[], [0x5c, 0x6e]]) {
    const bytes = Uint8Array.of(0x22, ...escape, ...inside, 0x22);
    scanner.open(bytes, 0, bytes.length);
    assertEquals(scanner.value(), STRING);
    const expected = escape.length > 0 ? [0x0a, ...inside] : [...inside];
    assertEquals([...bytes.subarray(scanner.start, scanner.end)], expected);
  }
});

const NESTED: [text: string, kind: Kind][] = [
  ["[]", ARRAY],
  ["{}", OBJECT],
  ["[ ]", ARRAY],
  ["{ }", OBJECT],
  ["[1,-1,1.5,null,true,false]", ARRAY],
  ["[[],[[]],{}]", ARRAY],
  ['{"a":1}', OBJECT],
  ['{ "a" : [ { "b" : "]}" } , 2 ] , "a" : { } }', OBJECT],
  ['[{"a":{"b":[{}]}},"\\"]"]', ARRAY],
  ['{"":""}', OBJECT],
];

Deno.test("json_scanner: arrays and objects are passed over whole", () => {
  for (const [text, kind] of NESTED) {
    assertEquals(kindOf(` ${text} `), kind, text);
    if (!text.includes("\\")) assertEquals(span(), text); // unescaping leaves other bytes behind
  }
});

const END = "unexpected end";
const CHARACTER = "unexpected character";

// `^` stands before the first byte that is wrong.
const FAULTS: [fault: string, texts: string[]][] = [
  [END, [
    ...["^", "  ^", "n^", "nul^", "tru^", "f^", "-^", "1.^", "1e^", "1e+^", "-1.5E-^", '"^', '"a^'],
    ...['"\\^', '"\\n^', '"\\u^', '"\\u004^', '"\\ud800\\u^', '"\\ud800\\udc0^', "[^", "[ ^"],
    ...["[1^", "[1,^", "[1, ^", "[[]^", "{^", '{"a"^', '{"a" ^', '{"a":^', '{"a":1^', '{"a":1,^'],
    ...['{"a":{}^', '{"^', '{"a":"^'],
  ]],
  [CHARACTER, [
    ...["^x", "^N", "^NaN", "^Infinity", "^+1", "^.5", "^'a'", "^]", "^}", "^,", "^:", "^\\"],
    ...["^/*a*/1", "^\u00a0", "^\ufeffnull", "^\f", "^\v", "^\0", "n^Ull", "nul^L", "null^l"],
    ...["null^,", "true^1", "false^e", "t^RUE", '""^x'],
    ...["0^0", "0^1", "-0^1", "0^x1", "1^x", "1 ^2", "-^a", "-^-1", "-^ 1", "1.^x", "1.^.1"],
    ...["1.5^.1", "1e^e1", "1.^e1", "1e+^x", "1.5^x", "1e5^.5"],
    ...["[^,", "[^}", "[]^]", "[1^}", "[1,^]", "[1,^,1]", "[1]^]", "[1 ^2]", "[[]^}", "[[]^["],
    ...["{^]", "{^,", "{ ^1", "{^1:2}", "{^a:1}", "{^{}}", "{^[]:1}", "{^null:1}", "{}^}", "{}^{}"],
    ...['{""^}', '{"a"^}', '{"a"^,1}', '{"a"^1}', '{"a":^}', '{"a":^,', '{"a":^]', '{"a":^:1}'],
    ...['{"a":1^]', '{"a":1^:1}', '{"a":1^"b":1}', '{"a":1,^}', '{"a":1,^,"b":1}', '{"a":1,^2}'],
  ]],
  ["control character in a string", [
    ...['"^\n"', '"^\0"', '"^\u001f"', '"^\t"', '"\\n^\n"', '"ab^\r"', '["^\u0001"]', '{"^\n":1}'],
  ]],
  ["unknown escape", [
    ...['"\\^a"', '"\\^x41"', '"\\^U0041"', '"\\^ "', '"\\^0"', '"\\^\'"', '"\\^B"', '{"\\^a":1}'],
    ...[
      '"\\u^g000"',
      '"\\u^"',
      '"\\u^ +12"',
      '"\\u^-123"',
      '"\\u004^"',
      '"\\u004^g"',
      '"\\u123^ "',
    ],
    ...['"\\ud800\\u^g000"', '"\\udbff\\u^"'],
  ]],
  ["half of a surrogate pair", [
    ...['"^\\ud800"', '"^\\udbff"', '"^\\udc00"', '"^\\udfff"', '"^\\ud800x"', '"^\\ud800\\n"'],
    ...[
      '"^\\ud800\\ud800\\udc00"',
      '"^\\ud800\\u0041"',
      '"^\\udc00\\ud800"',
      '"^\\udc00\\udc00"',
      '"^\\ud800\\ue000"',
    ],
    ...['"\\ud83d\\ude00^\\ud83d"', '["^\\ud800"]', '{"^\\udc00":1}'],
  ]],
];

Deno.test("json_scanner: a fault is told with the place of the first wrong byte", () => {
  for (const [fault, texts] of FAULTS) {
    for (const marked of texts) {
      const text = marked.replace("^", "");
      assertEquals(kindOf(text), WRONG, `${JSON.stringify(text)} is wrong`);
      assertEquals([scanner.fault, scanner.at - 3], [fault, marked.indexOf("^")], marked);
    }
  }
});

Deno.test("json_scanner: a text cut anywhere is one that ends too early", () => {
  const whole = ' {"a" : [1.5e+3, -2, {"b\\u00e9\\n": null}], "c": [true, false, {}, ""]} ';
  assertEquals(kindOf(whole), OBJECT);
  for (let length = 0; length < whole.length - 1; length++) {
    assertEquals(kindOf(whole.slice(0, length)), WRONG);
    assertEquals([scanner.fault, scanner.at - 3], [END, length], `cut to ${length}`);
  }
});

const DEPTHS: [opening: string, middle: string, closing: string, kind: Kind][] = [
  ["[", "", "]", ARRAY],
  ['{"a":', "1", "}", OBJECT],
];

Deno.test(`json_scanner: ${DEPTH_MAX} arrays and objects within each other, and no more`, () => {
  for (const [opening, middle, closing, kind] of DEPTHS) {
    const text = (depth: number) => opening.repeat(depth) + middle + closing.repeat(depth);
    assertEquals(kindOf(text(DEPTH_MAX)), kind);
    for (const depth of [DEPTH_MAX + 1, 100_000]) {
      assertEquals(kindOf(text(depth)), WRONG);
      assertEquals(scanner.fault, "nesting deeper than 512");
      assertEquals(scanner.at - 3, opening.length * DEPTH_MAX);
    }
  }
  // Depth is what is open, not what there was.
  assertEquals(kindOf(`[${"[[]],".repeat(1000)}[]]`), ARRAY);
});

Deno.test("json_scanner: the object that is looked into counts as one level", () => {
  for (const [depth, kind] of [[DEPTH_MAX - 1, ARRAY], [DEPTH_MAX, WRONG]]) {
    open(`{"a":${"[".repeat(depth)}${"]".repeat(depth)},"b":[[]]}`);
    assert(scanner.openObject());
    assertEquals(scanner.member(true), 1);
    assertEquals(scanner.value(), kind);
    if (kind === WRONG) continue;
    assertEquals(scanner.member(false), 1);
    assertEquals(scanner.value(), ARRAY);
    assertEquals(scanner.member(false), 0);
    assert(scanner.takeEnd());
  }
});

Deno.test("json_scanner: objects that are looked into within each other count each", () => {
  for (const [depth, kind] of [[DEPTH_MAX - 1, ARRAY], [DEPTH_MAX, WRONG]]) {
    open('{"a":'.repeat(depth) + "[]" + "}".repeat(depth));
    for (let level = 0; level < depth; level++) {
      assert(scanner.openObject());
      assertEquals(scanner.member(true), 1);
    }
    assertEquals(scanner.value(), kind);
  }
});

/** The members of an object as [name, kind], or where and why it is wrong. */
function members(text: string): unknown[] {
  open(text);
  const found: unknown[] = [];
  let more = scanner.openObject() ? scanner.member(true) : -1;
  for (; more > 0; more = scanner.member(false)) {
    const name = span();
    const kind = scanner.value();
    if (kind === WRONG) more = -1;
    else found.push([name, kind]);
    if (more < 0) break;
  }
  if (more < 0 || !scanner.takeEnd()) return [...found, scanner.fault, scanner.at - 3];
  return found;
}

const OBJECTS: [text: string, ...members: unknown[]][] = [
  ["{}"],
  [" { } "],
  ['{"a":1}', ["a", INTEGER]],
  ['{ "a" : "b" , "a" : [ ] , "" : null }', ["a", STRING], ["a", ARRAY], ["", NULL]],
  ['{"\\u0061\\n":{"x":1},"b":-1}', ["a\n", OBJECT], ["b", NEGATIVE]],
  ["[]", CHARACTER, 0],
  ["", END, 0],
  ["{", END, 1],
  ["{,}", CHARACTER, 1],
  ["{1:1}", CHARACTER, 1],
  ['{"a"}', CHARACTER, 4],
  ['{"a":}', CHARACTER, 5],
  ['{"a":1', ["a", INTEGER], END, 6],
  ['{"a":1,}', ["a", INTEGER], CHARACTER, 7],
  ['{"a":1,,}', ["a", INTEGER], CHARACTER, 7],
  ['{"a":1 "b":2}', ["a", INTEGER], CHARACTER, 7],
  ['{"a":1}}', ["a", INTEGER], CHARACTER, 7],
  ['{"a":1},', ["a", INTEGER], CHARACTER, 7],
  ['{"a":1]', ["a", INTEGER], CHARACTER, 6],
];

Deno.test("json_scanner: the members of an object one by one", () => {
  for (const [text, ...expected] of OBJECTS) assertEquals(members(text), expected, text);
});

Deno.test("json_scanner: a scanner that met a fault reads the next text like a new one", () => {
  for (const text of ["[[[[", '{"a":[{', '"\\u12', "[1,2", "-"]) {
    assertEquals(kindOf(text), WRONG);
    assertEquals(kindOf("[".repeat(DEPTH_MAX) + "]".repeat(DEPTH_MAX)), ARRAY, text);
  }
});

Deno.test("json_scanner: integers have a span, with their sign", () => {
  for (const text of ["0", "-0", "7", "-12", "18446744073709551615"]) {
    for (const list of [`[${text}]`, `[${text} ]`, `[ ${text},1]`]) {
      open(list);
      assert(scanner.openArray());
      assertEquals(scanner.element(true), 1);
      scanner.value();
      assertEquals(span(), text);
    }
  }
});

/** The elements of an array as their kinds, or where and why it is wrong. */
function elements(text: string): unknown[] {
  open(text);
  const found: unknown[] = [];
  let more = scanner.openArray() ? scanner.element(true) : -1;
  for (; more > 0; more = scanner.element(false)) {
    const kind = scanner.value();
    if (kind === WRONG) {
      more = -1;
      break;
    }
    found.push(kind);
  }
  if (more < 0 || !scanner.takeEnd()) return [...found, scanner.fault, scanner.at - 3];
  return found;
}

const ARRAYS: [text: string, ...elements: unknown[]][] = [
  ["[]"],
  [" [ ] "],
  ["[1]", INTEGER],
  ['[ 1 , "a" , [ ] , { } , -1 , 1.5 ] ', INTEGER, STRING, ARRAY, OBJECT, NEGATIVE, FRACTION],
  ["{}", CHARACTER, 0],
  ["", END, 0],
  ["[", END, 1],
  ["[,]", CHARACTER, 1],
  ["[1", INTEGER, END, 2],
  ["[1,", INTEGER, END, 3],
  ["[1,]", INTEGER, CHARACTER, 3],
  ["[1,,2]", INTEGER, CHARACTER, 3],
  ["[1 2]", INTEGER, CHARACTER, 3],
  ["[1}", INTEGER, CHARACTER, 2],
  ["[1]]", INTEGER, CHARACTER, 3],
];

Deno.test("json_scanner: the elements of an array one by one", () => {
  for (const [text, ...expected] of ARRAYS) assertEquals(elements(text), expected, text);
});

Deno.test("json_scanner: what was passed over can be gone into later, and is as it was", () => {
  const inner = '{"\\u0061\\n":["\\u0062",{"c":"\\"\\\\"}]}';
  const bytes = open(`[${inner},"\\u0064"]`);
  assert(scanner.openArray());
  assertEquals(scanner.element(true), 1);
  assertEquals(scanner.value(), OBJECT);
  const { start, end } = scanner;
  assertEquals(scanner.element(false), 1);
  assertEquals(scanner.value(), STRING);
  assertEquals(span(), "d");
  assertEquals(decoder.decode(bytes.subarray(start, end)), inner);
  const later = new JsonScanner();
  later.open(bytes, start, end);
  const text = () => decoder.decode(bytes.subarray(later.start, later.end));
  assert(later.openObject());
  assertEquals([later.member(true), text()], [1, "a\n"]);
  assert(later.openArray());
  assertEquals([later.element(true), later.value(), text()], [1, STRING, "b"]);
  assertEquals([later.element(false), later.value(), text()], [1, OBJECT, '{"c":"\\"\\\\"}']);
  assertEquals([later.element(false), later.member(false), later.takeEnd()], [0, 0, true]);
});

const BEYOND: [text: string, isBeyond: boolean][] = [
  ["18446744073709551615", false],
  ["18446744073709551616", true],
  ["-18446744073709551615", false],
  ["-18446744073709551616", true],
  ['[1,[{"a":184467440737095516150}]]', true],
  ["18446744073709551616.5", false],
  ["1e308", false],
  ["1e309", true],
  ["[-1.0E+999]", true],
  ['"18446744073709551616"', false],
  ['{"18446744073709551616":1}', false],
];

Deno.test("json_scanner: whether some number is beyond what numbers can be", () => {
  for (const [text, isBeyond] of BEYOND) {
    assert(kindOf(text) !== WRONG, text);
    assertEquals(scanner.isBeyond, isBeyond, text);
  }
});
