// The time of a simulation: it stands still until it is moved, and timers are due in it.
//
// Invariant: between `install` and `remove` nothing that runs depends on the real time or on real
// chance: timers, `performance.now` and the log's random id come from here, so that a seed gives the
// same history on every machine. Trade-off: for that it replaces globals of this process, one simulation
// at a time.

import { setImmediate } from "node:timers";
import { forgetTurns } from "../../lib/host/clock.ts";
import { Random } from "../support/random.ts";

interface Timer {
  readonly id: number;
  readonly due: number;
  readonly callback: () => void;
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  now: performance.now,
  getRandomValues: crypto.getRandomValues,
};

/** Long work looks at the clock at each step: some steps take long enough to give way after them. */
const STEP_MS = [0, 0, 0, 0, 0, 0, 1, 3];

export class SimulatedTime {
  /** Milliseconds since the simulation began. */
  now = 0;
  readonly #random: Random;
  #timers: Timer[] = [];
  #ids = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  install(): void {
    const set = (callback: () => void, ms = 0) => this.#set(callback, ms);
    globalThis.setTimeout = set as unknown as typeof setTimeout;
    globalThis.clearTimeout = (id) => {
      this.#timers = this.#timers.filter((timer) => timer.id !== id);
    };
    performance.now = () => this.now += this.#random.pick(STEP_MS);
    crypto.getRandomValues = <T extends ArrayBufferView | null>(array: T): T => {
      if (array instanceof Uint32Array) {
        for (let at = 0; at < array.length; at++) array[at] = this.#random.below(2 ** 32);
      }
      return array;
    };
  }

  /** Gives the real time back, when all is quiet. */
  async remove(): Promise<void> {
    globalThis.setTimeout = real.setTimeout;
    globalThis.clearTimeout = real.clearTimeout;
    performance.now = real.now;
    crypto.getRandomValues = real.getRandomValues;
    forgetTurns();
    await this.quiet();
  }

  /** Forgets all timers: the process that waited for them is dead. */
  forget(): void {
    this.#timers = [];
    forgetTurns();
  }

  /** Lets everything go on that waits for no timer. */
  quiet(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets so many milliseconds pass. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    await this.quiet();
    for (let timer = this.#due(end); timer !== undefined; timer = this.#due(end)) {
      this.#timers.splice(this.#timers.indexOf(timer), 1);
      this.now = Math.max(this.now, timer.due);
      timer.callback();
      await this.quiet();
    }
    this.now = Math.max(this.now, end);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#set(resolve, ms));
  }

  #set(callback: () => void, ms: number): number {
    this.#timers.push({ id: ++this.#ids, due: this.now + ms, callback });
    return this.#ids;
  }

  /** The timer that is due first until then; of several the oldest. */
  #due(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (first === undefined || timer.due < first.due)) first = timer;
    }
    return first;
  }
}
