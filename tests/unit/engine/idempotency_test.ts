// Requests under idempotency keys: done once, across midnight, restarts and full disks.

import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { contentsOf } from "../../fuzz/dump_fuzz.ts";
import { sleep } from "../../../lib/host/clock.ts";
import { LocalKarma, type LocalOptions } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { V2Client } from "../../support/v2_client.ts";

const DAY_MS = 86_400_000;
const CONFLICT = "idempotency_conflict: Idempotency key was already used with a different request";
const NO_MATCH = "idempotency_conflict: Field fingerprint does not match request fingerprint";
const FULL = "storage_full: The disk is full: nothing was changed";

/** A Karma and a client of it. */
class World {
  readonly karma: LocalKarma;
  readonly client: V2Client;

  private constructor(karma: LocalKarma) {
    this.karma = karma;
    this.client = new V2Client(karma);
  }

  static async start(options?: LocalOptions, disk = new MemoryDisk("/dumps")): Promise<World> {
    return new World(await LocalKarma.start(disk, options));
  }

  ask(op: string, members: string): Promise<string> {
    return this.client.ask(op, members);
  }

  /** Adds to key 1 of tree t under an idempotency key. */
  add(once: string, rest = '"key":1'): Promise<string> {
    return this.ask("counter.increment", `"series":"t",${rest},"idempotency_key":"${once}"`);
  }

  sum(key = 1): Promise<string> {
    return this.ask("counter.sum", `"series":"t","key":${key}`);
  }

  midnight(): void {
    this.karma.now += DAY_MS;
    this.karma.today++;
  }

  /** The process is killed, and another one starts from what it left. */
  async restarted(options?: LocalOptions): Promise<World> {
    const disk = this.karma.disk.clone();
    disk.kill();
    const world = await World.start(options, disk);
    world.karma.now = this.karma.now;
    world.karma.today = this.karma.today;
    world.karma.dedup.check();
    return world;
  }
}

Deno.test("once: a request that is repeated gets the answer it got, and is not carried out", async () => {
  const world = await World.start();
  await world.ask("tree.create", '"series":"t"');
  const table: [op: string, members: string, response: string][] = [
    ["counter.increment", '"series":"t","key":1,"value":5', "5"],
    ["counter.decrement", '"series":"t","key":1,"value":2', "2"],
    ["series.batch_add", '"series":"t","items":[[1,20260101,3]]', '{"applied":1,"total":3}'],
    ["series.batch_set", '"series":"t","items":[[2,20260101,9]]', '{"applied":1}'],
    ["counter.batch_reset", '"series":"t","keys":[2,7]', '{"reset":1,"missing":1}'],
    [
      "counter.batch_delete_range",
      '"series":"t","keys":[1,9],"range":{"from":20260101,"to":20260102}',
      '{"deleted":1,"missing":1}',
    ],
    [
      "counter.delete_range",
      '"series":"t","key":1,"range":{"from":20260101,"to":20260102}',
      "true",
    ],
    ["tree.delete_range", '"series":"t","range":{"from":20260101,"to":20260102}', "true"],
    ["counter.reset", '"series":"t","key":1', '"OK"'],
    ["tree.reset", '"series":"t"', '"OK"'],
    [
      "limit.consume",
      '"key":3,"limits":[{"series":"t","max":10,"window":"day"}]',
      '{"allowed":true,"applied":1,"denied_by":null,"limits":[{"series":"t","max":10,"used":1,' +
      '"remaining":9,"resets_at":"2026-11-23T00:00:00Z","resets_in_ms":43200000}]}',
    ],
  ];
  for (const [op, members, response] of table) {
    const once = `${members},"idempotency_key":"${op}"`;
    assertEquals(await world.ask(op, once), `first: ${response}`);
    const { lsn } = world.karma.wal;
    const before = contentsOf(world.karma.forest.named("t")!);
    for (let time = 0; time < 2; time++) {
      assertEquals(await world.ask(op, once), `again: ${response}`);
    }
    assertEquals([world.karma.wal.lsn, contentsOf(world.karma.forest.named("t")!)], [lsn, before]);
  }
  const again = await world.restarted();
  for (const [op, members, response] of table) {
    assertEquals(await again.ask(op, `${members},"idempotency_key":"${op}"`), `again: ${response}`);
  }
  assertEquals(again.karma.engine.statistics.idempotencyHits, table.length);
  assertEquals(again.karma.engine.statistics.idempotencyWrites, 0);
  world.karma.dedup.check();
});

