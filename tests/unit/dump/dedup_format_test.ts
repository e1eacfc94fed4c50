// The registry's dump as bytes: what is written is read back, and nothing else is read at all.

import { decode, encode } from "@std/msgpack";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { framed, nextPayload } from "../../../lib/dump/frame.ts";
import {
  type DedupHead,
  readDedup,
  readDedupHead,
  writeDedup,
} from "../../../lib/dump/dedup_format.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { ReadWindow } from "../../../lib/host/read_window.ts";
import { answerWords, writeAnswer } from "../../../lib/idempotency/idempotency_records.ts";
import { DedupState } from "../../../lib/idempotency/dedup_state.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const FILE = "/dumps/registry";
const HEAD: DedupHead = { log: "00000000000000aa", lsn: 2 ** 40 + 7, seconds: 1_800_000_000 };
const LIMITS = { idempotencyRecordsMax: 10_000, ageMaxSeconds: 0, streamsKeptMax: 10 };
const encoder = new TextEncoder();

function remember(registry: DedupState, key: string, response = "1", created = 1000): void {
  const [bytes, body] = [encoder.encode(key), encoder.encode(response)];
  const words = new Uint32Array(answerWords(bytes.length, body.length));
  const print = new Uint32Array(4).fill(created);
  writeAnswer(words, 0, created, 20260101, print, bytes, 0, bytes.length, body);
  registry.records.remember(words, 0);
}

/** A registry with some of everything. */
function inhabited(answers = 5): DedupState {
  const registry = new DedupState(LIMITS);
  for (let n = 0; n < answers; n++) remember(registry, `key ${n}`, `"${n}"`, n);
  const { streams, checkpoints } = registry;
  const print = Uint8Array.from({ length: 16 }, (_, n) => 251 - n);
  streams.apply({ kind: "begin", id: "done", mode: "add", granularity: null });
  streams.apply({ kind: "chunk", id: "done", tree: "t", staged: null, items: 3, print });
  streams.apply({ kind: "commit", id: "done", seconds: 1_799_999_999 });
  streams.apply({ kind: "begin", id: "день", mode: "replace_series", granularity: "day" });
  for (let n = 0; n < 9; n++) {
    const change = {
      kind: "chunk",
      id: "день",
      tree: "u",
      staged: "\0staged-1",
      items: n,
    } as const;
    streams.apply({ ...change, print: print.map((byte) => byte ^ n) });
  }
  streams.apply({ kind: "begin", id: "new", mode: "set", granularity: null });
  checkpoints.put({ source: "b", offset: "41", event: null, updated: 1000 });
  checkpoints.put({ source: "a", offset: null, event: "", updated: 2000 });
  return registry;
}

/** All that is in a registry, in its order. */
function told({ records: answers, streams, checkpoints }: DedupState): unknown {
  return {
    answers: [...answers.all()].map(([words, at]) => words.slice(at, at + words[at])),
    streams: [...streams.all()].map(({ prints, lastChunk, ...stream }) => {
      return { ...stream, lastChunk, prints: prints.slice(0, 4 * lastChunk) };
    }),
    checkpoints: checkpoints.all(),
    lastUpdated: checkpoints.lastUpdated,
  };
}

/** What `writeRegistry` makes of a registry, and what it tells of that. */
async function written(registry: DedupState, pause = () => Promise.resolve()) {
  const disk = new MemoryDisk("/dumps");
  const file = await disk.create(FILE);
  const counts = await writeDedup(registry, HEAD, file, pause);
  file.close();
  return { bytes: disk.bytesOf(FILE), counts };
}

/** Reads a file into a registry. */
async function read(bytes: Bytes, registry = new DedupState(LIMITS)) {
  const disk = new MemoryDisk("/dumps");
  disk.put(FILE, bytes);
  const reading = (await disk.open(FILE))!;
  const window = new ReadWindow(reading);
  const head = await readDedupHead(window);
  const counts = await readDedup(window, registry);
  reading.close();
  registry.check();
  return { head, counts, registry };
}

