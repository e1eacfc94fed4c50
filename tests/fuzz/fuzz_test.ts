// A short fixed run of every fuzzer; long.ts is for longer ones.

import { assertEquals } from "@std/assert";
import { FUZZERS, runSeed } from "./long.ts";

// So many seeds of each take one or two seconds.
const SEEDS: Record<string, number> = {
  tree: 15,
  decoder: 20,
  requests: 20,
  frames: 15,
  dump: 100,
  limits: 20,
  original: 100,
};

for (const [name, seeds] of Object.entries(SEEDS)) {
  Deno.test(`fuzz: ${name}, seeds 1 to ${seeds}`, async () => {
    for (let seed = 1; seed <= seeds; seed++) await runSeed(name, seed);
  });
}

Deno.test("fuzz: no fuzzer is left out", () => {
  assertEquals(Object.keys(SEEDS), Object.keys(FUZZERS));
});
