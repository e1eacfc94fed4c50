// The places of things: every one is found under its hash, however many share it, and no other is.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { KeyedHash } from "../../../lib/bytes/keyed_hash.ts";
import { HashIndex } from "../../../lib/bytes/hash_index.ts";
import { Random } from "../../support/random.ts";

const encoder = new TextEncoder();

/** All places that a search for a hash comes by. */
function met(places: HashIndex, hash: number): number[] {
  const found: number[] = [];
  for (let place = places.first(hash); place !== 0; place = places.next()) found.push(place);
  return found;
}

Deno.test("places: nothing is found where nothing is", () => {
  const places = new HashIndex((place) => place);
  assertEquals([met(places, 0), met(places, 0xffffffff), places.bytes], [[], [], 0]);
  places.check(0);
});

Deno.test("places: the ends of what places and hashes may be", () => {
  const HASHES = new Map([[1, 0], [0xffffffff, 0xffffffff], [0x80000000, 0x80000000]]);
  const places = new HashIndex((place) => HASHES.get(place)!);
  for (const place of HASHES.keys()) places.add(place);
  for (const [place, hash] of HASHES) assertEquals(met(places, hash).includes(place), true);
  places.check(3);
  for (const place of HASHES.keys()) places.remove(place);
  places.check(0);
});

Deno.test("places: a random history, with hashes that collide", () => {
  const HASHES: [what: string, hashAt: (place: number) => number][] = [
    ["all the same", () => 0xfffffc05],
    ["one table, few slots of its own", (place) => 5 + 1024 * (place % 7)],
    ["one table, the last slots", (place) => (5 + 1024 * (0x3fffff - place % 3)) >>> 0],
    ["all over", (place) => Math.imul(place, 0x9e3779b1) >>> 0],
  ];
  const seed = 31;
  const random = new Random(seed);
  for (const [what, hashAt] of HASHES) {
    const places = new HashIndex(hashAt);
    const model = new Set<number>();
    for (let round = 0; round < 40; round++) {
      const growing = random.chance(0.6);
      for (let change = 0; change < 100; change++) {
        const place = 1 + random.below(300);
        if (model.has(place)) {
          if (growing) continue;
          places.remove(place);
          model.delete(place);
        } else {
          places.add(place);
          model.add(place);
        }
      }
      places.check(model.size);
      for (let place = 1; place <= 300; place++) {
        const found = met(places, hashAt(place)).filter((other) => other === place);
        assertEquals(found.length, model.has(place) ? 1 : 0, `seed ${seed}, ${what}: ${place}`);
      }
    }
  }
});

Deno.test("places: one that is entered asks for the hashes of its own table at most", () => {
  const COUNT = 300_000;
  let asked = 0;
  const places = new HashIndex((place) => {
    asked++;
    return Math.imul(place, 0x9e3779b1) >>> 0;
  });
  let most = 0;
  for (let place = 1; place <= COUNT; place++) {
    asked = 0;
    places.add(place);
    most = Math.max(most, asked);
  }
  // A table has a share of 1024, and hashes are not spread evenly.
  assert(most <= 2 * COUNT / 1024, `${most} of ${COUNT}`);
});

Deno.test("places: what is not there is not taken out", () => {
  const places = new HashIndex(() => 9);
  places.add(1);
  assertThrows(() => places.remove(2), AssertionFailed);
  assertThrows(() => places.check(2), AssertionFailed);
  places.check(1);
});

Deno.test("places: keys in order are spread over all tables", () => {
  const hash = new KeyedHash();
  const hashes = new Uint32Array(100_001);
  const places = new HashIndex((place) => hashes[place]);
  for (let place = 1; place < hashes.length; place++) {
    const key = encoder.encode(`order-${place}`);
    hashes[place] = hash.of(key, 0, key.length);
    places.add(place);
  }
  places.check(100_000);
  // 98 in a table on average; chance alone brings no table to 192 (nine deviations).
  assert(places.bytes <= 4 * 1024 * 256, `${places.bytes}`);
  let steps = 0;
  for (let place = 1; place < hashes.length; place++) {
    for (let other = places.first(hashes[place]); other !== place; other = places.next()) steps++;
  }
  assert(steps < 200_000, `searches pass few others: ${steps}`);
});
