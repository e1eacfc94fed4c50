// The backend of a process that is still reading its data: it refuses every request.
//
// Requests are decoded as always, so a client whose request makes no sense, or whose token is wrong, hears
// that first. Even `ping` and `system.health` are refused: who asks wants to know whether Karma serves.

import type { Reply, Request } from "../command/mod.ts";
import type { Backend } from "./backend.ts";
import type { Statistics } from "../metrics/mod.ts";

export class Loading implements Backend {
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
