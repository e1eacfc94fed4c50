// Work of a session beside its answers: reading the next piece of a large request, dropping what a refused client
// sends, making a buffer larger. It is done in slices of the turns (turn_budget.ts), and counts as the session's.
//
// Invariant: in one slice at most READ_BYTES_MAX are read, or one piece of a buffer is copied.
// Trade-off: a read costs a queue's place and a closure. A read that is merely counted afterwards is cheaper, but all
// sessions that were let through in a turn then read at its end, when nobody looks at the clock: a thousand
// unfinished requests of a mebibyte had turns in which 64 MB were read.

import type { ReceiveBuffer } from "../bytes/mod.ts";
import type { Connection } from "./connection.ts";
import type { Job, TurnBudget } from "./turn_budget.ts";

/** So much is read at once of a large request: some 50 µs. */
export const READ_BYTES_MAX = 65536;

/** Reading a byte, and looking whether it ends a line, takes a quarter of what answering a byte does. */
const READ_BYTES_A_WORK = 4;

/** What copying one piece of a buffer that grows costs, and making it larger by so many bytes, in bytes' worth of work. */
const GROW_WORK = 8192;
const GROWN_BYTES_A_WORK = 16;

/** Whose work it is. */
export interface Payer {
  tag: number;
}

class Slice implements Job {
  readonly #payer: Payer;
  readonly work: () => void;

  constructor(payer: Payer, work: () => void) {
    this.#payer = payer;
    this.work = work;
  }

  get tag(): number {
    return this.#payer.tag;
  }

  set tag(tag: number) {
    this.#payer.tag = tag;
  }
}

/** A read that has begun. */
interface Begun {
  readonly reading: Promise<number | null>;
}

/** Begins a read when its turn has come. */
export async function beginRead(
  connection: Connection,
  space: Uint8Array<ArrayBuffer>,
  turnBudget: TurnBudget,
  payer: Payer,
): Promise<Begun> {
  const begun: Begun[] = [];
  const slice = new Slice(payer, () => {
    const reading = connection.read(space);
    reading.catch(() => {}); // it may fail before the session looks at it
    begun.push({ reading });
    turnBudget.spend(space.length / READ_BYTES_A_WORK);
  });
  const turn = turnBudget.run(slice);
  if (turn !== null) await turn;
  return begun[0];
}

/** Reads when its turn has come. */
export async function readInTurn(
  connection: Connection,
  space: Uint8Array<ArrayBuffer>,
  turnBudget: TurnBudget,
  payer: Payer,
): Promise<number | null> {
  const { reading } = await beginRead(connection, space, turnBudget, payer);
  return await reading;
}

/** Makes a buffer larger, a piece at a time. */
export async function growInTurn(received: ReceiveBuffer, turnBudget: TurnBudget, payer: Payer) {
  let isThere = false;
  let addedBytes = received.largerSize; // cleared by whoever makes the array
  const slice = new Slice(payer, () => {
    isThere = received.grow();
    turnBudget.spend(GROW_WORK + addedBytes / GROWN_BYTES_A_WORK);
    addedBytes = 0;
  });
  while (!isThere) {
    const turn = turnBudget.run(slice);
    if (turn !== null) await turn;
  }
}
