// Answers under idempotency keys: what is found, what goes and when, and long random histories of
// it beside a naive model.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { budget } from "../../support/budget.ts";
import { AssertionFailed } from "../../../lib/assert.ts";
import {
  ANSWER_HEAD_WORDS,
  answerWords,
  EXPIRED_AT_ONCE_MAX,
  IdempotencyRecords,
  isAnswer,
  writeAnswer,
} from "../../../lib/idempotency/idempotency_records.ts";
import { Random } from "../../support/random.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Answer {
  key: string;
  created: number;
  day?: number;
  response?: string;
  /** Every word of the fingerprint. */
  print?: number;
}

function encoded({ key, created, day = 0, response = "1", print = 7 }: Answer) {
  const line = encoder.encode(`xx${key}yy`);
  const body = encoder.encode(response);
  const words = new Uint32Array(answerWords(line.length - 4, body.length)).fill(0xffffffff);
  const prints = new Uint32Array(4).fill(print);
  assertEquals(
    writeAnswer(words, 0, created, day, prints, line, 2, line.length - 2, body),
    words.length,
  );
  return words;
}

function decoded(words: Uint32Array<ArrayBuffer>, at: number): Answer {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + 4 * at, 4 * words[at]);
  const keyBytes = words[at + 7] & 0xffff;
  const from = 4 * answerWords(keyBytes, 0);
  return {
    key: decoder.decode(bytes.subarray(4 * ANSWER_HEAD_WORDS, 4 * ANSWER_HEAD_WORDS + keyBytes)),
    created: words[at + 1],
    day: words[at + 2],
    print: words[at + 3],
    response: decoder.decode(bytes.subarray(from, from + (words[at + 7] >>> 16))),
  };
}

function remember(answers: IdempotencyRecords, answer: Answer): void {
  answers.remember(encoded(answer), 0);
}

/** Answers to a, b, c... created at these times. */
function created(
  recordsMax: number,
  ageMaxSeconds: number,
  ...times: number[]
): IdempotencyRecords {
  const answers = new IdempotencyRecords(recordsMax, ageMaxSeconds);
  times.forEach((time, n) =>
    remember(answers, { key: String.fromCharCode(97 + n), created: time })
  );
  return answers;
}

function find(answers: IdempotencyRecords, key: string, now = 0): boolean {
  const line = encoder.encode(`zz${key}z`);
  return answers.find(line, 2, line.length - 1, now);
}

function keys(answers: IdempotencyRecords): string {
  return [...answers.all()].map(([words, at]) => decoded(words, at).key).join(" ");
}

Deno.test("answers: what was remembered is found whole", () => {
  const ANSWERS: [what: string, answer: Answer][] = [
    ["the usual", { key: "order-1", created: 1700000000, day: 20260101, response: '{"value":1}' }],
    ["a key of one byte", { key: "k", created: 1, response: "12" }],
    ["a key of 256 bytes", { key: "k".repeat(256), created: 1, response: "123" }],
    ["a key beyond ASCII", { key: "ключ 😀", created: 1, response: "1234" }],
    ["the latest times", { key: "k", created: 0xffffffff, day: 0xffffffff, print: 0xffffffff }],
    ["the earliest times", { key: "k", created: 0, day: 0, print: 0 }],
    ["no response", { key: "k", created: 1, response: "" }],
    ["a response of 65535 bytes", { key: "k", created: 1, response: "r".repeat(65535) }],
    ["the largest", { key: "k".repeat(256), created: 1, response: "r".repeat(65535) }],
  ];
  for (const [what, answer] of ANSWERS) {
    const answers = new IdempotencyRecords(10, 0);
    remember(answers, { key: "other", created: 5 });
    remember(answers, answer);
    assert(find(answers, answer.key), what);
    const { created, day = 0, response = "1", print = 7 } = answer;
    assertEquals([answers.created, answers.day], [created, day], what);
    assertEquals(answers.fingerprint, new Uint32Array(4).fill(print), what);
    assertEquals(decoder.decode(answers.response), response, what);
    assert(!find(answers, `${answer.key}k`) && !find(answers, answer.key.slice(1)), what);
    assertEquals(answers.size, 2);
    answers.check();
  }
});

