// The store of the registry's dumps on a disk that fails and loses what was not synced.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { budget } from "../../support/budget.ts";
import { AssertionFailed } from "../../../lib/assert.ts";
import { DedupStore } from "../../../lib/dump/dedup_store.ts";
import { DamagedError, HostError } from "../../../lib/errors.ts";
import { answerWords, writeAnswer } from "../../../lib/idempotency/idempotency_records.ts";
import {
  CHECKPOINT,
  DedupState,
  encodeNote,
  IDEMPOTENCY_RECORD,
  STREAM,
} from "../../../lib/idempotency/dedup_state.ts";
import { MemoryDisk, type Survivors } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";

const LOG = "00000000000000aa";
const OTHER = "00000000000000bb";
const LIMITS = { idempotencyRecordsMax: 2000, ageMaxSeconds: 5000, streamsKeptMax: 4 };
const encoder = new TextEncoder();

type Note = [kind: number, payload: Uint8Array];

/** A registry, the log of its notes as a list, and a disk. */
class World {
  readonly disk = new MemoryDisk("/data");
  dedup = new DedupState(LIMITS);
  readonly notes: Note[] = [];
  /** The last note that is on the disk. */
  durable = 0;
  store = this.restarted();

  /** The store of a new process on the same disk. */
  restarted(): DedupStore {
    const clock = { now: () => 1_800_000_000_999, today: () => 20260101 };
    return this.store = new DedupStore("/data", this.disk, clock);
  }

  journal(id = LOG) {
    const { notes } = this;
    return {
      id,
      get lsn() {
        return notes.length;
      },
      sync: () => {
        this.durable = notes.length;
        return Promise.resolve();
      },
    };
  }

  write(id = LOG): Promise<void> {
    return this.store.write(this.dedup, this.journal(id));
  }

  note(...note: Note): void {
    this.notes.push(note);
    apply(this.dedup, note);
  }

  answer(key: string, created = 1000, response = "1"): void {
    this.note(...answer(key, created, response));
  }

  /** What a new process reads: the registry, and the last note in it. */
  async read(id = LOG): Promise<{ dedup: DedupState; lsn: number | null }> {
    const dedup = new DedupState(LIMITS);
    const lsn = await this.restarted().read(dedup, id);
    dedup.check();
    assertEquals(this.disk.filesOpen, 0);
    return { dedup, lsn };
  }

  async files(): Promise<string[]> {
    return (await this.disk.list("/data")).sort();
  }
}

function apply(dedup: DedupState, [kind, payload]: Note): void {
  const words = new Uint32Array(Math.ceil(payload.length / 4));
  new Uint8Array(words.buffer).set(payload);
  dedup.apply(kind, words, 0, payload.length);
}

function answer(key: string, created: number, response: string): Note {
  const [bytes, body] = [encoder.encode(key), encoder.encode(response)];
  const words = new Uint32Array(answerWords(bytes.length, body.length));
  writeAnswer(words, 0, created, 0, new Uint32Array(4).fill(7), bytes, 0, bytes.length, body);
  return [IDEMPOTENCY_RECORD, new Uint8Array(words.buffer)];
}

/** All that is in a registry; answers in their order. */
function told({ records: answers, streams, checkpoints }: DedupState): unknown {
  return {
    answers: [...answers.all()].map(([words, at]) => words.slice(at, at + words[at]).join()),
    streams: [...streams.all()].map(({ prints, lastChunk, ...stream }) => {
      return { ...stream, lastChunk, prints: prints.slice(0, 4 * lastChunk) };
    }),
    checkpoints: checkpoints.all(),
  };
}

/** A registry as these notes make it. */
function madeOf(notes: readonly Note[], dedup = new DedupState(LIMITS)): DedupState {
  for (const note of notes) apply(dedup, note);
  dedup.check();
  return dedup;
}

const nameOf = (lsn: number, log = LOG) => `${String(lsn).padStart(20, "0")}-${log}.registry`;

/** A world with a dump of two notes, and a third note. */
async function inhabited(): Promise<World> {
  const world = new World();
  world.answer("a");
  world.note(CHECKPOINT, encodeNote({ source: "s", offset: "1", event: null, updated: 9 }));
  await world.write();
  world.answer("b");
  return world;
}

Deno.test("registry store: what is written is read, and told of", async () => {
  const world = await inhabited();
  assertEquals(await world.files(), [nameOf(2)]);
  await world.write();
  const { bytes, ...newest } = world.store.newest!;
  assertEquals(newest, {
    log: LOG,
    lsn: 3,
    seconds: 1_800_000_000,
    answers: 2,
    streams: 0,
    committed: 0,
    checkpoints: 1,
    file: nameOf(3),
  });
  assertEquals(bytes, world.disk.bytesOf(`/data/${nameOf(3)}`).length);
  const { dedup, lsn } = await world.read();
  assertEquals([told(dedup), lsn], [told(world.dedup), 3]);
  assertEquals(world.store.newest, { bytes, ...newest }, "a new process tells the same");
});

