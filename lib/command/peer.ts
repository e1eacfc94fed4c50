// A peer: what is remembered of a client from one request to the next, in protocols that have such a thing.
//
// Invariant: it belongs to one connection; codecs, which connections share, find it in the request.

import type { Grant } from "./access.ts";

export class Peer {
  /** The name of the protocol that it speaks, and nothing else. */
  readonly protocol: string;
  /** Tells it from other connections of this process. */
  readonly id: number;
  /** When it came, in ms since 1970. */
  readonly since = Date.now();
  /** The version of the protocol that replies are written in. */
  version = 2;
  /** What its token allows; null: it has shown none. */
  grant: Grant | null = null;
  /** What the client calls itself, and its library. */
  name = "";
  library = "";
  libraryVersion = "";

  constructor(protocol: string, id: number) {
    this.protocol = protocol;
    this.id = id;
  }
}
