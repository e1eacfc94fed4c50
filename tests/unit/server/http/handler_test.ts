// The handler: one response to every request, and sessions that carry out what was admitted.

import { assertEquals, assertMatch } from "@std/assert";
import type { Envelope } from "../../../../lib/protocol/protocol.ts";
import { BodyConnection } from "../../../../lib/server/http/body_connection.ts";
import { type Asker, Handler } from "../../../../lib/server/http/handler.ts";
import { LocalKarma } from "../../../support/local_karma.ts";

const ORIGIN = "https://app.example";

/** What a Karma inside of the test answers. */
async function world(options: { token?: string } = {}, busy: string | null = null) {
  const karma = await LocalKarma.start(undefined, options);
  const asker: Asker = {
    ask: (connection: BodyConnection, envelope: Envelope) => void karma.serve(connection, envelope),
    learn: () => {},
  };
  const handler = new Handler({ corsOrigins: [ORIGIN] }, () => busy);
  return (path: string, init: RequestInit = {}) => {
    const headers = { "content-type": "application/json", ...init.headers };
    return handler.handle(
      new Request(`http://karma${path}`, { method: "POST", ...init, headers }),
      asker,
    );
  };
}

const SUCCESS = '{"protocol_version":2,"success":true,"response":';

Deno.test("handler: one request, whole or as members, over several lines", async () => {
  const ask = await world();
  const increment = (path: string, body: string) => ask(path, { body }).then((r) => r.text());
  const one = '{"series":"t","key":1}';
  assertEquals(await increment("/v2/counter.increment", one), `${SUCCESS}1,"error_code":null}\n`);
  const whole = '{\n  "op": "counter.increment",\n  "series": "t",\r\n  "key": 1\n}\n';
  assertEquals(await increment("/v2", whole), `${SUCCESS}1,"error_code":null}\n`);
  assertEquals((await ask("/v2", { body: `${one}\n${one}` })).status, 400);
  assertEquals((await ask("/v2", { body: "" })).status, 400);
  assertEquals(
    await (await ask("/v2/system.ping")).text(),
    `${SUCCESS}"pong","error_code":null}\n`,
  );
  const other = await ask("/v2/counter.sum", { body: '{"op":"tree.drop","series":"t","key":1}' });
  assertMatch(await other.text(), /Field op must not be there/);
});

Deno.test("handler: a request a line, and an answer a line", async () => {
  const ask = await world();
  const headers = { "content-type": "application/x-ndjson" };
  const body = '{"op":"system.ping"}\nnonsense\n{"op":"nothing"}';
  const response = await ask("/v2", { body, headers });
  assertEquals(response.status, 200);
  const codes = (await response.text()).match(/"error_code":\S+(?=\}\n)/g);
  assertEquals(
    codes,
    [null, "invalid_json", "unknown_command"].map((code) => `"error_code":${JSON.stringify(code)}`),
  );
  assertEquals(await (await ask("/v2", { body: "", headers })).text(), "");
  const lines = '{"series":"t","key":1}\n'.repeat(2000);
  const answers = await (await ask("/v2/counter.increment", { body: lines, headers })).text();
  assertEquals(answers.split("\n").length, 2001);
  const sum = await ask("/v2/counter.sum", { body: '{"series":"t","key":1}' });
  assertEquals(await sum.text(), `${SUCCESS}2000,"error_code":null}\n`);
});

Deno.test("handler: the token is that of the header", async () => {
  const ask = await world({ token: "right" });
  const status = async (authorization: string, body?: string) => {
    return (await ask("/v2/system.ping", { body, headers: { authorization } })).status;
  };
  assertEquals(await status("Bearer right"), 200);
  assertEquals(await status("Bearer wrong"), 401);
  assertEquals(await status("Bearer wrong", '{"token":"right"}'), 401);
  assertEquals(await status("", '{"token":"right"}'), 200);
  assertEquals(await status(""), 401);
});

Deno.test("handler: other paths, and what browsers ask before", async () => {
  const ask = await world();
  assertEquals((await ask("/nowhere")).status, 404);
  assertEquals((await ask("/v2", { method: "GET" })).status, 405);
  const preflight = (origin: string) => ask("/v2/x", { method: "OPTIONS", headers: { origin } });
  const allowed = await preflight(ORIGIN);
  assertEquals([allowed.status, allowed.headers.get("access-control-allow-origin")], [204, ORIGIN]);
  assertEquals(allowed.headers.get("access-control-allow-headers"), "authorization, content-type");
  const refused = await preflight("https://evil.example");
  assertEquals([refused.status, refused.headers.get("access-control-allow-origin")], [403, null]);
});
