// The interfaces of a session's connection and of the limits that the session enforces.

import type { Remote } from "./gate.ts";

/** The part of a TCP connection that a session uses. */
export interface Connection extends Remote {
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Half-closes: tells the client that no more will be sent. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** Limits of a session; 0: no limit. */
export interface SessionLimits {
  readonly requestBytesMax: number;
  readonly requestTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
}
