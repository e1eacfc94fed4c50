// The fields that only cold operations have, as tables.

import { assertEquals } from "@std/assert";
import { Asker } from "../../../support/asker.ts";

const asker = new Asker();

const bad = (sentence: string) => `validation_error ${sentence}`;
const WHOLE = "must be an integer from 0 to 18446744073709551615";
const AT_LEAST_0 = "must be greater than or equal to 0";

type Row = [members: string, answer: string];

/** Asks an operation with each of these members. */
function check(op: string, begin: string, rows: Row[]): void {
  for (const [members, answer] of rows) {
    const line = `{"v":2,"op":"${op}"${members === "" ? "" : `,${members}`}}`;
    const isSentence = /^(Field|Unsupported) /.test(answer);
    assertEquals(asker.ask(line), isSentence ? bad(answer) : `${begin} ${answer}`.trim(), line);
  }
}

const LONG = "x".repeat(1024);

/** A text that must be there and say something. */
const texts = (member: string, begin: string): Row[] => [
  [`"${member}":"a"`, `${begin}"a"`],
  [`"${member}":"\\u0430\\n\\u0000"`, `${begin}"а\\n\\u0000"`],
  [`"${member}":"${LONG}"`, `${begin}"${LONG}"`],
  [`"${member}":"${LONG}x"`, `Field ${member} exceeds max size`],
  ["", `Field ${member} is required`],
  ...['""', "null", "5", "[]", "{}", "true"].map((value): Row => [
    `"${member}":${value}`,
    `Field ${member} is required`,
  ]),
];

Deno.test("details: the id of a stream", () => {
  check("ingest.commit", "ingestCommit", texts("stream_id", "stream="));
  check("ingest.abort", "ingestAbort", texts("stream_id", "stream="));
});

Deno.test("details: a text that is no UTF-8", () => {
  const line = '{"v":2,"op":"ingest.commit","stream_id":"?"}';
  const bytes = new TextEncoder().encode(line);
  bytes[line.indexOf("?")] = 0x80;
  assertEquals(asker.ask(bytes), bad("Field stream_id must be UTF-8"));
});

Deno.test("details: modes and granularities of streams", () => {
  const modes = ["add", "set", "replace_series"].map((mode): Row => [
    `"stream_id":"s","mode":"${mode}"`,
    `mode="${mode}" granularity=null`,
  ]);
  check("ingest.begin", 'ingestBegin stream="s"', [
    ...modes,
    ['"stream_id":"s"', "Field mode is required"],
    ['"stream_id":"s","mode":null', "Field mode is required"],
    ['"stream_id":"s","mode":"Add"', "Unsupported ingest mode Add"],
    ['"stream_id":"s","mode":"a\\"b"', 'Unsupported ingest mode a"b'],
    ['"mode":"nonsense"', "Field stream_id is required"],
    ['"stream_id":"s","mode":"add","granularity":"day"', 'mode="add" granularity="day"'],
    ['"stream_id":"s","mode":"add","granularity":""', 'mode="add" granularity=""'],
    ['"stream_id":"s","mode":"add","granularity":null', 'mode="add" granularity=null'],
    ['"stream_id":"s","mode":"add","granularity":5', 'mode="add" granularity=null'],
    [
      `"stream_id":"s","mode":"add","granularity":"${LONG}x"`,
      "Field granularity exceeds max size",
    ],
    [`"stream_id":"s","mode":"x","granularity":"${LONG}x"`, "Field granularity exceeds max size"],
  ]);
});

/** Unsigned integers, which are not taken from texts. */
const integers = (member: string, rest = ""): Row[] =>
  ([
    ...["null", '"1"', "1.0", "1e3", "true", "[]", "{}"].map((value): Row => [value, WHOLE]),
    ["-1", AT_LEAST_0],
  ] as Row[]).map(([value, text]) => [`${rest}"${member}":${value}`, `Field ${member} ${text}`]);

Deno.test("details: the number of a chunk", () => {
  const rest = '"tree":"t","stream_id":"s","items":[],';
  check("ingest.chunk", 'ingestChunk "t" stream="s"', [
    ...integers("chunk_seq", rest),
    [`${rest}"chunk_seq":1`, "sequence=1 []=0"],
    [`${rest}"chunk_seq":4294967296`, "sequence=4294967296 []=0"],
    [`${rest}"chunk_seq":0`, "Field chunk_seq must be greater than 0"],
    [`${rest}"chunk_seq":-0`, "Field chunk_seq must be greater than 0"],
    ['"tree":"t","stream_id":"s"', "Field chunk_seq is required"],
    ['"tree":"t","stream_id":"s","chunk_seq":0', "Field items is required"],
    ['"tree":"t","chunk_seq":"a"', "Field stream_id is required"],
    ['"stream_id":5', "Field tree or series is required"],
  ]);
});