Deno.test("answers: without any, nothing is found, goes or takes memory", () => {
  const answers = new IdempotencyRecords(10, 10);
  assertEquals([find(answers, "a"), answers.size, answers.bytes, keys(answers)], [false, 0, 0, ""]);
  assertEquals(answers.prune(0xffffffff, Infinity), 0);
  answers.check();
});

Deno.test("answers: one that is too old is not found", () => {
  const answers = created(10, 60, 1000);
  for (const [now, isFound] of [[0, true], [1000, true], [1060, true], [1061, false]] as const) {
    assertEquals(find(answers, "a", now), isFound, `at ${now}`);
  }
  assert(find(created(10, 0, 1000), "a", Number.MAX_SAFE_INTEGER), "without a limit none is");
});

Deno.test("answers: what goes when one comes", () => {
  const TABLE: [what: string, answers: IdempotencyRecords, left: string][] = [
    ["all fit", created(3, 0, 1, 2, 3), "a b c"],
    ["one too many", created(3, 0, 1, 2, 3, 4), "b c d"],
    ["only one", created(1, 0, 1, 2, 3), "c"],
    ["the oldest is what came first, not what says so", created(2, 0, 9, 8, 7), "b c"],
    ["just not too old", created(9, 10, 1, 2, 11), "a b c"],
    ["too old", created(9, 10, 1, 2, 12), "b c"],
    ["all others too old", created(9, 10, 1, 2, 99), "c"],
    ["a younger one in front", created(9, 10, 50, 1, 55), "a b c"],
    ["a clock that went back", created(9, 10, 50, 1), "a b"],
    ["both too old and too many", created(2, 10, 1, 20, 21, 22), "c d"],
  ];
  for (const [what, answers, left] of TABLE) {
    assertEquals(keys(answers), left, what);
    assertEquals(answers.size, left.split(" ").length);
    answers.check();
  }
});

Deno.test("answers: the same key again is the newest", () => {
  const answers = created(3, 0, 1, 2, 3);
  remember(answers, { key: "a", created: 4, response: "again" });
  assertEquals([keys(answers), answers.size], ["b c a", 3]);
  assert(find(answers, "a"));
  assertEquals([answers.created, decoder.decode(answers.response)], [4, "again"]);
  remember(answers, { key: "d", created: 5 });
  assertEquals(keys(answers), "c a d");
  answers.check();
  const one = created(1, 0, 1);
  remember(one, { key: "a", created: 2 });
  assertEquals([keys(one), one.size], ["a", 1]);
  one.check();
});

Deno.test("answers: pruning goes through them in order, past those that stay", () => {
  const TABLE: [before: number, limit: number, count: number, left: string][] = [
    [0, Infinity, 0, "a b c d"],
    [10, Infinity, 0, "a b c d"],
    [11, Infinity, 1, "b c d"],
    [21, Infinity, 3, "c"],
    [21, 3, 3, "c"],
    [21, 2, 2, "c d"],
    [21, 1, 1, "b c d"],
    [21, 0, 0, "a b c d"],
    [31, 3, 3, "d"],
    [31, Infinity, 4, ""],
  ];
  for (const [before, limit, count, left] of TABLE) {
    const answers = created(9, 0, 10, 20, 30, 15);
    assertEquals(answers.prune(before, limit), count, `${limit} before ${before}`);
    assertEquals(keys(answers), left, `${limit} before ${before}`);
    for (const key of "abcd") assertEquals(find(answers, key), left.includes(key));
    answers.check();
    remember(answers, { key: "e", created: 1 });
    assertEquals(keys(answers), `${left} e`.trim());
    answers.check();
  }
});

