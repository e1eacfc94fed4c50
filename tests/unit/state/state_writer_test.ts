// The state writer: what is done is in the log, in one group where it was reserved, and what is refused
// has never been, in memory as in the log.

import { assert, assertEquals } from "@std/assert";
import { budget } from "../../support/budget.ts";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { ITEM_WORDS, Items } from "../../../lib/command/items.ts";
import { StateWriter } from "../../../lib/state/state_writer.ts";
import {
  GROUP_WORDS,
  groupLsn,
  HEAD_WORDS,
  isGroup,
  isGroupHead,
} from "../../../lib/wal/format.ts";
import { encodeNote, STREAM } from "../../../lib/idempotency/dedup_state.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { type Contents, contentsOf, randomTree } from "../../fuzz/dump_fuzz.ts";
import { LocalKarma, type LocalOptions } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";
import { V2Client } from "../../support/v2_client.ts";

const U64_MAX = (1n << 64n) - 1n;

/** A Karma's log and state, and a state writer of them. */
class World {
  readonly karma: LocalKarma;
  readonly stateWriter: StateWriter;

  private constructor(karma: LocalKarma, isCounted: boolean) {
    this.karma = karma;
    this.stateWriter = new StateWriter(karma.forest, karma.dedup, karma.wal, isCounted);
  }

  static async start(options: LocalOptions = {}, disk = new MemoryDisk("/dumps")): Promise<World> {
    return new World(await LocalKarma.start(disk, options), options.wal ?? true);
  }

  get lsn(): number {
    return this.karma.wal.lsn;
  }

  create(name: string): Tree {
    assertEquals(this.stateWriter.create(name), "done");
    return this.karma.forest.named(name)!;
  }

  /** The first record of each group of the log, and how many there are, once all is written. */
  async groups(): Promise<{ lsn: number; records: number }[]> {
    await this.karma.wal.settled();
    const groups: { lsn: number; records: number }[] = [];
    for (const { file } of this.karma.wal.segments) {
      const words = new Uint32Array(this.karma.bytesOf(file).buffer);
      for (let at = HEAD_WORDS; at + GROUP_WORDS < words.length && isGroupHead(words, at);) {
        assert(isGroup(words, at), "a group is whole");
        if (words[at + 1] > 0) groups.push({ lsn: groupLsn(words, at), records: words[at + 1] });
        at += GROUP_WORDS + words[at] / 4 + 1;
      }
    }
    assertEquals(groups.reduce((sum, { records }) => sum + records, 0), this.lsn);
    return groups;
  }

  /** Everything that a process finds which starts after this one was killed. */
  async restarted(options: LocalOptions = {}): Promise<Record<string, Contents>> {
    await this.karma.wal.settled();
    const disk = this.karma.disk.clone();
    disk.kill();
    return stateOf(await LocalKarma.start(disk, options));
  }
}

function stateOf({ forest, dedup }: LocalKarma): Record<string, Contents> {
  dedup.check();
  for (const tree of forest.trees()) checkTree(tree);
  return Object.fromEntries(forest.trees().map((tree) => [tree.name, contentsOf(tree)]));
}

type Change = [key: bigint, day: number, value: bigint];

function itemsOf(changes: readonly Change[]): Items {
  const items = new Items();
  for (const [key, day, value] of changes) {
    items.pushItem(lowLane(key), highLane(key), day, lowLane(value), highLane(value));
  }
  return items;
}

/** Does a batch to a model; returns the first item that overflows, or -1. */
function doBatch(kind: "add" | "set", contents: Contents, changes: readonly Change[]): number {
  for (const [index, [key, day, value]] of changes.entries()) {
    const days = contents.get(key) ?? new Map<number, bigint>();
    contents.set(key, days);
    const next = kind === "add" ? (days.get(day) ?? 0n) + value : value;
    const total = [...days].reduce((sum, [other, held]) => other === day ? sum : sum + held, next);
    if (total > U64_MAX) return index;
    days.delete(day);
    if (next > 0n) days.set(day, next);
  }
  return -1;
}

/** Days in order, as trees have them. */
function ordered(contents: Contents): Contents {
  const keys = [...contents].sort(([a], [b]) => a < b ? -1 : 1);
  return new Map(
    keys.map(([key, days]) => [key, new Map([...days].sort(([a], [b]) => a - b))]),
  );
}

