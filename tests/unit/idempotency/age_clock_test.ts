// The age clock beside a machine's clock that is set.

import { assert, assertEquals } from "@std/assert";
import { AgeClock } from "../../../lib/idempotency/age_clock.ts";

const DAY = 86_400;

class World {
  wall = 1_800_000_000;
  steady = 5;
  readonly clock = new AgeClock(() => 1000 * this.wall, () => 1000 * this.steady);

  pass(seconds: number): void {
    this.wall += seconds;
    this.steady += seconds;
  }
}

Deno.test("age clock: it goes with a clock that nobody sets", () => {
  const world = new World();
  for (const seconds of [0, 1, 59, DAY, 400 * DAY]) {
    world.pass(seconds);
    assertEquals(world.clock.seconds(), world.wall);
  }
});

Deno.test("age clock: a clock that is set ahead and right again ages nothing", () => {
  const world = new World();
  const began = world.clock.seconds();
  world.wall += 400 * DAY;
  assertEquals(world.clock.seconds(), began);
  world.pass(3600);
  const age = world.clock.seconds() - began;
  assert(age >= 3600 && age <= 3960, `${age} s`);
  world.wall -= 400 * DAY;
  assertEquals(world.clock.seconds(), world.wall);
});

Deno.test("age clock: it is never ahead of the machine's, and follows it back", () => {
  const world = new World();
  world.clock.seconds();
  world.wall -= 3 * DAY;
  assertEquals(world.clock.seconds(), world.wall);
  world.steady -= 10;
  assertEquals(world.clock.seconds(), world.wall);
});

Deno.test("age clock: after a suspension it catches up", () => {
  const world = new World();
  world.clock.seconds();
  world.wall += 3 * 3600; // of which the steady clock knows nothing
  for (let hour = 0; hour < 31; hour++) {
    world.pass(3600);
    assert(world.clock.seconds() <= world.wall);
  }
  assertEquals(world.clock.seconds(), world.wall);
});