Deno.test("answers: many that are too old go by and by, and are not found meanwhile", () => {
  const answers = new IdempotencyRecords(1e6, 10);
  const count = 2 * EXPIRED_AT_ONCE_MAX + 500;
  for (let n = 0; n < count; n++) remember(answers, { key: `old${n}`, created: 1 });
  for (const left of [count - EXPIRED_AT_ONCE_MAX, count - 2 * EXPIRED_AT_ONCE_MAX, 0]) {
    remember(answers, { key: `new${left}`, created: 100 });
    assert(!find(answers, `old${count - 1}`, 100));
    const old = keys(answers).split(" ").filter((key) => key.startsWith("old"));
    assertEquals(old.length, left);
    answers.check();
  }
});

Deno.test("answers: pages in which none is left are given back, the middle ones too", () => {
  const response = "r".repeat(60_000); // four in a page
  const answers = new IdempotencyRecords(1000, 0);
  for (let n = 0; n < 400; n++) {
    remember(answers, { key: `${n}`, created: n === 0 || n === 399 ? 100 : 1, response });
  }
  assert(answers.bytes > 400 * 60_000);
  assertEquals(answers.prune(100, Infinity), 398);
  assertEquals([keys(answers), answers.size], ["0 399", 2]);
  assert(answers.bytes < 4 * 4 * 65536, `${answers.bytes}`); // two, a spare one, and the index
  answers.check();
  for (let n = 400; n < 800; n++) remember(answers, { key: `${n}`, created: 1, response });
  assert(find(answers, "0") && find(answers, "399") && find(answers, "799"));
  answers.check();
});

Deno.test("answers: a limit keeps memory where it is", () => {
  const answers = new IdempotencyRecords(5000, 0);
  const take = (n: number) => remember(answers, { key: `key-${n}`, created: n });
  for (let n = 0; n < 20_000; n++) take(n);
  const { bytes } = answers;
  for (let n = 20_000; n < 100_000; n++) take(n);
  assert(answers.bytes <= bytes + 65536 * 4, `${bytes}, then ${answers.bytes}`);
  answers.check();
});

Deno.test("answers: what is an answer", () => {
  const words = encoded({ key: "key12", created: 1, response: "12345" });
  const size = ANSWER_HEAD_WORDS + 2 + 2;
  assertEquals([answerWords(5, 5), words.length], [size, size]);
  assertEquals(new Uint8Array(words.buffer, 32), encoder.encode("key12\0\0\x0012345\0\0\0"));
  const TABLE: [what: string, change: (words: Uint32Array) => void, isGood: boolean][] = [
    ["as it is", () => {}, true],
    ["longer", (words) => words[0]++, false],
    ["shorter", (words) => words[0]--, false],
    ["without words", (words) => words[0] = 0, false],
    ["without a key", (words) => words[7] &= ~0xffff, false],
    ["with a longer key", (words) => words[7] += 4, false],
    ["with a key of 257 bytes", (words) => {
      words[7] = 257;
      words[0] = answerWords(257, 0);
    }, false],
    ["with a longer response", (words) => words[7] += 4 << 16, false],
  ];
  for (const [what, change, isGood] of TABLE) {
    const room = new Uint32Array(200);
    room.set(words, 3);
    change(room.subarray(3));
    assertEquals(isAnswer(room, 3, room.length), isGood, what);
    if (isGood) new IdempotencyRecords(1, 0).remember(room, 3);
    else assertThrows(() => new IdempotencyRecords(1, 0).remember(room, 3), AssertionFailed);
  }
  for (let end = 0; end <= size; end++) {
    assertEquals(isAnswer(words, 0, end), end === size, `cut at ${end}`);
    assertEquals(isAnswer(words.slice(0, end), 0, end), end === size, `cut at ${end}`);
  }
});

Deno.test("answers: the same words give the same words again", () => {
  const answers = created(100, 50, 10, 30, 20, 40, 75);
  const again = new IdempotencyRecords(100, 50);
  for (const [words, at] of answers.all()) again.remember(words, at);
  assertEquals([...again.all()], [...answers.all()]);
  again.check();
});

