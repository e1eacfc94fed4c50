// A client of protocol v2 without a connection between: a request in, what came of it out.
//
// Requests are decoded from bytes, carried out when the log has settled, and encoded, as sessions do it.

import { lineOf } from "../../lib/bytes/line.ts";
import { SendBuffer } from "../../lib/bytes/send_buffer.ts";
import { Reply } from "../../lib/command/reply.ts";
import { Request } from "../../lib/command/request.ts";
import type { Codec } from "../../lib/protocol/codec.ts";
import { codecOf, writeWhole } from "./codec.ts";
import type { LocalKarma } from "./local_karma.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

const SUCCESS =
  /^\{"protocol_version":2,"success":true,"response":(.*?)(,"idempotent":(true|false))?,"error_code":null\}\n$/s;
const FAILURE =
  /^\{"protocol_version":2,"success":false,"response":(".*"),"error_code":"(\w+)"\}\n$/s;

export class V2Client {
  readonly #karma: LocalKarma;
  readonly #codec: Codec;

  /** `replyBytesMax` is that of the Karma. */
  constructor(karma: LocalKarma, replyBytesMax = 0) {
    this.#karma = karma;
    this.#codec = codecOf({ replyBytesMax });
  }

  /**
   * Sends a request, its members as they are in JSON: `"counter.sum"`, `"series":"t","key":1`. Returns
   * the response, with `first: ` or `again: ` before it where it is told, or `CODE: SENTENCE`.
   */
  async ask(op: string, members = ""): Promise<string> {
    const { engine } = this.#karma;
    const [request, reply, out] = [new Request(), new Reply(), new SendBuffer(64)];
    const rest = members === "" ? "" : `,${members}`;
    const bytes = encoder.encode(`{"v":2,"op":"${op}"${rest}}`);
    engine.beginTurn();
    if (this.#codec.decode(lineOf(bytes), "v2", request, reply)) {
      engine.execute(request, reply);
    }
    await reply.pending;
    await engine.settled();
    writeWhole(this.#codec, request, reply, out);
    return told(decoder.decode(out.view(0)));
  }
}

function told(line: string): string {
  const success = SUCCESS.exec(line);
  if (success !== null) {
    const again = success[3] === undefined ? "" : success[3] === "true" ? "again: " : "first: ";
    return again + success[1];
  }
  const failure = FAILURE.exec(line);
  if (failure === null) throw new Error(`Not a line of protocol v2: ${line}`);
  return `${failure[2]}: ${JSON.parse(failure[1])}`;
}
