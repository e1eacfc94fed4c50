// A codec with the command line's defaults, for tests that speak to the engine without a server.

import type { SendBuffer } from "../../lib/bytes/send_buffer.ts";
import { Access } from "../../lib/command/access.ts";
import { Codec, codecMaker, type CodecOptions } from "../../lib/protocol/codec.ts";
import type { RequestLine } from "../../lib/protocol/json/request_line.ts";
import { JsonReplyWriter } from "../../lib/protocol/json/response.ts";
import { Reply } from "../../lib/command/reply.ts";
import { ReplyBound } from "../../lib/command/reply_writer.ts";
import type { Request } from "../../lib/command/request.ts";

/** Makes a codec; without options there are no tokens, batches of 10 000 items, and no bound on replies. */
export function codecOf(options: Partial<CodecOptions> = {}): Codec {
  return codecMaker({
    access: new Access(null, null),
    itemsMax: 10_000,
    replyBytesMax: 0,
    ...options,
  })();
}

/** A bound of replies in JSON; 0: there is none. */
export function boundOf(bytesMax: number): ReplyBound {
  return new ReplyBound(new JsonReplyWriter(), bytesMax);
}

/** Writes all of a reply, which may be walked. */
export function writeWhole(codec: Codec, request: Request, reply: Reply, out: SendBuffer): void {
  const start = out.length;
  codec.encode(request, reply, out);
  if (!reply.isWalked) return;
  while (codec.more(request, reply, out) === "more");
  codec.encodeEnd(request, reply, out, start);
}

/** What is wrong with the line that was scanned last. */
export function faultOf(requestLine: RequestLine): string {
  const reply = new Reply();
  requestLine.refuse(reply);
  return reply.text;
}
