// Names by id: each is there as long as a counter has it, whatever comes and goes, and memory comes back.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { Budget } from "../../../lib/bytes/mod.ts";
import { Names } from "../../../lib/tree/names.ts";
import { Random } from "../../support/random.ts";

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];

/** The id of a name, looked up as in a request; null: there is none. */
function idOf(names: Names, name: string): number | null {
  const bytes = encoder.encode(`"${name}"`);
  return names.find(bytes, 1, bytes.length - 1) ? names.idHi * 2 ** 32 + names.idLo : null;
}

function retain(names: Names, id: number, name: string): void {
  names.retain(id >>> 0, Math.floor(id / 2 ** 32), encoder.encode(name));
}

function release(names: Names, id: number): void {
  names.release(id >>> 0, Math.floor(id / 2 ** 32));
}

function nameOf(names: Names, id: number): string {
  return decoder.decode(names.nameOf(id >>> 0, Math.floor(id / 2 ** 32)));
}

Deno.test("names: one goes with the last of its counters", () => {
  const budget = new Budget();
  const names = new Names(budget);
  assertEquals([idOf(names, "a"), names.bytes], [null, 0]);
  const id = 2 ** 33 + 7;
  retain(names, id, "user:1");
  retain(names, id, "user:1");
  assertEquals([idOf(names, "user:1"), nameOf(names, id), names.lastId], [id, "user:1", id]);
  assert(budget.held > 0);
  release(names, id);
  names.check();
  assertEquals(idOf(names, "user:1"), id);
  release(names, id);
  names.check();
  assertEquals([idOf(names, "user:1"), names.count, budget.held, names.lastId], [null, 0, 0, id]);
  assertThrows(() => release(names, id), AssertionFailed);
  assertThrows(() => nameOf(names, id), AssertionFailed);
});

Deno.test("names: what is kept alike is not the same name", () => {
  const names = new Names();
  // Digits that are kept as the bytes of "aaaa", a UUID and its digits, and the same with a letter more.
  const alike = ["61616161", "aaaa", "0189c5f2-7d3e-7b1a-8c4d-0123456789ab"];
  alike.push(alike[2].replaceAll("-", ""), alike[2].toUpperCase(), "aaaaa", "a");
  alike.forEach((name, index) => retain(names, index + 1, name));
  alike.forEach((name, index) => assertEquals(idOf(names, name), index + 1));
  names.check();
});

Deno.test("names: while a log is replayed, a name may have two ids", () => {
  const names = new Names();
  retain(names, 1, "twice");
  retain(names, 2, "twice");
  assertEquals([nameOf(names, 1), nameOf(names, 2)], ["twice", "twice"]);
  assertThrows(() => names.check(), AssertionFailed);
  names.check(false);
  release(names, 1);
  names.check();
  assertEquals(idOf(names, "twice"), 2);
});

Deno.test("names: a random history, beside a model", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  const budget = new Budget();
  const names = new Names(budget);
  const model = new Map<string, { id: number; counters: number }>();
  const known: string[] = [];
  let next = 1;
  const makers = [
    () => random.u64().toString(16),
    () => `user:${random.below(5000)}`,
    () => "é".repeat(1 + random.below(127)),
    () => crypto.randomUUID(),
  ];
  for (let round = 0; round < 12; round++) {
    // Mostly more, then mostly fewer: pages fill, and are given up.
    const grows = round % 3 < 2;
    for (let step = 0; step < 4000; step++) {
      const isOld = known.length > 0 && random.chance(grows ? 0.1 : 0.95);
      if (!isOld) {
        const name = random.pick(makers)();
        const entry = model.get(name) ?? { id: next++, counters: 0 };
        assertEquals(idOf(names, name), entry.counters > 0 ? entry.id : null, `seed ${seed}`);
        retain(names, entry.id, name);
        entry.counters++;
        if (entry.counters === 1) known.push(name);
        model.set(name, entry);
        continue;
      }
      const at = random.below(known.length);
      const name = known[at];
      const entry = model.get(name)!;
      assertEquals(nameOf(names, entry.id), name, `seed ${seed}`);
      release(names, entry.id);
      if (--entry.counters > 0) continue;
      model.delete(name);
      known[at] = known[known.length - 1];
      known.pop();
    }
    const counters = names.check();
    const expected = [...model.values()].map(({ id, counters }) => [id, counters]);
    assertEquals([...counters].sort((a, b) => a[0] - b[0]), expected.sort((a, b) => a[0] - b[0]));
    for (const [name, { id }] of model) assertEquals(idOf(names, name), id, `seed ${seed}`);
    assertEquals(budget.held, names.bytes);
  }
  for (const { id, counters } of model.values()) {
    for (let left = counters; left > 0; left--) release(names, id);
  }
  names.check();
  assertEquals([names.count, budget.held], [0, 0]);
});
