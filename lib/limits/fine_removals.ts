// Fine removals: what becomes of windows below a day when days are taken away.
//
// Invariant: who removes days, today among them, gets windows below a day that begin anew; other removals leave them
// alone. It is one group of the log with the removal: the caller reserves a record for each window.

import { DAY_MAX, type Request } from "../command/mod.ts";
import type { StateWriter } from "../state/mod.ts";
import type { Tree } from "../tree/mod.ts";

/** How many windows below a day a tree has, with those of its named counters; it need not be there. */
export function windowCount(tree: Tree | null): number {
  return (tree?.beside?.size ?? 0) + (tree?.named?.beside?.size ?? 0);
}

/** Empties the windows of a counter from which days were taken. */
export function emptyWindows(
  stateWriter: StateWriter,
  tree: Tree,
  keyLo: number,
  keyHi: number,
  request: Request,
  today: number,
): void {
  if (tree.beside === null || !isFrom(request, today)) return;
  for (const beside of tree.beside.values()) {
    if (beside.count(keyLo, keyHi) > 0) stateWriter.remove(beside, keyLo, keyHi, 0, DAY_MAX);
  }
}

/** Drops the windows of a tree from all counters of which days were taken. */
export function dropWindows(
  stateWriter: StateWriter,
  tree: Tree,
  request: Request,
  today: number,
): void {
  if (isFrom(request, today)) stateWriter.dropBeside(tree);
}

function isFrom({ dayFrom, dayTo }: Request, today: number): boolean {
  return dayFrom <= today && dayTo >= today;
}
