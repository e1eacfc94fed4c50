// The pool of blocks: what is given back is taken again, what is too much goes back to the system.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { BLOCK_WORDS, BlockPool } from "../../../lib/tree/block_pool.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";

const SPARE_MAX = 64;

Deno.test("block_pool: a block given back is the next one taken", () => {
  const pool = new BlockPool();
  const block = pool.take(BLOCK_WORDS);
  assertEquals(block.length, BLOCK_WORDS);
  pool.give(block);
  assertStrictEquals(pool.take(BLOCK_WORDS), block);
  assert(pool.take(BLOCK_WORDS) !== block, "it is taken once");
});

Deno.test("block_pool: arrays of other sizes are made new and freed at once", () => {
  const pool = new BlockPool();
  for (const words of [1, 64, BLOCK_WORDS - 1, BLOCK_WORDS + 1, 5 * BLOCK_WORDS]) {
    const array = pool.take(words);
    assertEquals([array.length, array.every((word) => word === 0)], [words, true]);
    pool.give(array);
    assertEquals(array.length, 0, "whoever still held it would find it empty");
    assertEquals(pool.take(words).length, words);
  }
  assertEquals(pool.take(BLOCK_WORDS).every((word) => word === 0), true, "none became a block");
});

Deno.test("block_pool: keeps so many spare blocks and no more", () => {
  const pool = new BlockPool();
  const blocks = Array.from({ length: SPARE_MAX + 10 }, () => pool.take(BLOCK_WORDS));
  for (const block of blocks) pool.give(block);
  const freed = blocks.filter((block) => block.length === 0);
  assertEquals(freed, blocks.slice(SPARE_MAX));
  const again = new Set(Array.from({ length: SPARE_MAX + 10 }, () => pool.take(BLOCK_WORDS)));
  assertEquals(again.size, SPARE_MAX + 10, "no block is taken twice");
  assertEquals(blocks.filter((block) => again.has(block)).length, SPARE_MAX);
});

Deno.test("block_pool: trees that take each other's blocks stay what they are", () => {
  const pool = new BlockPool();
  const trees = [1, 2, 3].map((id) => new Tree(`t${id}`, pool));
  for (let key = 0; key < 20_000; key++) {
    trees.forEach((tree, index) =>
      tree.add((key * 7919) % 30_011, 0, 20260101 + key % 9, index + 1, 0)
    );
  }
  const sum = new Uint32Array(2);
  trees.forEach((tree, index) => {
    checkTree(tree);
    for (let key = 0; key < 20_000; key += 100) {
      tree.sum((key * 7919) % 30_011, 0, 0, 20270101, sum);
      assertEquals(sum[0], index + 1);
    }
  });
});
