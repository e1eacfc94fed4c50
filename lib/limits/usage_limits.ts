// Usage limits: all that belongs to them, for the engine.
//
// Invariant: all of it sees one day and one moment, those of the turn.

import type { Reply, ReplyBound, Request } from "../command/mod.ts";
import type { Calendar } from "../host/mod.ts";
import type { AgeClock, DedupState } from "../idempotency/mod.ts";
import type { StateWriter } from "../state/mod.ts";
import type { Forest } from "../tree/mod.ts";
import { FineCounters } from "./fine_counters.ts";
import { FineLimits } from "./fine_limits.ts";
import { Limiter } from "./limiter.ts";
import { Receipts } from "./receipts.ts";
import { WindowCaches } from "./window_caches.ts";
import { WindowSweeper } from "./window_sweeper.ts";

interface UsageLimitsParts {
  readonly forest: Forest;
  readonly dedup: DedupState;
  readonly stateWriter: StateWriter;
  readonly ages: AgeClock;
  readonly calendar: Calendar;
}

export class UsageLimits {
  readonly #fine: FineCounters;
  readonly #receipts: Receipts;
  readonly #limiter: Limiter;
  readonly #sweeper: WindowSweeper;
  readonly #ages: AgeClock;

  constructor(parts: UsageLimitsParts, bound: ReplyBound) {
    const { forest, dedup, stateWriter, ages, calendar } = parts;
    this.#ages = ages;
    this.#fine = new FineCounters(stateWriter);
    this.#receipts = new Receipts(forest, dedup, stateWriter, ages, this.#fine, bound);
    const calendars = new WindowCaches(calendar);
    const fine = new FineLimits(this.#fine);
    this.#limiter = new Limiter(forest, stateWriter, this.#receipts, calendars, fine, bound);
    this.#sweeper = new WindowSweeper(forest, stateWriter);
  }

  /** Sets the day and the moment of the turn, in ms since 1970. */
  beginTurn(today: number, nowMs: number): void {
    this.#limiter.today = today;
    this.#limiter.nowMs = this.#fine.nowMs = nowMs;
  }

  consume(request: Request, reply: Reply): void {
    this.#limiter.consume(request, reply);
  }

  check(request: Request, reply: Reply): void {
    this.#limiter.check(request, reply);
  }

  refund(request: Request, reply: Reply): void {
    this.#receipts.refund(request, reply);
  }

  /** Forgets some of what no window sees any more; true: the log has to be written. */
  forget(): Promise<boolean> {
    return this.#sweeper.look(1000 * this.#ages.seconds());
  }
}
