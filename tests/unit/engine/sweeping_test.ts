// Sweeping: after it no branch has the work still before it, and nothing that came later is lost.

import { assert, assertEquals } from "@std/assert";
import { settle, settleNow } from "../../../lib/engine/sweeping.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { contentsOf } from "../../fuzz/dump_fuzz.ts";

const WAYS: [what: string, settle: (tree: Tree) => Promise<void> | void][] = [
  ["giving way", settle],
  ["at once", settleNow],
];

Deno.test("sweeping: the memory of what was swept is free afterwards", async () => {
  for (const [what, settled] of WAYS) {
    const tree = new Tree("t");
    for (let key = 0; key < 20_000; key++) tree.add(key, 0, 20260101, 1, 0);
    tree.sweep(0, 20260101);
    tree.add(7, 0, 20260101, 5, 0);
    const settling = settled(tree);
    tree.add(15_000, 0, 20260101, 6, 0);
    await settling;
    // Not by `branchAt`, which would do what was left to do.
    const cells = tree.branches.reduce((cells, branch) => cells + branch.cells, 0);
    assertEquals([cells, tree.keys], [2, 20_000], what);
    const left = [...contentsOf(tree)].filter(([, days]) => days.size > 0);
    assertEquals(left, [
      [7n, new Map([[20260101, 5n]])],
      [15_000n, new Map([[20260101, 6n]])],
    ], what);
    assert(tree.branches.length > 3, "there are several branches");
    checkTree(tree);
  }
});
