// HTTP over Karma's port: whatever a client of HTTP does, with `fetch`, with curl, and with bytes of its own.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client } from "../support/client.ts";
import { eventually, Server } from "../support/server.ts";

const PONG = '{"protocol_version":2,"success":true,"response":"pong","error_code":null}\n';
const JSON_TYPE = { "content-type": "application/json" };
const LINES_TYPE = { "content-type": "application/x-ndjson" };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function post(server: Server, path: string, body: BodyInit, headers = {}): Promise<Response> {
  const url = `http://127.0.0.1:${server.port}${path}`;
  return fetch(url, { method: "POST", body, headers: { ...JSON_TYPE, ...headers } });
}

/** What a Karma has counted of a key. */
async function sumOf(server: Server, series: string, key = 1): Promise<unknown> {
  const response = await post(server, "/v2/counter.sum", JSON.stringify({ series, key }));
  return (await response.json()).response;
}

/** Sends bytes in pieces and returns all that comes until the connection ends. */
async function say(port: number, bytes: Uint8Array, cuts: readonly number[]): Promise<string> {
  using client = await Client.connect(port);
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    await client.send(bytes.subarray(at, cut));
    at = cut;
    if (cuts.length > 0) await new Promise((turn) => setTimeout(turn, 1));
  }
  let told = "";
  for (let part = await client.sip(65536); part.length > 0; part = await client.sip(65536)) {
    told += decoder.decode(part);
  }
  return told;
}

/** A request whose connection ends after the response. */
function request(path: string, body: string, ...headers: string[]): Uint8Array {
  const lines = ["Host: karma", "Connection: close", "Content-Type: application/json", ...headers];
  const length = encoder.encode(body).length;
  return encoder.encode(
    `POST ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\nContent-Length: ${length}\r\n\r\n${body}`,
  );
}

Deno.test("http: a connection is one of JSON lines or of HTTP by its first line, however it is cut", async () => {
  await using server = await Server.start();
  const bytes = request("/v2", '{"op":"system.ping"}');
  const firstLine = decoder.decode(bytes).indexOf("\n") + 1;
  for (let cut = 1; cut <= firstLine + 1; cut++) {
    const told = await say(server.port, bytes, [cut]);
    assertMatch(told, /^HTTP\/1\.1 200 OK\r\n/, `${cut}`);
    assert(told.endsWith(`\r\n\r\n${PONG}`), `${cut}: ${told}`);
  }
  const each = Array.from(bytes, (_, index) => index).slice(1);
  assert((await say(server.port, bytes, each)).endsWith(PONG));
  using client = await Client.connect(server.port);
  assertEquals(await client.ask('{"v":2,"op":"system.ping"}'), PONG.trimEnd());
  await client.send(bytes); // behind JSON it is nobody's
  assertMatch(await client.line().catch(String), /HTTP\/1\.1 400|400 Bad Request/);
});