Deno.test("answers: going through them ends, however fast others come", () => {
  const answers = new IdempotencyRecords(1e6, 0);
  const response = "r".repeat(60_000); // four in a page
  for (let n = 0; n < 10; n++) remember(answers, { key: `${n}`, created: n, response });
  const met: string[] = [];
  for (const [words, at] of answers.all()) {
    met.push(decoded(words, at).key);
    assert(met.length < 20, "it ends");
    for (const part of "ab") {
      remember(answers, { key: `${part}${met.length}`, created: 10, response });
    }
  }
  assertEquals(met.slice(0, 10), Array.from({ length: 10 }, (_, n) => `${n}`));
  answers.check();
});

/** Answers as a list, in the simplest way. */
class Model {
  readonly byKey = new Map<string, Answer>();

  constructor(readonly recordsMax: number, readonly ageMaxSeconds: number) {}

  find(key: string, now: number): Answer | undefined {
    const answer = this.byKey.get(key);
    return answer === undefined || this.#isOld(answer, now) ? undefined : answer;
  }

  remember(answer: Answer): void {
    this.byKey.delete(answer.key);
    this.byKey.set(answer.key, answer);
    let expired = 0;
    for (const [key, oldest] of this.byKey) {
      if (!this.#isOld(oldest, answer.created) || expired++ === EXPIRED_AT_ONCE_MAX) break;
      this.byKey.delete(key);
    }
    for (const key of this.byKey.keys()) {
      if (this.byKey.size <= this.recordsMax) break;
      this.byKey.delete(key);
    }
  }

  prune(before: number, limit: number): number {
    const old = [...this.byKey.values()].filter(({ created }) => created < before);
    const gone = old.slice(0, limit);
    for (const { key } of gone) this.byKey.delete(key);
    return gone.length;
  }

  #isOld({ created }: Answer, now: number): boolean {
    return this.ageMaxSeconds > 0 && created < now - this.ageMaxSeconds;
  }
}

/** A way through all answers that goes a little further every now and then. */
class Pass {
  readonly #walk: ReturnType<IdempotencyRecords["all"]>;
  readonly #atStart: Answer[];
  readonly #met = new Map<string, Answer>();

  constructor(answers: IdempotencyRecords, model: Model) {
    this.#walk = answers.all();
    this.#atStart = [...model.byKey.values()];
  }

