// Hooks: what the WAL asks of its owner.

import type { HostError } from "../errors.ts";

export type SyncPolicy = "always" | "everysec" | "no";

export interface WalOptions {
  readonly policy: SyncPolicy;
  /** A segment that has so many bytes, and more records than head, is followed by another; 0: never. */
  readonly segmentBytes: number;
  /** When all segments together have so many bytes, `onLarge` is called. */
  readonly bytesMax: number;
}

/** What the log asks of the one who writes to it. */
export interface WalHooks {
  /** What a reader must know that begins with the record behind the last one; of any length. */
  catalog(lastLsn: number): Uint8Array;
  /** The log has become larger than it should be: time for dumps. */
  onLarge(): void;
  /** What was promised cannot be kept: the process must end. */
  lost(error: HostError): void;
  /** Tells the operator. */
  tell(line: string): void;
}