Deno.test("http: the same head again, with other bodies, in pieces and in pipelines, is the same request", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  let told = "";
  const hear = async (replies: number) => {
    while (told.split('"error_code"').length <= replies) {
      told += decoder.decode(await client.sip(65536));
    }
    const codes = [...told.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, code]) => Number(code));
    const responses = [...told.matchAll(/"response":(.*),"error_code"/g)].map(([, value]) => value);
    const lengths = [...told.matchAll(/content-length: (\d+)/g)].map(([, length]) =>
      Number(length)
    );
    const bodies = told.match(/\{"protocol_version.*\n/g)!;
    assertEquals(bodies.map((body) => body.length), lengths);
    told = "";
    return { codes, responses };
  };
  const ask = (op: string, body: string) => {
    const lines = [`POST /v2/${op} HTTP/1.1`, "Host: karma", "Content-Type: application/json"];
    return `${lines.join("\r\n")}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  const increment = ask("counter.increment", '{"series":"t","key":1}');
  const sum = ask("counter.sum", '{"series":"t","key":1}');
  await client.send(increment); // this one is relayed, the others are known
  await hear(1);
  for (let cut = 1; cut < increment.length; cut += 7) {
    await client.send(increment.slice(0, cut));
    await new Promise((turn) => setTimeout(turn, 1));
    await client.send(increment.slice(cut));
    assertEquals(await hear(1), { codes: [200], responses: ["1"] });
  }
  const each = Math.ceil((increment.length - 1) / 7) + 1;
  await client.send(increment.repeat(50));
  assertEquals((await hear(50)).codes.length, 50);
  await client.send(sum);
  assertEquals((await hear(1)).responses, [`${each + 50}`]);
  // Bodies that are not what they were, over lines, and no objects at all.
  const bodies = [
    '{"series":"t","key":"1"}',
    '{"series":"t",\n"key":1}',
    '{"series":"x","key": 1}',
    "[]",
  ];
  for (const body of [...bodies, ...bodies]) {
    await client.send(ask("counter.sum", body.padEnd(24)));
    const { codes, responses } = await hear(1);
    const isGood = body.includes('"t"');
    assertEquals(codes, [isGood ? 200 : body === "[]" ? 400 : 404], body);
    if (isGood) assertEquals(responses, [`${each + 50}`]);
  }
  // Known and unknown heads in one piece, then one that ends the connection.
  await client.send(
    increment + ask("system.ping", "{}") + increment +
      sum.replace("Host", "Connection: close\r\nHost"),
  );
  assertEquals((await hear(4)).responses, ["1", '"pong"', "1", `${each + 52}`]);
  await client.atEnd();
});

Deno.test("http: requests whole, as members and as lines, over one connection after the other", async () => {
  await using server = await Server.start();
  const limits = [{ series: "exports", max: 2, window: "day" }];
  const consume = (query = "") =>
    post(server, `/v2/limit.consume${query}`, JSON.stringify({ key: 7, limits }));
  assertEquals((await (await consume()).json()).response.limits[0].remaining, 1);
  const allowed = await consume("?status=429");
  assertEquals([allowed.status, allowed.headers.get("ratelimit-policy")], [200, '"exports";q=2']);
  assertMatch(allowed.headers.get("ratelimit")!, /^"exports";r=0;t=\d+$/);
  await allowed.body?.cancel();
  const denied = await consume("?status=429");
  assertEquals(denied.status, 429);
  assert(Number(denied.headers.get("retry-after")) > 0);
  assertEquals((await denied.json()).response.allowed, false);
  assertEquals((await consume()).status, 200, "only where it is asked for");

  const lines = '{"series":"many","key":1}\n'.repeat(20_000);
  const answers = await (await post(server, "/v2/counter.increment", lines, LINES_TYPE)).text();
  assertEquals(answers.trimEnd().split("\n").length, 20_000);
  assertEquals(await sumOf(server, "many"), 20_000);

  const statuses: [path: string, body: string, headers: Record<string, string>, status: number][] =
    [
      ["/v2", '{"op":"system.ping"', {}, 400],
      ["/v2/counter.sum", '{"series":"many"}', {}, 400],
      ["/v2/counter.sum", '{"series":"nowhere","key":1}', {}, 404],
      ["/v2/no.such.op", "{}", {}, 404],
      ["/nowhere", "{}", {}, 404],
      ["/v2", '{"op":"tree.list"}', { "content-type": "text/plain" }, 415],
      ["/v2", `{"op":"system.ping","x":"${"x".repeat(2 << 20)}"}`, {}, 413],
    ];
  for (const [path, body, headers, status] of statuses) {
    const response = await post(server, path, body, headers);
    assertEquals(response.status, status, `${path} ${body.slice(0, 50)}`);
    const { success, error_code } = await response.json();
    assert(!success && typeof error_code === "string");
  }
  const got = await fetch(`http://127.0.0.1:${server.port}/v2`);
  assertEquals([got.status, got.headers.get("allow")], [405, "POST"]);
  await got.body?.cancel();
});

