// Answers by their bytes: how many are kept, whatever their sizes, and that their memory is counted.

import { assert, assertEquals } from "@std/assert";
import { Budget } from "../../../lib/bytes/budget.ts";
import {
  answerWords,
  IdempotencyRecords,
  writeAnswer,
} from "../../../lib/idempotency/idempotency_records.ts";
import { Random } from "../../support/random.ts";

const encoder = new TextEncoder();
const PRINT = new Uint32Array(4);

function remember(answers: IdempotencyRecords, key: string, responseBytes: number): number {
  const bytes = encoder.encode(key);
  const words = new Uint32Array(answerWords(bytes.length, responseBytes));
  const response = new Uint8Array(responseBytes).fill(120);
  writeAnswer(words, 0, 1, 0, PRINT, bytes, 0, bytes.length, response);
  answers.remember(words, 0);
  return 4 * words.length;
}

function has(answers: IdempotencyRecords, key: string): boolean {
  const bytes = encoder.encode(key);
  return answers.find(bytes, 0, bytes.length, 1);
}

Deno.test("answers: the oldest go when there are too many bytes, against a naive model", () => {
  const seed = Number(Deno.env.get("KARMA_SEED") ?? Math.floor(Math.random() * 2 ** 32));
  const random = new Random(seed);
  const bytesMax = 200_000;
  const budget = new Budget();
  const answers = new IdempotencyRecords(1_000_000, 0, bytesMax, budget);
  let model: [key: string, bytes: number][] = [];
  for (let step = 0; step < 3000; step++) {
    const key = `key ${random.below(2000)}`;
    const size = random.below(4) === 0 ? random.below(12_000) : random.below(40);
    model = model.filter(([other]) => other !== key);
    model.push([key, remember(answers, key, size)]);
    while (model.reduce((sum, [, bytes]) => sum + bytes, 0) > bytesMax) model.shift();
    if (step % 100 === 0) answers.check();
  }
  answers.check();
  assertEquals(answers.size, model.length, `seed ${seed}`);
  for (const [key] of model) assert(has(answers, key), `seed ${seed}, ${key}`);
  assertEquals(budget.held, answers.bytes);
  // Replay gets the same from the same answers, however they lie in pages.
  const again = new IdempotencyRecords(1_000_000, 0, bytesMax);
  for (const [words, at] of answers.all()) again.remember(words, at);
  assertEquals(again.size, answers.size);
  answers.prune(2, Infinity);
  assertEquals(answers.size, 0);
  assertEquals(budget.held, answers.bytes, "what is kept for the next ones counts, too");
});

Deno.test("answers: one that is larger than all may be is kept until the next", () => {
  const answers = new IdempotencyRecords(10, 0, 100);
  remember(answers, "large", 5000);
  assert(has(answers, "large"));
  remember(answers, "small", 1);
  assert(!has(answers, "large") && has(answers, "small"));
  answers.check();
});

Deno.test("answers: without memory for another page there is no room, unless the oldest go", () => {
  const budget = new Budget(3 << 20);
  const answers = new IdempotencyRecords(1_000_000, 0, 1 << 30, budget);
  let count = 0;
  for (; answers.hasRoom(1000); count++) remember(answers, `key ${count}`, 3000);
  assert(count > 500, `${count}`);
  assert(budget.held <= budget.max);
  const bounded = new IdempotencyRecords(1_000_000, 0, 1 << 20, new Budget(2 << 20));
  for (let n = 0; n < 2000; n++) {
    assert(bounded.hasRoom(1000), `${n}`);
    remember(bounded, `key ${n}`, 3000);
  }
  bounded.check();
});
