// Window caches: one of each zone, and no more than are kept.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { TimeZone } from "../../../lib/host/time_zone.ts";
import { WindowCaches } from "../../../lib/limits/window_caches.ts";

Deno.test("window caches: each zone has its own, and without one it is the server's", () => {
  const caches = new WindowCaches(new TimeZone("UTC"));
  const zone = new TimeZone("Asia/Kathmandu");
  assertStrictEquals(caches.of(null), caches.of(null));
  assertStrictEquals(caches.of(zone), caches.of(zone));
  assertEquals(caches.of(null).startOf(20260102), Date.parse("2026-01-02T00:00:00Z"));
  assertEquals(caches.of(zone).startOf(20260102), Date.parse("2026-01-01T18:15:00Z"));
});

Deno.test("window caches: the oldest goes when there are too many, and is made again", () => {
  const caches = new WindowCaches(new TimeZone("UTC"));
  const zones = Intl.supportedValuesOf("timeZone").map((name) => new TimeZone(name));
  assert(zones.length > 256);
  const first = caches.of(zones[0]);
  for (const zone of zones) caches.of(zone);
  const again = caches.of(zones[0]);
  assert(again !== first);
  assertStrictEquals(caches.of(zones[0]), again);
  assertEquals(again.startOf(20260102), zones[0].startOf(20260102));
});
