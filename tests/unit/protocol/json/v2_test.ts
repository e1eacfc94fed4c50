// Protocol v2: what is checked of a request, in which order, and how replies are written.

import { assert, assertEquals } from "@std/assert";
import { lineOf } from "../../../../lib/bytes/line.ts";
import { SendBuffer } from "../../../../lib/bytes/send_buffer.ts";
import { Access } from "../../../../lib/command/access.ts";
import { OPERATIONS } from "../../../../lib/command/operation.ts";
import { Reply } from "../../../../lib/command/reply.ts";
import { Request } from "../../../../lib/command/request.ts";
import type { Envelope } from "../../../../lib/protocol/protocol.ts";
import { Asker } from "../../../support/asker.ts";
import { codecOf } from "../../../support/codec.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const asker = new Asker();
const guarded = new Asker(new Access("full", "read"));

const bad = (sentence: string) => `validation_error ${sentence}`;
const WHOLE = "must be an integer from 0 to 18446744073709551615";
const UNSUPPORTED =
  "unsupported_protocol Karma 1.0 accepts only protocol v2 requests with field v=2";

const ENVELOPES: [answer: string, ...lines: string[]][] = [
  [
    "ping",
    '{"v":2,"op":"system.ping"}',
    ' { "op" : "system.ping" , "v" : 2 } \r',
    '{"v":2,"op":"system\\u002eping"}',
    '{"v":1,"op":"x","v":2,"op":"system.ping"}',
    '{"v":2,"op":"system.ping","tree":5,"key":"a","x":{"v":3}}',
    '{"v":2,"op":"system.ping","token":5}',
    '{"v":2,"op":"system.ping","command":"trees"}',
  ],
  [
    UNSUPPORTED,
    "{}",
    '{"op":"system.ping"}',
    '{"x":1}',
    ...["1", "3", "-2", "-0", "2.0", "2e0", '"2"', "null", "true", "[2]", "{}", "4294967298"].map(
      (v) => `{"v":${v},"op":"system.ping"}`,
    ),
    '{"v":2,"op":"system.ping","v":1}',
    '{"v":18446744073709551615,"op":5,"token":5}',
  ],
  [
    bad("Field op is required"),
    '{"v":2}',
    ...["null", "1", "true", "[]", "{}"].map((op) => `{"v":2,"op":${op}}`),
    '{"v":2,"op":"system.ping","op":null}',
  ],
  ["unknown_command Unknown op ", '{"v":2,"op":""}'],
  ["unknown_command Unknown op ping", '{"v":2,"op":"ping"}'],
  ["unknown_command Unknown op System.ping", '{"v":2,"op":"System.ping"}'],
  ["unknown_command Unknown op system.ping ", '{"v":2,"op":"system.ping "}'],
  ['unknown_command Unknown op a"\\\n', '{"v":2,"op":"a\\"\\\\\\n"}'],
  // Of the original, and not of ours.
  ["unknown_command Unknown op replication.entries", '{"v":2,"op":"replication.entries"}'],
  [bad("Request must be a JSON object"), "5", "null", "[]", '"{}"', '[{"v":2}]'],
  ["invalid_json Invalid JSON: unexpected end at byte 1", ""],
  ["invalid_json Invalid JSON: unexpected end at byte 27", '{"v":2,"op":"system.ping",'],
  ["invalid_json Invalid JSON: unexpected character at byte 27", '{"v":2,"op":"system.ping"}}'],
  [
    "invalid_json Invalid JSON: a number is too large",
    '{"v":2,"op":"system.ping","x":18446744073709551616}',
    '{"v":2,"op":"system.ping","x":-18446744073709551616}',
    '{"v":2,"op":"system.ping","x":[{"y":1e309}]}',
    '{"v":18446744073709551616}',
    '{"v":1,"x":99999999999999999999}',
    `{"v":2,"op":"system.ping","x":${"9".repeat(400)}.5}`,
  ],
  [
    "ping",
    '{"v":2,"op":"system.ping","x":[18446744073709551615,-18446744073709551615,1e308,1e-999]}',
    `{"v":2,"op":"system.ping","x":0.${"9".repeat(400)}}`,
  ],
];

