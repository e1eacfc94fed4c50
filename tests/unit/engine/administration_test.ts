// Administration: what operators are told, and what their programs tell and get back.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { LocalKarma, type LocalOptions } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { V2Client } from "../../support/v2_client.ts";

const SECONDS = Date.UTC(2026, 10, 22, 12) / 1000;
const FULL = "storage_full: The disk is full: nothing was changed";

class World {
  readonly karma: LocalKarma;
  readonly client: V2Client;
  readonly #options: LocalOptions;

  private constructor(karma: LocalKarma, options: LocalOptions) {
    this.karma = karma;
    this.client = new V2Client(karma, options.replyBytesMax);
    this.#options = options;
  }

  static async start(options: LocalOptions = {}, disk = new MemoryDisk("/dumps")): Promise<World> {
    return new World(await LocalKarma.start(disk, options), options);
  }

  ask(op: string, members = ""): Promise<string> {
    return this.client.ask(op, members);
  }

  async told(op: string, members = ""): Promise<Record<string, unknown>> {
    return JSON.parse(await this.ask(op, members));
  }

  /** Increments under so many idempotency keys, one second after the other. */
  async answer(count: number, from = 0): Promise<void> {
    for (let n = from; n < from + count; n++) {
      await this.ask("counter.increment", `"series":"t","key":${n},"idempotency_key":"k${n}"`);
      this.karma.now += 1000;
    }
  }

  /** Which of the first keys have answers. */
  held(count: number): number[] {
    const { records: answers } = this.karma.dedup;
    const seconds = Math.floor(this.karma.now / 1000);
    return Array.from({ length: count }, (_, n) => n).filter((n) => {
      const bytes = new TextEncoder().encode(`k${n}`);
      return answers.find(bytes, 0, bytes.length, seconds);
    });
  }

