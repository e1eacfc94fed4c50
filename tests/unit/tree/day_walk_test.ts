// Walks over the days of one counter, in steps, while the tree changes.

import { assert, assertEquals } from "@std/assert";
import { Cells } from "../../../lib/tree/cells.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { DayWalk, STEP_CELLS } from "../../../lib/tree/day_walk.ts";
import { Tree } from "../../../lib/tree/tree.ts";

function daysOf(walk: DayWalk, change: () => void = () => {}): number[] {
  const cells = new Cells();
  const days: number[] = [];
  for (let isMore = true; isMore;) {
    isMore = walk.next(cells);
    assert(cells.count <= STEP_CELLS);
    for (let at = 0; at < cells.count; at++) days.push(cells.words[3 * at]);
    change();
  }
  assertEquals(walk.met, days.length);
  return days;
}

Deno.test("day_walk: the days of a range, in steps", () => {
  for (const count of [0, 1, STEP_CELLS - 1, STEP_CELLS, STEP_CELLS + 1, 3 * STEP_CELLS]) {
    const tree = new Tree("t");
    for (let day = 1; day <= count; day++) tree.add(7, 0, 2 * day, 1, 0);
    const all = Array.from({ length: count }, (_, index) => 2 * (index + 1));
    for (const [from, to] of [[0, 0xffffffff], [2, 2 * count], [9, 2 * count - 9], [9, 8]]) {
      const expected = all.filter((day) => day >= from && day <= to);
      assertEquals(daysOf(new DayWalk(tree, 7, 0, from, to)), expected, `${count}: ${from}, ${to}`);
    }
  }
});

Deno.test("day_walk: what is there all the time is met once, whatever changes meanwhile", () => {
  const tree = new Tree("t");
  const count = 5 * STEP_CELLS;
  for (let day = 1; day <= count; day++) tree.add(7, 0, 2 * day, 1, 0);
  let turn = 0;
  const found = daysOf(new DayWalk(tree, 7, 0, 0, 0xffffffff), () => {
    turn++;
    for (let day = 0; day < 3000; day++) tree.add(7, 0, turn * 7000 + 2 * day + 1, 1, 0);
    for (let key = 0; key < 3000; key++) tree.add(8 + key * turn, 0, 1, 1, 0);
  });
  const even = found.filter((day) => day % 2 === 0);
  assertEquals(even, Array.from({ length: count }, (_, index) => 2 * (index + 1)));
  assert(found.every((day, index) => index === 0 || found[index - 1] < day), "days ascend");
  tree.removeDays(7, 0, 0, 0xffffffff);
  tree.forget(7, 0);
  assertEquals(daysOf(new DayWalk(tree, 7, 0, 0, 0xffffffff)), []);
  checkTree(tree);
});

Deno.test("day_walk: the last day that there is ends it", () => {
  const tree = new Tree("t");
  for (let day = 0; day < STEP_CELLS; day++) tree.add(7, 0, 0xffffffff - day, 1, 0);
  assertEquals(daysOf(new DayWalk(tree, 7, 0, 0, 0xffffffff)).length, STEP_CELLS);
});
