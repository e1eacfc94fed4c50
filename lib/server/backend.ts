// The backend: the interface through which a session has its requests executed.
//
// The engine is a backend; until its data is loaded, `Loading` takes its place. A session depends on
// this interface only.
//
// Invariant: `execute` is synchronous; work that takes longer continues as the reply's `pending` or
// `walk`. A reply may leave only after a `settled` that was called after it has resolved.

import type { Reply, Request } from "../command/mod.ts";
import type { Statistics } from "../metrics/mod.ts";

/** Executes requests on behalf of sessions. */
export interface Backend {
  /** Whether requests are carried out. */
  readonly isReady: boolean;
  /** Counts of requests, errors and connections. All backends of a process share one object. */
  readonly statistics: Statistics;
  /** Reads the clock. Call it when requests have arrived, before they are executed. */
  beginTurn(): void;
  /** Executes a decoded request and fills in the reply; see `Reply`. */
  execute(request: Request, reply: Reply): void;
  /** Resolves when everything that earlier replies report is as durable as promised. */
  settled(): Promise<void>;
  /**
   * Runs `read`, which reads for a reply's walk, once the queue of readings admits it. Resolves with
   * "timeout" if that was not before `deadline` (`performance.now()`, ms).
   */
  read<Result>(deadline: number, read: () => Promise<Result>): Promise<Result | "timeout">;
  /** Turns a reply whose walk took too long into an error. */
  timeOut(reply: Reply): void;
}