Deno.test("http: long replies and long streams pass in pieces, and a stream is answered as it comes", async () => {
  await using server = await Server.start({
    args: ["--max-response-bytes=0", "--query-timeout-ms=0"],
  });
  for (let from = 0; from < 20_000; from += 10_000) {
    const items = Array.from({ length: 10_000 }, (_, index) => [from + index, 20000105, 1]);
    const body = JSON.stringify({ series: "wide", items });
    const { response } = await (await post(server, "/v2/series.batch_add", body)).json();
    assertEquals(response.applied, 10_000);
  }
  const range = { from: 20000101, to: 20001231 };
  const found = await post(server, "/v2/tree.series", JSON.stringify({ series: "wide", range }));
  const reply = await found.json();
  assertEquals(Object.keys(reply.response).length, 20_000);

  let push: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void (push = controller) });
  const line = encoder.encode('{"op":"system.ping"}\n');
  push!.enqueue(line);
  const response = await post(server, "/v2", body, LINES_TYPE);
  const reader = response.body!.getReader();
  for (let count = 0; count < 3; count++) {
    assertEquals(decoder.decode((await reader.read()).value), PONG);
    push!.enqueue(line);
  }
  push!.close();
  assertEquals(decoder.decode((await reader.read()).value), PONG);
  assertEquals((await reader.read()).done, true);
});

Deno.test("http: a token is a bearer token, and strangers are few", async () => {
  await using server = await Server.start({
    args: ["--auth-token=right", "--read-auth-token=read", "--max-connections=3"],
  });
  const status = async (op: string, authorization: string) => {
    const response = await post(server, `/v2/${op}`, '{"series":"t"}', { authorization });
    await response.body?.cancel();
    return [response.status, response.headers.get("www-authenticate")];
  };
  assertEquals(await status("tree.create", "Bearer right"), [200, null]);
  assertEquals(await status("tree.info", "Bearer read"), [200, null]);
  assertEquals(await status("tree.drop", "Bearer read"), [403, null]);
  for (const wrong of ["Bearer rights", "Basic right", ""]) {
    assertEquals(await status("tree.drop", wrong), [401, "Bearer"]);
  }
  assertMatch(server.stderr, /Request without a right token.*127\.0\.0\.1/);
});

Deno.test("http: what arrived before SIGTERM is answered, and connections without a request are let go", async () => {
  const server = await Server.start();
  await using _ = server;
  const clients = await Promise.all(Array.from({ length: 20 }, () => Client.connect(server.port)));
  const body = '{"series":"t","key":1}';
  const head =
    "POST /v2/counter.increment HTTP/1.1\r\nHost: karma\r\nContent-Type: application/json\r\n";
  const bytes = encoder.encode(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  for (const client of clients) await client.send(bytes);
  const heard = clients.map(async (client) => {
    let told = "";
    for (let part; (part = await client.sip(4096)).length > 0;) told += decoder.decode(part);
    return told;
  });
  assertEquals(await server.stop(), 0);
  for (const told of await Promise.all(heard)) {
    assertMatch(told, /^HTTP\/1\.1 200 OK[^]*"success":true/);
  }
  for (const client of clients) client.close();
  await using again = await Server.start({ directory: server.directory });
  assertEquals(await sumOf(again, "t"), 20);
});

Deno.test("http: a client that ends its side still gets its answer, and one that is gone leaves nothing", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  await client.send(request("/v2", '{"op":"system.ping"}'));
  await client.end();
  let told = "";
  for (let part; (part = await client.sip(4096)).length > 0;) told += decoder.decode(part);
  assert(told.endsWith(PONG), told);
  const bytes = request("/v2/counter.increment", '{"series":"t","key":1}');
  for (let cut = 1; cut < bytes.length; cut += 3) {
    using gone = await Client.connect(server.port);
    await gone.send(bytes.subarray(0, cut));
  }
  using witness = await Client.connect(server.port);
  await eventually("only the witness is there", async () => {
    const metrics = await witness.ask('{"v":2,"op":"system.metrics"}');
    return metrics.includes("\\nkarma_connections 1\\n");
  });
  assertEquals(
    await witness.ask('{"v":2,"op":"tree.list"}'),
    PONG.trimEnd().replace('"pong"', "[]"),
  );
});

