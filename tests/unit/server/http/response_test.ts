// Responses: the status of every error, and the headers about limits.

import { assert, assertEquals } from "@std/assert";
import type { ErrorCode } from "../../../../lib/errors.ts";
import { errorLine } from "../../../../lib/protocol/codec.ts";
import { refused } from "../../../../lib/server/http/admission.ts";
import {
  isComplete,
  limitHeaders,
  linesResponse,
  refusal,
  responseOf,
} from "../../../../lib/server/http/response.ts";

const encoder = new TextEncoder();

function respond(line: string | Uint8Array<ArrayBuffer>, wants429 = false): Response {
  const bytes = typeof line === "string" ? encoder.encode(line) : line;
  return responseOf(bytes, bytes, wants429, []);
}

Deno.test("response: each code has a status, and the body is the line", async () => {
  const codes: [code: ErrorCode, status: number][] = [
    ["invalid_json", 400],
    ["validation_error", 400],
    ["unsupported_protocol", 400],
    ["response_too_large", 400],
    ["unauthorized", 401],
    ["forbidden", 403],
    ["not_found", 404],
    ["unknown_command", 404],
    ["request_too_large", 413],
    ["idempotency_conflict", 422],
    ["internal_error", 500],
    ["loading", 503],
    ["storage_full", 503],
    ["memory_full", 503],
    ["too_many_trees", 503],
    ["query_timeout", 503],
    ["too_many_connections", 503],
  ];
  for (const [code, status] of codes) {
    const line = errorLine(code, `Something about "error_code":"unauthorized"}`);
    const response = respond(line);
    assertEquals(response.status, status, code);
    assertEquals(
      response.headers.get("www-authenticate"),
      code === "unauthorized" ? "Bearer" : null,
    );
    assertEquals(response.headers.get("retry-after"), code === "loading" ? "1" : null);
    assertEquals(await response.text(), new TextDecoder().decode(line));
  }
  const success = respond('{"protocol_version":2,"success":true,"response":1,"error_code":null}\n');
  assertEquals(success.status, 200);
  assertEquals(success.headers.get("content-type"), "application/json");
  assertEquals(success.headers.get("cache-control"), "no-store, no-transform");
  await success.body?.cancel();
  assert(isComplete(encoder.encode("{}\n")) && !isComplete(encoder.encode("{")));
  assertEquals(linesResponse(null, []).headers.get("content-type"), "application/x-ndjson");
  assertEquals(
    refusal(refused(405, "unknown_command", "No", [["allow", "POST"]])).headers.get("allow"),
    "POST",
  );
});

const LIMIT = { series: "exports", max: 3, used: 3, remaining: 0, resets_in_ms: 60_000 };

function verdict(allowed: boolean, retryMs: number | null, ...limits: Record<string, unknown>[]) {
  const retry = allowed ? {} : { retry_after_ms: retryMs };
  const response = { allowed, applied: 0, denied_by: null, limits, ...retry };
  return `${JSON.stringify({ protocol_version: 2, success: true, response, error_code: null })}\n`;
}

Deno.test("response: a refusal by a limit is 429 only where that was asked for", () => {
  const denied = verdict(false, 60_000, LIMIT);
  assertEquals(respond(denied).status, 200);
  assertEquals(respond(denied).headers.get("ratelimit"), null);
  assertEquals(respond(denied, true).status, 429);
  assert(respond(denied, true).headers.has("ratelimit"));
  assertEquals(respond(verdict(true, null, LIMIT), true).status, 200);
  for (const response of ['"pong"', "null", "[1]", '{"results":[]}', '{"allowed":true}']) {
    const line = `{"protocol_version":2,"success":true,"response":${response},"error_code":null}\n`;
    assertEquals(respond(line, true).status, 200, response);
  }
  const brief = '{"protocol_version":2,"success":true,"response":' +
    '{"allowed":false,"denied_by":0,"remaining":0,"retry_after_ms":1500},"error_code":null}\n';
  const refused = respond(brief, true);
  assertEquals([refused.status, refused.headers.get("retry-after")], [429, "2"]);
  assertEquals(refused.headers.has("ratelimit"), false);
});

Deno.test("response: the headers about limits, as the draft of the IETF has them", () => {
  const told = (...given: Parameters<typeof verdict>) => {
    return Object.fromEntries(limitHeaders(JSON.parse(verdict(...given)).response));
  };
  assertEquals(told(true, null, { ...LIMIT, remaining: 2 }), {
    "ratelimit-policy": '"exports";q=3',
    "ratelimit": '"exports";r=2;t=60',
  });
  const limits = [
    LIMIT,
    { ...LIMIT, max: "20", carried: "10", remaining: "7", resets_in_ms: null },
    { ...LIMIT, series: 'a"b\\', max: 2 ** 60, remaining: 2 ** 60, resets_in_ms: 1 },
    { ...LIMIT, series: "größe" },
  ];
  assertEquals(told(false, 86_400_001, ...limits), {
    "ratelimit-policy":
      '"exports";q=3, "exports 2";q=30, "a\\"b\\\\";q=999999999999999, "limit 4";q=3',
    "ratelimit":
      '"exports";r=0;t=60, "exports 2";r=7, "a\\"b\\\\";r=999999999999999;t=1, "limit 4";r=0;t=60',
    "retry-after": "86401",
  });
  assertEquals(told(false, null, LIMIT)["retry-after"], undefined);
});

Deno.test("response: an id behind the code does not hide it", async () => {
  const line = '{"protocol_version":2,"success":false,"response":"No","error_code":"not_found",' +
    '"id":"\\"error_code\\":\\"forbidden\\"}"}\n';
  const response = respond(line);
  assertEquals([response.status, await response.text()], [404, line]);
});
