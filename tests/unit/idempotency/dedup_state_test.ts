// The registry: its notes through bytes, and that the same notes give the same registry.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { answerWords, writeAnswer } from "../../../lib/idempotency/idempotency_records.ts";
import {
  CHECKPOINT,
  DedupState,
  encodeNote,
  IDEMPOTENCY_RECORD,
  PRUNE,
  STREAM,
} from "../../../lib/idempotency/dedup_state.ts";
import { Random } from "../../support/random.ts";

const encoder = new TextEncoder();
const LIMITS = { idempotencyRecordsMax: 20, ageMaxSeconds: 1000, streamsKeptMax: 3 };

type Note = [kind: number, payload: Uint8Array];

/** Applies a note as it lies in the log: from a whole word on, behind others. */
function apply(dedup: DedupState, [kind, payload]: Note): void {
  const words = new Uint32Array(9 + Math.ceil(payload.length / 4)).fill(0xffffffff);
  new Uint8Array(words.buffer).set(payload, 4 * 5);
  dedup.apply(kind, words.subarray(2), 3, payload.length);
}

function answer(key: string, created: number, response = "1"): Note {
  const [bytes, body] = [encoder.encode(key), encoder.encode(response)];
  const words = new Uint32Array(answerWords(bytes.length, body.length));
  writeAnswer(words, 0, created, 0, new Uint32Array(4), bytes, 0, bytes.length, body);
  return [IDEMPOTENCY_RECORD, new Uint8Array(words.buffer)];
}

function find(dedup: DedupState, key: string, now = 0): string | null {
  const bytes = encoder.encode(key);
  const isFound = dedup.records.find(bytes, 0, bytes.length, now);
  return isFound ? new TextDecoder().decode(dedup.records.response) : null;
}

/** All that is in it, as text. */
function told({ records: answers, streams, checkpoints }: DedupState): string {
  const held = [...answers.all()].map(([words, at]) => words.slice(at, at + words[at]).join());
  const open = [...streams.all()].map(({ prints, ...stream }) => {
    return { ...stream, prints: [...prints.subarray(0, 4 * stream.lastChunk)] };
  });
  return JSON.stringify([held, open, checkpoints.all(), checkpoints.lastUpdated]);
}

Deno.test("registry: each kind of note does what it says", () => {
  const dedup = new DedupState(LIMITS);
  apply(dedup, answer("a", 10, "true"));
  apply(dedup, answer("b", 20));
  assertEquals([find(dedup, "a"), find(dedup, "b"), find(dedup, "c")], [
    "true",
    "1",
    null,
  ]);
  apply(dedup, [PRUNE, encodeNote({ before: 20, leave: 0 })]);
  assertEquals([find(dedup, "a"), find(dedup, "b"), dedup.pruned], [null, "1", 1]);
  apply(dedup, [PRUNE, encodeNote({ before: 20, leave: 0 })]);
  assertEquals([dedup.pruned, dedup.records.size], [0, 1]);
  const id = "день ".repeat(100);
  apply(dedup, [STREAM, encodeNote({ kind: "begin", id, mode: "set", granularity: null })]);
  const print = Uint8Array.from({ length: 16 }, (_, n) => 255 - n);
  const chunk = { kind: "chunk", id, tree: "t", staged: null, items: 10_000, print } as const;
  apply(dedup, [STREAM, encodeNote(chunk)]);
  const stream = dedup.streams.find(id)!;
  assertEquals([stream.lastChunk, stream.items, stream.tree, stream.granularity], [
    1,
    10_000,
    "t",
    null,
  ]);
  assert(dedup.streams.isSame(stream, 1, print));
  apply(dedup, [STREAM, encodeNote({ kind: "commit", id, seconds: 1_800_000_000 })]);
  assertEquals(stream.committed, 1_800_000_000);
  const checkpoint = { source: "s", offset: null, event: "", updated: 1_800_000_000 };
  apply(dedup, [CHECKPOINT, encodeNote(checkpoint)]);
  assertEquals(dedup.checkpoints.find("s"), checkpoint);
  dedup.check();
});

Deno.test("registry: a prune takes what was given before a time, and leaves so many in all", () => {
  const table: [before: number, leave: number, pruned: number][] = [
    [0, 0, 0],
    [5, 0, 4],
    [100, 0, 9],
    [100, 6, 3],
    [100, 9, 0],
    [100, 2 ** 40, 0],
    [5, 6, 3],
    [5, 5, 4],
    [5, 1, 4],
    [2 ** 53, 0, 9],
    [1e300, 0, 9],
  ];
  for (const [before, leave, pruned] of table) {
    const dedup = new DedupState(LIMITS);
    for (let n = 1; n < 10; n++) apply(dedup, answer(`${n}`, n));
    apply(dedup, [PRUNE, encodeNote({ before, leave })]);
    const where = `${before} ${leave}`;
    assertEquals([dedup.pruned, dedup.records.size], [pruned, 9 - pruned], where);
    const left = [...dedup.records.all()].map(([words, at]) => words[at + 1]);
    assertEquals(left, [1, 2, 3, 4, 5, 6, 7, 8, 9].slice(pruned), "the oldest go");
    dedup.check();
  }
});

Deno.test("registry: a kind that there is not is our mistake", () => {
  for (const kind of [0, 5]) {
    const note: Note = [kind, encodeNote({ before: 0, leave: 0 })];
    assertThrows(() => apply(new DedupState(LIMITS), note), AssertionFailed);
  }
});

Deno.test("registry: the same notes give the same registry", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  const dedup = new DedupState(LIMITS);
  const notes: Note[] = [];
  const note = (...note: Note) => {
    notes.push(note);
    apply(dedup, note);
    dedup.check();
  };
  for (let step = 0, seconds = 1000; step < 1500; step++) {
    seconds += random.below(100);
    const id = `s${random.below(6)}`;
    const stream = dedup.streams.find(id);
    switch (random.below(6)) {
      case 0:
        note(...answer(`k${random.below(40)}`, seconds, "r".repeat(random.below(300))));
        break;
      case 1:
        if (random.chance(0.2)) {
          note(
            PRUNE,
            encodeNote({ before: seconds - random.below(1000), leave: random.below(20) }),
          );
        }
        break;
      case 2:
        note(
          CHECKPOINT,
          encodeNote({ source: id, offset: `${step}`, event: null, updated: seconds }),
        );
        break;
      default:
        if (stream === null) {
          note(STREAM, encodeNote({ kind: "begin", id, mode: "add", granularity: null }));
        } else if (stream.committed === null) {
          const print = Uint8Array.from({ length: 16 }, () => random.below(256));
          const chunk = { kind: "chunk", id, tree: "t", staged: null, items: step, print } as const;
          const end = random.pick(["commit", "abort"] as const);
          const isLast = random.chance(0.2);
          note(STREAM, encodeNote(isLast ? { kind: end, id, seconds } : chunk));
        }
    }
  }
  const again = new DedupState(LIMITS);
  for (const note of notes) apply(again, note);
  assertEquals(told(again), told(dedup), `seed ${seed}`);
  again.check();
});
