// Ingest streams: what changes make of them, which are remembered, and random histories of them
// beside a naive model.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import {
  PRINT_WORDS,
  type Stream,
  type StreamChange,
  Streams,
} from "../../../lib/idempotency/streams.ts";
import { Random } from "../../support/random.ts";

/** A fingerprint of 32 bytes, of which the first half counts. */
function print(number: number): Uint8Array {
  const words = new Uint32Array(8).fill(number);
  return new Uint8Array(words.buffer);
}

function begin(streams: Streams, id: string, mode: Stream["mode"] = "add"): void {
  streams.apply({ kind: "begin", id, mode, granularity: null });
}

function chunk(
  streams: Streams,
  id: string,
  number: number,
  rest: Partial<StreamChange> = {},
): void {
  const change = { kind: "chunk", id, tree: "t", staged: null, items: 1, print: print(number) };
  streams.apply({ ...change, ...rest } as StreamChange);
}

function commit(streams: Streams, id: string, seconds = 1000): void {
  streams.apply({ kind: "commit", id, seconds });
}

function ids(streams: Streams): string {
  return [...streams.all()].map(({ id }) => id).join(" ");
}

Deno.test("streams: one from its beginning to its end", () => {
  const streams = new Streams(10, 0);
  assertEquals([streams.find("s"), streams.openCount, streams.committedCount], [null, 0, 0]);
  streams.apply({ kind: "begin", id: "s", mode: "replace_series", granularity: "day" });
  const stream = streams.find("s")!;
  const { prints: _, ...begun } = stream;
  assertEquals(begun, {
    id: "s",
    mode: "replace_series",
    granularity: "day",
    tree: null,
    staged: null,
    lastChunk: 0,
    items: 0,
    committed: null,
  });
  for (let number = 1; number <= 9; number++) {
    chunk(streams, "s", number, { staged: "h", items: 10 });
    assertEquals([stream.lastChunk, stream.items, streams.stagedItems], [
      number,
      10 * number,
      10 * number,
    ]);
    for (let other = 0; other <= 10; other++) {
      for (let sequence = 1; sequence <= number; sequence++) {
        assertEquals(streams.isSame(stream, sequence, print(other)), other === sequence);
      }
    }
  }
  assertEquals([stream.tree, stream.staged], ["t", "h"]);
  assertEquals([streams.openCount, streams.committedCount], [1, 0]);
  streams.check();
  commit(streams, "s", 1234);
  assert(streams.find("s") === stream);
  assertEquals([stream.committed, stream.staged, stream.tree], [1234, null, "t"]);
  assertEquals([streams.openCount, streams.committedCount, streams.stagedItems], [0, 1, 0]);
  assert(streams.isSame(stream, 9, print(9)));
  streams.check();
});

Deno.test("streams: of a fingerprint the first half counts", () => {
  const streams = new Streams(10, 0);
  begin(streams, "s");
  chunk(streams, "s", 1);
  const stream = streams.find("s")!;
  for (let at = 0; at < 32; at++) {
    const other = print(1);
    other[at] ^= 0x80;
    assertEquals(streams.isSame(stream, 1, other), at >= 4 * PRINT_WORDS, `byte ${at}`);
  }
  // Also where it doesn't begin at a whole word of its array.
  const shifted = new Uint8Array(40);
  shifted.set(print(2), 3);
  streams.apply({
    kind: "chunk",
    id: "s",
    tree: "t",
    staged: null,
    items: 1,
    print: shifted.subarray(3, 35),
  });
  assert(streams.isSame(stream, 2, print(2)));
  assert(streams.isSame(stream, 2, shifted.subarray(3, 35)));
});

Deno.test("streams: one that is aborted is gone, and its id free", () => {
  const streams = new Streams(10, 0);
  begin(streams, "s", "replace_series");
  chunk(streams, "s", 1, { staged: "h", items: 5 });
  streams.apply({ kind: "abort", id: "s" });
  assertEquals([streams.find("s"), streams.openCount, streams.stagedItems], [null, 0, 0]);
  begin(streams, "s");
  assertEquals([streams.find("s")?.mode, streams.find("s")?.lastChunk], ["add", 0]);
  streams.check();
});

Deno.test("streams: only items of open streams that stage are staged", () => {
  const streams = new Streams(10, 0);
  for (
    const [id, mode] of [["a", "add"], ["r", "replace_series"], ["q", "replace_series"]] as const
  ) {
    begin(streams, id, mode);
    chunk(streams, id, 1, { staged: mode === "add" ? null : `h-${id}`, items: 7 });
  }
  assertEquals(streams.stagedItems, 14);
  commit(streams, "r");
  assertEquals(streams.stagedItems, 7);
});

