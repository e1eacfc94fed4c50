// Speech: what a connection's client speaks, as far as it is known.
//
// Invariant: a client that has begun in a protocol that the first bytes tell speaks nothing else; of the others each
// frame tells, and `spoken` is the protocol of the last one.

import type { ReceiveBuffer } from "../bytes/mod.ts";
import type { Peer } from "../command/mod.ts";
import type { Codec, Envelope } from "../protocol/mod.ts";
import type { PortProtocol } from "./connection.ts";

export class Speech {
  spoken = "v2";
  /** The client, in protocols that the first bytes tell. */
  peer: Peer | null = null;
  /** Whether no request has come yet. */
  isNew = true;
  /** Of a request over HTTP; null: the bytes are a client's. */
  readonly envelope: Envelope | null;
  readonly #speaksJson: boolean;
  readonly #mayMeet: boolean;

  constructor(envelope: Envelope | null, protocols: ReadonlySet<PortProtocol>) {
    this.envelope = envelope;
    this.#speaksJson = envelope !== null || protocols.has("json");
    this.#mayMeet = envelope === null && protocols.has("resp");
  }

  /** Looks at what has come, if nothing was asked yet. False: the client may not be served in what it speaks. */
  isServed(codec: Codec, received: ReceiveBuffer): boolean {
    if (this.isNew && this.#mayMeet && this.peer === null) {
      this.peer = codec.meet(received);
      if (this.peer !== null) this.spoken = this.peer.protocol;
    }
    return this.#speaksJson || this.peer !== null;
  }
}
