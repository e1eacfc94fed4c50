// Protocol v1 as a connection has it that speaks nothing else.

import { lineOf } from "../../lib/bytes/line.ts";
import type { SendBuffer } from "../../lib/bytes/send_buffer.ts";
import type { Operation } from "../../lib/command/operation.ts";
import type { Reply } from "../../lib/command/reply.ts";
import type { Request } from "../../lib/command/request.ts";
import { codecOf, writeWhole } from "./codec.ts";

export class V1Lines {
  readonly #codec = codecOf();

  decode(
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    end: number,
    request: Request,
    reply: Reply,
  ): boolean {
    return this.#codec.decode(lineOf(bytes, start, end), "v1", request, reply);
  }

  encode(request: Request, reply: Reply, out: SendBuffer): void {
    request.protocol = "v1";
    request.isBounded = false;
    this.#codec.encode(request, reply, out);
  }

  /** Writes all of a reply, which may be walked. */
  write(request: Request, reply: Reply, out: SendBuffer): void {
    request.protocol = "v1";
    writeWhole(this.#codec, request, reply, out);
  }
}

/** What an operation needs in protocol v1. */
export function needsOf({ fields }: Operation): { name: boolean; key: boolean; range: string } {
  const range = fields.includes("range") ? "yes" : fields.includes("range?") ? "may" : "no";
  const name = fields.includes("tree") || fields.includes("file");
  return { name, key: fields.includes("key"), range };
}
