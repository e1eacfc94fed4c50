// The memory of lists: it knows what it was told, and nothing that only looks like it.

import { assert, assertEquals } from "@std/assert";
import { LimitListCache } from "../../../../lib/protocol/json/limit_list_cache.ts";
import { Asker } from "../../../support/asker.ts";
import { Random } from "../../../support/random.ts";

const encoder = new TextEncoder();

const LIST = encoder.encode('[{"series":"api","max":1000,"window":"day"}]');

/** The meaning of a list that lies between other bytes. */
function meaning(
  memory: LimitListCache<number>,
  list: Uint8Array,
  behind: number[] = [],
): number | null {
  const bytes = Uint8Array.from([1, 2, ...list, ...behind]);
  return memory.find(bytes, 2, 2 + list.length)?.meaning ?? null;
}

Deno.test("memory: a list is known by all of its bytes", () => {
  const memory = new LimitListCache<number>();
  assertEquals(meaning(memory, LIST), null);
  memory.keep(LIST, 7);
  assertEquals(meaning(memory, LIST), 7);
  assertEquals(meaning(memory, LIST, [0x7d]), 7);
  for (let at = 0; at < LIST.length; at++) {
    const other = LIST.slice();
    other[at] ^= 1;
    assertEquals(meaning(memory, other), null, `another byte ${at}`);
    // Bytes behind the line's end must not complete it.
    assertEquals(meaning(memory, LIST.subarray(0, at), [...LIST.subarray(at)]), null, `cut ${at}`);
  }
});

Deno.test("memory: what lies behind a list does not count", () => {
  const memory = new LimitListCache<number>();
  memory.keep(LIST, 7);
  const bytes = Uint8Array.from([...LIST, ...LIST, 0x5d]);
  const known = memory.find(bytes, 0, bytes.length);
  assertEquals([known?.meaning, known?.text.length], [7, LIST.length]);
  assertEquals(memory.find(bytes, 1, bytes.length), null);
});

Deno.test("memory: of lists that begin alike the latest are known, and each for what it is", () => {
  const memory = new LimitListCache<number>();
  const list = (max: number) => encoder.encode(`[{"series":"api","window":"day","max":${max}}]`);
  for (let max = 0; max < 100; max++) {
    memory.keep(list(max), max);
    for (let other = Math.max(0, max - 5); other <= max; other++) {
      assertEquals(meaning(memory, list(other)), other);
    }
  }
  assertEquals(meaning(memory, list(0)), null, "the first one is forgotten");
});

Deno.test("memory: very short and very long lists are not kept", () => {
  const memory = new LimitListCache<number>();
  for (const length of [0, 2, 35, 2049, 10_000]) {
    const list = new Uint8Array(length).fill(0x5b);
    memory.keep(list, 1);
    assertEquals(meaning(memory, list), null, `${length} bytes`);
  }
  for (const length of [36, 2048]) {
    const list = new Uint8Array(length).fill(length);
    memory.keep(list, length);
    assertEquals(meaning(memory, list), length, `${length} bytes`);
  }
});

Deno.test("memory: random lists are never taken for each other", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const memory = new LimitListCache<string>();
    let found = 0;
    for (let count = 0; count < 2000; count++) {
      const list = Uint8Array.from(
        { length: 36 + random.below(6) },
        () => 97 + +random.chance(0.02),
      );
      const known = memory.find(list, 0, list.length);
      if (known !== null) {
        found++;
        assertEquals(known.meaning, list.toHex().slice(0, known.meaning.length), `seed ${seed}`);
      } else memory.keep(list, list.toHex());
    }
    assert(found > 100, `seed ${seed} found ${found}`);
  }
});

Deno.test("memory: a list that is known means what it meant, with the key and cost of now", () => {
  const asker = new Asker();
  const list = '[{"series":"\\u0061\\u0070i","max":1000,"window":"month"}]';
  for (let key = 1; key < 5; key++) {
    const line = `{"v":2,"op":"limit.consume","key":${key},"cost":${key * 2},"limits":${list}}`;
    const limits = `["api"/1000/cost ${2 * key}/key ${key}/{"kind":"month"}]`;
    assertEquals(asker.ask(line), `consume key=${key} cost=${2 * key} ${limits} reject`);
    assertEquals(
      asker.ask(`{"v":2,"op":"limit.consume","key":1,"limits":${list}`),
      `invalid_json Invalid JSON: unexpected end at byte ${
        line.length - `"cost":${key * 2},`.length
      }`,
    );
    // The last one of two counts, whichever is known.
    const both = `{"v":2,"op":"limit.check","key":1,"limits":${list},"limits":[]}`;
    assertEquals(asker.ask(both), "validation_error Field limits must not be empty");
    assertEquals(
      asker.ask(`{"v":2,"op":"limit.check","key":1,"limits":[],"limits":${list}}`),
      'checkLimits key=1 cost=1 ["api"/1000/cost 1/key 1/{"kind":"month"}] reject',
    );
  }
});

Deno.test("memory: a list that is no good is no better the second time", () => {
  const asker = new Asker();
  const list = `[${Array(17).fill('{"series":"a","max":5,"window":"day"}')}]`;
  for (let round = 0; round < 3; round++) {
    assertEquals(
      asker.ask(`{"v":2,"op":"limit.consume","key":1,"limits":${list}}`),
      "validation_error Field limits exceeds max size",
    );
  }
});
