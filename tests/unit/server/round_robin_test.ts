// Rounds: whom they make wait and whom not, and that each of them ends.

import { assert, assertEquals } from "@std/assert";
import { Statistics } from "../../../lib/metrics/statistics.ts";
import { nextTurn } from "../../../lib/host/clock.ts";
import { Quota, RoundRobin } from "../../../lib/server/round_robin.ts";

/** What the runtime may bring in one turn. */
const FULL = 128;

/** Reads that a session may have in a round. */
const READS_MAX = 8;

/** What a read mostly makes a session do. */
const WORK = 640;

/** A client that is one of several. */
class Client {
  readonly #roundRobin: RoundRobin;
  readonly #quota = new Quota();
  readonly #work: number;
  isWaiting = false;

  constructor(roundRobin: RoundRobin, work = WORK) {
    this.#roundRobin = roundRobin;
    this.#work = work;
  }

  /** Reads once; afterwards `isWaiting` tells whether it may not read again. */
  read(): void {
    assert(!this.isWaiting, "who waits does not read");
    const end = this.#roundRobin.wait(this.#quota, this.#work);
    this.isWaiting = end !== null;
    end?.then(() => this.isWaiting = false);
  }

  /** How often it may read before it is to wait. */
  reads(): number {
    for (let reads = 1;; reads++) {
      this.read();
      if (this.isWaiting) return reads;
    }
  }
}

function worldOf(connections: number): { roundRobin: RoundRobin; clients: Client[] } {
  const statistics = new Statistics();
  statistics.connections = connections;
  const roundRobin = new RoundRobin(statistics);
  return { roundRobin, clients: Array.from({ length: connections }, () => new Client(roundRobin)) };
}

/** Lets the loop turn until a client may read again. */
async function ended(client: Client): Promise<void> {
  const began = performance.now();
  while (client.isWaiting) {
    await nextTurn();
    assert(performance.now() - began < 10_000, "every round ends");
  }
}

Deno.test("rounds: as long as no turn is full nobody waits", () => {
  const { roundRobin, clients: [client] } = worldOf(1000);
  for (const reads of [1, 50, 100, 1, 100]) {
    roundRobin.turned(reads);
    for (let read = 0; read < 3 * READS_MAX; read++) client.read();
    assert(!client.isWaiting);
  }
});

Deno.test("rounds: after a full turn each may read a few times, and waits until nothing comes", async () => {
  const { roundRobin, clients: [one, other, third] } = worldOf(1000);
  roundRobin.turned(FULL);
  assertEquals([one.reads(), other.reads()], [READS_MAX, READS_MAX]);
  let turns = 0;
  for (; one.isWaiting; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert(turns > 61 && turns < 300, `${turns}: those that were passed over have been looked at`);
  assert(!other.isWaiting && !third.isWaiting);
  for (let read = 0; read < 3 * READS_MAX; read++) one.read();
  assert(!one.isWaiting, "the round is over");
  roundRobin.turned(FULL);
  assertEquals([one.reads(), third.reads()], [READS_MAX, READS_MAX], "and the next is another");
  await ended(one);
});

Deno.test("rounds: it lasts as long as others come, however few", async () => {
  const { roundRobin, clients: [client] } = worldOf(1000);
  roundRobin.turned(FULL);
  client.reads();
  for (const until = performance.now() + 50; performance.now() < until;) {
    roundRobin.turned(1);
    await new Promise((resolve) => setImmediate(resolve));
    assert(client.isWaiting);
  }
  await ended(client);
});

Deno.test("rounds: where all wait it ends at once, and the others may go on", async () => {
  const { roundRobin, clients } = worldOf(FULL);
  for (let round = 0; round < 3; round++) {
    roundRobin.turned(FULL);
    clients.forEach((client, index) => {
      assertEquals(client.reads(), READS_MAX, `${round}: ${index}`);
    });
    await Promise.resolve();
    assert(clients.every((client) => !client.isWaiting), "nobody is left to be waited for");
  }
  await nextTurn(); // what watches over rounds ends, too
  await nextTurn();
});

Deno.test("rounds: those who have waited are the last ones of no later round", async () => {
  const { roundRobin, clients: [one, other] } = worldOf(2);
  roundRobin.turned(FULL);
  one.reads();
  await ended(one);
  roundRobin.turned(FULL);
  one.reads();
  assert(one.isWaiting, "the other one has not had its reads");
  other.reads();
  await Promise.resolve();
  assert(!one.isWaiting && !other.isWaiting);
  await nextTurn();
  await nextTurn();
});

Deno.test("rounds: with more connections than it has reads for each has one", async () => {
  const { roundRobin, clients: [one, other] } = worldOf(5000);
  roundRobin.turned(FULL);
  assertEquals([one.reads(), other.reads()], [1, 1]);
  await ended(one);
});

Deno.test("rounds: it ends when timers pass without a full turn, though some go on reading", async () => {
  const { roundRobin, clients: [client] } = worldOf(1000);
  roundRobin.turned(FULL);
  client.reads();
  for (let timer = 0; timer < 20; timer++) {
    roundRobin.turned(timer % 2 === 0 ? FULL : 30);
    roundRobin.timed();
    await Promise.resolve();
    assert(client.isWaiting, "turns are full");
  }
  let timers = 0;
  for (; client.isWaiting && timers < 100; timers++) {
    roundRobin.turned(30);
    roundRobin.timed();
    await Promise.resolve();
  }
  assert(timers >= 2 && timers <= 5, `${timers}`);
  await ended(client);
});

Deno.test("rounds: who does little for each read has as many as make a share", async () => {
  const { roundRobin, clients } = worldOf(1000);
  const light = new Client(roundRobin, WORK);
  const heavy = clients.slice(0, 20).map(() => new Client(roundRobin, 20 * WORK));
  roundRobin.turned(FULL);
  for (const client of heavy) assertEquals(client.reads(), READS_MAX);
  const reads = light.reads();
  assert(reads > 5 * READS_MAX && reads <= 20 * READS_MAX, `${reads}`);
  await ended(light);
});

Deno.test("rounds: when much has been done in one, each may read only once more", () => {
  const { roundRobin } = worldOf(1000);
  const all = Array.from({ length: 1000 }, () => new Client(roundRobin, 13_000));
  roundRobin.turned(FULL);
  const reads = all.map((client) => client.reads());
  assertEquals([reads[0], reads.at(-1)], [READS_MAX, 1]);
  const work = 13_000 * reads.reduce((sum, one) => sum + one);
  assert(work < 16_777_216 + 1000 * 13_000, `a round of ${work}`);
});
