import { assertEquals, assertThrows } from "@std/assert";
import { Coverage } from "../../../lib/dump/coverage.ts";
import { DamagedError } from "../../../lib/errors.ts";

function coverage(...branches: [start: number, lsn: number][]): Coverage {
  const coverage = new Coverage();
  for (const [start, lsn] of branches) coverage.push(start, 2 * start, lsn);
  return coverage;
}

Deno.test("coverage: below the limit nothing of a record is held, from it on everything", () => {
  const held = coverage([0, 10], [5, 10], [9, 13], [20, 20]);
  const limit = new Uint32Array(2);
  const limits = new Map<number, number[]>();
  for (let lsn = 9; !held.isPassed(lsn); lsn++) {
    held.limit(lsn, limit);
    limits.set(lsn, [...limit]);
  }
  assertEquals([...limits].filter(([lsn]) => [9, 10, 11, 13, 14, 20].includes(lsn)), [
    [9, [0, 0]],
    [10, [0, 0]],
    [11, [9, 18]],
    [13, [9, 18]],
    [14, [20, 40]],
    [20, [20, 40]],
  ]);
  assertEquals([held.least, held.most, held.isPassed(20), held.isPassed(21)], [
    10,
    20,
    false,
    true,
  ]);
});

Deno.test("coverage: of an original dump nothing is known, and descending LSNs are damage", () => {
  const none = new Coverage();
  assertEquals([none.least, none.most, none.isPassed(1)], [0, 0, true]);
  assertThrows(() => coverage([0, 5], [1, 4]), DamagedError, "the LSNs of its branches descend");
});
