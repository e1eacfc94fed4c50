// The codec: decodes a frame of any protocol into a request, and encodes the reply in the same protocol.
//
// A frame that no protocol recognizes is answered in the protocol that its connection used last, at first in v2.
//
// Invariant: a reply is written whole, or it is the error `response_too_large`.

import { assert } from "../assert.ts";
import { type Frame, type Line, type ReceiveBuffer, SendBuffer } from "../bytes/mod.ts";
import { Access, type Peer, Reply, Request } from "../command/mod.ts";
import type { ErrorCode } from "../errors.ts";
import type { Envelope, Protocol, ProtocolOptions } from "./protocol.ts";
import { PROTOCOLS } from "./protocols.ts";

export interface CodecOptions extends ProtocolOptions {
  /** How long a reply may be in protocols with bounds; 0: there is no limit. */
  readonly replyBytesMax: number;
}

/** Makes codecs, each for one request at a time. They share what they remember of lines. */
export function codecMaker(options: CodecOptions): () => Codec {
  const families = PROTOCOLS.map((family) => family(options));
  return () => new Codec(families.flatMap((make) => make()), options.replyBytesMax);
}

/** An error for a client that has said nothing that could be decoded, or nothing at all. */
export function errorLine(code: ErrorCode, sentence: string): Uint8Array<ArrayBuffer> {
  const codec = codecMaker({ access: new Access(null, null), itemsMax: 0, replyBytesMax: 0 })();
  const reply = new Reply();
  const out = new SendBuffer(256);
  reply.fail(code, sentence);
  codec.encode(new Request(), reply, out);
  return out.bytes.slice(0, out.length);
}

export class Codec {
  readonly #protocols: readonly Protocol[];
  readonly #replyBytesMax: number;
  /** That of the last frame: the next one mostly is in the same. */
  #last: Protocol;

  /** See `codecMaker`. */
  constructor(protocols: readonly Protocol[], replyBytesMax: number) {
    this.#protocols = protocols;
    this.#replyBytesMax = replyBytesMax;
    this.#last = protocols[0];
  }

  /** Who a connection's client is that begins as `received` does; null: that is for each frame to tell. */
  meet({ bytes, partStart, partEnd }: ReceiveBuffer): Peer | null {
    for (const protocol of this.#protocols) {
      const peer = protocol.meet(bytes, partStart, partEnd);
      if (peer !== null) return peer;
    }
    return null;
  }

  /** Takes the next frame off what a connection that last spoke `spoken` has sent. */
  frame(received: ReceiveBuffer, spoken: string, isEnded: boolean): Frame {
    return this.#named(spoken).frame(received, isEnded);
  }

  /**
   * Decodes a frame of a connection that last spoke `spoken`. False: `reply` has the answer. With an `envelope`, or
   * a peer in the request, the connection speaks nothing else.
   */
  decode(
    frame: Line,
    spoken: string,
    request: Request,
    reply: Reply,
    envelope: Envelope | null = null,
  ): boolean {
    request.clear();
    const isSettled = envelope !== null || request.peer !== null;
    const recognized = isSettled ? null : this.#recognized(frame);
    const protocol = recognized ?? this.#named(spoken);
    this.#last = protocol;
    request.protocol = protocol.name;
    request.isBounded = protocol.isBounded;
    return protocol.decode(frame, request, reply, envelope);
  }

  /** Writes a whole reply, or the beginning of a walked one. */
  encode(request: Request, reply: Reply, out: SendBuffer): void {
    const start = out.length;
    this.#named(request.protocol).encode(request, reply, out);
    if (this.isTooLong(request, reply, out.length - start)) this.refuse(request, reply, out, start);
  }

  /** Writes the next piece of a walked reply. "end": it was the last one. */
  more(request: Request, reply: Reply, out: SendBuffer): "more" | "end" {
    return this.#named(request.protocol).more(request, reply, out);
  }

  /** Writes the end of a walked reply, which began at `start`. */
  encodeEnd(request: Request, reply: Reply, out: SendBuffer, start: number): void {
    this.#named(request.protocol).encodeEnd(request, reply, out);
    if (this.isTooLong(request, reply, out.length - start)) this.refuse(request, reply, out, start);
  }

  /** Whether a reply of so many bytes, which may have its line feed, may not be given. */
  isTooLong(request: Request, reply: Reply, bytes: number): boolean {
    const isLimited = this.#replyBytesMax > 0 && request.isBounded && reply.code === null;
    return isLimited && bytes - reply.uncountedBytes > this.#replyBytesMax + 1;
  }

  /** Takes back what was written of a reply from `start` on, and says what is wrong instead. */
  refuse(request: Request, reply: Reply, out: SendBuffer, start: number): void {
    out.length = start;
    reply.uncountedBytes = 0;
    reply.walk = reply.days = null;
    reply.isLong = false;
    if (reply.code === null) {
      reply.fail("response_too_large", `Response exceeds ${this.#replyBytesMax} bytes`);
    }
    this.encode(request, reply, out);
  }

  #recognized(frame: Line): Protocol | null {
    if (this.#last.isPerFrame && this.#last.recognizes(frame)) return this.#last;
    for (const protocol of this.#protocols) {
      if (protocol.isPerFrame && protocol.recognizes(frame)) return protocol;
    }
    return null;
  }

  #named(name: string): Protocol {
    return name === this.#last.name ? this.#last : this.#find(name);
  }

  #find(name: string): Protocol {
    const protocol = this.#protocols.find((protocol) => protocol.name === name);
    assert(protocol !== undefined, `There is no protocol ${name}`);
    return protocol;
  }
}
