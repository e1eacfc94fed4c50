// The buffer pool: arrays are used again, and what is held is counted whatever is taken and given.

import { assert, assertEquals } from "@std/assert";
import { BufferPool, roundedLength } from "../../../lib/bytes/buffer_pool.ts";
import { Random } from "../../support/random.ts";

Deno.test("buffer_pool: an array that was given back is the next one of its length", () => {
  const pool = new BufferPool();
  const [small, large] = [pool.acquire(4096), pool.acquire(65536)];
  assertEquals(pool.held, 69632);
  pool.release(small);
  pool.release(large);
  assertEquals(pool.held, 69632);
  assertEquals([pool.cost(65536), pool.cost(32768)], [0, 32768]);
  assert(pool.acquire(65536) === large);
  assertEquals(pool.cost(65536), 65536);
  assert(pool.acquire(4096) === small);
  assert(pool.acquire(4096) !== small);
  assertEquals(pool.held, 73728);
  pool.check();
});

Deno.test("buffer_pool: no more is spare than is bounded, and none after trim", () => {
  const pool = new BufferPool();
  const arrays = Array.from({ length: 40 }, () => pool.acquire(1 << 20));
  assertEquals(pool.held, 40 << 20);
  for (const array of arrays) pool.release(array);
  assertEquals(pool.held, 16 << 20);
  assertEquals(pool.acquireDropped(), 24 << 20);
  pool.check();
  pool.trim();
  assertEquals([pool.held, pool.acquireDropped(), pool.acquireDropped()], [0, 16 << 20, 0]);
  pool.check();
});

Deno.test("buffer_pool: random takes and gives are counted as a list counts them", () => {
  const seed = Date.now() % 1e9;
  const random = new Random(seed);
  const pool = new BufferPool();
  const out: Uint8Array<ArrayBuffer>[] = [];
  for (let step = 0; step < 5000; step++) {
    const choice = random.below(10);
    if (choice < 5) out.push(pool.acquire(2 ** (11 + random.below(8))));
    else if (choice < 9 && out.length > 0) pool.release(out.splice(random.below(out.length), 1)[0]);
    else if (random.below(20) === 0) pool.trim();
    pool.check();
    assert(new Set(out).size === out.length, `no array is out twice; seed ${seed}`);
  }
  for (const array of out) pool.release(array);
  pool.trim();
  assertEquals(pool.held, 0, `seed ${seed}`);
});

Deno.test("buffer_pool: lengths are rounded up, to few", () => {
  const lengths = [1, 4096, 4097, 65536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20];
  const rounded = [1, 4096, 8192, 65536, 1 << 20, 1 << 20, 2 << 20, 5 << 20];
  assertEquals(lengths.map(roundedLength), rounded);
});