Deno.test("once: a key is one for all trees and operations, and an integer is its digits", async () => {
  const world = await World.start();
  assertEquals(await world.add("77"), "first: 1");
  const conflicts: [op: string, members: string][] = [
    ["counter.increment", '"series":"t","key":2'],
    ["counter.increment", '"series":"t","key":1,"value":2'],
    ["counter.increment", '"series":"u","key":1'],
    ["counter.increment", '"series":"t","key":1,"date":20261121'],
    ["counter.decrement", '"series":"t","key":1'],
    ["series.batch_add", '"series":"t","items":[[1,20261122,1]]'],
    ["tree.reset", '"series":"t"'],
  ];
  for (const [op, members] of conflicts) {
    assertEquals(await world.ask(op, `${members},"idempotency_key":"77"`), CONFLICT, members);
  }
  const same: [op: string, members: string][] = [
    ["counter.increment", '"series":"t","key":1,"idempotency_key":77'],
    ["series.increment", '"tree":"t","series":"u","value":1,"key":"1","idempotency_key":"77"'],
    [
      "counter.increment",
      '"series":"t","key":1,"bucket":"2026-11-22","idempotency_key":"\\u0037\\u0037"',
    ],
    ["counter.increment", '"series":"t","key":1,"date":20261122,"bucket":1,"idempotency_key":77'],
  ];
  for (const [op, members] of same) assertEquals(await world.ask(op, members), "again: 1", members);
  assertEquals(await world.sum(), "1");
  const { idempotencyConflicts, idempotencyHits } = world.karma.engine.statistics;
  assertEquals([idempotencyConflicts, idempotencyHits], [conflicts.length, same.length]);
});

Deno.test("once: a retry after midnight without a day is the same request", async () => {
  for (const isRestarted of [false, true]) {
    let world = await World.start();
    assertEquals(await world.add("a"), "first: 1");
    assertEquals(await world.add("b", '"key":1,"date":20261122'), "first: 1");
    world.midnight();
    if (isRestarted) world = await world.restarted();
    assertEquals(await world.add("a"), "again: 1");
    assertEquals(await world.add("a", '"key":1,"date":20261122'), "again: 1", "the day it was for");
    assertEquals(await world.add("a", '"key":1,"date":20261123'), CONFLICT, "another day");
    assertEquals(await world.add("b"), CONFLICT, "that was for a day that it named");
    assertEquals(await world.sum(), "2");
    assertEquals(await world.add("c"), "first: 1");
    const days = '"series":"t","key":1,"range":{"from":20261101,"to":20261130}';
    assertEquals(await world.ask("counter.series", days), '{"20261122":2,"20261123":1}');
  }
});

/** What clients of 1.x make of an increment of key 1 of tree t. */
function print(day: number): string {
  const lines = `command:s:9:increment\nseries:s:1:t\nkey:u:1\nbucket:u:${day}\nvalue:u:1\n`;
  return createHash("sha256").update(lines).digest("hex");
}

Deno.test("once: fingerprints that clients make, before midnight and after it", async () => {
  const world = await World.start();
  const [today, tomorrow] = [print(20261122), print(20261123)];
  const add = (once: string, fingerprint: string) => {
    return world.add(once, `"key":1,"fingerprint":"${fingerprint}"`);
  };
  assertEquals(await add("a", tomorrow), NO_MATCH);
  assertEquals(await add("a", today.toUpperCase()), NO_MATCH);
  assertEquals(await add("a", today.slice(1)), NO_MATCH);
  assertEquals(await add("a", "x".repeat(512)), NO_MATCH);
  assertEquals(await world.add("a", '"key":1,"fingerprint":5'), NO_MATCH);
  assertEquals(world.karma.dedup.records.size, 0, "nothing is kept of them");
  assertEquals(await add("a", today), "first: 1");
  assertEquals(await add("a", today), "again: 1");
  assertEquals(await add("a", tomorrow), NO_MATCH, "before the key is looked at");
  world.midnight();
  assertEquals(await add("a", today), "again: 1", "as it was made");
  assertEquals(await add("a", tomorrow), "again: 1", "as it would be made now");
  assertEquals(await add("a", print(20261124)), NO_MATCH);
  assertEquals(await add("b", today), NO_MATCH, "what is new is for the new day");
  assertEquals(await add("b", tomorrow), "first: 1");
  const named = `"key":1,"date":20261122,"fingerprint":"${today}"`;
  assertEquals(await world.add("a", named), "again: 1");
  const other = `"key":1,"date":20261122,"fingerprint":"${tomorrow}"`;
  assertEquals(await world.add("a", other), NO_MATCH, "a day that is named is that day");
  assertEquals(await world.sum(), "2");
});

