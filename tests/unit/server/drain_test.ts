// The drain on a made-up loop: whom it dismisses, when, and that it always ends.

import { assert, assertEquals } from "@std/assert";
import { Activity, drain, type Leaver } from "../../../lib/server/drain.ts";

const SPACE = 65536;

/** A session whose client does something in each turn, as the test says. */
class Client implements Leaver {
  readonly activity = new Activity();
  idle = true;
  isTalking = true;
  isDismissed = false;
  isClosed = false;
  dismissedAt = 0;
  readonly #world: World;
  readonly #act: (client: Client, turn: number) => void;

  constructor(world: World, act: (client: Client, turn: number) => void) {
    this.#world = world;
    this.#act = act;
    world.sessions.add(this);
  }

  act(turn: number): void {
    this.#act(this, turn);
  }

  dismiss(): void {
    assert(!this.isDismissed, "once");
    this.isDismissed = true;
    this.dismissedAt = this.#world.turns;
    this.idle = true;
  }

  close(): void {
    this.isClosed = true;
    this.#world.sessions.delete(this);
  }
}

class World {
  readonly sessions = new Set<Client>();
  turns = 0;
  #ms = 5000;
  readonly msPerTurn: number;

  constructor(msPerTurn: number) {
    this.msPerTurn = msPerTurn;
  }

  now(): number {
    return this.#ms;
  }

  turn(): Promise<void> {
    this.turns++;
    this.#ms += this.msPerTurn;
    assert(this.turns < 100_000, "every drain ends");
    for (const client of this.sessions) client.act(this.turns);
    return Promise.resolve();
  }

  /** Drains them all; returns how many milliseconds it took. */
  async drained(): Promise<number> {
    const began = this.#ms;
    await drain(this.sessions, this);
    assertEquals(this.sessions.size, 0);
    return this.#ms - began;
  }
}

for (const msPerTurn of [1, 50]) {
  Deno.test(`drain: who waits behind full turns is not dismissed before, ${msPerTurn} ms a turn`, async () => {
    const world = new World(msPerTurn);
    const answered = new Set<number>();
    const clients = Array.from({ length: 4000 }, (_, index) => {
      // The runtime reads 128 in a turn, and at times nothing for ten turns.
      const due = 1 + 11 * Math.floor(index / 128);
      return new Client(world, ({ activity, isDismissed }, turn) => {
        if (turn !== due) return;
        assert(!isDismissed, `${index} still had a request`);
        activity.noteRead(60, SPACE);
        activity.calls++;
        answered.add(index);
      });
    });
    await world.drained();
    assertEquals(answered.size, clients.length);
    assert(clients.every(({ isDismissed }) => isDismissed), "each was told that it is over");
  });
}

Deno.test("drain: idle clients take a moment, and the more they are no longer", async () => {
  for (const count of [0, 1, 1000]) {
    const world = new World(2);
    for (let index = 0; index < count; index++) new Client(world, () => {});
    const took = await world.drained();
    assert(took <= 200, `${count}: ${took} ms`);
  }
});

Deno.test("drain: who goes on sending is dismissed after what may have been on the way", async () => {
  const world = new World(2);
  const small = new Client(world, ({ activity }) => activity.noteRead(60, SPACE));
  const large = new Client(world, ({ activity }) => {
    for (let read = 0; read < 8; read++) activity.noteRead(SPACE, SPACE);
  });
  // It sends a request in each turn but not another before the reply: what it had sent was the first.
  await world.drained();
  assert(small.dismissedAt > 100 && small.dismissedAt < 200, `${small.dismissedAt}`);
  assert(large.activity.readBytes > 10_000_000, `${large.activity.readBytes}`);
  assert(large.dismissedAt > 0 && large.dismissedAt < 1000, `${large.dismissedAt}`);
});

Deno.test("drain: who takes no replies is cut, who takes some is not", async () => {
  const world = new World(2);
  const deaf = new Client(world, () => {});
  deaf.idle = false;
  const slow = new Client(world, (client, turn) => {
    if (turn % 500 === 0 && turn < 5000) client.activity.calls++;
    client.idle = client.isDismissed || turn >= 5000;
  });
  await world.drained();
  assert(deaf.isClosed && !deaf.isDismissed);
  assert(slow.isDismissed && slow.dismissedAt >= 5000, `${slow.dismissedAt}`);
});

Deno.test("drain: a session that was cut is not waited for, though its write never ends", async () => {
  class Stuck extends Client {
    override close(): void {
      this.isClosed = true;
    }
  }
  const world = new World(10);
  const stuck = new Stuck(world, (client) => client.idle = false);
  const began = world.now();
  await drain(world.sessions, world);
  const took = world.now() - began;
  assert(stuck.isClosed && took < 5000, `${took} ms`);
});

Deno.test("drain: what takes the engine time is waited for, but not for ever", async () => {
  for (const [turnsNeeded, isAnswered] of [[5000, true], [50_000, false]] as const) {
    const world = new World(2);
    const client = new Client(world, (client, turn) => {
      client.idle = client.isTalking = turn >= turnsNeeded;
    });
    client.idle = client.isTalking = false;
    const took = await world.drained();
    assertEquals(client.isDismissed, isAnswered);
    assert(took < 30_000, `${took} ms`);
  }
});
