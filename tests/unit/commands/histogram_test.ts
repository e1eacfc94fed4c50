// Percentiles beside those of the sorted list.

import { assert, assertEquals } from "@std/assert";
import { Histogram } from "../../../lib/commands/histogram.ts";
import { Random } from "../../support/random.ts";

Deno.test("histogram: a percentile is that of the list, and at most 1 % more", () => {
  const random = new Random(5);
  for (const size of [1, 2, 10, 1000]) {
    const histogram = new Histogram();
    const list = Array.from({ length: size }, () => Math.exp(random.below(1000) / 60 - 5));
    list.forEach((ms) => histogram.add(ms));
    list.sort((a, b) => a - b);
    for (const share of [0, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = list[Math.max(0, Math.ceil(share * size) - 1)];
      const told = histogram.percentile(share);
      assert(
        told >= exact * 0.9999 && told <= exact * 1.0101,
        `${share} of ${size}: ${told}, ${exact}`,
      );
    }
    assertEquals([histogram.count, histogram.max], [size, list.at(-1)!]);
  }
});

Deno.test("histogram: nothing, and what is beyond its classes", () => {
  const histogram = new Histogram();
  assertEquals([histogram.percentile(0.5), histogram.max], [0, 0]);
  histogram.add(0);
  histogram.add(1e12);
  assert(histogram.percentile(1) > 1e6);
  assertEquals(histogram.max, 1e12);
});
