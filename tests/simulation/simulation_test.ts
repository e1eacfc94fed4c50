// A few histories of the simulation, the same in every run: enough to see that nothing has broken
// badly. `long.ts` runs as many as one likes.

import { budget } from "../support/budget.ts";
import { simulateCrashes, type Tally } from "./crashes.ts";
import { simulateFailures } from "./failures.ts";

const SEEDS = Array.from({ length: budget(2, 20) }, (_, index) => index + 1);

for (const seed of SEEDS) {
  Deno.test(`what is promised survives crashes at any operation, seed ${seed}`, async () => {
    const tally: Tally = { crashes: 0, restarts: 0 };
    await simulateCrashes(seed, { turns: 15, moments: 80 }, tally);
  });

  Deno.test(`a disk that fails or is full breaks no promise, seed ${seed}`, async () => {
    const tally: Tally = { crashes: 0, restarts: 0 };
    await simulateFailures(seed, { turns: 8, failures: 25 }, tally);
  });
}
