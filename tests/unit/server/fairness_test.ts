// Fairness: shares of a turn, and rounds of turns that bring more than the runtime looks at.

import { assert, assertEquals } from "@std/assert";
import { nextTurn } from "../../../lib/host/clock.ts";
import { TurnCounter } from "../../../lib/server/fairness.ts";

/** What the runtime may bring in one turn. */
const FULL = 128;

/** A turn that brings so many reads; whether those of it are to wait for the others. */
async function turn(turns: TurnCounter, reads: number): Promise<boolean> {
  for (let count = 0; count < reads; count++) turns.read();
  await Promise.resolve();
  return turns.round !== null;
}

Deno.test("fairness: a share of work for each turn, and then another", async () => {
  const turns = new TurnCounter();
  let calls = 0;
  while (!turns.isUsedUp(4096)) calls++;
  assert(calls > 50 && calls < 200, `${calls}`);
  await turns.giveWay();
  assert(!turns.isUsedUp(4096));
  await nextTurn(); // the timer that it waits for
});

Deno.test("fairness: few sessions never wait for others", async () => {
  const turns = new TurnCounter();
  for (const reads of [1, 50, 100, 1, 100]) assert(!await turn(turns, reads), `${reads}`);
});

Deno.test("fairness: who was served in full turns waits for one that isn't full", async () => {
  const turns = new TurnCounter();
  assert(await turn(turns, FULL));
  const { round } = turns;
  let isOver = false;
  const waiting = round!.then(() => isOver = true);
  assert(await turn(turns, FULL), "others are looked at now");
  assertEquals(turns.round, round, "it is one round");
  assert(!isOver);
  assert(!await turn(turns, 17), "and these were the last");
  await waiting;
  assert(await turn(turns, FULL), "another round begins");
  assert(!await turn(turns, 1));
});

Deno.test("fairness: where all have been served in one turn nothing comes, and the round ends", async () => {
  const turns = new TurnCounter();
  const began = performance.now();
  assert(await turn(turns, FULL));
  await turns.round;
  assertEquals(turns.round, null);
  assert(performance.now() - began < 1000);
});
