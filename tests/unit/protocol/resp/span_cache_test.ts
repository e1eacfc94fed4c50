// The cache of lists of arguments, beside a map of their texts.

import { assertEquals } from "@std/assert";
import { SpanCache } from "../../../../lib/protocol/resp/span_cache.ts";
import { Random } from "../../../support/random.ts";

const encoder = new TextEncoder();

Deno.test("span cache: what is found is what was kept for these very bytes", () => {
  const seed = Math.floor(Math.random() * 1e6);
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const cache = new SpanCache<string>();
  let found = 0;
  for (let step = 0; step < 20_000; step++) {
    const text = "x".repeat(random.below(40)) + random.below(20);
    const bytes = encoder.encode(`<<${text}>>`);
    const known = cache.find(bytes, 2, bytes.length - 2);
    if (known === null) cache.keep(bytes, 2, bytes.length - 2, text);
    else {
      assertEquals(known, text);
      found++;
    }
  }
  assertEquals(found > 1000, true, `${found} were found`);
});

Deno.test("span cache: long lists are not kept, and of those that are alike the latest are", () => {
  const cache = new SpanCache<number>();
  const long = new Uint8Array(2049);
  cache.keep(long, 0, long.length, 1);
  assertEquals(cache.find(long, 0, long.length), null);
  const alike = (index: number) => encoder.encode(`${"y".repeat(63)}${index}`);
  for (let index = 0; index < 10; index++) cache.keep(alike(index), 0, 64, index);
  const kept = Array.from({ length: 10 }, (_, index) => cache.find(alike(index), 0, 64));
  assertEquals(kept, [null, null, 2, 3, 4, 5, 6, 7, 8, 9]);
});