Deno.test("once: answers are kept for so long, also over a restart, and so many of them", async () => {
  const options = { ageMaxSeconds: 60, idempotencyRecordsMax: 3 };
  const world = await World.start(options);
  assertEquals(await world.add("a"), "first: 1");
  world.karma.now += 60_000;
  assertEquals(await world.add("a"), "again: 1", "asking does not make it younger");
  const later = await world.restarted(options);
  assertEquals(await later.add("a"), "again: 1");
  for (const { karma, client } of [world, later]) {
    karma.now += 1000;
    const add = (once: string) => {
      return client.ask("counter.increment", `"series":"t","key":1,"idempotency_key":"${once}"`);
    };
    assertEquals(await add("a"), "first: 1", "it is too old");
    for (const once of ["b", "c", "d"]) assertEquals(await add(once), "first: 1");
    assertEquals(await add("b"), "again: 1");
    assertEquals(await add("a"), "first: 1", "it was one too many");
    assertEquals(await add("b"), "first: 1", "and so was this one then");
    karma.dedup.check();
  }
  assertEquals(await world.sum(), await later.sum());
});

Deno.test("once: what failed is not kept, and may be tried again under the same key", async () => {
  const world = await World.start();
  const MOST = "18446744073709551615";
  const refused = `validation_error: Counter overflow key=1 bucket=20261122`;
  assertEquals(
    await world.ask("counter.batch_reset", '"series":"t","keys":[],"idempotency_key":1'),
    'not_found: Tree "t" not found',
  );
  await world.ask("counter.increment", `"series":"t","key":1,"value":"${MOST}"`);
  const { lsn } = world.karma.wal;
  for (let time = 0; time < 2; time++) assertEquals(await world.add("1"), refused);
  const batch = '"series":"t","items":[[2,20261122,1],[1,20261122,1]],"idempotency_key":"1"';
  assertEquals(
    await world.ask("series.batch_add", batch),
    "validation_error: Counter overflow in batch item key=1 bucket=20261122",
  );
  assertEquals(
    await world.ask("series.batch_add", batch.replace('"t"', '"a\\u0001"')),
    "validation_error: Field tree_name must be 1 to 255 bytes of UTF-8 without control characters",
  );
  assertEquals([world.karma.wal.lsn, world.karma.dedup.records.size], [lsn, 0]);
  await world.ask("counter.decrement", '"series":"t","key":1,"value":5');
  assertEquals(await world.add("1"), "first: 1");
  assertEquals(await world.add("1"), "again: 1");
  // A cost that was refused is no failure, and changed nothing: it is judged anew.
  const consume = '"key":9,"limits":[{"series":"t","max":1,"window":"day"}]';
  await world.ask("limit.consume", consume);
  const denied = await world.ask("limit.consume", `${consume},"idempotency_key":"l"`);
  assert(denied.startsWith('first: {"allowed":false,'), denied);
  world.midnight();
  const allowed = await world.ask("limit.consume", `${consume},"idempotency_key":"l"`);
  assert(allowed.startsWith('first: {"allowed":true,'), allowed);
});

Deno.test("once: changes of a whole tree, asked twice before the first is answered", async () => {
  const world = await World.start();
  const items = Array.from({ length: 5000 }, (_, key) => `[${key},20260101,1]`);
  await world.ask("series.batch_add", `"series":"t","items":[${items}]`);
  const reset = '"series":"t","idempotency_key":"r"';
  const [first, again, other, next] = await Promise.all([
    world.ask("tree.reset", reset),
    world.ask("tree.reset", reset),
    world.ask("tree.reset", '"series":"u","idempotency_key":"r"'),
    world.ask(
      "tree.delete_range",
      '"series":"t","range":{"from":20260101,"to":20260101},"idempotency_key":"d"',
    ),
  ]);
  assertEquals([first, again, other, next], [
    'first: "OK"',
    'again: "OK"',
    CONFLICT,
    "first: true",
  ]);
  assertEquals(world.karma.forest.named("u"), null, "a conflict creates no tree");
  await world.ask("counter.increment", '"series":"t","key":1,"value":7');
  assertEquals(await world.ask("tree.reset", reset), 'again: "OK"');
  assertEquals(await world.sum(), "7");
  // In one connection they are one line behind the other.
  const client = world.karma.connect();
  const line = `{"v":2,"op":"tree.reset","series":"t","idempotency_key":"p"}\n`;
  client.push(line + line);
  client.push(`{"command":"sum","tree_name":"t","key":1}\n`);
  const told = await client.line();
  assertEquals(told.split("\n").map((reply) => /"idempotent":(\w+)/.exec(reply)?.[1]), [
    "false",
    "true",
    undefined,
  ]);
  await client.end();
  await LocalKarma.timersDone();
  assertEquals(await (await world.restarted()).ask("tree.reset", reset), 'again: "OK"');
});

