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

/** The protocols of the port: JSON lines, and RESP and HTTP by the first line of a connection. */
export const PORT_PROTOCOLS = ["json", "resp", "http"] as const;
export type PortProtocol = (typeof PORT_PROTOCOLS)[number];

/** Limits of a session; 0: no limit. */
export interface SessionLimits {
  /** What clients may speak. */
  readonly protocols: ReadonlySet<PortProtocol>;
  readonly requestBytesMax: number;
  readonly requestTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
}
