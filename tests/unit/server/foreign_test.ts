// Foreign protocols: what is taken for HTTP or TLS, what never is, and what such a client is told.

import { assert, assertEquals } from "@std/assert";
import { answerTo, foreignLine, isTls, UNAVAILABLE } from "../../../lib/server/foreign.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a line is, with other bytes around it. */
function kind(line: string | Uint8Array) {
  const bytes = typeof line === "string" ? encoder.encode(line) : line;
  const around = encoder.encode("GET / HTTP/1.1 ");
  const all = new Uint8Array(2 * around.length + bytes.length);
  for (const at of [0, around.length + bytes.length]) all.set(around, at);
  all.set(bytes, around.length);
  return foreignLine(all, around.length, around.length + bytes.length);
}

Deno.test("foreign: request lines of HTTP, of any method and in any case", () => {
  for (
    const method of ["GET", "post", "Patch", "M-SEARCH", "PROPFIND", "x", "$!", "CONNECT", "PRI"]
  ) {
    for (const target of ["/", "*", "http://a/b?c=d", "a:80", "/{}", `/${"x".repeat(100_000)}`]) {
      for (const version of ["HTTP/1.1", "http/1.0", "Http/1.9", "hTTP/2", "HTTP/2.0"]) {
        for (const end of ["", "\r", " ", "\t\r"]) {
          const line = `${method} ${target} ${version}${end}`;
          assertEquals(kind(line), "http", line.slice(0, 40));
        }
      }
    }
  }
});

Deno.test("foreign: headers of the PROXY protocol, of both versions", () => {
  for (const rest of ["TCP4 1.2.3.4 5.6.7.8 1 2", "TCP6 ::1 ::1 1 2", "UNKNOWN", "UNKNOWN x"]) {
    for (const end of ["", "\r"]) assertEquals(kind(`PROXY ${rest}${end}`), "proxy", rest);
  }
  // The third line of a header of version 2.
  for (const line of ["\0", "\0\r"]) assertEquals(kind(line), "proxy");
  for (const line of ["PROXY", "PROXY x", "proxy TCP4 1.2.3.4", "\0x", "\0\r\r", "\r", "QUIT"]) {
    assertEquals(kind(line), null, line);
  }
});

Deno.test("foreign: other lines are only no JSON", () => {
  const lines = [
    "",
    "x",
    "HTTP/1.1",
    " / HTTP/1.1",
    "/ HTTP/1.1",
    "GET /HTTP/1.1",
    "GET / HTTP/1.1 x",
    "GET / HTTP/",
    '{"v":2,"op":"x HTTP/1.1',
    '["GET / HTTP/1.1',
    '"GET / HTTP/1.1',
    "\u0016",
    "x\u0016\u0003",
  ];
  for (const line of lines) assertEquals(kind(line), null, line);
});

Deno.test("foreign: a greeting of TLS is known by its first two bytes", () => {
  for (const version of [0, 1, 2, 3, 4]) {
    const greeting = Uint8Array.of(0x16, 3, version, 2, 0, 1);
    assertEquals(kind(greeting), "tls");
    for (let end = 0; end <= greeting.length; end++) {
      assertEquals(isTls(greeting, 0, end), end >= 2, `${end}`);
      assert(!isTls(greeting, 1, end), "it is looked for at the beginning");
    }
  }
});

Deno.test("foreign: the answers are one line of JSON, for HTTP in a response", () => {
  const tls = decoder.decode(answerTo("tls"));
  const http = decoder.decode(answerTo("http"));
  const proxy = decoder.decode(answerTo("proxy"));
  const [head, body] = http.split("\r\n\r\n");
  assert(head.startsWith("HTTP/1.1 400 "), head);
  assert(head.includes(`\r\nContent-Length: ${body.length}\r\n`), head);
  const [, full] = decoder.decode(UNAVAILABLE).split("\r\n\r\n");
  assertEquals(JSON.parse(full).error_code, "too_many_connections");
  for (const line of [tls, body, proxy, decoder.decode(answerTo("json"))]) {
    assert(line.endsWith("\n") && !line.slice(0, -1).includes("\n"), line);
    const { success, response, error_code } = JSON.parse(line);
    assertEquals([success, error_code], [false, "unsupported_protocol"]);
    assert(/TLS|HTTP|PROXY|JSON/.test(response), response);
  }
});
