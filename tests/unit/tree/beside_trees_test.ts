// Trees beside others: they are found with their owners, counted, and known when these have gone.

import { assertEquals } from "@std/assert";
import { besidesOf } from "../../../lib/tree/beside_trees.ts";
import { Forest } from "../../../lib/tree/forest.ts";
import { besideName } from "../../../lib/tree/tree_name.ts";

Deno.test("beside trees: one is found with its owner by its purpose, and is no tree of clients", () => {
  const forest = new Forest();
  const owner = forest.create("t");
  const other = forest.create("u");
  const hour = forest.create(besideName(owner.serial, "hour"));
  const minute = forest.create(besideName(owner.serial, "minute"));
  hour.add(1, 0, 5, 1, 0);
  hour.add(2, 0, 5, 1, 0);
  owner.add(1, 0, 5, 1, 0);
  assertEquals([owner.beside?.get("hour"), owner.beside?.get("minute")], [hour, minute]);
  assertEquals([...forest.beside.trees], [hour, minute]);
  assertEquals([forest.beside.ownerOf(hour), forest.beside.ownerOf(other)], [owner, null]);
  assertEquals([forest.beside.keys, forest.keys], [2, 1]);
  assertEquals([besidesOf(owner), besidesOf(other)], [[hour, minute], []]);
  forest.check();
});

Deno.test("beside trees: they leave, and stay known when their owner has gone", () => {
  const forest = new Forest();
  const owner = forest.create("t");
  const hour = forest.create(besideName(owner.serial, "hour"));
  const minute = forest.create(besideName(owner.serial, "minute"));
  minute.add(1, 0, 5, 1, 0);
  forest.remove(hour);
  assertEquals([owner.beside?.size, [...forest.beside.trees]], [1, [minute]]);
  forest.remove(owner);
  assertEquals([forest.beside.ownerOf(minute), forest.beside.keys], [null, 1]);
  forest.check();
  forest.remove(minute);
  assertEquals([[...forest.beside.trees], forest.beside.keys], [[], 0]);
  forest.check();
});
