// Admission: which requests are carried out, with what in their envelopes, and what no page may send.

import { assert, assertEquals } from "@std/assert";
import { admit, corsHeaders, isPosted, isWelcome } from "../../../../lib/server/http/admission.ts";

const OPEN = { corsOrigins: [] };
const decoder = new TextDecoder();

type Init = { method?: string; headers?: Record<string, string>; cors?: readonly string[] };

function decide(path: string, { method = "POST", headers = {}, cors = [] }: Init = {}) {
  const url = new URL(path, "http://karma:8080");
  const all = { host: "karma:8080", "content-type": "application/json", ...headers };
  return admit(new Request(url, { method, headers: all }), url, { corsOrigins: cors });
}

/** What an envelope holds, or the status of a refusal. */
function told(path: string, init: Init = {}): string {
  const decision = decide(path, init);
  if ("status" in decision) return `${decision.status} ${decision.code}`;
  const { envelope: { operation, token, isWhole }, wants429 } = decision;
  const shown = token === null ? "" : ` ${decoder.decode(token)}`;
  return `${operation?.id ?? "any"}${isWhole ? "" : " lines"}${shown}${wants429 ? " 429" : ""}`;
}

Deno.test("admission: the path names the operation, the headers the kind of body and the token", () => {
  assertEquals(told("/v2"), "any");
  assertEquals(told("/v2/limit.consume"), "consume");
  assertEquals(told("/v2/series.points"), "find", "by any of its names");
  assertEquals(told("/v2?status=429"), "any 429");
  assertEquals(told("/v2?status=200"), "any");
  const types: [type: string, answer: string][] = [
    ["Application/JSON; charset=utf-8", "any"],
    ["application/x-ndjson", "any lines"],
    ["application/x-ndjson;charset=utf-8", "any lines"],
    ["", "415 unsupported_protocol"],
    ["text/plain", "415 unsupported_protocol"],
    ["text/plain; application/json", "415 unsupported_protocol"],
    ["application/x-www-form-urlencoded", "415 unsupported_protocol"],
    ["multipart/form-data; boundary=application/json", "415 unsupported_protocol"],
    ["application/json-patch+json", "415 unsupported_protocol"],
  ];
  for (const [type, answer] of types) {
    assertEquals(told("/v2", { headers: { "content-type": type } }), answer, type);
  }
  const tokens: [header: string, answer: string][] = [
    ["Bearer abc", "any abc"],
    ["bearer   a.b~c+/=", "any a.b~c+/="],
    ["Basic abc", "any"],
    ["Bearer", "any"],
    ["Bearer a b", "any"],
  ];
  for (const [authorization, answer] of tokens) {
    assertEquals(told("/v2", { headers: { authorization } }), answer, authorization);
  }
});

Deno.test("admission: other paths, methods and encodings are refused", () => {
  for (const path of ["/v2", "/v2/", "/v2/tree.drop"]) assert(isPosted(path), path);
  for (const path of ["/", "/v1", "/v22", "/V2", "//v2"]) assert(!isPosted(path), path);
  for (const path of ["/v2/", "/v2/nothing", "/v2/Tree.drop", "/v2/tree.drop/", "/v2/ping"]) {
    assertEquals(told(path), "404 unknown_command", path);
  }
  for (const method of ["GET", "PUT", "DELETE", "PATCH", "HEAD"]) {
    assertEquals(told("/v2/tree.drop", { method }), "405 unknown_command", method);
  }
  const zipped = { headers: { "content-encoding": "gzip" } };
  assertEquals(told("/v2", zipped), "415 unsupported_protocol");
  assertEquals(told("/v2", { headers: { "content-encoding": "identity" } }), "any");
});

Deno.test("admission: pages of other origins are refused, and of names that may lead anywhere", () => {
  const refused: Record<string, string>[] = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "" },
    { origin: "http://karma:8080" }, // whoever has that name may have it lead here
    { origin: "http://evil.example:8080", host: "evil.example:8080" },
    { origin: "http://127.0.0.1:8080" },
    { origin: "http://127.0.0.1:9090", host: "127.0.0.1:8080" },
    { origin: "http://127.0.0.1.evil.example", host: "127.0.0.1.evil.example" },
    { origin: "http://localhost.evil.example", host: "localhost.evil.example" },
    { "sec-fetch-site": "cross-site" },
  ];
  for (const headers of refused) {
    assertEquals(told("/v2/tree.drop", { headers }), "403 forbidden", JSON.stringify(headers));
    assert(!isWelcome(new Headers({ host: "karma:8080", ...headers }), OPEN));
  }
  const welcome: Record<string, string>[] = [
    {},
    { origin: "http://127.0.0.1:8080", host: "127.0.0.1:8080" },
    { origin: "https://localhost", host: "localhost" },
    { origin: "http://[::1]:8080", host: "[::1]:8080" },
    { "sec-fetch-site": "none" },
    { "sec-fetch-site": "same-origin" },
  ];
  for (const headers of welcome) assertEquals(told("/v2/tree.drop", { headers }), "drop");
});

Deno.test("admission: pages that --cors-origin names may ask and read, and no others", () => {
  const origin = "https://app.example";
  const cors = [origin, "http://karma:8080"];
  const asked = (headers: Record<string, string>) => told("/v2", { headers, cors });
  assertEquals(asked({ origin }), "any");
  assertEquals(asked({ origin: "http://karma:8080" }), "any");
  assertEquals(asked({ origin: `${origin}.evil` }), "403 forbidden");
  assertEquals(told("/v2", { headers: { origin: "https://any.example" }, cors: ["*"] }), "any");
  const read = (from: string | null, corsOrigins: readonly string[]) => {
    const headers = new Headers(from === null ? {} : { origin: from });
    return new Headers(corsHeaders(headers, { corsOrigins })).get("access-control-allow-origin");
  };
  assertEquals(read(origin, cors), origin);
  assertEquals(read("https://any.example", ["*"]), "https://any.example");
  assertEquals(read("https://evil.example", cors), null);
  assertEquals(read(origin, []), null);
  assertEquals(read(null, ["*"]), null);
});
