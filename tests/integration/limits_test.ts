// Limits: each option that bounds something does so, in the words of `--help`, and breaks nothing else.
//
// What bounds connections, descriptors and the disk has tests of its own (connections_test.ts,
// log_space_test.ts, weaknesses_blocking_test.ts).

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client, failureV2 } from "../support/client.ts";
import { ClientV2, type Fields } from "../support/client_v2.ts";
import { live } from "../support/life.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const DAY = 20260101;
const RANGE = { from: 20260101, to: 20260131 };
const PING = '{"v":2,"op":"system.ping"}';
const PONG = '{"protocol_version":2,"success":true,"response":"pong","error_code":null}';
const counter = (key: number, extra = {}) => ({ tree: "t", key, date: DAY, value: 1, ...extra });
const seconds = () => performance.now() / 1000;

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Starts Karma with an option and connects. */
async function limited(...args: string[]): Promise<{ server: Server; client: ClientV2 }> {
  const server = await Server.start({ args });
  return { server, client: await ClientV2.connect(server.port) };
}

Deno.test("limits: --help tells each with its unit and default", async () => {
  const { stdout } = await Server.run(["--help"]);
  const told: [option: string, fallback: string | null][] = [
    ["--max-request-bytes=bytes", "1048576"],
    ["--max-connections=count", "10000"],
    ["--max-response-bytes=bytes", "1048576"],
    ["--max-batch-items=count", "10000"],
    ["--query-timeout-ms=ms", "1000"],
    ["--request-timeout=seconds", "60"],
    ["--read-timeout=seconds", "0"],
    ["--write-timeout=seconds", "0"],
    ["--auth-token=token", null],
    ["--auth-token-file=path", null],
    ["--read-auth-token=token", null],
    ["--read-auth-token-file=path", null],
    ["--idempotency-max-records=count", "1000000"],
    ["--idempotency-max-age-seconds=seconds", "604800"],
    ["--ingest-max-streams=count", "1000"],
    ["--ingest-max-staged-items=count", "10000000"],
  ];
  const lines = stdout.split("\n");
  for (const [option, fallback] of told) {
    const line = lines.find((line) => line.trim().startsWith(`${option} `));
    assert(line !== undefined, option);
    assert(line.endsWith(fallback === null ? "" : ` (default: ${fallback})`), line);
    const flag = option.slice(2).split("=")[0];
    assert(lines.some((line) => line.endsWith(` Instead of --${flag}`)), `${flag}: no variable`);
    const { code, stderr } = await Server.run([`--${flag}=`]);
    assertEquals([code, stderr.split("\n")[0]], [2, `Option --${flag} needs a value: ""`]);
  }
  for (const flag of ["max-batch-items", "max-connections", "ingest-max-streams"]) {
    const { code, stderr } = await Server.run([`--${flag}=0`]);
    assertEquals(code, 2);
    assertMatch(stderr, new RegExp(`^Option --${flag} must be an integer from 1 to \\d+: "0"\n`));
  }
});

Deno.test("limits: --max-request-bytes, to the byte", async () => {
  const { server, client } = await limited("--max-request-bytes=200");
  await using _server = server;
  using _client = client;
  const { connection } = client;
  for (const end of ["\n", "\r\n"]) {
    await connection.send(PING.padEnd(200) + end + PING + end);
    assertEquals(await connection.lines(2), [PONG, PONG]);
  }
  // What was complete before is answered, and nothing behind.
  await connection.send(
    `${PING}\n${PING.padEnd(201)}\n${client.line("tree.create", { tree: "t" })}\n`,
  );
  const refusal = failureV2("Request exceeds 200 bytes", "request_too_large");
  assertEquals(await connection.lines(2), [PONG, refusal]);
  await connection.atEnd();
  using other = await ClientV2.connect(server.port);
  assertEquals(await other.get("tree.list"), []);
});