/** The maps in a file, one of each frame. */
async function mapsIn(bytes: Bytes): Promise<Record<string, unknown>[]> {
  const disk = new MemoryDisk("/dumps");
  disk.put(FILE, bytes);
  const window = new ReadWindow((await disk.open(FILE))!);
  const maps: Record<string, unknown>[] = [];
  for (let payload; (payload = await nextPayload(window)) !== null;) {
    maps.push(decode(payload.slice()) as Record<string, unknown>);
  }
  return maps;
}

function fileOf(maps: readonly Record<string, unknown>[]): Bytes {
  return Uint8Array.from(maps.flatMap((map) => [...framed(encode(map as never))]));
}

Deno.test("registry format: what is written is read back, empty or full", async () => {
  for (const registry of [new DedupState(LIMITS), inhabited(0), inhabited()]) {
    const { bytes, counts } = await written(registry);
    const again = await read(bytes);
    assertEquals(again.head, HEAD);
    assertEquals(told(again.registry), told(registry));
    assertEquals({ ...again.counts, bytes: bytes.length }, counts);
    const committed = registry.streams.committedCount;
    const streams = registry.streams.openCount + committed;
    const { records: answers, checkpoints } = registry;
    assertEquals(again.counts, {
      answers: answers.size,
      streams,
      committed,
      checkpoints: checkpoints.count,
    });
    // And what was read goes on as what was written would.
    for (const { streams } of [registry, again.registry]) {
      if (streams.find("день") === null) continue;
      const change = {
        kind: "chunk",
        id: "день",
        tree: "u",
        staged: "\0staged-1",
        items: 1,
      } as const;
      for (let n = 0; n < 20; n++) streams.apply({ ...change, print: new Uint8Array(16).fill(n) });
    }
    assertEquals(told(again.registry), told(registry));
  }
});

Deno.test("registry format: answers of all sizes, in frames that are not too large", async () => {
  const registry = new DedupState(LIMITS);
  for (let n = 0; n < 3000; n++) remember(registry, `key ${n}`, "r".repeat(n % 200));
  for (const size of [65_535, 65_000, 1]) {
    remember(registry, "k".repeat(256 - size % 7), "r".repeat(size));
  }
  let pauses = 0;
  const { bytes, counts } = await written(registry, () => {
    pauses++;
    return Promise.resolve();
  });
  assertEquals([counts.answers, counts.bytes], [registry.records.size, bytes.length]);
  const frames = (await mapsIn(bytes)).flatMap(({ answers }) => {
    return answers instanceof Uint8Array ? [answers.length] : [];
  });
  assert(frames.length > 5 && pauses >= frames.length - 3, `${frames}; ${pauses}`);
  // Of a frame's 64 KiB only an answer with the longest key and response takes more.
  assert(frames.every((length) => length > 0 && length <= 65_536 + 512), `${frames}`);
  assertEquals(told((await read(bytes)).registry), told(registry));
});

Deno.test("registry format: answers beyond those that may be kept are the oldest", async () => {
  const { bytes } = await written(inhabited(50));
  const few = new DedupState({ ...LIMITS, idempotencyRecordsMax: 7 });
  const { counts } = await read(bytes, few);
  assertEquals([counts.answers, few.records.size], [50, 7]);
  const bytesOf = (n: number) => encoder.encode(`key ${n}`);
  assert(few.records.find(bytesOf(43), 0, 6, 0));
  assert(!few.records.find(bytesOf(42), 0, 6, 0));
});

