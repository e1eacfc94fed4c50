// Forms: whatever was read before, a line is read as by one who reads for the first time.

import { assert, assertEquals } from "@std/assert";
import { lineOf } from "../../../../lib/bytes/line.ts";
import {
  ABSENT,
  ARRAY,
  INTEGER,
  NEGATIVE,
  OBJECT,
  STRING,
} from "../../../../lib/bytes/json_scanner.ts";
import { LimitSet } from "../../../../lib/command/limits.ts";
import { Template, TemplateCache } from "../../../../lib/protocol/json/template_cache.ts";
import { MEMBER } from "../../../../lib/protocol/json/members.ts";
import { DecodeCaches, RequestLine } from "../../../../lib/protocol/json/request_line.ts";
import { Random } from "../../../support/random.ts";
import { faultOf } from "../../../support/codec.ts";

const encoder = new TextEncoder();

const LIMITS =
  '[{"series":"api","max":5,"window":"day"},{"series":"api","max":9,"window":"month"}]';

/** Lines as clients send them; # stands for something like a number. */
const SHAPES = [
  '{"v":2,"op":"counter.increment","series":"t","key":#}',
  '{"v":2,"op":"counter.increment","series":"t2","key":#}',
  '{"v":2,"op":"counter.increment","series":"t","key":#,"value":#}',
  '{"v":2,"op":"counter.increment","series":"t","key":#,"bucket":#,"value":#}',
  '{"v": 2, "op": "counter.sum", "series": "день", "key": #, "range": {"from": 1, "to": #}}',
  '{"op":"counter.sum","key":#,"series":"t","v":2}',
  '{"v":#,"op":"counter.sum","series":"t","key":5}',
  '{"command":"increment","tree_name":"t","key":#}',
  '{"command":"find","tree_name":"t","key":#,"time_from":#,"time_to":#}',
  `{"v":2,"op":"limit.consume","key":#,"cost":#,"limits":${LIMITS}}`,
  '{"v":2,"op":"counter.increment","series":"t","key":#,"key":#}',
  '{"v":2,"op":"counter.increment","series":"t","key":#,"token":"secret"}',
  '{"v":2,"op":"counter.increment","series":"t","key":#,"idempotency_key":"a-#"}',
  '{"v":2,"op":"counter.\\u0069ncrement","series":"t","key":#}',
  '{"v":2,"op":"counter.increment","series":"t","key":#,"unknown":#,"also":[#,{"key":#}]}',
];

/** What may stand where a number was; mostly a number again. */
const VALUES = [
  ...["0", "7", "00", "07", "-1", "-0", "1.5", "1e3", "1e400", " 3", "4 ", "18446744073709551615"],
  ...["18446744073709551616", "null", "true", '"5"', '"\\u0034"', "[]", "{}", "", "5,", "x", "1}"],
];

/** Kinds whose values have a place, and those that have a number; of others these tell nothing. */
const WITH_SPAN = [STRING, INTEGER, NEGATIVE, ARRAY, OBJECT];
const WITH_NUMBER = [INTEGER, NEGATIVE];

/** All that was found out about a line. */
function scanned(requestLine: RequestLine, text: string): unknown {
  const bytes = encoder.encode(`{{${text}}}`);
  const isGood = requestLine.scan(lineOf(bytes, 2, bytes.length - 2));
  if (!isGood) return [faultOf(requestLine), [...bytes]];
  const found = [...requestLine.kinds.keys()].filter((member) => requestLine.has(member));
  return [
    requestLine.isBeyond,
    found.map((member) => [member, requestLine.kinds[member], requestLine.seen[member]]),
    found.filter((member) => WITH_SPAN.includes(requestLine.kinds[member])).map((member) => {
      return [requestLine.starts[member], requestLine.ends[member]];
    }),
    found.filter((member) => WITH_NUMBER.includes(requestLine.kinds[member])).map((member) => {
      return [...requestLine.lanes.subarray(2 * member, 2 * member + 2)];
    }),
    [...requestLine.seen].filter((_, member) => requestLine.kinds[member] === ABSENT).every((n) =>
      n === 0
    ),
    [...bytes],
  ];
}

Deno.test("forms: what was read before changes nothing about what a line says", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const known = new DecodeCaches();
    known.limitLists.keep(encoder.encode(LIMITS), new LimitSet([]));
    const readers = [new RequestLine(known), new RequestLine(known)];
    for (let count = 0; count < 600; count++) {
      const shape = SHAPES[random.below(SHAPES.length)];
      let line = shape.replaceAll("#", () => {
        return random.below(4) > 0
          ? `${random.below(2) > 0 ? random.below(1000) : random.u64()}`
          : VALUES[random.below(VALUES.length)];
      });
      if (random.below(8) === 0) line = line.slice(0, random.below(line.length));
      if (random.below(16) === 0) line += [" ", "}", "\r", "1"][random.below(4)];
      const reader = readers[random.below(2)];
      assertEquals(
        scanned(reader, line),
        scanned(new RequestLine(), line),
        `seed ${seed}: ${line}`,
      );
    }
  }
});

Deno.test("forms: a line that came eight times is known, whoever reads it, and so is one with other numbers", () => {
  const known = new DecodeCaches();
  const requestLine = new RequestLine(known);
  const line = (key: number) => `{"v":2,"op":"counter.increment","series":"t","key":${key}}`;
  for (let key = 0; key < 8; key++) scanned(requestLine, line(key));
  const text = encoder.encode(line(123456));
  const [form] = known.templates.like(lineOf(text));
  assert(form !== undefined);
  assertEquals(form.parts.map(({ number }) => number), [MEMBER.key, -1]);
  assertEquals(new TextDecoder().decode(form.parts[1].bytes), "}");
});

Deno.test("forms: tokens, keys of what is done once, and unknown limits are not kept", () => {
  const known = new DecodeCaches();
  const requestLine = new RequestLine(known);
  const rest = ['"token":"secret"', '"idempotency_key":"k"', '"fingerprint":"f"'];
  for (const more of [...rest, `"limits":${LIMITS}`, '"x":18446744073709551616', '"key":2']) {
    const line = `{"v":2,"op":"counter.increment","series":"t","key":1,${more}}`;
    for (let count = 0; count < 16; count++) scanned(requestLine, line);
    assertEquals(known.templates.like(lineOf(encoder.encode(line))), [], more);
  }
});

Deno.test("forms: of those that begin alike the latest few are kept", () => {
  const forms = new TemplateCache();
  const line = lineOf(encoder.encode('{"v":2,"op":"counter.increment","series":"t","key":1}'));
  const all: Template[] = Array.from(
    { length: 20 },
    () => ({ parts: [], limits: null, unknown: null }),
  );
  for (const form of all) forms.keep(form, line);
  const kept = forms.like(line);
  assert(kept.length > 1 && kept.length < 20);
  assertEquals(kept[0], all[19]);
  assertEquals(forms.like(lineOf(encoder.encode("{}"))), []);
});
