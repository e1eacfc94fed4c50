// The blocks of a tree: no block has two owners, what is given back is taken again, and chunks that
// nothing of is in use go back to the system.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Block, BLOCK_WORDS, BlockPool } from "../../../lib/tree/block_pool.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Walk } from "../../../lib/tree/walk.ts";
import { Random } from "../../support/random.ts";

/** Blocks of the largest chunks. */
const CHUNK_MAX = 64;
const DAY_MAX = 99991231;

/** How many blocks there are, taken or not. */
function count(blocks: BlockPool): number {
  return blocks.words / BLOCK_WORDS;
}

Deno.test("blocks: each has one owner, and holds what that writes, whatever others do", () => {
  const random = new Random(61);
  const blocks = new BlockPool();
  const taken: { block: Block; mark: number }[] = [];
  let mark = 0;
  for (let round = 0; round < 4000; round++) {
    if (random.chance(round % 1000 < 600 ? 0.7 : 0.3) || taken.length === 0) {
      const block = blocks.acquire(BLOCK_WORDS);
      assertEquals(block.size, BLOCK_WORDS);
      assert(block.start % BLOCK_WORDS === 0 && block.start + block.size <= block.words.length);
      block.words.fill(++mark, block.start, block.start + block.size);
      taken.push({ block, mark });
    } else {
      const [{ block, mark }] = taken.splice(random.below(taken.length), 1);
      const { words, start, size } = block;
      const held = words.subarray(start, start + size);
      assert(held[0] === mark && held[size - 1] === mark && held.every((word) => word === mark));
      blocks.release(block);
    }
    assert(taken.length <= count(blocks), "those that are taken are there");
  }
});

Deno.test("blocks: there are never many more than were ever taken at once", () => {
  const blocks = new BlockPool();
  for (let taken = 1; taken <= 1000; taken++) {
    blocks.acquire(BLOCK_WORDS);
    assert(count(blocks) <= taken + Math.min(CHUNK_MAX, taken / 4), `${taken}: ${count(blocks)}`);
  }
});

Deno.test("blocks: chunks go when nothing of them is in use, all but one", () => {
  const blocks = new BlockPool();
  const taken = Array.from({ length: 1000 }, () => blocks.acquire(BLOCK_WORDS));
  const most = count(blocks);
  for (const block of taken.splice(100)) blocks.release(block);
  assert(count(blocks) <= 100 + 2 * CHUNK_MAX, `${count(blocks)} of ${most} are left`);
  for (const block of taken) blocks.release(block);
  const rest = count(blocks);
  assert(rest > 0 && rest <= CHUNK_MAX, `${rest} are left`);
  for (let round = 0; round < 10; round++) {
    blocks.release(blocks.acquire(BLOCK_WORDS));
    assertEquals(count(blocks), rest, "who goes on taking and giving gets no new memory");
  }
});

Deno.test("blocks: arrays of other sizes are made new and freed at once", () => {
  const blocks = new BlockPool();
  for (const size of [1, 64, BLOCK_WORDS - 1, BLOCK_WORDS + 1, 5 * BLOCK_WORDS]) {
    const block = blocks.acquire(size);
    assertEquals([block.start, block.size, block.words.length], [0, size, size]);
    blocks.release(block);
    assertEquals(block.words.length, 0, "whoever still held it would find it empty");
  }
  assertEquals(blocks.words, 0, "none became a block");
});

Deno.test("blocks: what is given back twice, or to others, is our mistake", () => {
  const blocks = new BlockPool();
  const block = blocks.acquire(BLOCK_WORDS);
  blocks.acquire(BLOCK_WORDS);
  assertThrows(() => new BlockPool().release(block));
  blocks.release(block);
  assertThrows(() => blocks.release(block));
});

Deno.test("blocks: a tree that loses most of its counters gives most of its memory back", () => {
  const tree = new Tree("t");
  for (let key = 0; key < 300_000; key++) tree.add((key * 7919) % 300_007, 0, 20260101, 1, 0);
  const full = tree.blocks.words;
  for (let key = 0; key < 300_007; key++) if (key % 10 !== 0) tree.removeDays(key, 0, 0, DAY_MAX);
  tree.compact();
  for (let walks = 0; walks < 3; walks++) {
    for (const walk = new Walk(tree); walk.next() !== null;);
  }
  tree.settle();
  checkTree(tree);
  assertEquals(tree.keys, 30_000);
  assert(tree.blocks.words < full / 2, `${tree.blocks.words} of ${full} words are left`);
});
