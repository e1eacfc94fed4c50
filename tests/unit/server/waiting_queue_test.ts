// The queue of those that wait, against a list that is sorted anew each time.

import { assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { WaitingQueue } from "../../../lib/server/waiting_queue.ts";
import { Random } from "../../support/random.ts";

Deno.test("waiting queue: the lowest tag first, and of the same the first that came", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new Random(seed);
  const queue = new WaitingQueue<{ tag: number; name: number }>();
  const model: { tag: number; name: number }[] = [];
  for (let step = 0; step < 20_000; step++) {
    // It grows and shrinks in long waves.
    if (random.chance(step % 4000 < 2000 ? 0.7 : 0.3)) {
      const place = { tag: random.below(random.pick([3, 1000])), name: step };
      queue.push(place);
      model.push(place);
      model.sort((a, b) => a.tag - b.tag || a.name - b.name);
    } else if (model.length > 0) {
      assertEquals(queue.shift(), model.shift(), `seed ${seed}, step ${step}`);
    }
    assertEquals(queue.length, model.length);
    if (step % 100 === 0) queue.check();
  }
  while (model.length > 0) assertEquals(queue.shift(), model.shift(), `seed ${seed}`);
  assertThrows(() => queue.shift(), AssertionFailed, "Nobody waits");
});