  /** Goes on for some steps; true at the end, when all that had to be met was. */
  isOver(steps: number, model: Model, serials: Map<number, Answer>, what: string): boolean {
    for (; steps > 0; steps--) {
      const next = this.#walk.next();
      if (next.done) {
        for (const answer of this.#atStart) {
          if (model.byKey.get(answer.key) !== answer) continue;
          assert(this.#met.has(`${answer.print}`), `${what}: ${answer.key} was met`);
        }
        return true;
      }
      const answer = decoded(...next.value);
      assert(!this.#met.has(`${answer.print}`), `${what}: ${answer.key} is met once`);
      assertEquals(answer, serials.get(answer.print!), what);
      this.#met.set(`${answer.print}`, answer);
    }
    return false;
  }
}

interface History {
  recordsMax: number;
  ageMaxSeconds: number;
  keys: number;
  responseMax: number;
  operations: number;
}

function live(seed: number, history: History): void {
  const { recordsMax, ageMaxSeconds, responseMax, operations } = history;
  const random = new Random(seed);
  const answers = new IdempotencyRecords(recordsMax, ageMaxSeconds);
  const model = new Model(recordsMax, ageMaxSeconds);
  const serials = new Map<number, Answer>();
  const key = () => {
    const n = random.below(history.keys);
    return `${n}`.padEnd(1 + n % 50, "k"); // most of them share their ends
  };
  let now = 10_000;
  let pass = new Pass(answers, model);
  for (let n = 0; n < operations; n++) {
    const what = `seed ${seed}, operation ${n}`;
    const choice = random.below(1000);
    if (choice < 600) {
      const length = random.below(
        random.chance(0.5) ? 1 + responseMax : 1 + Math.min(30, responseMax),
      );
      const answer = {
        key: key(),
        created: now,
        day: random.below(2) * 20260101,
        response: "r".repeat(length),
        print: n,
      };
      serials.set(n, answer);
      remember(answers, answer);
      model.remember(answer);
    } else if (choice < 900) {
      const sought = key();
      const found = model.find(sought, now);
      assertEquals(find(answers, sought, now), found !== undefined, what);
      if (found !== undefined) {
        const { created, day, response } = answers;
        const text = decoder.decode(response);
        const print = answers.fingerprint[3];
        assertEquals({ key: sought, created, day, response: text, print }, found, what);
      }
    } else if (choice < 903) {
      const limit = random.chance(0.5) ? Infinity : random.below(100);
      const before = now - random.below(200);
      assertEquals(answers.prune(before, limit), model.prune(before, limit), what);
    } else if (choice < 950) {
      const steps = random.chance(0.5) ? 1 : random.below(2000);
      if (pass.isOver(steps, model, serials, what)) pass = new Pass(answers, model);
    } else {
      const leap = random.chance(0.02) ? 200 : 3;
      now += random.chance(0.2) ? -random.below(leap) : random.below(leap);
    }
    assertEquals(answers.size, model.byKey.size, what);
    if (n % Math.ceil(operations / 40) === 0) answers.check();
  }
  answers.check();
  const left = [...answers.all()].map(([words, at]) => decoded(words, at));
  assertEquals(left.length, model.byKey.size, `seed ${seed}`);
  [...model.byKey.values()].forEach((answer, n) => assertEquals(left[n], answer, `seed ${seed}`));
}

const HISTORIES: [what: string, history: History][] = [
  ["one answer", { recordsMax: 1, ageMaxSeconds: 0, keys: 3, responseMax: 30, operations: 20_000 }],
  ["few keys, again and again", {
    recordsMax: 50,
    ageMaxSeconds: 60,
    keys: 60,
    responseMax: 300,
    operations: budget(10_000, 80_000),
  }],
  ["long answers, many pages", {
    recordsMax: 60,
    ageMaxSeconds: 300,
    keys: 10_000,
    responseMax: 65_535,
    operations: budget(4_000, 15_000),
  }],
  ["a limit of age", {
    recordsMax: 1e6,
    ageMaxSeconds: 100,
    keys: 3000,
    responseMax: 100,
    operations: budget(10_000, 80_000),
  }],
  ["many answers, full tables", {
    recordsMax: budget(8_000, 30_000),
    ageMaxSeconds: 5000,
    keys: budget(16_000, 60_000),
    responseMax: 200,
    operations: budget(40_000, 150_000),
  }],
];

HISTORIES.forEach(([what, history], index) => {
  Deno.test(`answers: a random history beside a model: ${what}`, () => live(40 + index, history));
});

/** The usual answer: a key of 36 bytes, a short response. */
function usual(words: Uint32Array, line: Uint8Array, n: number): void {
  encoder.encodeInto(`${n}`.padStart(8, "0"), line);
  const response = ANY_RESPONSE.subarray(0, 1 + n % 30);
  writeAnswer(words, 0, 1_700_000_000 + n, 0, ANY_PRINT, line, 0, 36, response);
}
const ANY_RESPONSE = new Uint8Array(30).fill(49);
const ANY_PRINT = new Uint32Array(4);

Deno.test("answers: a hundred thousand take less than 100 bytes each", () => {
  const answers = new IdempotencyRecords(1e6, 0);
  const words = new Uint32Array(answerWords(36, 30));
  const line = encoder.encode("00000000-0000-4000-8000-000000000000");
  for (let n = 0; n < 100_000; n++) {
    usual(words, line, n);
    answers.remember(words, 0);
  }
  assertEquals(answers.size, 100_000);
  assert(answers.bytes < 100 * 100_000, `${answers.bytes / 100_000} bytes each`);
  answers.check();
});