Deno.test("registry store: without a dump of the log there is nothing to read", async () => {
  const world = new World();
  assertEquals((await world.read()).lsn, null);
  await world.write(OTHER);
  for (const file of ["x.registry", `${nameOf(5)}.tmp`, `5-${LOG}.tree`, ".karma-registry.tmp"]) {
    world.disk.put(`/data/${file}`, Uint8Array.of(1));
  }
  const { dedup, lsn } = await world.read();
  assertEquals([lsn, told(dedup), world.store.newest], [null, told(new DedupState(LIMITS)), null]);
  assertEquals((await world.read(OTHER)).lsn, 0);
});

Deno.test("registry store: only older dumps of the same log are removed", async () => {
  const world = new World();
  await world.store.removeOld(); // knows of none
  for (const id of [LOG, OTHER, LOG, OTHER, LOG]) {
    world.answer(`${world.notes.length}`);
    await world.write(id);
  }
  const others = [nameOf(2, OTHER), nameOf(4, OTHER)];
  world.disk.put("/data/notes.txt", Uint8Array.of(1));
  await world.store.removeOld();
  const left = [...others, nameOf(5), "notes.txt"].sort();
  assertEquals(await world.files(), left);
  await world.read();
  await world.store.removeOld();
  assertEquals(await world.files(), left, "a new process finds nothing more");
});

Deno.test("registry store: the newest counts, by number and not by the time of its file", async () => {
  const world = new World();
  for (const lsn of [9, 10, 99, 100]) {
    while (world.notes.length < lsn) world.answer(`${world.notes.length}`);
    await world.write();
  }
  assertEquals((await world.read()).lsn, 100);
  // Without the log the same number may be written again: what is newer takes its place.
  const { length } = world.notes;
  apply(world.dedup, answer("unlogged", 1000, "2"));
  await world.write();
  const { dedup, lsn } = await world.read();
  assertEquals([lsn, told(dedup)], [length, told(world.dedup)]);
});

const SURVIVORS: Survivors[] = [
  { names: false, bytes: false },
  { names: false, bytes: true },
  { names: true, bytes: false },
  { names: true, bytes: true },
];

async function operationsOfWrite(): Promise<number> {
  const world = await inhabited();
  const before = world.disk.operations;
  await world.write();
  return world.disk.operations - before;
}

Deno.test("registry store: a disk that fails at any moment destroys nothing", async () => {
  const operations = await operationsOfWrite();
  assert(operations > 6, `${operations}`);
  for (let operation = 1; operation <= operations; operation++) {
    const world = await inhabited();
    world.disk.failsAt = world.disk.operations + operation;
    const error = await assertRejects(() => world.write(), HostError);
    assertMatch(error.message, /^The registry could not be dumped: Simulated failure of \w+$/);
    assertEquals([world.disk.filesOpen, world.store.newest?.lsn], [0, 2]);
    assert(!(await world.files()).some((file) => file.startsWith(".")), "what was begun is gone");
    const { lsn } = await world.read();
    assert(lsn === 2 || lsn === 3);
    await world.store.idle();
    await world.write();
    assertEquals((await world.read()).lsn, 3, `operation ${operation} failed`);
  }
});

Deno.test("registry store: a crash at any moment destroys nothing, whatever survives of it", async () => {
  const operations = await operationsOfWrite();
  for (let operation = 1; operation <= operations; operation++) {
    for (const survivors of SURVIVORS) {
      const world = await inhabited();
      world.disk.stopsAt = world.disk.operations + operation;
      await assertRejects(() => world.write(), HostError, "The power is off");
      const { durable } = world;
      world.disk.crash(survivors);
      const { dedup, lsn } = await world.read();
      assert(lsn === 2 || lsn === 3, `${lsn}`);
      assert(lsn <= durable, "it is not ahead of the log on the disk");
      assertEquals(told(dedup), told(madeOf(world.notes.slice(0, lsn))));
      await world.write();
      world.disk.crash(survivors);
      const again = await world.read();
      assertEquals(
        [again.lsn, told(again.dedup)],
        [3, told(world.dedup)],
        "the next one lasts",
      );
    }
  }
});

Deno.test("registry store: a crash while old ones are removed leaves the newest", async () => {
  for (let operation = 1; operation <= 6; operation++) {
    for (const survivors of SURVIVORS) {
      const world = await inhabited();
      for (let n = 0; n < 3; n++) {
        world.answer(`${n}`);
        await world.write();
      }
      world.disk.stopsAt = world.disk.operations + operation;
      await world.store.removeOld().catch((error) => assert(error instanceof HostError));
      world.disk.crash(survivors);
      const { dedup, lsn } = await world.read();
      assertEquals([lsn, told(dedup)], [6, told(world.dedup)]);
    }
  }
});

