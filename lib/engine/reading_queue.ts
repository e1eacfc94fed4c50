// The reading queue: only a few readings of whole trees run at once, and the others wait.
//
// Invariant: at most RUNNING_MAX run at once, and the others start in order of arrival. A reading whose time limit has
// passed by then is not started. So the memory for rows and pages is bounded.
// Trade-off: a short reading waits behind long ones that arrived earlier. Running several at once makes that rare;
// more would only slow each of them down, since all share one slice of each turn (host/time_slices.ts).

/** Readings that run at once. */
export const RUNNING_MAX = 8;

/** When time is up: a clock in milliseconds, and a call at, or after, a moment of it. */
interface Alarm {
  now(): number;
  at(ms: number, call: () => void): void;
}

const HOST_ALARM: Alarm = {
  now: () => performance.now(),
  at: (ms, call) => void setTimeout(call, Math.max(0, ms - performance.now())),
};

interface Waiting {
  readonly deadline: number;
  readonly begin: (mayRun: boolean) => void;
}

export class ReadingQueue {
  readonly #alarm: Alarm;
  #running = 0;
  #queue: Waiting[] = [];
  #isArmed = false;

  constructor(alarm = HOST_ALARM) {
    this.#alarm = alarm;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Runs a reading when there is room; "timeout": its deadline, in performance.now(), passed before. */
  async run<Result>(
    deadline: number,
    read: () => Promise<Result>,
  ): Promise<Result | "timeout"> {
    if (this.#running < RUNNING_MAX) this.#running++;
    else if (!await this.#turn(deadline)) return "timeout";
    try {
      return await read();
    } finally {
      this.#end();
    }
  }

  /** Waits for a place. False: there was none in time. */
  #turn(deadline: number): Promise<boolean> {
    return new Promise((begin) => {
      this.#queue.push({ deadline, begin });
      this.#watch();
    });
  }

  /** Gives the place of a reading that has ended to the first that still has time. */
  #end(): void {
    this.#expire();
    const next = this.#queue.shift();
    if (next === undefined) this.#running--;
    else next.begin(true);
  }

  /** Sends away those whose time is up. All have the same time, so those come first. */
  #expire(): void {
    const now = this.#alarm.now();
    while (this.#queue.length > 0 && this.#queue[0].deadline <= now) {
      this.#queue.shift()!.begin(false);
    }
  }

  #watch(): void {
    if (this.#isArmed || this.#queue.length === 0 || this.#queue[0].deadline === Infinity) return;
    this.#isArmed = true;
    this.#alarm.at(this.#queue[0].deadline, () => {
      this.#isArmed = false;
      this.#expire();
      this.#watch();
    });
  }
}
