// What it costs to write a reply, as a session has it written: by the codec, into one buffer that is
// emptied when it is full. A thousand replies an iteration, so µs of the table are ns of a reply.

import { assertEquals } from "@std/assert";
import { SendBuffer } from "../../../lib/bytes/send_buffer.ts";
import { Limits, LimitSet } from "../../../lib/command/limits.ts";
import { Reply, SUM_WORDS } from "../../../lib/command/reply.ts";
import { Request } from "../../../lib/command/request.ts";
import { Verdict } from "../../../lib/command/verdict.ts";
import { codecOf } from "../../support/codec.ts";
import { SEND_BYTES } from "../../../lib/server/exchange.ts";
import { Random } from "../../support/random.ts";

const REPLIES = 1000;
const DAYS = Array.from({ length: 30 }, (_, index) => 20261101 + index);
const VALUE_MAX = 10_000;
const RESETS_MS = Date.UTC(2026, 10, 24);
const RESETS = '"resets_at":"2026-11-24T00:00:00Z"';

const encoder = new TextEncoder();
const random = new Random(42);
const codec = codecOf({ replyBytesMax: 1 << 20 });
const request = new Request();
const out = new SendBuffer(2 * SEND_BYTES);

/** Writes a reply again and again; `change` makes each a little different. */
function write(dialect: string, reply: Reply, change: (index: number) => void): void {
  request.protocol = dialect;
  out.clear();
  for (let index = 0; index < REPLIES; index++) {
    change(index);
    codec.encode(request, reply, out);
    if (out.length >= SEND_BYTES) out.clear();
  }
}

function written(dialect: string, reply: Reply): string {
  out.clear();
  request.protocol = dialect;
  codec.encode(request, reply, out);
  return new TextDecoder().decode(out.view(0)).trimEnd();
}

const values = Uint32Array.from({ length: REPLIES }, () => 1 + random.below(VALUE_MAX));

const number = new Reply();
number.number(5, 0);
const changeNumber = (index: number) => number.lanes[0] = values[index];

const large = new Reply();
large.number(5, 7);
const changeLarge = (index: number) => large.lanes[0] = values[index];

const cells = new Reply();
cells.shape = "cells";
DAYS.forEach((day, index) => cells.cells.push(day, values[index], 0));
const changeCells = (index: number) => cells.cells.words[1] = values[index];

const verdict = verdictOf("api_requests", 1000, 20_000);
const verdicts = new Reply();
verdicts.shape = "verdict";
verdicts.verdict = verdict;
const changeVerdict = (index: number) => verdict.used[0] = verdict.used[2] = values[index] % 1000;

const sums = new Reply();
sums.beginSums(REPLIES);
for (let index = 0; index < REPLIES; index++) {
  sums.sums.set([1 + index, 0, values[index], 0], SUM_WORDS * index);
}

/** A verdict that allows 1, under a limit for the day and one for the month. */
function verdictOf(series: string, maxDay: number, maxMonth: number): Verdict {
  const limits = new Limits();
  const limit = (kind: "day" | "month", max: number) => {
    const name = encoder.encode(series);
    return { name, window: { kind }, max: [max, 0], cost: null, key: null, carry: null } as const;
  };
  limits.use(new LimitSet([limit("day", maxDay), limit("month", maxMonth)]), 1, 0, 1, 0);
  const verdict = new Verdict();
  verdict.begin(limits, Date.UTC(2026, 0, 1));
  verdict.isAllowed = true;
  verdict.applied[0] = 1;
  verdict.used.set([5, 0, 5, 0]);
  for (let index = 0; index < limits.count; index++) {
    verdict.hasRefused[index] = false;
    verdict.resetsAtMs[index] = RESETS_MS;
  }
  return verdict;
}

/** The response in a line of v2. */
function response(line: string): string {
  const found = /^{"protocol_version":2,"success":true,"response":(.*),"error_code":null}$/.exec(
    line,
  );
  return found![1];
}

assertEquals(written("v1", number), '{"success":true,"response":5}');
assertEquals(response(written("v2", number)), "5");
assertEquals(response(written("v2", large)), `${7n * 2n ** 32n + 5n}`);
const days = DAYS.map((day, index) => `"${day}":${values[index]}`);
assertEquals(response(written("v2", cells)), `{${days.join(",")}}`);
assertEquals(
  response(written("v2", verdicts)),
  '{"allowed":true,"applied":1,"denied_by":null,"limits":[' +
    `{"series":"api_requests","max":1000,"used":5,"remaining":995,${RESETS}},` +
    `{"series":"api_requests","max":20000,"used":5,"remaining":19995,${RESETS}}]}`,
);
const told = Array.from(values, (value, index) => ({ key: 1 + index, value }));
assertEquals(response(written("v2", sums)), JSON.stringify(told));

Deno.bench("1000 numbers, v1", { group: "number", baseline: true }, () => {
  write("v1", number, changeNumber);
});
Deno.bench("1000 numbers, v2", { group: "number" }, () => {
  write("v2", number, changeNumber);
});
Deno.bench("1000 numbers beyond 2^32, v2", { group: "number" }, () => {
  write("v2", large, changeLarge);
});

Deno.bench("1000 finds of 30 days, v1", { group: "find", baseline: true }, () => {
  write("v1", cells, changeCells);
});
Deno.bench("1000 finds of 30 days, v2", { group: "find" }, () => {
  write("v2", cells, changeCells);
});

Deno.bench("1000 verdicts on two limits", { group: "verdict", baseline: true }, () => {
  write("v2", verdicts, changeVerdict);
});

Deno.bench("one batch_sum of 1000", { group: "batch", baseline: true }, () => {
  written("v2", sums);
});
