// A protocol: a language that clients speak to Karma.
//
// A session uses protocols through this interface, and the list in protocols.ts says which there are. A protocol is a
// folder of its own and a line in that list.
//
// Invariant: `decode` depends on its frame alone, and `encode` on the request and the reply alone. A request means
// the same in all protocols.

import type { Frame, Line, ReceiveBuffer, SendBuffer } from "../bytes/mod.ts";
import type { Access, Operation, Peer, Reply, Request } from "../command/mod.ts";

/** What is said of requests outside of their frames: by the path and the headers of HTTP. */
export interface Envelope {
  /** What is asked for; null: the frame tells. */
  readonly operation: Operation | null;
  /** The token; null: the frame has it. */
  readonly token: Uint8Array | null;
  /** Whether everything that comes is one request, in which line feeds are blanks. */
  readonly isWhole: boolean;
}

export interface Protocol {
  /** Its name, as `Request.protocol` has it. */
  readonly name: string;
  /** Whether `--max-response-bytes` and `--query-timeout` bound its replies. */
  readonly isBounded: boolean;
  /** Whether each frame of a connection may be in it, or in another; false: connections speak it or they do not. */
  readonly isPerFrame: boolean;
  /**
   * What is to be remembered of a client whose connection begins with bytes[start..end), and speaks nothing else from
   * then on. Null: it does not begin in this protocol, or that cannot be told yet, or each frame tells.
   */
  meet(bytes: Uint8Array, start: number, end: number): Peer | null;
  /** Takes the next frame off what was received. `isEnded`: nothing more will come. */
  frame(received: ReceiveBuffer, isEnded: boolean): Frame;
  /** Whether a frame is in this protocol for certain. */
  recognizes(frame: Line): boolean;
  /**
   * Decodes a frame. False: the reply says why not. Strings may be unescaped where they lie.
   *
   * `envelope`: what was said outside of the frame; null: nothing, as in most connections
   */
  decode(frame: Line, request: Request, reply: Reply, envelope: Envelope | null): boolean;
  /** Writes a whole reply, or the beginning of a walked one. */
  encode(request: Request, reply: Reply, out: SendBuffer): void;
  /** Writes the next piece of a walked reply. "end": it was the last one, and `encodeEnd` is next. */
  more(request: Request, reply: Reply, out: SendBuffer): "more" | "end";
  /** Writes the end of a walked reply. */
  encodeEnd(request: Request, reply: Reply, out: SendBuffer): void;
}

export interface ProtocolOptions {
  readonly access: Access;
  /** How long the list of a batch may be. */
  readonly itemsMax: number;
}

/**
 * Makes the protocols of a folder. What all codecs of a server share is made by the outer call, and what belongs to
 * one of them by the inner.
 */
export type ProtocolFamily = (options: ProtocolOptions) => () => readonly Protocol[];