Deno.test("v2: the envelope", () => {
  for (const [answer, ...lines] of ENVELOPES) {
    for (const line of lines) assertEquals(asker.ask(line), answer, line);
  }
});

Deno.test("v2: every operation has its names, and what is unknown to it is passed over", () => {
  const all = '"tree":"t","key":1,"range":{"from":20260101,"to":20260101},"keys":[],"before":1,' +
    '"file":"1_t.tree","stream_id":"s","chunk_seq":1,"source":"s","offset":1,"checked_points":1,' +
    '"mismatch_count":0,"extra":[]';
  let count = 0;
  for (const { id, v2, fields } of OPERATIONS) {
    if (fields.includes("limits") || fields.includes("receipt")) continue; // their own tests
    const counters = fields.includes("counters") || fields.includes("amounts");
    for (const op of v2!.ops) {
      const mode = fields.includes("mode") ? ',"mode":"add"' : "";
      const items = counters || fields.includes("items") ? ',"items":[]' : "";
      const answer = asker.ask(`{"v":2,"op":"${op}",${all}${mode}${items}}`);
      assertEquals(answer.split(" ")[0], id, answer);
      assertEquals(asker.request.missing, v2!.missing ?? "refuse", op);
      count++;
    }
  }
  assert(count >= 53, `${count} names`);
});

// A line, and what is said of it without a token, with the one for reading, and with the full one.
const ORDER: [members: string, none: string, read: string, full: string][] = [
  ['"v":1', UNSUPPORTED, UNSUPPORTED, UNSUPPORTED],
  ['"v":1,"op":"system.ping"', UNSUPPORTED, UNSUPPORTED, UNSUPPORTED],
  [
    '"v":2,"op":5',
    bad("Field op is required"),
    bad("Field op is required"),
    bad("Field op is required"),
  ],
  ['"v":2,"op":"system.ping"', "", "ping", "ping"],
  [
    '"v":2,"op":"no.op"',
    "",
    "unknown_command Unknown op no.op",
    "unknown_command Unknown op no.op",
  ],
  ['"v":2,"op":"counter.sum"', "", bad("Field tree or series is required"), ""],
  ['"v":2,"op":"counter.sum","range":{"from":2,"to":1}', "", "reversed", "reversed"],
  [
    '"v":2,"op":"tree.create"',
    "",
    "forbidden Read-only token cannot execute command create",
    bad("Field tree or series is required"),
  ],
  [
    '"v":2,"op":"tree.create","tree":"t"',
    "",
    "forbidden Read-only token cannot execute command create",
    'create "t"',
  ],
  [
    '"v":2,"op":"series.batch_add","tree":"t","items":[5]',
    "",
    "forbidden Read-only token cannot execute command batch_add",
    bad("Field items[] must be an array"),
  ],
];

Deno.test("v2: nothing about an operation is told without a token, and not all to who reads", () => {
  const sentences: Record<string, string> = {
    reversed: bad("Bucket range start must be less than or equal to range end"),
  };
  const said = (answer: string, fallback: string) => {
    return answer === "" ? fallback : sentences[answer] ?? answer;
  };
  const without = "unauthorized Unauthorized";
  for (const [members, none, read, full] of ORDER) {
    const tokens = [
      "null",
      "5",
      '""',
      '"ful"',
      '"fulll"',
      '"Full"',
      '"reads"',
      '"full\\u0000"',
      "[]",
    ];
    assertEquals(guarded.ask(`{${members}}`), said(none, without), members);
    for (const token of tokens) {
      assertEquals(guarded.ask(`{${members},"token":${token}}`), said(none, without), token);
    }
    const reading = guarded.ask(`{${members},"token":"read"}`);
    assertEquals(reading, said(read, ""), members);
    assertEquals(
      guarded.ask(`{"token":"x","token":"f\\u0075ll",${members}}`),
      said(full, said(read, "")),
    );
  }
});

Deno.test("v2: where the token is empty it must be there all the same", () => {
  for (const access of [new Access("", null), new Access(null, ""), new Access("full", "")]) {
    const asker = new Asker(access);
    const ask = (more: string) => asker.ask(`{"v":2,"op":"system.ping"${more}}`);
    assertEquals(ask(',"token":""'), "ping");
    for (const more of ["", ...["null", "5", "[]", '"x"'].map((token) => `,"token":${token}`)]) {
      assertEquals(ask(more), "unauthorized Unauthorized", more);
    }
  }
});

