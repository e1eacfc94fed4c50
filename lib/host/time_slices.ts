// Time slices: all long work (readings of whole trees, sweeps, loads, walks of replies) shares one slice of time
// in each turn of the event loop, however much of it is under way.
//
// Each worker calls its `rest` between steps. While the slice of the turn lasts, the worker goes on at once; after
// that it waits in a queue, whose head goes on in the next turn.
//
// Invariant: in a turn, long work takes SLICE_MS, plus what the last steps took longer than expected. Waiting workers
// go on in order of arrival, before those that arrive later have used up the slice of that turn.
// Long work can be held for a few turns (`hold`) by whoever needs turns that are short.
// Trade-off: giving way costs a timer's millisecond, in which the machine may idle. So the slice is not as short
// as it could be: with 2 ms, two fifths of an idle machine were not used.

/** Long work gives way after so long in a turn: well below the 10 ms that others may wait. */
export const SLICE_MS = 3;

/** While others wait, each works for so long before the next one goes on: short work overtakes long. */
const QUANTUM_MS = 0.5;

/**
 * What a step is taken for until it is over: of many that begin at once, as many go on as fit a slice. Most
 * steps, of a branch each, take 0.05 to 0.2 ms.
 */
const STEP_MS = 0.2;

/** Long work is held for so many turns at most, about a millisecond, so that it always goes on. */
const HELD_TURNS_MAX = 128;

/** The event loop. */
interface Loop {
  /** Milliseconds, from any moment on. */
  now(): number;
  /** Calls a function in the next turn, when sockets have been looked at. */
  nextTurn(call: () => void): void;
  /** Likewise, without sleeping before it. */
  nextTurnAtOnce(call: () => void): void;
}

export class TimeSlices {
  readonly #loop: Loop;
  /** Those that wait, in the order of arrival. */
  #waiting: (() => void)[] = [];
  /** What long work has taken in this turn. */
  #spentMs = 0;
  #turn = 0;
  /** Whether the next turn will be noticed. */
  #isArmed = false;
  /** Whether somebody has asked for short turns since the last one, and how many turns long work was held for that. */
  #isHeld = false;
  #heldTurns = 0;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** How many wait for a turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** A function to await before each step of long work. */
  pace(): () => Promise<void> {
    let began = this.#loop.now();
    let resumed = began;
    /** What the step that is under way was taken for, and in which turn. */
    let taken = 0;
    let turn = this.#turn;
    return async () => {
      const now = this.#loop.now();
      this.#spentMs += now - began - (turn === this.#turn ? taken : 0);
      began = now;
      this.#arm();
      const isOver = this.#spentMs + STEP_MS > SLICE_MS;
      if (isOver || this.#waiting.length > 0 && now - resumed >= QUANTUM_MS) {
        const next = new Promise<void>((go) => this.#waiting.push(go));
        if (!isOver) this.#wake();
        await next;
        began = resumed = this.#loop.now();
      }
      this.#spentMs += taken = STEP_MS;
      turn = this.#turn;
    };
  }

  /** Asks for a next turn without long work. */
  hold(): void {
    this.#isHeld = true;
  }

  #wake(): void {
    this.#waiting.shift()?.();
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#loop.nextTurn(() => this.#begin());
  }

  /** Begins a turn, unless it is to be one without long work. */
  #begin(): void {
    if (this.#isHeld && this.#heldTurns < HELD_TURNS_MAX) {
      this.#isHeld = false;
      this.#heldTurns++;
      return this.#loop.nextTurnAtOnce(() => this.#begin());
    }
    this.#isArmed = this.#isHeld = false;
    this.#heldTurns = this.#spentMs = 0;
    this.#turn++;
    this.#wake();
    // A worker that goes on now may end, or wait for a disk, without calling `rest` again.
    if (this.#waiting.length > 0) this.#arm();
  }
}
