// The backend: what a session asks of whatever carries out its requests.
//
// The engine is one, once its data is there; until then `Loading` is. A session meets nothing else, so
// that other ways to carry out requests need no other sessions.
//
// Invariant: `execute` is synchronous, and what it needs more time for goes on as the reply's `pending`
// or `walk`. No reply may leave before a call of `settled` that came after it has resolved.

import type { Reply, Request } from "../command/mod.ts";
import type { Statistics } from "../metrics/mod.ts";

export interface Backend {
  /** What sessions count: requests, errors, connections. The same object in all backends of a process. */
  readonly statistics: Statistics;
  /** Looks at the clock: to be called when requests have come in, before they are executed. */
  beginTurn(): void;
  /** Carries out a decoded request; see `Reply` for where the answer is. */
  execute(request: Request, reply: Reply): void;
  /** Resolves when all that replies may tell by now is as safe as promised. */
  settled(): Promise<void>;
  /** Reads for a reply's walk when there is room for another reading; "timeout": there was none in time. */
  read<Result>(deadline: number, read: () => Promise<Result>): Promise<Result | "timeout">;
  /** Makes an error of a reply whose walk took too long. */
  timeOut(reply: Reply): void;
}
