// Every byte of a data directory changed, one at a time, and every file cut at every length: Karma
// finds it, or it does not matter.
//
// Invariant: a start on a damaged directory ends in one of three ways: it refuses and names a file;
// it has exactly the state that there was; or it says what it cut from the log's end, and has a state
// that there was before. Never another number, never another error.
//
// Trade-off: in process, on a disk in memory, to be fast. The default run takes every eleventh byte;
// KARMA_FLIPS=all takes all of them, each with every bit and all bits.

import { lineOf } from "../../lib/bytes/line.ts";
import { assert, assertEquals } from "@std/assert";
import { SendBuffer } from "../../lib/bytes/send_buffer.ts";
import { Reply } from "../../lib/command/reply.ts";
import { Request } from "../../lib/command/request.ts";
import { codecOf, writeWhole } from "../support/codec.ts";
import { DamagedError } from "../../lib/errors.ts";
import { Cells } from "../../lib/tree/cells.ts";
import { Walk } from "../../lib/tree/walk.ts";
import { MARK_FILE } from "../../lib/wal/mark.ts";
import { registryOf } from "../simulation/registry_model.ts";
import { LocalKarma } from "../support/local_karma.ts";
import type { MemoryDisk } from "../support/memory_disk.ts";

const DIRECTORY = "/dumps";
const IS_LONG = Deno.env.get("KARMA_FLIPS") === "all";
const STEP = IS_LONG ? 1 : 11;
const FLIPS = IS_LONG ? [1, 2, 4, 8, 16, 32, 64, 128, 255] : [1, 255];

/** Of the space that is reserved, all zeros, so much is looked at. */
const SPACE_BYTES = IS_LONG ? 1024 : 64;

/** Everything in a forest and a registry, as text. */
function stateOf({ forest, dedup }: LocalKarma): string {
  const kept = Object.values(registryOf(dedup)).flatMap((map) => [...map]);
  const lines = kept.map((each) => JSON.stringify(each));
  const cells = new Cells();
  for (const tree of forest.trees()) {
    const walk = new Walk(tree);
    for (let branch = walk.next(); branch !== null; branch = walk.next()) {
      const keys = walk.keys(branch);
      for (let at = 0; at < keys.length; at += 2) {
        cells.clear();
        tree.collect(keys[at], keys[at + 1], 0, 0xffffffff, cells);
        const days = cells.words.subarray(0, 3 * cells.count);
        lines.push(`${tree.name} ${keys[at]} ${keys[at + 1]} ${days}`);
      }
    }
    lines.push(`${tree.name} is a tree`);
  }
  return lines.join("\n");
}

/** A directory with some of everything, as a killed process leaves it, and the states on the way. */
async function history(): Promise<{ disk: MemoryDisk; states: string[] }> {
  const karma = await LocalKarma.start(undefined, { segmentBytes: 700, policy: "always" });
  const client = karma.connect();
  const states: string[] = [];
  const ask = async (request: Record<string, unknown>) => {
    const reply = await client.ask(request);
    assert(reply.startsWith('{"success":true'), reply);
    states.push(stateOf(karma));
  };
  const increments = async (tree_name: string, ...keys: number[]) => {
    for (const key of keys) await ask({ command: "increment", tree_name, key });
  };
  const askV2 = async (op: string, fields: Record<string, unknown>) => {
    await executeV2(karma, JSON.stringify({ v: 2, op, ...fields }));
    states.push(stateOf(karma));
  };
  const consume = () => {
    const windows = ["minute", { hours: 5, from: "first_use" }].map((window) => ({
      max: 9,
      window,
    }));
    const limits = [...windows, { window: { refill: 3, per_seconds: 7, burst: 9 } }];
    return askV2("limit.consume", {
      key: 7,
      limits: limits.map((one) => ({ series: "b", ...one })),
    });
  };
  await increments("a", 1, 2, 3, 1, 1);
  await increments("gone", 5);
  const items = [[1, 20261122, 5], [2 ** 40, 20261121, 7]];
  await askV2("series.batch_add", { series: "a", items, idempotency_key: "one" });
  for (const stream_id of ["s", "t"]) {
    await askV2("ingest.begin", { stream_id, mode: "replace_series" });
    await askV2("ingest.chunk", { stream_id, series: "c", chunk_seq: 1, items });
  }
  await consume();
  await askV2("recovery.checkpoint", { source: "events", offset: "12" });
  await ask({ command: "dump", tree_name: "a" });
  karma.today++;
  await increments("a", 1, 4, 2);
  await ask({ command: "decrement", tree_name: "a", key: 4 });
  await ask({ command: "reset", tree_name: "a", key: 2 });
  await ask({ command: "drop", tree_name: "gone" });
  assertEquals(await karma.checkpointer.dumpAll("a test"), 0);
  karma.now += 5000;
  await askV2("counter.increment", { series: "a", key: 9, value: 3, idempotency_key: "two" });
  await consume();
  await askV2("ingest.commit", { stream_id: "s" });
  await increments("b", 7, 8);
  const [file] = JSON.parse(await client.ask({ command: "dumps" })).response;
  await ask({ command: "load", tree_name: file });
  await increments("a", 1, 9, 9);
  await ask({ command: "delete", tree_name: "b", time_from: 0, time_to: karma.today });
  await ask({ command: "dump", tree_name: "b" });
  await increments("b", 7);
  await askV2("ingest.chunk", { stream_id: "t", series: "c", chunk_seq: 2, items });
  await askV2("counter.batch_reset", { series: "a", keys: [1, 2], idempotency_key: "three" });
  await increments("a", 2, 3);
  await client.end();
  await LocalKarma.timersDone();
  karma.disk.kill();
  return { disk: karma.disk, states };
}