Deno.test("limits: --max-response-bytes, to the byte, and changes nothing beyond it", async () => {
  const bytesMax = 2000;
  const { server, client } = await limited(`--max-response-bytes=${bytesMax}`);
  await using _server = server;
  using _client = client;
  const refusal = `response_too_large: Response exceeds ${bytesMax} bytes`;
  for (let key = 0; key < 10; key++) await client.get("counter.increment", counter(key));
  // {"key":K,"value":V}, of K and V with one digit each
  const envelope = '{"protocol_version":2,"success":true,"response":[],"error_code":null}'.length;
  const each = '{"key":7,"value":1},'.length;
  const count = Math.floor((bytesMax - envelope + 1) / each);
  const rest = bytesMax - (envelope + each * count - 1);
  const keys = (...more: number[]) => ({ tree: "t", keys: [...Array(count).fill(7), ...more] });
  await client.get("counter.batch_sum", keys());
  assertEquals(await client.refused("counter.batch_sum", keys(7)), refusal);
  // Longer keys fill what is left.
  const filled = { tree: "t", keys: [...Array(count - 1).fill(7), Number(`7${"0".repeat(rest)}`)] };
  const line = await client.connection.ask(client.line("counter.batch_sum", filled));
  assertEquals(line.length, bytesMax);
  filled.keys[0] = 77;
  assertEquals(await client.refused("counter.batch_sum", filled), refusal);

  const items = Array(100).fill({ series: "t", key: 1 });
  const readings: [op: string, fields: Fields][] = [
    ["counter.multi_sum", { items }],
    ["tree.keys", { tree: "t", limit: 1000 }],
    ["tree.top", { tree: "t", limit: 1000 }],
    ["tree.series", { tree: "t", range: RANGE }],
    ["system.metrics", {}],
  ];
  for (let key = 10; key < 200; key++) await client.get("counter.increment", counter(key));
  for (const [op, fields] of readings) assertEquals(await client.refused(op, fields), refusal, op);
  // Error answers, protocol v1, and everything after are as they were.
  assertMatch(await client.refused("counter.sum", { tree: "none", key: 1 }), /^not_found/);
  const find = { command: "find", tree_name: "t", time_from: 0, time_to: 99999999 };
  assert((await client.connection.ask(find)).length > bytesMax);
  assertEquals(await client.get("counter.sum", { tree: "t", key: 7 }), 1);
});

Deno.test("limits: --max-batch-items, of every list", async () => {
  const { server, client } = await limited("--max-batch-items=3");
  await using _server = server;
  using _client = client;
  const item = [1, DAY, 1];
  const lists: [op: string, list: string, of: unknown, fields: Fields][] = [
    ["series.batch_add", "items", item, {}],
    ["series.batch_set", "items", item, {}],
    ["counter.batch_sum", "keys", 1, {}],
    ["counter.batch_reset", "keys", 1, {}],
    ["counter.batch_delete_range", "keys", 1, { range: RANGE }],
    ["counter.multi_sum", "items", { series: "t", key: 1 }, {}],
    ["ingest.chunk", "items", item, { stream_id: "s", chunk_seq: 1 }],
  ];
  await client.get("ingest.begin", { stream_id: "s", mode: "add" });
  for (const [op, list, of, fields] of lists) {
    const request = (count: number) => ({ tree: "t", ...fields, [list]: Array(count).fill(of) });
    const before = op === "series.batch_add"
      ? []
      : await client.get("tree.series", { tree: "t", range: RANGE });
    const error = `validation_error: Field ${list} exceeds max size`;
    assertEquals(await client.refused(op, request(4)), error, op);
    assertEquals(await client.refused(op, request(100)), error, op);
    if (op === "series.batch_add") assertEquals(await client.get("tree.list"), before);
    else assertEquals(await client.get("tree.series", { tree: "t", range: RANGE }), before);
    await client.get(op, request(3));
  }
});

Deno.test("limits: --query-timeout-ms ends a reading, and not the connection", async () => {
  using directory = new TemporaryDirectory();
  const keys = 200_000;
  const readings: [op: string, fields: Fields][] = [
    ["tree.series", { tree: "t", range: RANGE }],
    ["tree.top", { tree: "t" }],
    ["tree.summary", { tree: "t", range: RANGE }],
  ];
  await live(directory, async (client) => {
    for (let from = 0; from < keys; from += 10_000) {
      const items = Array.from({ length: 10_000 }, (_, n) => [from + n, DAY, 1]);
      await client.get("series.batch_add", { tree: "t", items });
    }
    for (const [op, fields] of readings.slice(1)) await client.get(op, fields); // in a second
  }, { end: "SIGTERM" });
  await live(directory, async (client) => {
    for (const [op, fields] of readings) {
      const [timed, sum] = await client.all([[op, fields], ["counter.sum", { tree: "t", key: 1 }]]);
      assertEquals(timed.error_code, "query_timeout", op);
      assertEquals(timed.response, "Query exceeded 2 ms");
      assertEquals(sum.response, 1);
    }
    assertEquals(await client.figure("query_timeout_count"), readings.length);
  }, { args: ["--query-timeout-ms=2"] });
  await live(directory, async (client) => {
    for (const [op, fields] of readings.slice(1)) await client.get(op, fields);
  }, { args: ["--query-timeout-ms=0"] });
});

