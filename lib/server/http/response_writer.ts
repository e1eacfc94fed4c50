// The response writer: responses to requests with known heads, as the runtime would write them.
//
// Invariant: status and headers are those of response.ts. Trade-off: a success, of which there are most, is known by its
// first bytes and gets headers that are there already; all others are put together as text.

import type { SendBuffer } from "../../bytes/mod.ts";
import type { Head } from "./known_heads.ts";
import { describe, isSuccess } from "./response.ts";

const LINE_FEED = 10;

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  413: "Payload Too Large",
  422: "Unprocessable Entity",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

const encoder = new TextEncoder();
const LENGTH = encoder.encode("content-length: ");

export class ResponseWriter {
  /** Of the last response: its second, and its date; and whose headers these are. */
  #second = 0;
  #date = encoder.encode("");
  #head: Head | null = null;
  #success = encoder.encode("");

  /** Writes a response for each of the lines that replies are. */
  write(lines: Uint8Array, head: Head, now: number, out: SendBuffer): void {
    for (let start = 0; start < lines.length;) {
      const end = lines.indexOf(LINE_FEED, start) + 1;
      this.#writeHead(lines.subarray(start, end), head, now, out);
      out.raw(lines.subarray(start, end));
      start = end;
    }
  }

  #writeHead(line: Uint8Array, head: Head, now: number, out: SendBuffer): void {
    const isPlain = isSuccess(line) && !head.wants429;
    out.raw(isPlain ? this.#successOf(line, head) : startOf(line, head));
    out.raw(LENGTH);
    out.decimal(line.length, 0);
    out.raw(this.#dateOf(now));
  }

  #successOf(line: Uint8Array, head: Head): Uint8Array {
    if (head !== this.#head) {
      this.#head = head;
      this.#success = startOf(line, head);
    }
    return this.#success;
  }

  #dateOf(now: number): Uint8Array {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = encoder.encode(`\r\ndate: ${new Date(now).toUTCString()}\r\n\r\n`);
    }
    return this.#date;
  }
}

/** The status line and the headers of a response, but for length and date. */
function startOf(line: Uint8Array, { wants429, extra }: Head): Uint8Array<ArrayBuffer> {
  const { status, headers } = describe(line, wants429, extra);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return encoder.encode(`HTTP/1.1 ${status} ${REASONS[status]}\r\n${lines.join("")}`);
}