Deno.test("details: offsets into files", () => {
  const rest = '"file":"1_t.tree",';
  check("snapshot.fetch_chunk", 'fetchChunk "1_t.tree"', [
    ...integers("offset", rest),
    ['"file":"1_t.tree"', "offset=0 limit=262144"],
    [`${rest}"offset":0`, "offset=0 limit=262144"],
    [`${rest}"offset":-0`, "offset=0 limit=262144"],
    [`${rest}"offset":4294967297,"limit":7`, "offset=4294967297 limit=7"],
  ]);
});

Deno.test("details: moments, as seconds or as texts", () => {
  check("idempotency.prune", "prune", [
    ['"before":0', "time=0 limit=0"],
    ['"before":-0', "time=0 limit=0"],
    ['"before":1700000000,"limit":5', "time=1700000000 limit=5"],
    ['"before":"2026-01-31T12:00:00Z"', "time=1769860800 limit=0"],
    ['"before":"2026-01-31t13:30:00.25+01:30"', "time=1769860800.25 limit=0"],
    ["", "Field before is required"],
    ['"before":-1', "Field before must be greater than or equal to 0"],
    ...["null", "1.5", "1e3", "true", "[]", "{}"].map((value): Row => [
      `"before":${value}`,
      "Field before must be an integer or ISO8601 timestamp",
    ]),
    ...['""', '"2026-01-31"', '"1700000000"', '"now"', '"2026-02-30T00:00:00Z"'].map(
      (value): Row => [`"before":${value}`, "Field before must be an ISO8601 timestamp"],
    ),
  ]);
});

Deno.test("details: how far a source came", () => {
  check("recovery.checkpoint", 'checkpoint source="s"', [
    ['"source":"s","offset":"12"', 'offset="12" event=null'],
    ['"source":"s","offset":12', 'offset="12" event=null'],
    ['"source":"s","offset":-12', 'offset="-12" event=null'],
    ['"source":"s","offset":18446744073709551615', 'offset="18446744073709551615" event=null'],
    ['"source":"s","offset":1,"source_offset":2', 'offset="2" event=null'],
    ['"source":"s","event_id":"e"', 'offset=null event="e"'],
    ['"source":"s","event_id":5,"source_offset":"4"', 'offset="4" event="5"'],
    ['"source":"s"', "Field offset or event_id is required"],
    ['"source":"s","offset":""', "Field offset must not be empty"],
    ['"source":"s","source_offset":""', "Field offset must not be empty"],
    ['"source":"s","offset":1,"event_id":""', "Field event_id must not be empty"],
    ...["null", "1.5", "true", "[]", "{}"].flatMap((value): Row[] =>
      ["offset", "source_offset", "event_id"].map((member) => [
        `"source":"s","${member}":${value}`,
        `Field ${member} must be a string or integer`,
      ])
    ),
    [`"source":"s","event_id":"${LONG}x"`, "Field event_id exceeds max size"],
    ['"source":"s","offset":"","event_id":null', "Field event_id must be a string or integer"],
    ['"offset":null', "Field source is required"],
    ['"source":"","offset":1', "Field source is required"],
  ]);
});

Deno.test("details: the source that is asked about, or all", () => {
  check("recovery.status", "checkpoints", [
    ["", ""],
    ['"source":"s"', 'source="s"'],
    ['"source":""', 'source=""'],
    ['"source":null', ""],
    ['"source":5', ""],
    [`"source":"${LONG}x"`, "Field source exceeds max size"],
  ]);
});

Deno.test("details: what a reconciliation found", () => {
  const both = '"checked_points":9,"mismatch_count":4';
  const MAX = 9223372036854775807n;
  check("reconciliation.report", "reconcile", [
    [both, "checked_points=9 mismatch_count=4 absolute_drift=0 max_abs_delta=0"],
    [
      `"max_abs_delta":${MAX},"absolute_drift":2,"mismatch_count":0,"checked_points":0`,
      `checked_points=0 mismatch_count=0 absolute_drift=2 max_abs_delta=${MAX}`,
    ],
    ["", "Field checked_points is required"],
    ['"mismatch_count":"a"', "Field checked_points is required"],
    ['"checked_points":1', "Field mismatch_count is required"],
    [
      '"checked_points":1,"mismatch_count":2',
      "Field mismatch_count must be less than or equal to checked_points",
    ],
    [
      '"checked_points":1,"mismatch_count":2,"absolute_drift":-1',
      `Field absolute_drift ${AT_LEAST_0}`,
    ],
    [`${both},"absolute_drift":${MAX + 1n}`, "Field absolute_drift exceeds max size"],
    ...integers("checked_points", '"mismatch_count":0,'),
    ...integers("mismatch_count", '"checked_points":1,'),
    ...integers("absolute_drift", `${both},`),
    ...integers("max_abs_delta", `${both},`),
  ]);
});

Deno.test("details: those of one request do not show in the next", () => {
  asker.ask('{"v":2,"op":"recovery.status","source":"s"}');
  assertEquals(asker.ask('{"v":2,"op":"recovery.status"}'), "checkpoints");
  asker.ask('{"v":2,"op":"ingest.begin","stream_id":"s","mode":"add","granularity":"day"}');
  assertEquals(asker.ask('{"v":2,"op":"system.ping"}'), "ping");
  assertEquals(asker.request.details.size, 0);
});
