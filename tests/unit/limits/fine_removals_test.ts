// Windows below a day when days are taken away: of one counter, of some, of all.

import { assert, assertEquals } from "@std/assert";
import { World } from "../../fuzz/limits_world.ts";
import { Random } from "../../support/random.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const LIMITS =
  '"limits":[{"series":"s","max":5,"window":"hour"},{"series":"s","max":5,"window":{"hours":48}}]';

async function charged(): Promise<World> {
  const world = new World("UTC", NOW, 0);
  await world.start();
  for (const key of [1, 2, 3]) {
    await ask(world, `"op":"limit.consume","key":${key},"cost":4,${LIMITS}`);
  }
  return world;
}

async function ask(world: World, members: string): Promise<string> {
  const text = await world.ask(`{"v":2,${members}}`);
  assert(text.includes('"success":true'), text);
  return text;
}

async function used(world: World, key: number): Promise<number[]> {
  const text = await ask(world, `"op":"limit.check","key":${key},${LIMITS}`);
  return Array.from(text.matchAll(/"used":(\d+)/g), ([, used]) => Number(used));
}

const TODAY = '"range":{"from":20261123,"to":20261123}';
const PAST = '"range":{"from":20261001,"to":20261122}';
const CASES: [members: string, emptied: number[]][] = [
  ['"op":"counter.reset","series":"s","key":1', [1]],
  [`"op":"counter.delete_range","series":"s","key":1,${TODAY}`, [1]],
  [`"op":"counter.delete_range","series":"s","key":1,${PAST}`, []],
  ['"op":"counter.batch_reset","series":"s","keys":[1,3]', [1, 3]],
  ['"op":"tree.reset","series":"s"', [1, 2, 3]],
];

Deno.test("fine removals: who takes today away empties the windows, also after a restart", async () => {
  for (const [members, emptied] of CASES) {
    const world = await charged();
    await ask(world, members);
    for (let round = 0; round < 2; round++) {
      for (const key of [1, 2, 3]) {
        assertEquals(await used(world, key), emptied.includes(key) ? [0, 0] : [4, 4], members);
      }
      world.karma.forest.check();
      await world.restart(new Random(round), "UTC");
    }
  }
});
