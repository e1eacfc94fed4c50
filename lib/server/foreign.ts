// Foreign protocols: which lines are not JSON but the beginning of something else, and what those clients are told that
// are not served: TLS on the plain port, HTTP where it is switched off or behind lines of JSON, and proxies that
// announce the client's address before its first request.
//
// Invariant: nothing after an HTTP request line or a TLS greeting is read as a line of JSON. A form on a web page could
// contain lines that look like requests, and after the header of a proxy each reply would be taken for that to the
// next request. Such a line is not JSON, so only refused lines are examined, and other requests pay nothing.

import { errorLine, isHttpLine } from "../protocol/mod.ts";

export type Foreign = "http" | "tls" | "proxy" | "json";

/** A record of TLS: its type, a handshake, and the first half of its version. */
const TLS_HANDSHAKE = 0x16;
const TLS_VERSION = 0x03;

/** The PROXY protocol: version 1 is a line, version 2 begins with `\r\n\r\n\0\r\nQUIT\n`. */
const PROXY_1 = /^PROXY (TCP4|TCP6|UNKNOWN)([ \r]|$)/;
const PROXY_BYTES = 64;
const PROXY_2_LINES = ["\0", "\0\r"];

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** What a refused line bytes[start..end) is the beginning of; null: of nothing that we know. */
export function foreignLine(bytes: Uint8Array, start: number, end: number): Foreign | null {
  if (isTls(bytes, start, end)) return "tls";
  const head = decoder.decode(bytes.subarray(start, Math.min(end, start + PROXY_BYTES)));
  if (PROXY_1.test(head) || PROXY_2_LINES.includes(head)) return "proxy";
  return isHttpLine(bytes, start, end) ? "http" : null;
}

/** Whether bytes[start..end) begin as a greeting of TLS does, which need not have a line feed. */
export function isTls(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start >= 2 && bytes[start] === TLS_HANDSHAKE && bytes[start + 1] === TLS_VERSION;
}

/** What a client of HTTP is told for whom there is no server. */
export const UNAVAILABLE = httpResponse(
  "503 Service Unavailable",
  errorLine("too_many_connections", "There is no room for another connection over HTTP"),
);

/** The answer before the connection ends: a line of JSON, which for HTTP is the body of a response. */
export function answerTo(foreign: Foreign): Uint8Array<ArrayBuffer> {
  return ANSWERS[foreign];
}

const ANSWERS: Readonly<Record<Foreign, Uint8Array<ArrayBuffer>>> = {
  tls: unsupported(
    "There is no TLS on this port: --tls-port says which has it, or connect without it",
  ),
  json: unsupported("There are no JSON lines on this port: --protocols leaves them out"),
  proxy: unsupported(
    "There is no PROXY protocol on this port: let the proxy pass connections on without a header",
  ),
  http: httpResponse(
    "400 Bad Request",
    unsupported(
      "There is no HTTP here: on a connection that begins with it there is, unless --protocols leaves it out",
    ),
  ),
};

function unsupported(sentence: string): Uint8Array<ArrayBuffer> {
  return errorLine("unsupported_protocol", sentence);
}

function httpResponse(status: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = encoder.encode(
    `HTTP/1.1 ${status}\r\n` + "Content-Type: application/json\r\n" +
      `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`,
  );
  return Uint8Array.from([...head, ...body]);
}
