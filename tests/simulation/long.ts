// Runs the simulation for as long as one likes: long.ts [minutes] [first seed]
//
//   long.ts 10          ten minutes of crashes, from seed 1 on
//   long.ts 0 4711      one seed: what a failure says to repeat it
//
// A seed that fails is told, and the next ones go on.

import { simulateFailures } from "./failures.ts";
import { simulateCrashes, type Tally } from "./crashes.ts";

const SIZE = { turns: 25, moments: 400 };
const FAILURES = { turns: 12, failures: 60 };

async function main(minutes: number, firstSeed: number): Promise<boolean> {
  const began = performance.now();
  const tally: Tally = { crashes: 0, restarts: 0 };
  let failures = 0;
  let seed = firstSeed;
  do {
    try {
      await simulateCrashes(seed, SIZE, tally);
      await simulateFailures(seed, FAILURES, tally);
    } catch (error) {
      failures++;
      console.error(`Seed ${seed} failed. Again with: long.ts 0 ${seed}\n`, error);
    }
    seed++;
  } while (performance.now() - began < minutes * 60_000 && failures < 20);
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${
      seed - firstSeed
    } seeds from ${firstSeed} on, ${failures} failed; ${tally.crashes} crashes, ` +
      `${tally.restarts} restarts, ${Math.round(tally.crashes / seconds)} a second`,
  );
  return failures === 0;
}

if (import.meta.main) {
  const [minutes = "1", firstSeed = "1"] = Deno.args;
  if (!(Number(minutes) >= 0) || !Number.isSafeInteger(Number(firstSeed))) {
    console.error("Usage: long.ts [minutes] [first seed]");
    Deno.exit(2);
  }
  Deno.exit(await main(Number(minutes), Number(firstSeed)) ? 0 : 1);
}