Deno.test("registry store: a damaged dump is named and refused, at every byte and every cut", async () => {
  const world = await inhabited();
  world.note(STREAM, encodeNote({ kind: "begin", id: "s", mode: "add", granularity: "day" }));
  await world.write();
  const path = `/data/${nameOf(4)}`;
  const bytes = world.disk.bytesOf(path);
  const refused = async (damaged: Uint8Array<ArrayBuffer>, what: string) => {
    world.disk.put(path, damaged);
    const error = await assertRejects(() => world.read(), DamagedError, undefined, what);
    assertMatch(error.message, new RegExp(`^Registry ${nameOf(4)} is damaged: `));
    assertEquals([world.disk.filesOpen, world.store.newest], [0, null]);
  };
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [1, 0xff]) {
      const damaged = bytes.slice();
      damaged[at] ^= mask;
      await refused(damaged, `byte ${at}`);
    }
    await refused(bytes.slice(0, at), `cut at ${at}`);
  }
  await refused(Uint8Array.from([...bytes, 0]), "a byte more");
  // One of another name is another one's.
  const old = world.disk.bytesOf(`/data/${nameOf(2)}`);
  await refused(old, "an older one under its name");
  world.disk.put(path, bytes);
  assertEquals((await world.read()).lsn, 4);
  world.disk.put(`/data/${nameOf(9)}`, bytes);
  await assertRejects(() => world.read(), DamagedError, "it has another one's name");
});

Deno.test("registry store: whatever fails when it is read is told as the world's failure", async () => {
  const world = await inhabited();
  const before = world.disk.operations;
  await world.read();
  const operations = world.disk.operations - before;
  for (let operation = 1; operation <= operations; operation++) {
    world.disk.failsAt = world.disk.operations + operation;
    await assertRejects(() => world.read(), HostError, "Simulated failure", `${operation}`);
    assertEquals(world.disk.filesOpen, 0);
  }
  await world.write();
  await world.write();
  world.answer("c");
  await world.write();
  world.disk.failsFrom.remove = 0;
  const sentence = "Old dumps of the registry could not be removed: Simulated failure of remove";
  await assertRejects(() => world.store.removeOld(), HostError, sentence);
});

Deno.test("registry store: a broken assertion of ours is not told as the world's failure", async () => {
  const world = await inhabited();
  const broken = () => Promise.reject(new AssertionFailed("ours"));
  world.disk.create = world.disk.open = broken;
  await assertRejects(() => world.write(), AssertionFailed, "ours");
  await assertRejects(() => world.read(), AssertionFailed, "ours");
});

Deno.test("registry store: one is written after the other, and none pays for another's failure", async () => {
  const world = await inhabited();
  world.disk.failsAt = world.disk.operations + 3;
  const first = world.write();
  const second = world.write();
  world.answer("c");
  const third = world.write();
  await assertRejects(() => first, HostError);
  await second;
  await third;
  await world.store.idle();
  const { dedup, lsn } = await world.read();
  assertEquals([lsn, told(dedup)], [4, told(world.dedup)]);
});

/** Some note that may come now. */
function randomNote(random: Random, dedup: DedupState, seconds: number): Note {
  const id = `s${random.below(5)}`;
  const stream = dedup.streams.find(id);
  if (stream?.committed === null && random.chance(0.4)) {
    if (random.chance(0.2)) return [STREAM, encodeNote({ kind: "commit", id, seconds })];
    if (random.chance(0.2)) return [STREAM, encodeNote({ kind: "abort", id })];
    const print = Uint8Array.from({ length: 16 }, () => random.below(256));
    return [STREAM, encodeNote({ kind: "chunk", id, tree: "t", staged: null, items: 1, print })];
  }
  if (stream === null && random.chance(0.3)) {
    return [STREAM, encodeNote({ kind: "begin", id, mode: "add", granularity: null })];
  }
  if (random.chance(0.1)) {
    return [
      CHECKPOINT,
      encodeNote({ source: id, offset: `${seconds}`, event: null, updated: seconds }),
    ];
  }
  const length = random.chance(0.02) ? random.below(65_536) : random.below(400);
  return answer(`key ${random.below(4000)}`, seconds, "r".repeat(length));
}

Deno.test("registry store: it changes while it is written, and what is left is in the log", async () => {
  const first = crypto.getRandomValues(new Uint32Array(1))[0];
  for (let seed = first; seed < first + budget(4, 15); seed++) {
    const random = new Random(seed);
    const world = new World();
    let seconds = 1000;
    const step = () => {
      seconds += random.below(5);
      world.note(...randomNote(random, world.dedup, seconds));
    };
    for (let n = random.pick([0, 100, 4000]); n > 0; n--) step();
    world.disk.latency = () => {
      for (let n = random.pick([0, 0, 1, 20, 400]); n > 0; n--) step();
    };
    await world.write();
    world.disk.latency = () => null;
    assert(world.store.newest!.lsn <= world.durable, `seed ${seed}: it is not ahead of the log`);
    for (let n = random.below(100); n > 0; n--) step();
    const { dedup, lsn } = await world.read();
    const { streams, checkpoints } = told(dedup) as Record<string, unknown>;
    const then = told(madeOf(world.notes.slice(0, lsn!))) as Record<string, unknown>;
    assertEquals([streams, checkpoints], [then.streams, then.checkpoints], `seed ${seed}`);
    madeOf(world.notes.slice(lsn!), dedup);
    assertEquals(told(dedup), told(world.dedup), `seed ${seed}`);
  }
});
