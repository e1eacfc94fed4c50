// Sweeping: a change of all of a tree's counters holds at once for everybody who looks; here the
// work behind it is done, branch by branch, so that the memory of what was swept is free again.

import { pace } from "../host/clock.ts";
import type { Tree } from "../tree/tree.ts";
import { Walk } from "../tree/walk.ts";

/** Walks a swept tree to the end, giving way to others. */
export async function settle(tree: Tree): Promise<void> {
  const walk = new Walk(tree);
  const rest = pace();
  while (walk.next() !== null) await rest();
  tree.settle();
}

/** As `settle`, where nobody waits. */
export function settleNow(tree: Tree): void {
  const walk = new Walk(tree);
  while (walk.next() !== null);
  tree.settle();
}