Deno.test("ledger: a batch happens whole, or an item overflows and it never has", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  let refused = 0;
  for (let round = 0; round < budget(10, 40); round++) {
    const random = new Random(seed + round);
    const where = `seed ${seed + round}`;
    const world = await World.start();
    const tree = randomTree(random);
    assertEquals(await world.stateWriter.put(tree), "done");
    let model = contentsOf(tree);
    for (let batch = 0; batch < 8; batch++) {
      const kind = random.pick(["add", "set"] as const);
      const keys = [...model.keys(), ...Array.from({ length: 4 }, () => random.u64())];
      const some = Array.from({ length: 1 + random.below(6) }, () => random.pick(keys));
      const bits = random.pick([1, 16, 40, 60]);
      const changes = Array.from({ length: random.pick([1, 3, 40, 1500]) }, (): Change => {
        const day = 20260101 + random.below(random.pick([2, 25]));
        const value = random.u64() >> BigInt(64 - 1 - random.below(bits));
        return [
          random.pick(random.chance(0.5) ? some : keys),
          day,
          kind === "add" ? value + 1n : value,
        ];
      });
      if (random.chance(0.6)) {
        const at = random.below(changes.length + 1);
        const [key, day] = [random.pick(some), 20260101 + random.below(2)];
        changes.splice(at, 0, [key, day, U64_MAX], [key, day + 1, 1n]);
      }
      const next = new Map([...model].map(([key, days]) => [key, new Map(days)]));
      const overflowIndex = doBatch(kind, next, changes);
      const { lsn } = world;
      const items = itemsOf(changes);
      const outcome = kind === "add"
        ? world.stateWriter.addAll(tree, items)
        : world.stateWriter.setAll(tree, items);
      assertEquals(outcome, overflowIndex < 0 ? "done" : "overflow", where);
      if (overflowIndex >= 0) {
        refused++;
        assertEquals([world.stateWriter.overflowIndex, world.lsn], [overflowIndex, lsn], where);
      } else {
        assertEquals(world.lsn, lsn + changes.length, where);
        model = ordered(next);
      }
      assertEquals(contentsOf(tree), model, where);
      checkTree(tree);
    }
    assertEquals(await world.restarted(), { fuzz: model }, where);
  }
  assert(refused > 10, `seed ${seed}: only ${refused} were refused`);
});

Deno.test("ledger: whichever item overflows, nothing of those before it is left", async () => {
  for (const kind of ["addAll", "setAll"] as const) {
    for (let at = 0; at < 12; at++) {
      const world = await World.start();
      const tree = world.create("t");
      world.stateWriter.addAll(tree, itemsOf([[1n, 20260101, 5n], [2n, 20260101, U64_MAX - 1n]]));
      world.stateWriter.touch(tree, 3, 0);
      const before = contentsOf(tree);
      const { lsn } = world;
      const changes: Change[] = [
        [1n, 20260101, 7n], // a day that was there
        [1n, 20260102, 7n], // another one
        [9n, 20260101, 1n], // a counter that was not
        [9n, 20260101, 2n], // the same again
        [3n, 20260101, 1n], // one without days
        [1n, 20260101, kind === "setAll" ? 0n : 1n], // a day that goes
        [8n, 20260101, kind === "setAll" ? 0n : 1n], // a counter without days is made
        [8n, 20260103, 1n],
        [1n, 20251231, 1n],
        [U64_MAX, 20260101, U64_MAX],
        [0n, 20260101, 1n],
      ];
      changes.splice(at, 0, [2n, 20260102, 2n]);
      assertEquals(world.stateWriter[kind](tree, itemsOf(changes)), "overflow");
      assertEquals([world.stateWriter.overflowIndex, world.lsn], [at, lsn]);
      assertEquals(contentsOf(tree), before);
      checkTree(tree);
      assertEquals(await world.restarted(), { t: before });
    }
  }
});

Deno.test("ledger: a batch on a tree that was just swept is taken back likewise", async () => {
  for (const isCompacted of [false, true]) {
    const world = await World.start();
    const tree = world.create("t");
    const many = Array.from({ length: 9000 }, (_, key): Change => [BigInt(key), 20260101, 1n]);
    world.stateWriter.addAll(tree, itemsOf(many));
    world.stateWriter.sweep(tree, 20260101, 20260101);
    if (isCompacted) world.stateWriter.compact(tree);
    const changes: Change[] = [[5n, 20260101, 1n], [8999n, 20260102, 1n], [10_000n, 20260101, 3n]];
    const more = itemsOf([...changes, [5n, 20260102, U64_MAX]]);
    assertEquals(world.stateWriter.addAll(tree, more), "overflow");
    const left = contentsOf(tree);
    const kept = isCompacted ? [] : many;
    assertEquals(left, new Map(kept.map(([key]) => [key, new Map()])));
    assertEquals(await world.restarted(), { t: left });
  }
});