Deno.test("once: a change and its answer are there together, or the disk is full and neither is", async () => {
  const ops: [op: string, members: string][] = [
    ["counter.increment", '"series":"new","key":1'],
    ["series.batch_set", '"series":"t","items":[[1,20260101,5],[2,20260101,0]]'],
    ["counter.batch_reset", '"series":"t","keys":[1,2]'],
    ["counter.reset", '"series":"new","key":1'],
    ["tree.reset", '"series":"new"'],
    [
      "limit.consume",
      '"key":1,"receipt":true,"limits":[{"series":"a","max":5,"window":"day"},{"series":"b","max":5,"window":"day"}]',
    ],
  ];
  for (const [op, members] of ops) {
    let outcomes = "";
    for (let bytes = 30_000; bytes < 41_000; bytes += 500) {
      const disk = new MemoryDisk("/dumps");
      disk.bytesMax = bytes;
      const world = await World.start({}, disk);
      const { karma } = world;
      await world.ask("counter.increment", '"series":"t","key":1,"value":3');
      const { lsn } = karma.wal;
      const before = state(karma);
      const told = await world.ask(op, `${members},"idempotency_key":"k"`);
      if (told === FULL) {
        assertEquals([karma.wal.lsn, karma.dedup.records.size], [lsn, 0]);
        assertEquals(state(karma), before);
        const after = await world.restarted();
        assertEquals(state(after.karma), before);
        outcomes += "f";
        continue;
      }
      assert(told.startsWith("first: "), told);
      const receipts = op === "limit.consume" ? 1 : 0;
      assertEquals(karma.dedup.records.size, 1 + receipts);
      const after = await world.restarted();
      assertEquals(state(after.karma), state(karma));
      const again = await after.ask(op, `${members},"idempotency_key":"k"`);
      assertEquals(again, told.replace("first", "again"));
      outcomes += "d";
    }
    assert(/^f+d+$/.test(outcomes), `${op}: ${outcomes}`);
  }
});

/** Everything that is counted. */
function state({ forest }: LocalKarma): unknown {
  return forest.trees().map((tree) => [tree.name, contentsOf(tree)]);
}

Deno.test("once: what was refused for want of space is done when there is some", async () => {
  const disk = new MemoryDisk("/dumps");
  disk.bytesMax = 20_000;
  const world = await World.start({}, disk);
  assertEquals(await world.add("k"), FULL);
  disk.bytesMax = Infinity;
  await sleep(250); // space is looked for a few times a second
  assertEquals(await world.add("k"), "first: 1");
  assertEquals(await world.add("k"), "again: 1");
  assertEquals(await world.sum(), "1");
});

Deno.test("once: where counts are not logged, answers last as long as they do", async () => {
  const world = await World.start({ wal: false });
  assertEquals(await world.add("a"), "first: 1");
  assertEquals(await world.add("a"), "again: 1");
  assertEquals(await world.ask("snapshot.create_all", ""), '"OK"');
  assertEquals(await world.add("b"), "first: 1");
  const again = await world.restarted({ wal: false });
  assertEquals(await again.add("a"), "again: 1");
  assertEquals(await again.add("b"), "first: 1");
  assertEquals(await again.sum(), "2");
});

Deno.test("once: a day of another zone is that of the first time, however late it is repeated", async () => {
  const world = await World.start();
  const add = (zone: string) => world.add("x", `"key":1,"timezone":"${zone}"`);
  const held = (day: number) => {
    const range = `"range":{"from":${day},"to":${day}}`;
    return world.ask("counter.sum", `"series":"t","key":1,${range}`);
  };
  const tomorrow = world.karma.today + 1;
  assertEquals(await add("Pacific/Kiritimati"), "first: 1"); // where it is 14 hours later
  for (let night = 0; night < 2; night++) {
    assertEquals(await add("pacific/kiritimati"), "again: 1");
    assertEquals(await held(tomorrow), "1");
    assertEquals(await world.sum(), "1");
    world.midnight();
  }
  assertEquals(await add("Pacific/Apia"), CONFLICT);
  assertEquals(await world.add("x"), CONFLICT);
});
