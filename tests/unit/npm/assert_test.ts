// What Karma's tests rely on of @std/assert; it passes with the real package and with
// lib/npm/assert.ts. Built on bare `try`, since assertions cannot vouch for themselves.

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";

/** The message with which `run` fails, or undefined if it passes. */
async function failure(run: () => unknown): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (error instanceof Error && error.name === "AssertionError") return error.message;
    throw error;
  }
}

const wrong = () => {
  throw new TypeError("Wrong thing");
};
const wrongLater = () => Promise.reject(new TypeError("Wrong thing"));

const PASSING: Record<string, () => unknown> = {
  "a truth": () => assert(1),
  "equal structures": () => assertEquals({ a: [1, { b: null }] }, { a: [1, { b: null }] }),
  "the order of keys is free": () => assertEquals({ a: 1, b: 2 }, { b: 2, a: 1 }),
  "NaN equals itself": () => assertEquals(NaN, NaN),
  "equal bytes of different buffers": () =>
    assertEquals(new Uint8Array([1, 2]), new Uint8Array([0, 1, 2]).subarray(1)),
  "equal sets and maps": () => {
    assertEquals(new Set([1, 2]), new Set([2, 1]));
    assertEquals(new Map([["a", { b: 1 }]]), new Map([["a", { b: 1 }]]));
  },
  "equal bigints": () => assertEquals(1n, 1n),
  "different structures": () => assertNotEquals({ a: 1 }, { a: 2 }),
  "the same": () => assertStrictEquals("a", "a"),
  "part of a text": () => assertStringIncludes("abc", "b"),
  "a pattern": () => assertMatch("abc", /b./),
  "a throw": () => assertThrows(wrong),
  "a throw of a class": () => assertThrows(wrong, TypeError),
  "a throw of a class above": () => assertThrows(wrong, Error, "thing"),
  "a rejection": () => assertRejects(wrongLater),
  "a rejection of a class": () => assertRejects(wrongLater, TypeError, "Wrong"),
};

const FAILING: Record<string, () => unknown> = {
  "no truth": () => assert(0),
  "different values": () => assertEquals<unknown>(1, "1"),
  "different structures": () => assertEquals<unknown>({ a: 1 }, { a: 1, b: undefined }),
  "different bytes": () => assertEquals(new Uint8Array([1]), new Uint8Array([2])),
  "different types of bytes": () => assertEquals<unknown>(new Uint8Array([1]), [1]),
  "number and bigint": () => assertEquals<unknown>(1n, 1),
  "equal where difference is due": () => assertNotEquals([1], [1]),
  "equal but not the same": () => assertStrictEquals({}, {}),
  "not part of a text": () => assertStringIncludes("abc", "x"),
  "not the pattern": () => assertMatch("abc", /x/),
  "no throw": () => assertThrows(() => 1),
  "a throw of another class": () => assertThrows(wrong, RangeError),
  "a throw with other words": () => assertThrows(wrong, TypeError, "Right"),
  "no rejection": () => assertRejects(() => Promise.resolve(1)),
  "a throw before the promise": () => assertRejects(wrong as () => Promise<never>, TypeError),
  "a rejection of another class": () => assertRejects(wrongLater, RangeError),
  "a rejection with other words": () => assertRejects(wrongLater, TypeError, "Right"),
  "failing": () => fail("Because"),
};

Deno.test("assert: passes when it should", async () => {
  for (const [name, run] of Object.entries(PASSING)) {
    const message = await failure(run);
    if (message !== undefined) throw new Error(`${name}: ${message}`);
  }
});

Deno.test("assert: fails when it should, with the words given", async () => {
  for (const [name, run] of Object.entries(FAILING)) {
    if (await failure(run) === undefined) throw new Error(`Passes: ${name}`);
  }
  for (const run of [() => assert(false, "Words"), () => assertEquals(1, 2, "Words")]) {
    const message = await failure(run);
    if (!message?.includes("Words")) throw new Error(`Loses the words: ${message}`);
  }
});

Deno.test("assert: hands the error over, with its type", async () => {
  const thrown: TypeError = assertThrows(wrong, TypeError);
  const rejected: TypeError = await assertRejects(wrongLater, TypeError);
  const unknown: unknown = assertThrows(wrong);
  for (const error of [thrown, rejected, unknown]) {
    if (!(error instanceof TypeError)) throw new Error("Hands over something else");
  }
});
