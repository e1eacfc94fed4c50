// Farewell: the end of a connection whose client was refused, or dismissed, while it may still be sending.
//
// A connection that is closed while bytes lie unread is reset, and the reply may be lost with it: a client
// that is still writing meets the reset and never reads. So what it sends is read and dropped. But as
// long as we read, a client that has read its reply and put the connection back into a pool can write its next
// request into it, and waits in vain. So the connection is closed as soon as the refused line is over.
//
// Invariant: for who was refused it ends within LINGER_MS, whatever the client does; for who was dismissed, when the
// drain (drain.ts) says so.

import type { ReceiveBuffer } from "../bytes/mod.ts";
import { sleep } from "../host/mod.ts";
import type { Activity } from "./drain.ts";
import type { TurnBudget } from "./turn_budget.ts";
import type { Connection } from "./connection.ts";
import { beginRead, type Payer, readInTurn } from "./in_turn.ts";

/** How long a refused client may go on sending, reply unread or not. */
const LINGER_MS = 1000;

/** How long behind the end of the refused line, for what its client sent without waiting. */
const OVER_MS = 50;

/** When nothing has come for so long behind that line, all has been sent. */
const QUIET_MS = 2;

/**
 * Drops what a refused client sends. The connection is to be closed afterwards.
 *
 * `lineState`: whether the refused line is "over", is going "on", or is "none" that has an end
 * `cut`: closes the connection when it takes too long
 */
export async function linger(
  connection: Connection,
  received: ReceiveBuffer,
  lineState: "over" | "on" | "none",
  turnBudget: TurnBudget,
  payer: Payer,
  cut: () => void,
): Promise<void> {
  let isOver = lineState === "over";
  let timer = setTimeout(cut, isOver ? OVER_MS : LINGER_MS);
  try {
    await connection.closeWrite();
    for (;;) {
      received.drop();
      const { reading } = await beginRead(connection, received.space(), turnBudget, payer);
      if (isOver && !await comesSoon(reading)) {
        cut();
        await reading.catch(() => {}); // until then its buffer is in use
        return;
      }
      const count = await reading;
      if (count === null) return;
      received.filled(count);
      if (lineState === "on" && !isOver && received.hasLineFeed()) {
        isOver = true;
        clearTimeout(timer);
        timer = setTimeout(cut, OVER_MS);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a read ends now, or within a moment. */
function comesSoon(reading: Promise<number | null>): Promise<boolean> {
  const settled = reading.then(() => true, () => true);
  return Promise.race([settled, sleep(QUIET_MS).then(() => false)]);
}

/** Drops what a dismissed client still sends, until it ends or its connection is closed. */
export async function part(
  connection: Connection,
  received: ReceiveBuffer,
  activity: Activity,
  turnBudget: TurnBudget,
  payer: Payer,
): Promise<void> {
  await connection.closeWrite();
  for (;;) {
    received.drop();
    const space = received.space();
    const count = await readInTurn(connection, space, turnBudget, payer);
    if (count === null) return;
    activity.noteRead(count, space.length);
  }
}
