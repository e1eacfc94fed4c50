// Batch reading: in order, in one go while that is short, and giving way when it is not.

import { assert, assertEquals } from "@std/assert";
import { Reply } from "../../../lib/command/reply.ts";
import { readBatch } from "../../../lib/command/batch_reading.ts";

/** Keeps the processor busy. */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

Deno.test("batch reading: what is short is read at once, in order", () => {
  for (const count of [0, 1, 31, 32, 33]) {
    const reply = new Reply();
    const read: number[] = [];
    let ended = 0;
    readBatch(reply, count, 32, (index) => read.push(index) > 0, () => ended++);
    assertEquals(reply.pending, null);
    assertEquals(read, Array.from({ length: count }, (_, index) => index));
    assertEquals(ended, 1);
  }
});

Deno.test("batch reading: what is long gives way, and is complete in the end", async () => {
  const reply = new Reply();
  const read: number[] = [];
  let ended = 0;
  const one = (index: number) => {
    work(0.1);
    return read.push(index) > 0;
  };
  readBatch(reply, 500, 7, one, () => ended++);
  assert(reply.pending !== null && read.length < 500 && ended === 0, `${read.length} at once`);
  let turns = 0;
  reply.pending.then(() => turns = -turns);
  while (turns >= 0) {
    const before = read.length;
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (turns < 0) break;
    turns++;
    assert(read.length - before < 500, "others had turns in between");
  }
  assertEquals(read, Array.from({ length: 500 }, (_, index) => index));
  assertEquals(ended, 1);
});

Deno.test("batch reading: it ends where there is nothing more to do", async () => {
  for (const last of [3, 200]) {
    const reply = new Reply();
    let ended = 0;
    let read = 0;
    const one = (index: number) => {
      work(0.1);
      read++;
      return index < last;
    };
    readBatch(reply, 500, 7, one, () => ended++);
    await reply.pending;
    assertEquals([read, ended], [last + 1, 0]);
  }
});
