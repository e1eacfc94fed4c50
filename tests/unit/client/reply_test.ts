// Requests and replies as lines.

import { assertEquals, assertThrows } from "@std/assert";
import { dataOf, readAnswer, RefusedError, requestLine } from "../../../lib/client/reply.ts";
import { HostError } from "../../../lib/errors.ts";
import { done } from "../../support/tool_host.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("reply: a request is one line, with the token if there is one", () => {
  const line = (token: string | null) =>
    new TextDecoder().decode(requestLine("counter.sum", { series: "a\nb", key: 1 }, token));
  assertEquals(line(null), '{"v":2,"op":"counter.sum","series":"a\\nb","key":1}\n');
  assertEquals(line("t"), '{"v":2,"op":"counter.sum","token":"t","series":"a\\nb","key":1}\n');
});

Deno.test("reply: a response is the text that came", () => {
  const tail = '"x","error_code":null}';
  for (const response of ["18446744073709551615", '{"a":[1,2]}', JSON.stringify(tail)]) {
    const line = done(response);
    assertEquals(readAnswer(bytes(line)), { line, code: null, response });
  }
  const repeated =
    '{"protocol_version":2,"success":true,"response":2,"idempotent":true,"error_code":null}';
  assertEquals(readAnswer(bytes(repeated)).response, "2");
});

Deno.test("reply: data is exact, and an error is thrown", () => {
  const data = (response: string) => dataOf(readAnswer(bytes(done(response))));
  assertEquals(data("[1,18446744073709551615,0.5]"), [1, 18446744073709551615n, 0.5]);
  const line = '{"protocol_version":2,"success":false,"response":"No","error_code":"not_found"}';
  const answer = readAnswer(bytes(line));
  assertEquals(answer, { line, code: "not_found", response: "No" });
  assertThrows(() => dataOf(answer), RefusedError, "not_found: No");
});

Deno.test("reply: what is no reply is told", () => {
  for (const line of ["", "HTTP/1.1 400 Bad Request", '{"success":true,"response":1}']) {
    assertThrows(() => readAnswer(bytes(line)), HostError, "What answers is not Karma", line);
  }
});
