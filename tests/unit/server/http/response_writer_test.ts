// The response writer: the same responses as those that the runtime writes, to the header.

import { assertEquals } from "@std/assert";
import { SendBuffer } from "../../../../lib/bytes/send_buffer.ts";
import type { ErrorCode } from "../../../../lib/errors.ts";
import { errorLine } from "../../../../lib/protocol/codec.ts";
import type { Head } from "../../../../lib/server/http/known_heads.ts";
import { responseOf } from "../../../../lib/server/http/response.ts";
import { ResponseWriter } from "../../../../lib/server/http/response_writer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOW = Date.UTC(2026, 10, 22, 12, 0, 1, 500);
const SUCCESS = '{"protocol_version":2,"success":true,"response":"pong","error_code":null}\n';
const DENIED =
  '{"protocol_version":2,"success":true,"response":{"allowed":false,"applied":0,"denied_by":0,"limits":[{"series":"t","max":1,"used":1,"remaining":0,"resets_at":null,"resets_in_ms":null,"retry_at":null,"retry_after_ms":null}],"retry_after_ms":null},"error_code":null}\n';

function headOf(wants429: boolean, extra: Head["extra"] = []): Head {
  const envelope = { operation: null, token: null, isWhole: true };
  return { bytes: new Uint8Array(0), bodyBytes: 0, envelope, wants429, extra };
}

/** The responses that are written, each as its status line, its headers and its body. */
function written(lines: string, head: Head): { status: string; headers: string[]; body: string }[] {
  const out = new SendBuffer(16);
  new ResponseWriter().write(encoder.encode(lines), head, NOW, out);
  const text = decoder.decode(out.view(0));
  return [...text.matchAll(/(HTTP\/1\.1 [^\r]*)\r\n((?:[^\r]+\r\n)*)\r\n(.*\n)/g)].map((match) => {
    return { status: match[1], headers: match[2].trimEnd().split("\r\n").sort(), body: match[3] };
  });
}

Deno.test("response writer: status and headers are those of the other way", () => {
  const codes: ErrorCode[] = ["invalid_json", "unauthorized", "forbidden", "not_found", "loading"];
  codes.push("request_too_large", "idempotency_conflict", "internal_error", "storage_full");
  const lines = codes.map((code) => decoder.decode(errorLine(code, `About ${code}`)));
  const cors: Head["extra"] = [["access-control-allow-origin", "https://app.example"]];
  for (const line of [...lines, SUCCESS, DENIED]) {
    for (const wants429 of [false, true]) {
      for (const extra of [[], cors]) {
        const bytes = encoder.encode(line);
        const expected = responseOf(bytes, bytes, wants429, extra);
        const headers = [...expected.headers].map(([name, value]) => `${name}: ${value}`);
        headers.push(`content-length: ${bytes.length}`, "date: Sun, 22 Nov 2026 12:00:01 GMT");
        const [response] = written(line, headOf(wants429, extra));
        assertEquals(response.status.slice(9, 12), `${expected.status}`);
        assertEquals(response.status.length > 13, true, "it has a reason");
        assertEquals(response.headers, headers.sort());
        assertEquals(response.body, line);
      }
    }
  }
});

Deno.test("response writer: each line is a response of its own", () => {
  const error = decoder.decode(errorLine("not_found", "No"));
  const responses = written(SUCCESS + error + SUCCESS, headOf(false));
  assertEquals(responses.map(({ status, body }) => [status, body]), [
    ["HTTP/1.1 200 OK", SUCCESS],
    ["HTTP/1.1 404 Not Found", error],
    ["HTTP/1.1 200 OK", SUCCESS],
  ]);
});
