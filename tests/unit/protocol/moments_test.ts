// Moments of verdicts: what is kept is never told of another moment or millisecond.

import { assertEquals } from "@std/assert";
import { NEVER } from "../../../lib/command/verdict.ts";
import { Moments } from "../../../lib/protocol/moments.ts";
import { momentText } from "../../../lib/protocol/json/verdict.ts";
import { Random } from "../../support/random.ts";

const decoder = new TextDecoder();
const moments = new Moments(momentText({ at: ',"at":', in: ',"in":' }));
const told = (ms: number, nowMs: number) => decoder.decode(moments.text(ms, nowMs));

Deno.test("moments: a date and the milliseconds until then", () => {
  const now = Date.UTC(2026, 10, 23, 12);
  assertEquals(told(Date.UTC(2026, 10, 24), now), ',"at":"2026-11-24T00:00:00Z","in":43200000');
  assertEquals(told(now, now), ',"at":"2026-11-23T12:00:00Z","in":0');
  assertEquals(told(now, now + 5), ',"at":"2026-11-23T12:00:00Z","in":0');
  assertEquals(told(NEVER, now), ',"at":null,"in":null');
});

Deno.test("moments: many in places that they share, in any order", () => {
  const seed = Math.floor(Math.random() * 1e6);
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const base = Date.UTC(2026, 0, 1);
  for (let step = 0; step < 20_000; step++) {
    const now = base + random.below(20);
    const ms = base + 900_000 * (1 + random.below(300));
    const date = new Date(ms).toISOString().replace(".000Z", "Z");
    assertEquals(told(ms, now), `,"at":"${date}","in":${ms - now}`);
  }
});
