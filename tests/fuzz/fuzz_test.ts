// A short fixed run of every fuzzer; long.ts is for longer ones.

import { assertEquals } from "@std/assert";
import { budget } from "../support/budget.ts";
import { FUZZERS, runSeed } from "./long.ts";

// So many seeds of each take half a second, or a minute all together.
const SEEDS: Record<string, number> = {
  tree: budget(4, 100),
  decoder: budget(6, 100),
  requests: budget(6, 100),
  frames: budget(5, 100),
  dump: budget(30, 500),
  limits: budget(6, 100),
  fine: budget(6, 100),
  original: budget(40, 500),
};

for (const [name, seeds] of Object.entries(SEEDS)) {
  Deno.test(`fuzz: ${name}, seeds 1 to ${seeds}`, async () => {
    for (let seed = 1; seed <= seeds; seed++) await runSeed(name, seed);
  });
}

Deno.test("fuzz: no fuzzer is left out", () => {
  assertEquals(Object.keys(SEEDS), Object.keys(FUZZERS));
});
