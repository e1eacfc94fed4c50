// Request lines of HTTP: what is one, however it is written, and what only looks like it.

import { assertEquals } from "@std/assert";
import { isHttpLine } from "../../../lib/protocol/http_line.ts";

const encoder = new TextEncoder();

function isHttp(line: string): boolean {
  const bytes = encoder.encode(`before${line}behind`);
  return isHttpLine(bytes, 6, bytes.length - 6);
}

Deno.test("http line: request lines of any method, version and length", () => {
  const lines = ["GET / HTTP/1.1\r", "post /v2 http/1.0", "PING / HTTP/2", "X-Y\t/\tHTTP/1.1 \r"];
  for (const line of [...lines, `GET /${"x".repeat(5000)} HTTP/1.1\r`]) {
    assertEquals(isHttp(line), true, line);
  }
});

Deno.test("http line: everything else", () => {
  const lines = [
    "",
    "HTTP/1.1",
    "PING",
    "GET /",
    "GET / HTTP/1.1 x",
    "GET /HTTP/1.1",
    '{"a":1} HTTP/1.1',
  ];
  for (const line of lines) assertEquals(isHttp(line), false, line);
});
