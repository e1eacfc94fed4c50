// Ages: trees in the order of their serials, whatever order they come in, and however many go.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { Ages } from "../../../lib/tree/ages.ts";
import { Random } from "../../support/random.ts";

Deno.test("ages: nothing comes after nothing", () => {
  const ages = new Ages();
  assertEquals([ages.next(0), ages.count], [-1, 0]);
  assertThrows(() => ages.remove(1), AssertionFailed);
});

Deno.test("ages: a random history, beside a model", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  const ages = new Ages();
  const model = new Map<number, number>();
  const SERIALS = 2 ** 40;
  let youngest = SERIALS;
  for (let round = 0; round < 30; round++) {
    const share = random.below(10) / 10;
    for (let change = 0; change < 400; change++) {
      const isOld = random.chance(0.2);
      const serial = isOld ? SERIALS - 5000 + random.below(5000) : ++youngest;
      if (!model.has(serial)) {
        model.set(serial, change);
        ages.add(serial, change);
      }
      if (random.chance(share)) {
        const gone = random.pick([...model.keys()]);
        ages.remove(gone);
        model.delete(gone);
      }
    }
    const where = `seed ${seed}, round ${round}`;
    assertEquals(ages.count, model.size, where);
    for (const from of [0, SERIALS - 2500, youngest - 500, youngest]) {
      const expected = [...model].filter(([serial]) => serial > from).sort((a, b) => a[0] - b[0]);
      let after = from;
      for (const [serial, number] of expected) {
        assertEquals(ages.next(after), number, where);
        after = serial;
      }
      assertEquals(ages.next(after), -1, where);
    }
  }
});

Deno.test("ages: what is gone takes no memory for long, and none comes twice or is left out", () => {
  const ages = new Ages();
  for (let serial = 1; serial <= 100_000; serial++) {
    ages.add(serial, serial % 1000);
    if (serial > 100) ages.remove(serial - 100);
  }
  assert(ages.bytes < 100_000, `${ages.bytes}`);
  assertEquals([ages.count, ages.next(0), ages.next(99_950)], [100, 901, 951]);
  assertThrows(() => ages.remove(5), AssertionFailed);
});
