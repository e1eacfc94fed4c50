// Work of a session beside its replies: reading the next piece of a large request, dropping what a refused client
// sends, and growing a buffer. It runs in slices (turn_budget.ts) and counts as work of the session.
//
// Invariant: one slice reads at most READ_BYTES_MAX or copies one piece of a buffer.
// Trade-off: a read costs a place in the queue and a closure. Counting reads only afterwards is cheaper, but then all
// sessions that a turn let through read at its end, where nobody checks the time: with a thousand unfinished
// requests of a mebibyte, turns read 64 MB.

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
