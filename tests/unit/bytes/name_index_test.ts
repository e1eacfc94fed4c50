// Names by number: what was added is there, whatever came and went, and gaps are closed.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { KeyedHash } from "../../../lib/bytes/keyed_hash.ts";
import { NameIndex } from "../../../lib/bytes/name_index.ts";
import { Random } from "../../support/random.ts";

const hash = new KeyedHash();

function add(names: NameIndex, number: number, name: Uint8Array): void {
  const around = Uint8Array.of(1, 2, 3, ...name, 4);
  const end = 3 + name.length;
  names.add(number, hash.of(around, 3, end), around, 3, end);
}

function isThere(names: NameIndex, number: number, name: Uint8Array): boolean {
  const code = hash.of(name, 0, name.length);
  assertEquals(names.hashOf(number, hash) === code, names.is(number, code, name, 0, name.length));
  return names.is(number, code, name, 0, name.length);
}

Deno.test("names: of every length up to that of a tree's name, and beyond", () => {
  const names = new NameIndex();
  const added: Uint8Array[] = [];
  for (const length of [...Array(257).keys(), 5000]) {
    const name = crypto.getRandomValues(new Uint8Array(length));
    add(names, length, name);
    added[length] = name;
  }
  names.check();
  added.forEach((name, number) => {
    assert(isThere(names, number, name));
    for (const other of [name.slice(1), Uint8Array.of(...name, 0)]) {
      const code = hash.of(other, 0, other.length);
      assertEquals(names.is(number, code, other, 0, other.length), other.length === name.length);
    }
    if (name.length === 0) return;
    name[name.length - 1] ^= 1;
    assert(!isThere(names, number, name), "every byte counts");
  });
});

Deno.test("names: a number has one name, and no other goes", () => {
  const names = new NameIndex();
  add(names, 7, Uint8Array.of(1));
  assertThrows(() => add(names, 7, Uint8Array.of(2)), AssertionFailed);
  assertThrows(() => names.remove(6), AssertionFailed);
  names.remove(7);
  assertThrows(() => names.remove(7), AssertionFailed);
  add(names, 7, Uint8Array.of(2));
  assert(isThere(names, 7, Uint8Array.of(2)));
});

Deno.test("names: a random history, beside a model", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  const names = new NameIndex();
  const model = new Map<number, Uint8Array>();
  for (let round = 0; round < 30; round++) {
    const most = random.below(2) * 2000 + 50;
    const length = random.below(256);
    for (let change = 0; change < 1500; change++) {
      const number = random.below(most);
      if (model.has(number)) {
        names.remove(number);
        model.delete(number);
      }
      if (random.chance(0.6)) {
        const name = new Uint8Array(length).fill(random.below(256));
        add(names, number, name);
        model.set(number, name);
      }
    }
    names.check();
    for (const [number, name] of model) {
      assert(isThere(names, number, name), `seed ${seed}, round ${round}, number ${number}`);
    }
  }
});

Deno.test("names: memory is that of the names that are there, however many came and went", () => {
  const names = new NameIndex();
  const COUNT = 3000;
  let most = 0;
  for (let round = 0; round < 20; round++) {
    const name = new Uint8Array(255 - round);
    for (let number = 0; number < COUNT; number++) {
      if (round > 0) names.remove(number);
      add(names, number, name);
      most = Math.max(most, names.bytes);
    }
  }
  names.check();
  // While gaps are closed there are the names of before, their gaps, and the new pages.
  assert(most < 4 * COUNT * 260, `${most}`);
});
