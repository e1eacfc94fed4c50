// How much a test run may spend: `deno task test` tells quickly that all is well, `deno task test:long` looks
// further: more seeds, more histories, every position instead of some, larger data.

/** Whether this is a run of `deno task test:long`. */
export const IS_LONG = Deno.env.get("KARMA_TEST_BUDGET") === "long";

/** What a short run spends, or what a long one does. */
export function budget<T>(short: T, long: T): T {
  return IS_LONG ? long : short;
}

/**
 * A test for long runs alone: one that takes seconds whatever is spent on it. Short runs say so in its name,
 * and count it as ignored.
 */
export function longTest(name: string, run: () => Promise<void> | void): void {
  const shown = IS_LONG ? name : `${name} (runs with deno task test:long)`;
  Deno.test({ name: shown, ignore: !IS_LONG, fn: run });
}

/** Of the numbers from..to some that lie evenly, the last one among them; all of them in a long run. */
export function* positions(from: number, to: number, most: number): Generator<number> {
  const step = budget(Math.max(1, Math.ceil((to - from) / most)), 1);
  for (let at = from; at < to; at += step) yield at;
  if (to >= from) yield to;
}
