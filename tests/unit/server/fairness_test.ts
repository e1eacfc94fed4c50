// Fairness: shares of a turn, and rounds of turns that bring more than the runtime looks at.

import { assert, assertEquals } from "@std/assert";
import { Statistics } from "../../../lib/engine/statistics.ts";
import { nextTurn } from "../../../lib/host/clock.ts";
import { TurnCounter } from "../../../lib/server/fairness.ts";

/** What the runtime may bring in one turn. */
const FULL = 128;

/** A turn that brings so many reads; whether those of it are to wait for the others. */
async function turn(turns: TurnCounter, reads: number): Promise<boolean> {
  for (let count = 0; count < reads; count++) {
    turns.read();
    turns.begin();
  }
  await Promise.resolve();
  return turns.round !== null;
}

Deno.test("fairness: a share of work for each turn, and then another", async () => {
  const turns = new TurnCounter(new Statistics());
  let calls = 0;
  while (!turns.isUsedUp(4096)) calls++;
  assert(calls > 50 && calls < 200, `${calls}`);
  await turns.giveWay();
  assert(!turns.isUsedUp(4096));
  await nextTurn(); // the timer that it waits for
});

Deno.test("fairness: few sessions never wait for others", async () => {
  const turns = new TurnCounter(new Statistics());
  for (const reads of [1, 50, 100, 1, 100]) assert(!await turn(turns, reads), `${reads}`);
});

Deno.test("fairness: who was served in full turns waits for one that isn't full", async () => {
  const turns = new TurnCounter(new Statistics());
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
  const turns = new TurnCounter(new Statistics());
  const began = performance.now();
  assert(await turn(turns, FULL));
  await turns.round;
  assertEquals(turns.round, null);
  assert(performance.now() - began < 1000);
});

Deno.test("fairness: the time is looked at once for all that a turn brings, and told with all requests", async () => {
  const statistics = new Statistics();
  const turns = new TurnCounter(statistics);
  const told: [requests: number, ms: number][] = [];
  statistics.turn = (requests, ms) => void told.push([requests, ms]);
  for (const sessions of [[1], [3, 0, 16], [5, 5]]) {
    sessions.forEach((requests, index) => {
      turns.read();
      assertEquals(turns.begin(), index === 0, "only the first is to look");
      turns.answered(requests);
    });
    assertEquals(told.length, 0, "not before all have been answered");
    await Promise.resolve();
    const [[requests, ms]] = told.splice(0);
    assertEquals(requests, sessions.reduce((sum, requests) => sum + requests));
    assert(ms >= 0 && ms < 1000, `${ms}`);
  }
});

Deno.test("fairness: what goes on after waiting for something is no sign that few others are left", async () => {
  const turns = new TurnCounter(new Statistics());
  assert(await turn(turns, FULL));
  assert(turns.begin(), "a session goes on");
  await Promise.resolve();
  assert(turns.round !== null, "the round is not over");
  assert(!await turn(turns, 1));
});