Deno.test("http: probes and figures over GET, beside requests on one connection", async () => {
  await using server = await Server.start({ args: ["--auth-token=right"] });
  const url = (path: string) => `http://127.0.0.1:${server.port}${path}`;
  for (const path of ["/healthz", "/readyz"]) {
    const response = await fetch(url(path));
    assertEquals([response.status, await response.text()], [200, "ok\n"]);
  }
  const refused = await fetch(url("/metrics"));
  assertEquals([refused.status, (await refused.json()).error_code], [401, "unauthorized"]);
  const authorization = "Bearer right";
  for (let count = 0; count < 3; count++) {
    const ping = await post(server, "/v2/system.ping", "", { authorization });
    assertEquals(await ping.text(), PONG);
    const metrics = await fetch(url("/metrics"), { headers: { authorization } });
    assertMatch(await metrics.text(), /^karma_connections \d+$/m);
  }
  const { openapi, paths } = await (await fetch(url("/openapi.json"))).json();
  assertEquals([openapi, typeof paths["/v2/limit.consume"]], ["3.1.0", "object"]);
});

Deno.test("http: --protocols leaves out what is not wanted", async () => {
  const ping = '{"v":2,"op":"system.ping"}';
  {
    await using server = await Server.start({ args: ["--protocols=http"] });
    assertEquals(await (await post(server, "/v2/system.ping", "")).text(), PONG);
    for (const first of [ping, "nonsense"]) {
      using client = await Client.connect(server.port);
      assertMatch(await client.ask(first), /no JSON lines on this port.*unsupported_protocol/);
      await client.atEnd();
    }
  }
  await using server = await Server.start({ args: ["--protocols=json"] });
  const response = await post(server, "/v2/system.ping", "");
  assertEquals([response.status, (await response.json()).error_code], [
    400,
    "unsupported_protocol",
  ]);
  using client = await Client.connect(server.port);
  assertEquals(await client.ask(ping), PONG.trimEnd());
});

/** Runs curl; null: there is none. */
async function curl(...args: string[]): Promise<string | null> {
  try {
    const command = new Deno.Command("curl", { args: ["-s", ...args], stdin: "null" });
    return decoder.decode((await command.output()).stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

const hasCurl = await curl("--version") !== null;
if (!hasCurl) console.log("Skipped a test of http_test.ts: no curl here; apt-get install curl");

Deno.test({ name: "http: curl in all its ways", ignore: !hasCurl }, async () => {
  await using server = await Server.start();
  const url = `http://127.0.0.1:${server.port}/v2`;
  const json = ["-H", "content-type: application/json"];
  const body = '{"series":"t","key":1}';
  const ask = (op: string, ...args: string[]) => curl(...json, "-d", body, ...args, `${url}/${op}`);
  const one = PONG.replace('"pong"', "1");
  assertEquals(await ask("counter.increment"), one);
  assertEquals(await ask("counter.sum", "--http1.0"), one);
  assertEquals(await ask("counter.sum", "--http2-prior-knowledge"), one);
  assertEquals(await ask("counter.sum", "-H", "transfer-encoding: chunked"), one);
  assertEquals(await ask("counter.sum", "-H", "expect: 100-continue"), one);
  assertEquals(
    await ask("counter.sum", `${url}/counter.sum`),
    one + one,
    "one connection for both",
  );
  const status = await curl(
    "-o",
    "/dev/null",
    "-w",
    "%{http_code}",
    "-d",
    body,
    `${url}/tree.drop`,
  );
  assertEquals(status, "415", "a form");
});
