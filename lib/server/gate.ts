// The gate: connections that have not yet shown a right token, called strangers.
//
// Invariant: a stranger stays for a bounded time and keeps nobody out: if there is no room, the oldest stranger is closed,
// unless it has just arrived. All strangers together hold a small part of the buffers (buffer_bound.ts). Where no
// tokens are set, there are no strangers.
//
// Trade-off: a stranger's request may be as large as any other, since its token is known only once all of it has
// arrived, and a client may begin with a batch. While many strangers send large requests, the largest are closed,
// even those with a right token. (A bound of 8 KiB for each was tried: it refused batches on new connections of a pool.)

import type { Line } from "../bytes/mod.ts";
import type { Access, Reply, Request } from "../command/mod.ts";
import type { Codec, Envelope } from "../protocol/mod.ts";
import type { Notices } from "./notices.ts";

/** A stranger's buffer grows beyond this only for a request that needs it, not to read more at once. */
export const STRANGER_BYTES_BUSY = 8192;

/**
 * For so long a stranger is safe from being closed in favour of a newcomer: a client that sends its token
 * at once must not lose its place because this process was busy.
 */
const GRACE_MS = 1000;

export interface Stranger {
  /** When it came. */
  readonly since: number;
  /** It has shown a right token. */
  authenticate(): void;
  close(): void;
}

/** What is known of a connection's other end. */
export interface Remote {
  readonly remoteAddr?: object;
}

export class Gate {
  readonly access: Access;
  readonly #timeoutMs: number;
  readonly #notices: Notices;
  /** In the order in which they came. */
  readonly #strangers = new Set<Stranger>();

  /** `timeoutMs`: how long a stranger may stay; 0: no limit. */
  constructor(access: Access, timeoutMs: number, notices: Notices) {
    this.access = access;
    this.#timeoutMs = timeoutMs;
    this.#notices = notices;
  }

  /** Whether there are no tokens. */
  get isOpen(): boolean {
    return this.access.isOpen;
  }

  enter(stranger: Stranger): void {
    this.#strangers.add(stranger);
  }

  /** It has shown a right token, or has gone. */
  leave(stranger: Stranger): void {
    this.#strangers.delete(stranger);
  }

  /** Takes a stranger for known: somebody on its connection has shown a right token. */
  admit(stranger: Stranger): void {
    this.leave(stranger);
    stranger.authenticate();
  }

  /** Decodes a line of a stranger. One with a right token makes it known. */
  decode(
    stranger: Stranger,
    codec: Codec,
    line: Line,
    spoken: string,
    request: Request,
    reply: Reply,
    envelope: Envelope | null,
  ): boolean {
    this.access.forget();
    const isDecoded = codec.decode(line, spoken, request, reply, envelope);
    if (this.access.isAuthenticated && reply.code !== "unauthorized") {
      this.admit(stranger);
    }
    return isDecoded;
  }

  /** Closes those that have not shown a right token in time. */
  expire(now: number): void {
    if (this.#timeoutMs === 0) return;
    for (const stranger of this.#strangers) {
      if (now - stranger.since <= this.#timeoutMs) return;
      this.#close(stranger);
    }
  }

  /** Closes the stranger that came first, for somebody else. False: there is none that may be closed. */
  makeRoom(now: number): boolean {
    for (const stranger of this.#strangers) {
      if (now - stranger.since < GRACE_MS) return false;
      this.#close(stranger);
      return true;
    }
    return false;
  }

  /** Notes a request without a right token. */
  unauthorized(remote: Remote): void {
    this.#notices.note("Request without a right token", `from ${addressOf(remote)}`);
  }

  #close(stranger: Stranger): void {
    this.#strangers.delete(stranger);
    stranger.close();
  }
}

/** The other end's address, as far as it is known. */
export function addressOf({ remoteAddr }: Remote): string {
  const host = remoteAddr !== undefined && "hostname" in remoteAddr ? remoteAddr.hostname : null;
  return typeof host === "string" ? host : "an unknown address";
}
