// Random histories of Karma 1.x, killed at random points: what is read is what it had in memory.

import { assert, assertEquals } from "@std/assert";
import { cellsOf, take } from "../../support/karma1.ts";
import { Karma1World } from "../../support/karma1_world.ts";
import { Random } from "../../support/random.ts";

const HISTORIES = 50;
const STEPS = 120;
const decoder = new TextDecoder();

async function live(seed: number): Promise<number> {
  const random = new Random(seed);
  const world = new Karma1World(random);
  for (let step = 1; step <= STEPS; step++) {
    world.step();
    if (!random.chance(0.05) && step < STEPS) continue;
    const { karma1, contents } = await take(world.disk());
    const where = `seed ${seed}, step ${step}`;
    assertEquals(contents, world.contents(), where);
    const answers = karma1.answers.map(({ key, created, response }) => {
      return { key: decoder.decode(key), created, response };
    });
    assertEquals(answers, world.answers(), where);
    const streams = karma1.streams.map(
      ({ id, mode, tree, chunkFingerprints, committed, staged }) => {
        const cells = staged === null ? null : cellsOf(staged);
        return { id, mode, tree, chunkFingerprints, committed, staged: cells };
      },
    );
    assertEquals(streams.sort((a, b) => a.id < b.id ? -1 : 1), world.streams(), where);
    const strange = karma1.notes.filter((note) => !note.includes("refused"));
    assertEquals(strange, [], where);
  }
  return world.refusals;
}

Deno.test("karma1 directory: random histories", async () => {
  const first = crypto.getRandomValues(new Uint32Array(1))[0];
  let refusals = 0;
  for (let seed = first; seed < first + HISTORIES; seed++) refusals += await live(seed);
  assert(refusals > 0, "some entries are refused");
});