Deno.test("registry format: every byte that is changed is found out, and every cut", async () => {
  const { bytes } = await written(inhabited());
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [1, 0x80, 0xff]) {
      const changed = bytes.slice();
      changed[at] ^= mask;
      await assertRejects(() => read(changed), DamagedError, undefined, `byte ${at} ^ ${mask}`);
    }
  }
  for (let length = 0; length < bytes.length; length++) {
    await assertRejects(() => read(bytes.slice(0, length)), DamagedError, undefined, `${length}`);
  }
  for (const more of [Uint8Array.of(0), framed(encode({})), bytes]) {
    const longer = Uint8Array.from([...bytes, ...more]);
    await assertRejects(() => read(longer), DamagedError, "something follows its end");
  }
});

Deno.test("registry format: frames that are whole and in the wrong place", async () => {
  const maps = await mapsIn((await written(inhabited())).bytes);
  const [head, ...rest] = maps;
  const end = rest.at(-1)!;
  const without = (name: string) => maps.filter((map) => map[name] === undefined || map === end);
  const answers = maps.find(({ answers }) => answers instanceof Uint8Array)!;
  const cut = (answers.answers as Uint8Array).slice(0, -4);
  const table: [what: string, maps: Record<string, unknown>[], sentence: string][] = [
    ["nothing", [], "its end is missing"],
    ["no head", rest, "it does not begin as a registry does"],
    ["another format", [{ ...head, format: "karma-dump" }, ...rest], "it does not begin"],
    [
      "another version",
      [{ ...head, version: 2 }, ...rest],
      "it has version 2; this Karma reads version 1",
    ],
    ["no log", [{ ...head, log: 5 }, ...rest], "its head is incomplete"],
    ["no LSN", [{ ...head, lsn: 5 }, ...rest], "its head is incomplete"],
    ["no time", [{ ...head, seconds: null }, ...rest], "its head is incomplete"],
    ["no end", maps.slice(0, -1), "its end is missing"],
    ["a head alone", [head], "its end is missing"],
    ["no streams", without("stream"), "it should hold 3 streams and holds 0"],
    ["no checkpoints", without("checkpoint"), "it should hold 2 checkpoints and holds 0"],
    ["no answers", maps.filter((map) => map !== answers), "it should hold 5 answers and holds 0"],
    ["answers twice", [head, answers, ...rest], "it should hold 5 answers and holds 10"],
    ["half an answer", [head, { answers: cut }, ...rest], "an answer makes no sense"],
    ["zeros", [head, { answers: new Uint8Array(64) }, ...rest], "an answer makes no sense"],
  ];
  for (const [what, maps, sentence] of table) {
    const error = await assertRejects(() => read(fileOf(maps)), DamagedError, undefined, what);
    assertStringIncludes(error.message, sentence, what);
  }
  assertEquals(told((await read(fileOf(maps))).registry), told(inhabited()), "the table's own way");
});

Deno.test("registry format: streams and checkpoints are as they were when it began", async () => {
  const registry = inhabited(2000);
  const before = told(registry) as { streams: unknown; checkpoints: unknown };
  let pauses = 0;
  const { bytes } = await written(registry, () => {
    const { streams, checkpoints } = registry;
    if (pauses++ > 0) return Promise.resolve();
    const change = {
      kind: "chunk",
      id: "день",
      tree: "u",
      staged: "\0staged-1",
      items: 1,
    } as const;
    for (let n = 0; n < 30; n++) streams.apply({ ...change, print: new Uint8Array(16).fill(n) });
    streams.apply({ kind: "commit", id: "день", seconds: 5 });
    streams.apply({ kind: "abort", id: "new" });
    streams.apply({ kind: "begin", id: "newer", mode: "add", granularity: null });
    checkpoints.put({ source: "a", offset: "9", event: null, updated: 3000 });
    checkpoints.put({ source: "c", offset: "9", event: null, updated: 3000 });
    return Promise.resolve();
  });
  assert(pauses > 0);
  const after = told((await read(bytes)).registry) as { streams: unknown; checkpoints: unknown };
  assertEquals([after.streams, after.checkpoints], [before.streams, before.checkpoints]);
});