/** Carries out a request in protocol v2, which must succeed. */
async function executeV2({ engine }: LocalKarma, line: string): Promise<void> {
  const [request, reply, out] = [new Request(), new Reply(), new SendBuffer(256)];
  const codec = codecOf({ itemsMax: 100 });
  const bytes = new TextEncoder().encode(line);
  engine.beginTurn();
  if (codec.decode(lineOf(bytes), "v2", request, reply)) {
    engine.execute(request, reply);
    await reply.pending;
  }
  writeWhole(codec, request, reply, out);
  const answer = new TextDecoder().decode(out.view(0));
  assert(answer.startsWith('{"protocol_version":2,"success":true'), `${line}: ${answer}`);
  await engine.settled();
}

/** Starts on a disk: what there is, or why not. */
async function startOn(disk: MemoryDisk): Promise<{ state: string; told: string } | DamagedError> {
  const karma = new LocalKarma(disk);
  try {
    await karma.start();
  } catch (error) {
    if (error instanceof DamagedError) return error;
    throw error;
  }
  const result = { state: stateOf(karma), told: karma.log.join("\n") };
  await karma.wal.close();
  return result;
}

const outcomes = { refused: 0, harmless: 0, cut: 0 };

async function isTold(disk: MemoryDisk, file: string, states: string[], what: string) {
  const result = await startOn(disk);
  if (result instanceof DamagedError) {
    assert(/\.(wal|tree|registry)/.test(result.message), `${what}: ${result.message}`);
    outcomes.refused++;
  } else if (result.state === states.at(-1)) {
    outcomes.harmless++;
  } else {
    assert(result.told.includes("unfinished"), `${what}: a wrong state, told as "${result.told}"`);
    assert(result.told.includes(file), `${what}: ${result.told}`);
    assert(states.includes(result.state), `${what}: a state that never was`);
    outcomes.cut++;
  }
}

/** The bytes of a file without most of the zeros at its end. */
function usedBytes(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return Math.min(bytes.length, end + SPACE_BYTES);
}

Deno.test("damage: a file that is missing is found, or does not matter", async (t) => {
  const { disk, states } = await history();
  const files = (await disk.list(DIRECTORY)).sort();
  const segments = files.filter((file) => file.endsWith(".wal"));
  assert(files.includes(MARK_FILE) && segments.length > 1);
  for (const file of files) {
    await t.step(file, async () => {
      const without = disk.clone();
      without.removeNow(`${DIRECTORY}/${file}`);
      const result = await startOn(without);
      if (segments.includes(file)) assert(result instanceof DamagedError, "it is not noticed");
      if (!(result instanceof DamagedError)) assertEquals(result.state, states.at(-1));
    });
  }
  await t.step("the whole log", async () => {
    const without = disk.clone();
    for (const file of segments) without.removeNow(`${DIRECTORY}/${file}`);
    assert(await startOn(without) instanceof DamagedError);
  });
});

Deno.test("damage: every changed byte, and every cut, is found or does not matter", async (t) => {
  const { disk, states } = await history();
  const whole = await startOn(disk.clone());
  assert(!(whole instanceof DamagedError));
  assertEquals(whole.state, states.at(-1));
  const files = (await disk.list(DIRECTORY)).filter((file) => !file.endsWith(".tmp"));
  const count = (pattern: RegExp) => files.filter((file) => pattern.test(file)).length;
  assert(count(/\.wal$/) > 1 && count(/%00.*\.tree$/) > 0, `${files}`);
  assertEquals(count(/\.registry$/), 1);
  for (const file of files) {
    await t.step(file, async () => {
      const path = `${DIRECTORY}/${file}`;
      const bytes = disk.bytesOf(path);
      const used = usedBytes(bytes);
      for (let at = 0; at < used; at += STEP) {
        for (const flip of FLIPS) {
          const damaged = disk.clone();
          const flipped = bytes.slice();
          flipped[at] ^= flip;
          damaged.put(path, flipped);
          await isTold(damaged, file, states, `byte ${at} of ${file} xor ${flip}`);
        }
        const shorter = disk.clone();
        shorter.put(path, bytes.slice(0, at));
        await isTold(shorter, file, states, `${file} cut at ${at}`);
      }
    });
  }
  assert(outcomes.refused > 0 && outcomes.harmless > 0 && outcomes.cut > 0);
  console.log(outcomes);
});
