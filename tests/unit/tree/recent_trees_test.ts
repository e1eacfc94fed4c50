// The trees that were found last: what is found is what was kept, and nothing else.

import { assertEquals } from "@std/assert";
import { Forest } from "../../../lib/tree/forest.ts";
import { RecentTrees } from "../../../lib/tree/recent_trees.ts";

const encoder = new TextEncoder();

Deno.test("recent trees: each name finds its own tree or none, also where places are shared", () => {
  const forest = new Forest();
  const recent = new RecentTrees();
  const names = Array.from({ length: 300 }, (_, i) => `t${i}`);
  let found = 0;
  for (const name of [...names, ...names]) {
    // The name lies in the middle of a request.
    const bytes = encoder.encode(`"${name}"`);
    const tree = recent.find(bytes, 1, bytes.length - 1);
    if (tree !== null) {
      assertEquals(tree.name, name);
      found++;
    }
    recent.keep(forest.named(name) ?? forest.create(name), bytes, 1, bytes.length - 1);
    assertEquals(recent.find(bytes, 1, bytes.length - 1)?.name, name);
    assertEquals(recent.find(bytes, 1, bytes.length), null);
    assertEquals(recent.find(bytes, 1, 1), null);
  }
  recent.clear();
  for (const name of names) {
    const bytes = encoder.encode(name);
    assertEquals(recent.find(bytes, 0, bytes.length), null);
  }
});

Deno.test("recent trees: a forest finds no tree by a name that it had", () => {
  const forest = new Forest();
  const bytes = encoder.encode("ab");
  const find = (name: string) => {
    const at = encoder.encode(name);
    return forest.find(at, 0, at.length);
  };
  const first = forest.create("a");
  assertEquals(find("a"), first);
  forest.remove(first);
  assertEquals(find("a"), null);
  const second = forest.create("a");
  assertEquals(find("a"), second);
  forest.adopt(second, "b");
  assertEquals([find("a"), find("b"), forest.find(bytes, 0, 1)], [null, second, null]);
  forest.check();
});
