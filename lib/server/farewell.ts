// Farewell: the end of a connection whose client was refused or dismissed while it may still send.
//
// Closing a connection with unread bytes resets it, and a client that is still writing may get the
// reset instead of the reply. So what the client sends is read and dropped. But while the server
// reads, a client that has its reply and returned the connection to a pool can send its next request
// on it, which is never answered. So the connection is closed as soon as the refused line is over.
//
// Invariant: for a refused client it ends within LINGER_MS, whatever the client does; for a dismissed
// one when the drain (drain.ts) decides.

import type { ReceiveBuffer } from "../bytes/mod.ts";
import { sleep } from "../host/mod.ts";
import type { Activity } from "./drain.ts";
import type { TurnBudget } from "./turn_budget.ts";
import type { Connection } from "./connection.ts";
import { beginRead, type Payer, readInTurn } from "./in_turn.ts";

/** How long a refused client may keep sending. */
const LINGER_MS = 1000;

/** How long to read beyond the end of the refused line, for what its client sent without waiting. */
const OVER_MS = 50;

/** If nothing comes for this long beyond that line, the client has sent everything. */
const QUIET_MS = 2;

/**
 * Half-closes and drops what a refused client sends; the caller closes the connection afterwards.
 *
 * `lineState`: whether the refused line is complete ("over") or not ("on"), or has no end ("none")
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
        await reading.catch(() => {}); // the buffer is in use until then
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

/** Whether a read ends within QUIET_MS. */
function comesSoon(reading: Promise<number | null>): Promise<boolean> {
  const settled = reading.then(() => true, () => true);
  return Promise.race([settled, sleep(QUIET_MS).then(() => false)]);
}

/** Half-closes and drops what a dismissed client sends, until the client or the drain closes. */
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