Deno.test("v2: the token for reading is for reading, whatever the operation", () => {
  for (const { access, v2 } of OPERATIONS) {
    const answer = guarded.ask(`{"v":2,"op":"${v2!.ops[0]}","token":"read"}`);
    const sentence = `forbidden Read-only token cannot execute command ${v2!.label}`;
    assertEquals(answer === sentence, access !== "read", answer);
  }
});

Deno.test("v2: shapes in the order of the fields, then what they say", () => {
  const rows: [members: string, answer: string][] = [
    ["", bad("Field tree or series is required")],
    ['"tree":""', bad("Field key is required")],
    ['"tree":"","key":1', bad("Field tree_name is required")],
    ['"tree":"","key":1,"date":"x"', bad("Field date must be a bucket date")],
    ['"tree":"","key":1,"date":7', bad("Field tree_name is required")],
    [
      '"tree":"t","key":1,"date":7,"value":-1',
      bad("Field value must be greater than or equal to 0"),
    ],
    ['"tree":"t","key":1,"date":7,"value":0', bad("Invalid bucket date")],
    ['"tree":"t","key":1,"value":0', bad("Field value must be greater than 0")],
    [
      '"tree":"t","key":1,"value":0,"idempotency_key":5.5',
      bad("Field idempotency_key must be a string or integer"),
    ],
    [
      '"tree":"t","key":1,"value":0,"idempotency_key":""',
      bad("Field value must be greater than 0"),
    ],
    [
      '"tree":"t","key":1,"idempotency_key":"","fingerprint":null',
      bad("Field fingerprint must be a string or integer"),
    ],
    [
      '"tree":"t","key":1,"idempotency_key":"","fingerprint":""',
      bad("Field idempotency_key must not be empty"),
    ],
  ];
  for (const [members, answer] of rows) {
    const line = `{"v":2,"op":"counter.increment"${members === "" ? "" : `,${members}`}}`;
    assertEquals(asker.ask(line), answer, line);
  }
  // A range comes before the tree and the key, and its days behind them.
  const sum = '{"v":2,"op":"counter.sum","range":{"from":1,"to":2}';
  assertEquals(asker.ask(`${sum}}`), bad("Field tree or series is required"));
  assertEquals(asker.ask(`${sum},"tree":"t","key":true}`), bad(`Field key ${WHOLE}`));
  assertEquals(asker.ask(`${sum},"tree":"t","key":1}`), bad("Invalid bucket date"));
});

const ONCE: [members: string, answer: string][] = [
  ['"idempotency_key":"a"', ' once="a"'],
  ['"idempotency_key":"\\u0061\\u0430\\n"', ' once="aÐ°\\n"'],
  ['"idempotency_key":77', ' once="77"'],
  ['"idempotency_key":-77', ' once="-77"'],
  ['"idempotency_key":18446744073709551615', ' once="18446744073709551615"'],
  [`"idempotency_key":"${"x".repeat(256)}"`, ` once="${"x".repeat(256)}"`],
  [`"idempotency_key":"${"x".repeat(257)}"`, bad("Field idempotency_key exceeds max size")],
  [`"idempotency_key":"${"д".repeat(129)}"`, bad("Field idempotency_key exceeds max size")],
  ['"idempotency_key":""', bad("Field idempotency_key must not be empty")],
  ...["null", "1.5", "true", "[]", "{}"].flatMap((value): [string, string][] => [
    [`"idempotency_key":${value}`, bad("Field idempotency_key must be a string or integer")],
    [
      `"idempotency_key":"a","fingerprint":${value}`,
      bad("Field fingerprint must be a string or integer"),
    ],
    [`"fingerprint":${value}`, ""], // of interest beside a key only
    [`"idempotency_created_at_unix":${value}`, ""],
    [
      `"idempotency_key":"a","idempotency_created_at_unix":${value}`,
      bad("Field idempotency_created_at_unix must be an integer"),
    ],
  ]),
  ['"idempotency_key":"a","fingerprint":"0f"', ' once="a" print="0f"'],
  ['"idempotency_key":"a","fingerprint":5', ' once="a" print="5"'],
  [
    `"idempotency_key":1,"fingerprint":"${"f".repeat(512)}"`,
    ` once="1" print="${"f".repeat(512)}"`,
  ],
  [
    `"idempotency_key":1,"fingerprint":"${"f".repeat(513)}"`,
    bad("Field fingerprint exceeds max size"),
  ],
  ['"idempotency_key":"a","fingerprint":""', bad("Field fingerprint must not be empty")],
  ['"idempotency_key":"a","idempotency_created_at_unix":0', ' once="a"'],
  ['"idempotency_key":"a","idempotency_created_at_unix":-0', ' once="a"'],
  ['"idempotency_key":"a","idempotency_created_at_unix":1700000000', ' once="a"'],
  [
    '"idempotency_key":"a","idempotency_created_at_unix":"1"',
    bad("Field idempotency_created_at_unix must be an integer"),
  ],
  [
    '"idempotency_key":"a","idempotency_created_at_unix":-1',
    bad("Field idempotency_created_at_unix must be greater than or equal to 0"),
  ],
];