  async restarted(): Promise<World> {
    await this.karma.wal.settled();
    const disk = this.karma.disk.clone();
    disk.kill();
    const world = await World.start(this.#options, disk);
    world.karma.now = this.karma.now;
    world.karma.dedup.check();
    return world;
  }
}

Deno.test("administration: health and the figures of an empty server", async () => {
  for (const wal of [true, false]) {
    const world = await World.start({ wal });
    const health = await world.ask("system.health");
    assertMatch(
      health,
      new RegExp(
        `^\\{"status":"ok","uptime_seconds":\\d+\\.\\d+(e-\\d+)?,"role":"master","wal_enabled":${wal}\\}$`,
      ),
    );
  }
});

Deno.test("administration: stats and metrics tell of the trees that clients know", async () => {
  const world = await World.start();
  await world.ask("series.batch_set", '"series":"t","items":[[1,20260101,1],[2,20260101,0]]');
  await world.ask("tree.create", '"series":"u"');
  await world.ask("ingest.begin", '"stream_id":"s","mode":"replace_series"');
  await world.ask(
    "ingest.chunk",
    '"stream_id":"s","series":"t","chunk_seq":1,"items":[[9,20260101,1]]',
  );
  await world.ask("ingest.begin", '"stream_id":"a","mode":"add"');
  await world.ask("ingest.commit", '"stream_id":"a"');
  await world.answer(3, 1);
  await world.ask("recovery.checkpoint", '"source":"x","offset":1');
  await world.ask("snapshot.create", '"series":"t"');
  const stats = await world.told("system.stats");
  const expected = {
    trees: 2,
    keys: 3,
    dump_count: 1,
    role: "master",
    wal_enabled: true,
    wal_current_lsn: world.karma.wal.lsn,
    wal_bytes: world.karma.wal.bytes,
    ingest_active_streams: 1,
    ingest_chunks_applied: 1,
    idempotency_record_count: 3,
    idempotency_write_count: 3,
    idempotency_committed_stream_count: 1,
    recovery_checkpoint_count: 1,
    recovery_last_checkpoint_unix: SECONDS + 3,
    batch_write_count: 2,
    batch_write_item_count: 3,
  };
  for (const [name, value] of Object.entries(expected)) assertEquals(stats[name], value, name);
  const metrics = JSON.parse(await world.ask("system.metrics")) as string;
  for (
    const figure of [
      "karma_trees 2",
      "karma_keys 3",
      "karma_ingest_staged_items 1",
      'karma_role{role="master"} 1',
    ]
  ) {
    assert(metrics.split("\n").includes(figure), figure);
  }
});

Deno.test("administration: checkpoints, each wholly in place of the one before", async () => {
  const world = await World.start();
  const table: [members: string, offset: string | null, event: string | null][] = [
    ['"source":"s","offset":41', "41", null],
    ['"source":"s","event_id":"e"', null, "e"],
    ['"source":"s","source_offset":"a","offset":"b","event_id":-5', "a", "-5"],
    ['"source":"s","offset":18446744073709551615', "18446744073709551615", null],
    ['"source":"день","offset":"0"', "0", null],
    ['"source":"a","offset":"1"', "1", null],
  ];
  for (const [members, offset, event] of table) {
    const { source } = JSON.parse(`{${members}}`);
    world.karma.now += 1000;
    const seconds = world.karma.now / 1000;
    const checkpoint = { source, offset, event_id: event, updated_at_unix: seconds };
    assertEquals(await world.ask("recovery.checkpoint", members), JSON.stringify(checkpoint));
    const one = { checkpoint_count: 1, checkpoints: [checkpoint] };
    const asked = `"source":${JSON.stringify(source)}`;
    assertEquals(await world.ask("recovery.status", asked), JSON.stringify(one));
  }
  const none = '{"checkpoint_count":0,"checkpoints":[]}';
  assertEquals(await world.ask("recovery.status", '"source":"S"'), none);
  const all = await world.told("recovery.status", '"source":null');
  const sources = (all.checkpoints as { source: string }[]).map(({ source }) => source);
  assertEquals([all.checkpoint_count, sources], [3, ["a", "s", "день"]]);
  const again = await world.restarted();
  assertEquals(await again.told("recovery.status"), all);
});

Deno.test("administration: a checkpoint that is refused changes nothing", async () => {
  const world = await World.start();
  const table: [members: string, sentence: string][] = [
    ['"offset":1', "Field source is required"],
    ['"source":"","offset":1', "Field source is required"],
    ['"source":"s"', "Field offset or event_id is required"],
    ['"source":"s","offset":""', "Field offset must not be empty"],
    ['"source":"s","event_id":""', "Field event_id must not be empty"],
    ['"source":"s","offset":null', "Field offset must be a string or integer"],
    ['"source":"s","event_id":1.5', "Field event_id must be a string or integer"],
  ];
  for (const [members, sentence] of table) {
    assertEquals(await world.ask("recovery.checkpoint", members), `validation_error: ${sentence}`);
  }
  for (let n = 0; n < 10_000; n++) {
    world.karma.dedup.checkpoints.put({ source: `s${n}`, offset: "", event: null, updated: 0 });
  }
  const one = '"source":"one too many","offset":1';
  assertEquals(
    await world.ask("recovery.checkpoint", one),
    "validation_error: There are too many sources",
  );
  assertMatch(
    await world.ask("recovery.checkpoint", '"source":"s5","offset":1'),
    /^\{"source":"s5"/,
  );
  assertEquals([world.karma.wal.lsn, world.karma.dedup.checkpoints.count], [1, 10_000]);
});

Deno.test("administration: thousands of checkpoints are told, or refused", async () => {
  for (const op of ["recovery.status", "replication.status"]) {
    for (const replyBytesMax of [0, 20_000]) {
      const world = await World.start({ replyBytesMax });
      const offset = "o".repeat(1000);
      for (let n = 0; n < 4000; n++) {
        const source = `${"s".repeat(1000)}${n}`;
        world.karma.dedup.checkpoints.put({ source, offset, event: null, updated: 0 });
      }
      const text = await world.ask(op, "");
      if (replyBytesMax > 0) {
        assertEquals(text, "response_too_large: Response exceeds 20000 bytes");
        continue;
      }
      const { recovery = JSON.parse(text) } = JSON.parse(text);
      assertEquals([recovery.checkpoint_count, recovery.checkpoints.length], [4000, 4000]);
    }
  }
});

Deno.test("administration: a checkpoint whose reply would be too long is refused before it is put", async () => {
  const world = await World.start({ replyBytesMax: 500 });
  const text = "a".repeat(200);
  assertEquals(
    await world.ask("recovery.checkpoint", `"source":"${text}","offset":"${text}"`),
    "response_too_large: Response exceeds 500 bytes",
  );
  assertEquals([world.karma.dedup.checkpoints.count, world.karma.wal.lsn], [0, 0]);
  assertMatch(
    await world.ask("recovery.checkpoint", `"source":"${text}","offset":1`),
    /^\{"source"/,
  );
});

Deno.test("administration: without space a checkpoint is not put", async () => {
  const disk = new MemoryDisk("/dumps");
  disk.bytesMax = 1500;
  const world = await World.start({}, disk);
  const checkpoint = (n: number) => `"source":"${"s".repeat(50)}${n}","offset":1`;
  let count = 0;
  while (await world.ask("recovery.checkpoint", checkpoint(count)) !== FULL) count++;
  assert(count > 1);
  assertEquals(world.karma.dedup.checkpoints.count, count);
  assertEquals((await world.restarted()).karma.dedup.checkpoints.count, count);
});

Deno.test("administration: answers given before a time are forgotten, so many of them", async () => {
  const table: [members: string, left: number[]][] = [
    [`"before":${SECONDS}`, [0, 1, 2, 3, 4, 5]],
    [`"before":${SECONDS + 3}`, [3, 4, 5]],
    [`"before":${SECONDS + 3},"limit":2`, [2, 3, 4, 5]],
    [`"before":${SECONDS + 3},"limit":100000`, [3, 4, 5]],
    ['"before":"2026-11-22T12:00:03Z"', [3, 4, 5]],
    ['"before":"2026-11-22T12:00:02.5Z"', [3, 4, 5]],
    ['"before":"2026-11-22T13:00:03+01:00"', [3, 4, 5]],
    ['"before":18446744073709551615', []],
    ['"before":0', [0, 1, 2, 3, 4, 5]],
  ];
  for (const [members, left] of table) {
    const world = await World.start();
    await world.answer(6);
    const deleted = 6 - left.length;
    assertEquals(await world.ask("idempotency.prune", members), `{"deleted":${deleted}}`, members);
    assertEquals(world.held(6), left, members);
    assertEquals(world.karma.engine.statistics.idempotencyPruned, deleted);
    assertEquals((await world.restarted()).held(6), left, members);
    world.karma.dedup.check();
  }
  const refused: [members: string, sentence: string][] = [
    ["", "Field before is required"],
    ['"before":-1', "Field before must be greater than or equal to 0"],
    ['"before":1.5', "Field before must be an integer or ISO8601 timestamp"],
    ['"before":"2026-11-22"', "Field before must be an ISO8601 timestamp"],
    ['"before":1,"limit":0', "Field limit must be greater than 0"],
    ['"before":1,"limit":100001', "Field limit exceeds max size"],
  ];
  const world = await World.start();
  for (const [members, sentence] of refused) {
    assertEquals(await world.ask("idempotency.prune", members), `validation_error: ${sentence}`);
  }
});

/** Batches of a Karma whose clients give it thousands of idempotency keys. */
async function crowd(world: World, from: number, to: number): Promise<void> {
  const asked: Promise<string>[] = [];
  for (let n = from; n < to; n++) {
    asked.push(world.ask("counter.increment", `"series":"t","key":1,"idempotency_key":"k${n}"`));
  }
  await Promise.all(asked);
}

Deno.test("administration: thousands of answers go by and by, and a dump meanwhile is whole", async () => {
  const world = await World.start();
  await crowd(world, 0, 7000);
  world.karma.now += 10_000;
  await crowd(world, 7000, 7100);
  const pruning = world.ask("idempotency.prune", `"before":${SECONDS + 5},"limit":6500`);
  const dumping = world.ask("snapshot.create_all");
  assertEquals([await pruning, await dumping], ['{"deleted":6500}', '"OK"']);
  const left = Array.from({ length: 600 }, (_, n) => 6500 + n);
  assertEquals(world.held(7100), left);
  assertEquals((await world.restarted()).held(7100), left);
});

Deno.test("administration: what a prune left is left after a restart, though others are too old", async () => {
  // Answers too old go when others come, a thousand at a time; a restart finds fewer of them.
  const world = await World.start({ ageMaxSeconds: 100 });
  await crowd(world, 0, 3000);
  world.karma.now += 1_000_000;
  await crowd(world, 3000, 3001); // 1024 of the old ones are gone
  assertEquals(world.karma.dedup.records.size, 1977);
  assertEquals(await world.ask("snapshot.create_all"), '"OK"');
  const before = Math.floor(world.karma.now / 1000) + 1;
  assertEquals(
    await world.ask("idempotency.prune", `"before":${before},"limit":1976`),
    '{"deleted":1976}',
  );
  assertEquals(world.held(3001), [3000]);
  assertEquals((await world.restarted()).held(3001), [3000]);
});

Deno.test("administration: reports of reconciliations are added up", async () => {
  const world = await World.start();
  const report =
    '"checked_points":10,"mismatch_count":2,"absolute_drift":9223372036854775807,"max_abs_delta":3';
  assertEquals(await world.ask("reconciliation.report", report), '"OK"');
  world.karma.now += 5000;
  assertEquals(await world.ask("reconciliation.report", report), '"OK"');
  const refused = '"checked_points":1,"mismatch_count":2';
  assertMatch(await world.ask("reconciliation.report", refused), /^validation_error: /);
  const stats = await world.ask("system.stats");
  for (
    const figure of [
      '"reconciliation_run_count":2',
      '"reconciliation_checked_points":20',
      '"reconciliation_mismatch_count":4',
      '"reconciliation_absolute_drift":18446744073709551614',
      `"reconciliation_last_run_unix":${SECONDS + 5}`,
      '"reconciliation_last_absolute_drift":9223372036854775807',
      '"reconciliation_last_max_abs_delta":3',
    ]
  ) assert(stats.includes(`${figure},`), figure);
});

Deno.test("administration: a server without replicas, in the words of the original", async () => {
  const world = await World.start();
  await world.answer(1);
  await world.ask("recovery.checkpoint", '"source":"s","offset":"1"');
  await world.ask("snapshot.create", '"series":"t"');
  const told = await world.told("replication.status");
  assertEquals(Object.keys(told), [
    ...["role", "wal_enabled", "wal_current_lsn", "wal_bytes", "replayed_lsn"],
    ...["replication_lag_entries", "replication_entries_applied", "replication_last_received_unix"],
    ...["poll", "bootstrap"].flatMap((what) => [
      ...["attempt", "success", "error"].map((name) => `replication_${what}_${name}_count`),
      ...["attempt", "success", "error"].map((name) => `replication_last_${what}_${name}_unix`),
      `replication_last_${what}_error`,
    ]),
    ...["last_snapshot_lsn", "latest_snapshots", "recovery", "recovery_checkpoint_count"],
  ]);
  assertEquals([told.role, told.wal_current_lsn], ["master", world.karma.wal.lsn]);
  assertEquals([told.replication_last_poll_error, told.replayed_lsn], [null, 0]);
  assertEquals(told.recovery, await world.told("recovery.status"));
  const latest = told.latest_snapshots as { tree: string; last_lsn: number }[];
  assertEquals([latest.length, latest[0].tree], [1, "t"]);
  assertEquals([told.last_snapshot_lsn, latest[0].last_lsn], [
    world.karma.wal.lsn,
    world.karma.wal.lsn,
  ]);
});
