// What it costs to understand a line, as a session has it understood: found in the receive buffer, and
// decoded by the codec into one request record that is used again. A thousand lines an iteration, so µs of the table are ns of a line;
// but for batches, of which one line has a thousand items.
//
// JSON.parse of the same bytes is measured as well. It knows no 64-bit numbers, checks nothing that a
// request must be, and is there to compare with only.

import { assertEquals } from "@std/assert";
import { ReceiveBuffer } from "../../../lib/bytes/receive_buffer.ts";
import { Reply } from "../../../lib/command/reply.ts";
import { Request } from "../../../lib/command/request.ts";
import { codecOf } from "../../support/codec.ts";
import { Asker } from "../../support/asker.ts";
import { Random } from "../../support/random.ts";
import { feed } from "../frames.ts";

const LINES = 1000;
const KEYS = 100_000;
const DAY = 20261122;
const RANGE = { from: 20261024, to: DAY };

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const codec = codecOf();
const received = new ReceiveBuffer(1 << 20);
const request = new Request();
const reply = new Reply();
const random = new Random(42);

/** Lines one behind the other, as a read brings them; line n is bytes[ends[n - 1]..ends[n]) less LF. */
interface Read {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ends: readonly number[];
  readonly dialect: string;
}

function read(dialect: string, count: number, line: (key: number) => object): Read {
  const ends: number[] = [];
  let text = "";
  for (let index = 0; index < count; index++) {
    text += JSON.stringify(line(1 + random.below(KEYS))) + "\n";
    ends.push(text.length);
  }
  return { bytes: encoder.encode(text), ends, dialect };
}

/** Finds and decodes every line; returns how many are good. */
function decode({ bytes, dialect }: Read): number {
  let good = 0;
  feed(received, bytes, () => {
    reply.clear();
    if (codec.decode(received, dialect, request, reply)) good++;
  });
  return good;
}

function parse({ bytes, ends }: Read): number {
  let good = 0;
  let start = 0;
  for (const end of ends) {
    if (JSON.parse(decoder.decode(bytes.subarray(start, end - 1))) !== null) good++;
    start = end;
  }
  return good;
}

const LIMITS = [
  { series: "api_requests", max: 1000, window: "day" },
  { series: "api_requests", max: 20000, window: "month" },
];
const amounts = () => Array.from({ length: LINES }, () => [1 + random.below(KEYS), DAY, 3]);
const keys = () => Array.from({ length: LINES }, () => 1 + random.below(KEYS));

const INCREMENT_V1 = read("v1", LINES, (key) => {
  return { command: "increment", tree_name: "plain", key };
});
const INCREMENT_V2 = read("v2", LINES, (key) => {
  return { v: 2, op: "counter.increment", series: "plain", key };
});
const FIND_V1 = read("v1", LINES, (key) => {
  const { from, to } = RANGE;
  return { command: "find", tree_name: "plain", key, time_from: from, time_to: to };
});
const FIND_V2 = read("v2", LINES, (key) => {
  return { v: 2, op: "counter.series", series: "plain", key, range: RANGE };
});
const CONSUME = read("v2", LINES, (key) => {
  return { v: 2, op: "limit.consume", key, cost: 1, limits: LIMITS };
});
const BATCH_ADD = read("v2", 1, () => {
  return { v: 2, op: "series.batch_add", series: "plain", items: amounts() };
});
const BATCH_SUM = read("v2", 1, () => {
  return { v: 2, op: "counter.batch_sum", series: "plain", keys: keys() };
});

/** Each of the reads, and what its first line is understood as, whatever the key. */
const MEANINGS: [read: Read, meaning: string][] = [
  [INCREMENT_V1, 'increment "plain" key=K day=0 value=1'],
  [INCREMENT_V2, 'increment "plain" key=K day=0 value=1'],
  [FIND_V1, 'find 20261024-20261122 "plain" key=K'],
  [FIND_V2, 'find 20261024-20261122 "plain" key=K'],
  [
    CONSUME,
    'consume key=K cost=1 ["api_requests"/1000/cost 1/key K/{"kind":"day"},' +
    '"api_requests"/20000/cost 1/key K/{"kind":"month"}] reject ',
  ],
];
for (const [lines, meaning] of MEANINGS) {
  assertEquals(decode(lines), LINES);
  const first = new Asker().ask(lines.bytes.subarray(0, lines.ends[0] - 1), lines.dialect);
  assertEquals(first.replaceAll(/key[= ]\d+/g, (found) => found.slice(0, 4) + "K"), meaning.trim());
}
for (const batch of [BATCH_ADD, BATCH_SUM]) {
  assertEquals(decode(batch), 1);
  assertEquals(request.items.count, LINES);
}

Deno.bench("decode 1000 increments, v1", { group: "increment", baseline: true }, () => {
  decode(INCREMENT_V1);
});
Deno.bench("decode 1000 increments, v2", { group: "increment" }, () => {
  decode(INCREMENT_V2);
});
Deno.bench("JSON.parse 1000 increments, v2", { group: "increment" }, () => {
  parse(INCREMENT_V2);
});

Deno.bench("decode 1000 finds, v1", { group: "find of 30 days", baseline: true }, () => {
  decode(FIND_V1);
});
Deno.bench("decode 1000 finds, v2", { group: "find of 30 days" }, () => {
  decode(FIND_V2);
});

Deno.bench("decode 1000 consumes", { group: "consume, two limits", baseline: true }, () => {
  decode(CONSUME);
});
Deno.bench("JSON.parse 1000 consumes", { group: "consume, two limits" }, () => {
  parse(CONSUME);
});

Deno.bench("decode a batch_add of 1000", { group: "batch of 1000", baseline: true }, () => {
  decode(BATCH_ADD);
});
Deno.bench("decode a batch_sum of 1000", { group: "batch of 1000" }, () => {
  decode(BATCH_SUM);
});
Deno.bench("JSON.parse a batch_add of 1000", { group: "batch of 1000" }, () => {
  parse(BATCH_ADD);
});