Deno.test("v2: idempotency keys, where the operation is done once", () => {
  for (const [members, answer] of ONCE) {
    const line = `{"v":2,"op":"tree.reset","tree":"t",${members}}`;
    assertEquals(asker.ask(line), answer.startsWith("v") ? answer : `resetAll "t"${answer}`, line);
  }
});

Deno.test("v2: idempotency keys elsewhere are looked at, and mean nothing", () => {
  for (const [members, answer] of ONCE) {
    const line = `{"v":2,"op":"tree.create","tree":"t",${members}}`;
    const told = asker.ask(line).replace(/ print=.*/, "");
    assertEquals(told, answer.startsWith("v") ? answer : 'create "t"', line);
    assertEquals(asker.request.hasIdempotencyKey, false);
  }
});

Deno.test("v2: the key of one request does not show in the next", () => {
  asker.ask('{"v":2,"op":"tree.reset","tree":"t","idempotency_key":"a","fingerprint":"b"}');
  assertEquals(asker.ask('{"v":2,"op":"tree.reset","tree":"t"}'), 'resetAll "t"');
  asker.ask('{"v":2,"op":"counter.increment","tree":"t","key":1,"date":20260101,"value":9}');
  const line = '{"v":2,"op":"counter.increment","tree":"t","key":2}';
  assertEquals(asker.ask(line), 'increment "t" key=2 day=0 value=1');
});

/** The line that a reply is. */
function encoded(fields: Partial<Reply>): string {
  const out = new SendBuffer(1);
  asker.codec.encode(new Request(), Object.assign(new Reply(), fields), out);
  return decoder.decode(out.bytes.subarray(0, out.length));
}

Deno.test("v2: replies, and whether they repeat one", () => {
  const begin = '{"protocol_version":2,"success":true,"response":';
  assertEquals(encoded({ shape: "pong" }), `${begin}"pong","error_code":null}\n`);
  assertEquals(
    encoded({ shape: "ok", isRepeated: false }),
    `${begin}"OK","idempotent":false,"error_code":null}\n`,
  );
  const stored = encoder.encode('{"applied":1}');
  assertEquals(
    encoded({ shape: "stored", stored, isRepeated: true }),
    `${begin}{"applied":1},"idempotent":true,"error_code":null}\n`,
  );
});

Deno.test("v2: errors, with what they are about", () => {
  const begin = '{"protocol_version":2,"success":false,"response":"';
  const reply = new Reply();
  reply.fail("internal_error", 'no "x"\n\u007f');
  assertEquals(
    encoded(reply),
    `${begin}no \\"x\\"\\n\\u007f","error_code":"internal_error"}\n`,
  );
  reply.isRepeated = true; // an error is not kept, so it tells nothing of that
  reply.notFound("Ingest stream", encoder.encode('a"b'));
  assertEquals(
    encoded(reply),
    `${begin}Ingest stream \\"a\\"b\\" not found","error_code":"not_found"}\n`.replace(
      'a\\"',
      'a\\"',
    ),
  );
  reply.fail("unknown_command", "Unknown op ");
  reply.subject = encoder.encode("день\u0001");
  assertEquals(
    encoded(reply),
    `${begin}Unknown op день\\u0001","error_code":"unknown_command"}\n`,
  );
});