Deno.test("ledger: what was reserved together is one group, however much waits before it", async () => {
  for (const waiting of [0, 1000, 10_000, 10_900, 10_910, 10_920, 10_930, 30_000]) {
    const world = await World.start();
    const { stateWriter } = world;
    const tree = world.create("t");
    for (let key = 0; key < waiting; key++) stateWriter.add(tree, key, 0, 20260101, 1, 0);
    const { lsn } = world;
    assert(stateWriter.reserve(3, 4000, 5000));
    const other = world.create("x".repeat(255));
    const changes = Array.from({ length: 5000 }, (_, key): Change => [BigInt(key), 20260101, 1n]);
    assertEquals(stateWriter.addAll(other, itemsOf(changes)), "done");
    const begin = { kind: "begin", id: "s".repeat(1000), mode: "add", granularity: null } as const;
    assertEquals(stateWriter.note(STREAM, encodeNote(begin)), "done");
    assertEquals(stateWriter.drop(tree), "done");
    const records = world.lsn - lsn;
    assertEquals(records, 5003);
    const last = (await world.groups()).at(-1)!;
    assert(last.lsn <= lsn + 1, `${waiting}: the group begins at ${last.lsn}`);
    assertEquals(last.lsn + last.records - 1, world.lsn);
    assertEquals(await world.restarted(), stateOf(world.karma));
  }
});

Deno.test("ledger: each request that changes several things is one group", async () => {
  const limits = Array.from({ length: 16 }, (_, n) => {
    const series = `${n}`.padStart(3, "0") + '\\"'.repeat(252);
    return `{"series":"${series}","max":5,"window":"day"}`;
  });
  const items = Array.from({ length: 10_000 }, (_, key) => `[${key},20260101,1]`);
  const keys = Array.from({ length: 10_000 }, (_, key) => key);
  const requests: [op: string, members: string][] = [
    ["series.batch_add", `"series":"new","items":[${items}],"idempotency_key":1`],
    ["series.batch_set", `"series":"other","items":[${items}]`],
    ["ingest.begin", '"stream_id":"s","mode":"replace_series"'],
    ["ingest.chunk", `"stream_id":"s","series":"new","chunk_seq":1,"items":[${items}]`],
    ["ingest.commit", '"stream_id":"s"'],
    ["ingest.begin", '"stream_id":"a","mode":"add"'],
    ["ingest.chunk", `"stream_id":"a","series":"added","chunk_seq":1,"items":[${items}]`],
    ["counter.batch_reset", `"series":"new","keys":[${keys}],"idempotency_key":2`],
    ["counter.increment", '"series":"newer","key":1,"idempotency_key":3'],
    ["tree.reset", '"series":"newest","idempotency_key":4'],
    ["series.delete_before", '"series":"new","before":20260102'],
    ["limit.consume", `"key":1,"receipt":true,"limits":[${limits}],"idempotency_key":5`],
  ];
  const fill = Array.from({ length: 9000 }, (_, key) => `[${key},20260101,1]`);
  for (const busy of [0, 1, 2]) {
    const world = await World.start();
    const client = new V2Client(world.karma);
    for (const [op, members] of requests) {
      // What others did in the same turn waits in the same buffer, which grows when it must.
      for (let n = 0; n < busy; n++) {
        client.ask("series.batch_add", `"series":"busy","items":[${fill}]`);
      }
      const { lsn } = world;
      const told = await client.ask(op, members);
      assert(!/^\w+_\w+: /.test(told), told);
      const groups = (await world.groups()).filter((group) => group.lsn + group.records > lsn + 1);
      assert(world.lsn > lsn, op);
      assertEquals(groups.length, 1, `${op}: ${JSON.stringify(groups)}, after ${lsn}`);
    }
    assertEquals(await world.restarted(), stateOf(world.karma));
  }
});