Deno.test("streams: the latest of the committed are remembered", () => {
  const table: [keptMax: number, ageMaxSeconds: number, times: number[], left: string][] = [
    [3, 0, [1, 2, 3], "a b c"],
    [3, 0, [1, 2, 3, 4], "b c d"],
    [1, 0, [1, 1, 1], "c"],
    [0, 0, [1, 2], ""],
    [9, 60, [1000, 1060], "a b"],
    [9, 60, [1000, 1061], "b"],
    [9, 60, [1000, 1001, 1062], "c"],
    [9, 0, [0, 0xffffffff], "a b"],
    [2, 60, [1000, 1001, 1002], "b c"],
    [9, 60, [1000, 5, 1050], "a b c"], // the clock went back; none in front of it is too old
  ];
  for (const [keptMax, ageMaxSeconds, times, left] of table) {
    const streams = new Streams(keptMax, ageMaxSeconds);
    times.forEach((seconds, n) => {
      const id = String.fromCharCode(97 + n);
      begin(streams, id);
      commit(streams, id, seconds);
      streams.check();
    });
    assertEquals(ids(streams), left, `${keptMax}, ${ageMaxSeconds}: ${times}`);
  }
});

Deno.test("streams: open ones are never forgotten", () => {
  const streams = new Streams(1, 1);
  for (let n = 0; n < 50; n++) begin(streams, `open ${n}`);
  for (let n = 0; n < 5; n++) {
    begin(streams, `${n}`);
    commit(streams, `${n}`, 1000 * n);
  }
  assertEquals([streams.openCount, streams.committedCount], [50, 1]);
});

Deno.test("streams: what was not checked is our mistake", () => {
  const streams = new Streams(10, 0);
  begin(streams, "open");
  begin(streams, "done");
  commit(streams, "done");
  const wrong: (() => void)[] = [
    () => begin(streams, "open"),
    () => begin(streams, "done"),
    () => chunk(streams, "none", 1),
    () => chunk(streams, "done", 1),
    () => commit(streams, "none"),
    () => commit(streams, "done"),
    () => streams.apply({ kind: "abort", id: "done" }),
    () => streams.apply({ kind: "abort", id: "none" }),
  ];
  for (const mistake of wrong) assertThrows(mistake, AssertionFailed);
  assertEquals(ids(streams), "done open");
  streams.check();
});

interface Model {
  id: string;
  mode: string;
  prints: number[];
  items: number;
  committed: number | null;
}

Deno.test("streams: a random history, and what is taken from it goes on likewise", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  let streams = new Streams(4, 100);
  let models: Model[] = []; // committed ones in their order, then open ones in theirs
  for (let step = 0, seconds = 1000; step < 3000; step++) {
    const id = `s${random.below(12)}`;
    const model = models.find((other) => other.id === id);
    seconds += random.below(20);
    if (model === undefined) {
      const mode = random.pick(["add", "set", "replace_series"] as const);
      begin(streams, id, mode);
      models.push({ id, mode, prints: [], items: 0, committed: null });
    } else if (model.committed === null) {
      const choice = random.below(10);
      if (choice === 0) {
        streams.apply({ kind: "abort", id });
        models = models.filter((other) => other !== model);
      } else if (choice === 1) {
        commit(streams, id, seconds);
        models = models.filter((other) => other !== model);
        model.committed = seconds;
        const old = models.filter(({ committed }) => committed !== null);
        const open = models.filter(({ committed }) => committed === null);
        const kept = [...old, model].filter(({ committed }) => seconds - committed! <= 100);
        models = [...kept.slice(-4), ...open];
      } else {
        const number = random.below(1 << 30);
        const staged = model.mode === "replace_series" ? `hidden ${id}` : null;
        const items = random.below(100);
        chunk(streams, id, number, { staged, items });
        model.prints.push(number);
        model.items += items;
      }
    }
    if (random.chance(0.02)) { // as a dump does
      const other = new Streams(4, 100);
      for (const stream of streams.all()) other.take({ ...stream, prints: stream.prints.slice() });
      streams = other;
    }
    assertEquals(ids(streams), models.map(({ id }) => id).join(" "), `seed ${seed}, step ${step}`);
    for (const { id, prints, items, committed } of models) {
      const stream = streams.find(id)!;
      assertEquals([stream.lastChunk, stream.items, stream.committed], [
        prints.length,
        items,
        committed,
      ]);
      prints.forEach((number, index) => assert(streams.isSame(stream, index + 1, print(number))));
    }
    streams.check();
  }
});
