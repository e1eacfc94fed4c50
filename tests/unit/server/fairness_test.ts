// Fairness: shares of a turn, and what is done once for all that a turn brings.

import { assert, assertEquals } from "@std/assert";
import { Statistics } from "../../../lib/engine/statistics.ts";
import { nextTurn } from "../../../lib/host/clock.ts";
import { TurnCounter } from "../../../lib/server/fairness.ts";

Deno.test("fairness: a share of work for each turn, and then another", async () => {
  const turns = new TurnCounter(new Statistics());
  let calls = 0;
  while (!turns.isUsedUp(4096)) calls++;
  assert(calls > 50 && calls < 200, `${calls}`);
  await turns.giveWay();
  assert(!turns.isUsedUp(4096));
  await nextTurn(); // the timer that it waits for
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

Deno.test("fairness: rounds hear of reads, not of what goes on after waiting for something else", async () => {
  const turns = new TurnCounter(new Statistics());
  const told: number[] = [];
  turns.rounds.turned = (reads) => void told.push(reads);
  turns.read();
  turns.read();
  turns.begin();
  await Promise.resolve();
  turns.begin();
  await Promise.resolve();
  assertEquals(told, [2]);
});
