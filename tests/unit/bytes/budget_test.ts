// The budget: what fits, and what is let through all the same.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Budget } from "../../../lib/bytes/budget.ts";

Deno.test("budget: everything that is held counts, up to the last byte", () => {
  const budget = new Budget(100);
  budget.held = 50;
  budget.buffers = 20;
  budget.beside = 10;
  assertEquals(budget.used, 80);
  assert(budget.isWithin(20) && budget.fits(20));
  assert(!budget.isWithin(21) && !budget.fits(21));
  budget.held += 30; // as data that is read may
  assert(!budget.fits(0));
  assert(new Budget().fits(Number.MAX_SAFE_INTEGER), "without a limit");
});

Deno.test("budget: what must not be refused is not, only as long as it lasts", () => {
  const budget = new Budget(100);
  budget.leniently(() => {
    assert(budget.fits(1000));
    assert(!budget.isWithin(1000), "and can be asked");
    budget.leniently(() => assert(budget.fits(1000)));
    assert(budget.fits(1000));
  });
  assert(!budget.fits(1000));
  assertThrows(() => budget.leniently(() => assert(false)));
  assert(!budget.fits(1000));
});