Deno.test("v2: what the envelope says need not be in the frame, and comes before it", () => {
  const [ping, sum] = ["ping", "sum"].map((id) => OPERATIONS.find((row) => row.id === id)!);
  const token = (text: string) => encoder.encode(text);
  const told = (line: string, envelope: Partial<Envelope>) => {
    const codec = codecOf({ access: new Access("full", "read") });
    const reply = new Reply();
    const all = { operation: null, token: null, isWhole: true, ...envelope };
    const isDecoded = codec.decode(lineOf(encoder.encode(line)), "v2", request, reply, all);
    return isDecoded ? request.operation.id : `${reply.code} ${reply.text}`;
  };
  const request = new Request();
  assertEquals(told("{}", { operation: ping, token: token("full") }), "ping");
  assertEquals(told('{"v":2}', { operation: ping, token: token("read") }), "ping");
  assertEquals(told('{"v":3}', { operation: ping, token: token("full") }), UNSUPPORTED);
  assertEquals(told('{"token":"full"}', { operation: ping }), "ping");
  assertEquals(
    told('{"token":"full"}', { operation: ping, token: token("") }),
    "unauthorized Unauthorized",
  );
  assertEquals(told('{"op":"system.ping","token":"full"}', {}), "ping");
  assertEquals(told('{"command":"ping"}', { token: token("full") }), bad("Field op is required"));
  assertEquals(
    told('{"op":"tree.drop"}', { operation: ping, token: token("read") }),
    bad("Field op must not be there: the path names the operation"),
  );
  assertEquals(
    told('\n{"tree":\n"t","key":1}\r\n', { operation: sum, token: token("full") }),
    "sum",
  );
});

/** The reply to a ping with an id, given as JSON, or to another operation. */
function withId(id: string, op = "system.ping"): string {
  const codec = codecOf();
  const [request, reply, out] = [new Request(), new Reply(), new SendBuffer(64)];
  const line = lineOf(encoder.encode(`{"id":${id},"v":2,"op":"${op}"}`));
  if (codec.decode(line, "v2", request, reply)) reply.shape = "pong";
  codec.encode(request, reply, out);
  return decoder.decode(out.view(0));
}

const PONG = '{"protocol_version":2,"success":true,"response":"pong","error_code":null';
const UNKNOWN =
  '{"protocol_version":2,"success":false,"response":"Unknown op x","error_code":"unknown_command"';

Deno.test("v2: an id comes back as it was sent, in errors too", () => {
  const ids = [
    '""',
    '"a"',
    '"é\\n\\"\\\\"',
    `"${"x".repeat(255)}"`,
    "0",
    "17",
    "-0",
    "-5",
    "1.50",
    "2e3",
  ];
  for (const id of [...ids, "18446744073709551615", `0.${"1".repeat(253)}`]) {
    assertEquals(withId(id), `${PONG},"id":${id}}\n`);
    assertEquals(withId(id, "x"), `${UNKNOWN},"id":${id}}\n`);
  }
  assertEquals(withId('"\\u0041"'), `${PONG},"id":"A"}\n`);
});

Deno.test("v2: what is no id is refused by name, and does not come back", () => {
  const refusal = "Field id must be a string or a number of up to 255 bytes";
  const bad = ["null", "true", "[]", "{}", `"${"x".repeat(256)}"`, `0.${"1".repeat(254)}`];
  for (const id of bad) {
    const reply = JSON.parse(withId(id));
    assertEquals([reply.response, reply.error_code, reply.id], [
      refusal,
      "validation_error",
      undefined,
    ]);
  }
});

Deno.test("v2: of a line that is no JSON there is no id", () => {
  assertEquals(JSON.parse(withId("1 2")).id, undefined);
});

Deno.test("v2: keys_as and numbers_as are text or refused by name", () => {
  for (const name of ["keys_as", "numbers_as"]) {
    for (const value of ["null", "1", '"string"', '"texts"', '""']) {
      assertEquals(
        asker.ask(`{"v":2,"op":"system.ping","${name}":${value}}`),
        bad(`Field ${name} must be "text"`),
      );
    }
    assertEquals(asker.ask(`{"v":2,"op":"system.ping","${name}":"text"}`), "ping");
  }
});