Deno.test("ledger: without space every change is refused, and nothing happens", async () => {
  const disk = new MemoryDisk("/dumps");
  disk.bytesMax = 4000;
  const world = await World.start({}, disk);
  const { stateWriter } = world;
  const tree = world.create("t");
  let key = 0;
  while (stateWriter.add(tree, key, 0, 20260101, 1, 0) === "done") key++;
  assert(key > 20, `${key} counters`);
  const { lsn } = world;
  const before = stateOf(world.karma);
  const attempts: [what: string, attempt: () => unknown][] = [
    ["add", () => stateWriter.add(tree, 1, 0, 20260101, 1, 0)],
    ["subtract", () => stateWriter.subtract(tree, 1, 0, 20260101, 1, 0)],
    ["addAll", () => stateWriter.addAll(tree, itemsOf([[1n, 20260101, 1n]]))],
    ["setAll", () => stateWriter.setAll(tree, itemsOf([[1n, 20260101, 1n]]))],
    ["create", () => stateWriter.create("u")],
    ["adopt", () => stateWriter.adopt(tree, "u")],
    ["note", () => stateWriter.note(STREAM, encodeNote({ kind: "abort", id: "s" }))],
    ["put", () => stateWriter.put(new Tree("u"))],
  ];
  for (const [what, attempt] of attempts) assertEquals(await attempt(), "full", what);
  assertEquals(stateWriter.reserve(0, 0, 1), false);
  assertEquals([world.lsn, stateOf(world.karma), stateWriter.firstStaged], [lsn, before, Infinity]);
  assertEquals(await world.restarted(), before);
  assert(world.karma.log.some((line) => line.startsWith("No space for the log")));
});

Deno.test("ledger: where counts are not logged, trees are, and batches are taken back all the same", async () => {
  const options = { wal: false };
  const world = await World.start(options);
  const { stateWriter } = world;
  const tree = world.create("t");
  const { lsn } = world;
  stateWriter.add(tree, 1, 0, 20260101, 5, 0);
  stateWriter.setAll(tree, itemsOf([[2n, 20260101, 3n]]));
  stateWriter.subtract(tree, 1, 0, 20260101, 1, 0);
  stateWriter.touch(tree, 3, 0);
  assertEquals(
    stateWriter.addAll(tree, itemsOf([[4n, 20260101, 1n], [2n, 20260102, U64_MAX]])),
    "overflow",
  );
  const day = (value: bigint) => new Map([[20260101, value]]);
  const held: Contents = new Map([[1n, day(4n)], [2n, day(3n)], [3n, new Map()]]);
  assertEquals([contentsOf(tree), world.lsn], [held, lsn]);
  stateWriter.remove(tree, 1, 0, 0, 20260101);
  stateWriter.sweep(tree, 0, 20260101);
  stateWriter.compact(tree);
  assertEquals([contentsOf(tree), world.lsn], [new Map(), lsn]);
  world.create("gone");
  stateWriter.drop(world.karma.forest.named("gone")!);
  assertEquals(await world.restarted(options), { t: new Map() });
});

Deno.test("ledger: a tree that is put is seen at once and whole, and others go on meanwhile", async () => {
  const world = await World.start();
  const { stateWriter } = world;
  const old = world.create("t");
  stateWriter.add(old, 1, 0, 20260101, 1, 0);
  const tree = new Tree("t");
  for (let key = 0; key < 20_000; key++) tree.add(key, 0, 20260101, 2, 0);
  const first = world.lsn + 1;
  const putting = stateWriter.put(tree);
  assertEquals(stateWriter.firstStaged, first);
  assert(world.karma.forest.named("t") === old, "not before all of it is there");
  stateWriter.add(old, 7, 0, 20260101, 1, 0);
  assertEquals(await putting, "done");
  assertEquals(stateWriter.firstStaged, Infinity);
  assert(world.karma.forest.named("t") === tree);
  assertEquals(await world.restarted(), { t: contentsOf(tree) });
});

Deno.test("ledger: the culprit is told of the items, also of thousands", async () => {
  const world = await World.start();
  const tree = world.create("t");
  const changes = Array.from({ length: 10_000 }, (_, key): Change => [BigInt(key), 20260101, 1n]);
  changes[9999] = [1n, 20260101, U64_MAX];
  const items = itemsOf(changes);
  assertEquals(world.stateWriter.addAll(tree, items), "overflow");
  const [lo, hi] = items.words.subarray(ITEM_WORDS * world.stateWriter.overflowIndex);
  assertEquals([world.stateWriter.overflowIndex, u64ToBigInt(lo, hi)], [9999, 1n]);
  assertEquals(contentsOf(tree), new Map());
});
