// Sweeping: after it no branch has the work still before it, and nothing that came later is lost.

import { assert, assertEquals } from "@std/assert";
import {
  applyRangeDeletes,
  applyRangeDeletesNow,
  SweepOrder,
} from "../../../lib/state/range_delete_sweeper.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { contentsOf } from "../../fuzz/dump_fuzz.ts";

const WAYS: [what: string, settle: (tree: Tree) => Promise<unknown> | void][] = [
  ["giving way", applyRangeDeletes],
  ["at once", applyRangeDeletesNow],
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

/** Sweeps that end when they are told to, in the order in which they began. */
class RangeDeletes {
  readonly order = new SweepOrder();
  readonly began: string[] = [];
  readonly #ends = new Map<string, (error?: Error) => void>();

  ask(what: string, tree: string | null): Promise<void> {
    return this.order.run(tree, () => {
      this.began.push(what);
      return new Promise((resolve, reject) => {
        this.#ends.set(what, (error) => error === undefined ? resolve() : reject(error));
      });
    });
  }

  async end(what: string, error?: Error): Promise<void> {
    this.#ends.get(what)!(error);
    await hops();
  }
}

async function hops(): Promise<void> {
  for (let hop = 0; hop < 20; hop++) await Promise.resolve();
}

Deno.test("sweeping: sweeps wait for those of their own tree only, in their order", async () => {
  const sweeps = new RangeDeletes();
  for (const what of ["a1", "b1", "a2", "c1", "a3"]) sweeps.ask(what, what[0]);
  await hops();
  assertEquals(sweeps.began, ["a1", "b1", "c1"]);
  await sweeps.end("c1");
  await sweeps.end("a1");
  assertEquals(sweeps.began, ["a1", "b1", "c1", "a2"]);
  sweeps.ask("c2", "c");
  await sweeps.end("a2");
  assertEquals(sweeps.began, ["a1", "b1", "c1", "a2", "c2", "a3"]);
});

Deno.test("sweeping: one of all trees comes behind all before it, and before all behind it", async () => {
  const sweeps = new RangeDeletes();
  sweeps.ask("a1", "a");
  sweeps.ask("b1", "b");
  sweeps.ask("all", null);
  sweeps.ask("a2", "a");
  sweeps.ask("c1", "c");
  await hops();
  assertEquals(sweeps.began, ["a1", "b1"]);
  await sweeps.end("a1");
  assertEquals(sweeps.began, ["a1", "b1"]);
  await sweeps.end("b1");
  assertEquals(sweeps.began, ["a1", "b1", "all"]);
  await sweeps.end("all");
  assertEquals(sweeps.began, ["a1", "b1", "all", "a2", "c1"]);
});

Deno.test("sweeping: one that fails fails alone", async () => {
  const sweeps = new RangeDeletes();
  const first = sweeps.ask("a1", "a").catch(({ message }) => message);
  const second = sweeps.ask("a2", "a");
  await hops();
  await sweeps.end("a1", new Error("no"));
  assertEquals(await first, "no");
  await sweeps.end("a2");
  await second;
});
