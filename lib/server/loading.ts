// The backend of a process that is still loading its data: it refuses every request.
//
// Requests are decoded as usual, so a client with an invalid request or a wrong token gets that error first. `ping` and
// `system.health` are refused too, because their callers ask whether Karma serves.

import type { Reply, Request } from "../command/mod.ts";
import type { Backend } from "./backend.ts";
import type { Statistics } from "../metrics/mod.ts";

export class Loading implements Backend {
  readonly isReady = false;
  readonly statistics: Statistics;

  constructor(statistics: Statistics) {
    this.statistics = statistics;
  }

  beginTurn(): void {}

  execute(_request: Request, reply: Reply): void {
    reply.fail("loading", "Karma is loading its data");
  }

  settled(): Promise<void> {
    return Promise.resolve(); // a refusal tells nothing of the data
  }

  read<Result>(_deadline: number, read: () => Promise<Result>): Promise<Result> {
    return read(); // the walk of an engine that was there before
  }

  timeOut(reply: Reply): void {
    reply.fail("loading", "Karma is loading its data");
  }
}
