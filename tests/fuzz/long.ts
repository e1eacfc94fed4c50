// Runs the fuzzers for as long as one likes: long.ts [minutes] [first seed] [fuzzer name...]
//
//   deno task fuzz 10             ten minutes of all of them, from seed 1 on
//   deno task fuzz 0 4711 tree    one round of one of them: what a failure says to repeat it
//
// Fuzzers take turns, each with the next seed. One that fails is told at once and takes no further
// turns; the others go on. Without minutes it is one; with none, each has its turn once.

import { fuzzDecoder } from "./decoder_fuzz.ts";
import { fuzzDump } from "./dump_fuzz.ts";
import { fuzzFrames } from "./frames_fuzz.ts";
import { fuzzFine } from "./limits_fine.ts";
import { fuzzLimits } from "./limits_fuzz.ts";
import { fuzzOriginal } from "./original_fuzz.ts";
import { fuzzRequests } from "./request_fuzz.ts";
import { fuzzTree } from "./tree_fuzz.ts";

/** What one seed is for each fuzzer: a tenth of a second of work, or less. */
export const FUZZERS: Record<string, (seed: number) => void | Promise<void>> = {
  tree: (seed) => fuzzTree(seed, 20_000),
  decoder: (seed) => fuzzDecoder(seed, 1000),
  requests: (seed) => fuzzRequests(seed, 500),
  frames: (seed) => fuzzFrames(seed, 20),
  dump: (seed) => fuzzDump(seed, 40),
  limits: (seed) => fuzzLimits(seed, 200),
  fine: (seed) => fuzzFine(seed, 150),
  original: (seed) => fuzzOriginal(seed, 10),
};

/** Runs one seed of a fuzzer; a failure says which it was and how to see it again. */
export async function runSeed(name: string, seed: number): Promise<void> {
  try {
    await FUZZERS[name](seed);
  } catch (error) {
    const again = `Again with: deno task fuzz 0 ${seed} ${name}`;
    throw new Error(`Fuzzer ${name} failed with seed ${seed}. ${again}`, { cause: error });
  }
}

async function main(minutes: number, firstSeed: number, names: string[]): Promise<boolean> {
  const end = performance.now() + minutes * 60_000;
  const isSeen = Deno.stderr.isTerminal();
  const seeds = new Map(names.map((name) => [name, 0]));
  const running = new Set(names);
  for (let seed = firstSeed; running.size > 0; seed++) {
    for (const name of running) {
      // Shown before it runs, so that one that never ends is known too.
      if (isSeen) Deno.stderr.writeSync(new TextEncoder().encode(`\r${name} ${seed}\x1b[K\r`));
      try {
        await runSeed(name, seed);
        seeds.set(name, seeds.get(name)! + 1);
      } catch (error) {
        console.error(error);
        running.delete(name);
      }
    }
    if (performance.now() >= end) break;
  }
  for (const [name, count] of seeds) {
    const failed = running.has(name) ? "" : `, then seed ${firstSeed + count} failed`;
    console.log(`${name.padEnd(10)}${String(count).padStart(8)} seeds passed${failed}`);
  }
  return running.size === names.length;
}

if (import.meta.main) {
  const [minutes = "1", firstSeed = "1", ...names] = Deno.args;
  const unknown = names.filter((name) => !Object.hasOwn(FUZZERS, name));
  if (!(Number(minutes) >= 0) || !Number.isSafeInteger(Number(firstSeed)) || unknown.length > 0) {
    console.error("Usage: long.ts [minutes] [first seed] [fuzzer name...]");
    console.error(`Fuzzers: ${Object.keys(FUZZERS).join(", ")}`);
    Deno.exit(2);
  }
  const chosen = names.length > 0 ? names : Object.keys(FUZZERS);
  Deno.exit(await main(Number(minutes), Number(firstSeed), chosen) ? 0 : 1);
}
