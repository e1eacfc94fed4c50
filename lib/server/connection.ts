// What sessions are given: a connection to talk over, and bounds to hold its client to.

import type { Remote } from "./gate.ts";

/** What a session needs of a TCP connection. */
export interface Connection extends Remote {
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Tells the client that no more will come. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** What a session bounds; 0 is no bound. */
export interface SessionLimits {
  readonly requestBytesMax: number;
  readonly requestTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
}
