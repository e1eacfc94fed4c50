// The bound of buffers: who goes where there is no room, and who does not.

import { assert, assertEquals } from "@std/assert";
import { BufferBound, type BufferHolder } from "../../../lib/server/buffer_bound.ts";

const KIB = 1024;
const MAX = 1024 * KIB;

/** A connection that holds memory of the bound's pool. */
class Connection implements BufferHolder {
  readonly #bound: BufferBound;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  isCut = false;
  isStranger = false;
  waitsSince: number;

  /** `waited`: for so many ms; null: it is at work, or idle. */
  constructor(bound: BufferBound, bytes: number, waited: number | null) {
    this.#bound = bound;
    this.#bytes = bound.pool.acquire(bytes);
    this.waitsSince = waited === null ? 0 : performance.now() - waited;
    bound.enter(this);
  }

  get heldBytes(): number {
    return this.#bytes.length;
  }

  cut(): void {
    assert(!this.isCut, "nobody is cut twice");
    this.isCut = true;
  }

  end(): void {
    this.#bound.leave(this);
    this.#bound.pool.release(this.#bytes);
  }
}

/** Connections with so many KiB each that have waited so many ms, and one that asks for more. */
function world(...held: [kib: number, waited: number | null][]) {
  const bound = new BufferBound(MAX);
  const all = held.map(([kib, waited]) => new Connection(bound, kib * KIB, waited));
  const asker = new Connection(bound, 2 * KIB, null);
  const cut = () => all.flatMap(({ isCut }, index) => isCut ? [index] : []);
  return { bound, all, asker, cut };
}

Deno.test("buffer_bound: the largest goes, and of as large ones who has waited longest", () => {
  const { bound, all, asker, cut } = world([256, 3000], [512, 2000], [128, 9000], [64, 9000]);
  assert(bound.admits(32 * KIB, asker));
  assertEquals(cut(), [], "there is room");
  assert(bound.admits(128 * KIB, asker));
  assertEquals(cut(), [1]);
  assert(bound.admits(128 * KIB, asker), "what is about to leave is room already");
  assertEquals(cut(), [1]);
  all[1].end();
  bound.pool.trim();
  const late = new Connection(bound, 256 * KIB, 2000);
  new Connection(bound, 256 * KIB, 2000);
  assert(bound.admits(128 * KIB, asker));
  assertEquals([cut(), late.isCut], [[0, 1], false]);
});

Deno.test("buffer_bound: strangers have a sixteenth, and make room for each other only", () => {
  const { bound, all, asker, cut } = world([40, 9000], [16, 9000], [256, 9000], [16, 2000]);
  for (const index of [0, 1, 3]) all[index].isStranger = true;
  assert(bound.admits(64 * KIB, asker), "it is no stranger itself");
  assertEquals(cut(), []);
  asker.isStranger = true;
  assert(!bound.admits(64 * KIB, asker), "none of the others holds as much");
  assertEquals(cut(), []);
  assert(bound.admits(16 * KIB, asker));
  assertEquals(cut(), [0]);
  assert(bound.admits(16 * KIB, asker));
  assertEquals(cut(), [0], "what was cut is counted no more");
  assert(bound.admits(32 * KIB - 1, asker) === false, "the others hold less than it asks for");
});

Deno.test("buffer_bound: a request that is larger than all that waits is refused itself", () => {
  const { bound, asker, cut } = world([256, 9000], [256, 9000], [256, 9000], [200, 9000]);
  assert(!bound.admits(512 * KIB, asker));
  assertEquals(cut(), []);
  assert(bound.admits(256 * KIB, asker));
  assertEquals(cut().length, 1);
});

Deno.test("buffer_bound: who is at work, or idle, stays", () => {
  const { bound, asker, cut } = world([512, null], [256, null], [128, 9000], [126, 2000]);
  bound.makeRoom(asker);
  assertEquals(cut(), [], "just full");
  assert(bound.admits(64 * KIB, asker));
  assertEquals(cut(), [2]);
  assert(!bound.admits(200 * KIB, asker));
  bound.makeRoom(asker);
  assertEquals(cut(), [2]);
});

Deno.test("buffer_bound: who has just begun to wait counts for less, as it may be quick", () => {
  const { bound, asker, cut } = world([600, 5], [256, 3000], [128, 3000]);
  assert(bound.admits(64 * KIB, asker));
  assertEquals(cut(), [1]);
  const other = world([600, 5], [128, 3000], [256, null]);
  assert(other.bound.admits(64 * KIB, other.asker));
  assertEquals(other.cut(), [0], "but not for nothing");
});

Deno.test("buffer_bound: spare arrays go before anybody", () => {
  const { bound, asker, cut } = world([512, 9000]);
  const spare = bound.pool.acquire(512 * KIB);
  bound.pool.release(spare);
  assert(bound.isTight);
  assert(bound.admits(256 * KIB, asker));
  assertEquals(cut(), []);
  assertEquals(bound.heldBytes, 514 * KIB);
});

Deno.test("buffer_bound: what is kept for later is let go after a while", () => {
  let trims = 0;
  const bound = new BufferBound(MAX, undefined, () => trims++);
  bound.pool.release(bound.pool.acquire(64 * KIB));
  bound.tick(10_000);
  assertEquals([bound.heldBytes, trims], [0, 1]);
  bound.pool.release(bound.pool.acquire(64 * KIB));
  bound.tick(14_999);
  assertEquals([bound.heldBytes, trims], [64 * KIB, 1]);
  bound.tick(15_000);
  assertEquals([bound.heldBytes, trims], [0, 2]);
});
