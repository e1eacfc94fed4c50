// The codec: whatever protocol a line is in, it becomes a request, and the reply is in the same.
//
// A line with a `command` is in v1, one with `v` or `op` in v2. What has neither, because it is no
// JSON or no request, is answered in the protocol that its connection spoke last, and at first in v2.

import type { Line, SendBuffer } from "../../bytes/mod.ts";
import type { Access, Reply, Request } from "../../command/mod.ts";
import { DecodeCaches, MEMBER, RequestLine } from "./request_line.ts";
import { V1 } from "./v1.ts";
import { V2 } from "./v2.ts";

export type ProtocolName = Request["protocol"];

export class Codec {
  readonly #requestLine: RequestLine;
  readonly #v1: V1;
  readonly #v2: V2;
  readonly #replyBytesMax: number;

  /**
   * `itemsMax`: how long a list may be; `replyBytesMax`: how long a reply in v2, 0 for no limit.
   * Codecs may share what is `known`.
   */
  constructor(access: Access, itemsMax: number, replyBytesMax: number, known = new DecodeCaches()) {
    this.#requestLine = new RequestLine(known);
    this.#v1 = new V1(this.#requestLine, access);
    this.#v2 = new V2(this.#requestLine, access, itemsMax);
    this.#replyBytesMax = replyBytesMax;
  }

  /** Decodes a line of a connection that last spoke `spoken`. False: `reply` tells why not. */
  decode(line: Line, spoken: ProtocolName, request: Request, reply: Reply): boolean {
    const requestLine = this.#requestLine;
    const { bytes } = line;
    request.clear();
    const isObject = requestLine.scan(line);
    request.protocol = this.#dialect(spoken);
    if (!isObject) {
      const code = requestLine.fault.startsWith("Invalid") ? "invalid_json" : "validation_error";
      reply.fail(code, requestLine.fault);
      return false;
    }
    if (request.protocol === "v1") return this.#v1.decode(bytes, request, reply);
    if (requestLine.isBeyond) {
      reply.fail("invalid_json", "Invalid JSON: a number is too large");
      return false;
    }
    return this.#v2.decode(bytes, request, reply);
  }

  /** Writes a whole reply, or the beginning of one with a walk (see `encodeEnd`). */
  encode(request: Request, reply: Reply, out: SendBuffer): void {
    const start = out.length;
    if (request.protocol === "v1") this.#v1.encode(request, reply, out);
    else this.#v2.encode(reply, out);
    if (this.isTooLong(request, reply, out.length - start)) this.refuse(request, reply, out, start);
  }

  /** Writes the end of a reply with a walk that began at `start`. */
  encodeEnd(request: Request, reply: Reply, out: SendBuffer, start: number): void {
    if (request.protocol === "v1") this.#v1.encodeEnd(out);
    else this.#v2.encodeEnd(reply, out);
    if (this.isTooLong(request, reply, out.length - start)) this.refuse(request, reply, out, start);
  }

  /** Whether a reply of so many bytes, which may have its line feed, may not be given. */
  isTooLong(request: Request, reply: Reply, bytes: number): boolean {
    const isLimited = this.#replyBytesMax > 0 && request.protocol === "v2" && reply.code === null;
    return isLimited && bytes > this.#replyBytesMax + 1;
  }

  /** Takes back what was written of a reply from `start` on, and says what is wrong instead. */
  refuse(request: Request, reply: Reply, out: SendBuffer, start: number): void {
    out.length = start;
    reply.walk = reply.days = null;
    if (reply.code === null) {
      reply.fail("response_too_large", `Response exceeds ${this.#replyBytesMax} bytes`);
    }
    this.encode(request, reply, out);
  }

  #dialect(spoken: ProtocolName): ProtocolName {
    const requestLine = this.#requestLine;
    if (requestLine.has(MEMBER.v) || requestLine.has(MEMBER.op)) return "v2";
    return requestLine.has(MEMBER.command) ? "v1" : spoken;
  }
}