Deno.test("limits: --request-timeout counts from a request's first byte, however it drips", async () => {
  const { server, client } = await limited("--request-timeout=1");
  await using _server = server;
  using _client = client;
  const stalls: [what: string, first: string, drip: string][] = [
    ["stalls", `${PING}\n${PING.slice(0, 9)}`, ""],
    ["drips", `${PING}\n{`, " "],
    ["drips a string", `${PING}\n{"v":2,"op":"`, "x"],
  ];
  await Promise.all(stalls.map(async ([what, first, drip]) => {
    using slow = await Client.connect(server.port);
    const began = seconds();
    await slow.send(first);
    assertEquals(await slow.line(), PONG, what); // what was complete before
    const dripping = (async () => {
      while (drip !== "") {
        await sleep(50);
        await slow.send(drip);
      }
    })().catch(() => {});
    await slow.atEnd().catch((error) => assertMatch(`${error}`, /reset/)); // by late bytes
    const took = seconds() - began;
    assert(took > 0.9 && took < 5, `One that ${what} was cut after ${took} s`);
    await dripping;
  }));
  // Requests that come in parts, but soon enough, are answered, however long that goes on.
  const { connection } = client;
  for (let round = 0; round < 8; round++) {
    await connection.send(PING.slice(0, 10));
    await sleep(200);
    await connection.send(`${PING.slice(10)}\n${PING.slice(0, 5)}`);
    assertEquals(await connection.line(), PONG);
    await sleep(200);
    await connection.send(`${PING.slice(5)}\n`);
    assertEquals(await connection.line(), PONG);
  }
  await sleep(1600); // and an idle one is not cut
  assertEquals(await client.get("system.ping"), "pong");
});

Deno.test("limits: --read-timeout cuts who sends nothing, and nobody else", async () => {
  const { server, client } = await limited("--read-timeout=1");
  await using _server = server;
  using _client = client;
  const began = seconds();
  using silent = await Client.connect(server.port);
  const cut = silent.atEnd().then(() => seconds() - began);
  for (let round = 0; round < 8; round++) {
    await client.get("system.ping");
    await sleep(300);
  }
  const took = await cut;
  assert(took > 0.9 && took < 2.3, `It was cut after ${took} s`);
  await client.connection.atEnd(); // at last, it too
});

Deno.test("limits: --write-timeout cuts who takes no answers, and nobody else", async () => {
  const { server, client } = await limited("--write-timeout=1", "--max-response-bytes=0");
  await using _server = server;
  using _client = client;
  const items = Array.from({ length: 10_000 }, (_, key) => [key, DAY, 1]);
  await client.get("series.batch_add", { tree: "t", items });
  using deaf = await Client.connect(server.port);
  const find = client.line("tree.series", { tree: "t", range: RANGE });
  const reply = await client.connection.ask(find);
  const requests = 60; // more than the kernel's buffers take
  await deaf.send(`${find}\n`.repeat(requests));
  await sleep(3000);
  let bytes = 0;
  const drained = (async () => {
    for (let count = 1; count > 0; bytes += count) count = (await deaf.sip(1 << 20)).length;
  })().catch((error) => assertMatch(`${error}`, /reset/));
  await drained;
  assert(bytes < requests * reply.length, "Everything came, late as it was");
  // One that reads slowly, but reads, gets everything.
  using slow = await Client.connect(server.port);
  await slow.send(`${find}\n`.repeat(5));
  for (let got = 0; got < 5 * (reply.length + 1);) {
    const { length } = await slow.sip(100_000);
    assert(length > 0, "The slow one was cut");
    got += length;
    await sleep(30);
  }
  await sleep(1600); // idle is not deaf
  assertEquals(await client.get("system.ping"), "pong");
});
