// Snapshot operations: what they tell, what they refuse, and that an examination is right at any
// moment while everything goes on.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { SendBuffer } from "../../../lib/bytes/send_buffer.ts";
import { type OperationId, OPERATIONS } from "../../../lib/command/operation.ts";
import { Reply } from "../../../lib/command/reply.ts";
import { type Detail, Request } from "../../../lib/command/request.ts";
import { JsonReplyWriter } from "../../../lib/protocol/json/response.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { nextTurn } from "../../../lib/host/clock.ts";
import { StateWriter } from "../../../lib/state/state_writer.ts";
import { LocalKarma, type LocalOptions } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { originalDump } from "../../support/original_dump.ts";
import { Random } from "../../support/random.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Asked {
  readonly offset?: number;
  readonly limit?: number;
  readonly after?: string | null;
  readonly dialect?: "v1" | "v2";
}

/** A Karma whose engine is asked without a wire between. */
class World {
  readonly karma: LocalKarma;
  readonly stateWriter: StateWriter;

  constructor(karma: LocalKarma) {
    this.karma = karma;
    this.stateWriter = new StateWriter(karma.forest, karma.dedup, karma.wal, true);
  }

  static async start(options: LocalOptions = {}): Promise<World> {
    return new World(await LocalKarma.start(new MemoryDisk("/dumps"), options));
  }

  /** The response as it is written, or `CODE: SENTENCE` with the name that it is about. */
  async ask(id: OperationId, name = "", asked: Asked = {}): Promise<string> {
    const request = new Request();
    const reply = new Reply();
    request.operation = OPERATIONS.find((operation) => operation.id === id)!;
    request.isBounded = request.isAwaited = asked.dialect !== "v1";
    request.bytes = encoder.encode(name);
    request.nameEnd = request.bytes.length;
    request.pageSize = asked.limit ?? (id === "fetchChunk" ? 262_144 : 0);
    const details: [string, Detail][] = [["offset", asked.offset ?? 0]];
    if (asked.after !== undefined) details.push(["after", asked.after]);
    for (const [field, detail] of details) request.details.set(field, detail);
    this.karma.engine.execute(request, reply);
    await reply.pending;
    if (reply.code !== null) {
      return `${reply.code}: ${reply.text} ${decoder.decode(reply.subject)}`.trimEnd();
    }
    const out = new SendBuffer(64);
    const writer = new JsonReplyWriter();
    writer.write(reply, out);
    while (reply.isLong && writer.more(request, reply, out) === "more");
    return decoder.decode(out.view(0));
  }

  async told(id: OperationId, name = "", asked: Asked = {}): Promise<Record<string, unknown>> {
    const response = await this.ask(id, name, asked);
    assertEquals(response[0], "{", response);
    return JSON.parse(response);
  }

  add(tree: string, key: number, amount = 1): void {
    const { forest } = this.karma;
    if (forest.named(tree) === null) assertEquals(this.stateWriter.create(tree), "done");
    this.stateWriter.add(forest.named(tree)!, key, 0, 20260101, amount, 0);
  }
}

Deno.test("snapshots: a server with one tree and two records, as the original tells of it", async () => {
  const world = await World.start();
  world.add("a", 1);
  assertEquals(await world.ask("dumps"), "[]");
  assertEquals(
    await world.ask("snapshotInfo"),
    '{"dump_count":0,"latest_by_tree":[],"idempotency_snapshot":null,"last_snapshot_lsn":0,' +
      `"wal_enabled":true,"wal_bytes":${world.karma.wal.bytes},"wal_current_lsn":2,` +
      '"dump_retention_per_tree":5}',
  );
  assertEquals(
    await world.ask("verify"),
    '{"status":"ok","dump_count":0,"trees":1,"keys":1,"snapshot_metadata_checked":0,' +
      '"snapshot_missing_metadata":0,"restore_snapshot_lsn":0,"wal_entries_checked":2,' +
      '"wal_first_lsn":1,"wal_last_lsn":2,"wal_lsn_file":0}',
  );
});

/** What is told of a dump. */
function metadata(tree: string, file: string, bytes: number, lsn: number): unknown {
  const timestamp = Number(file.split("_")[0]);
  return { tree, file, timestamp, bytes, last_lsn: lsn, metadata_file: null };
}

Deno.test("snapshots: what is told of dumps, of the newest of each tree", async () => {
  const world = await World.start();
  const { karma } = world;
  world.add("b", 1); // records 1 and 2
  world.add("a", 1); // 3 and 4
  assertEquals(await world.ask("dump", "b"), '"Tree \\"b\\" saved"');
  world.add("b", 1); // 5
  assertEquals(await world.ask("dump", "b"), '"Tree \\"b\\" saved"');
  world.add("b", 1); // 6
  assertEquals(await world.ask("dump", "a"), '"Tree \\"a\\" saved"');
  const [second, a, first] = JSON.parse(await world.ask("dumps")) as string[];
  assert(second.endsWith("_b.tree") && a.endsWith("_a.tree") && first.endsWith("_b.tree"));
  const size = (file: string) => karma.bytesOf(file).length;
  const info = await world.told("snapshotInfo");
  assertEquals(info.dump_count, 3);
  const latest = [metadata("a", a, size(a), 6), metadata("b", second, size(second), 5)];
  assertEquals(info.latest_by_tree, latest);
  assertEquals([info.last_snapshot_lsn, info.wal_current_lsn], [5, 6]);
  const verified = await world.told("verify");
  assertEquals([verified.dump_count, verified.snapshot_metadata_checked], [3, 3]);
  assertEquals([verified.restore_snapshot_lsn, verified.wal_entries_checked], [5, 6]);
  // A new process finds the same in the heads.
  await karma.wal.sync();
  const again = await LocalKarma.start(karma.disk.clone());
  const restarted = new World(again);
  assertEquals((await restarted.told("snapshotInfo")).latest_by_tree, latest);
});

Deno.test("snapshots: dumps of others, of dropped trees and damaged ones have no LSN that counts", async () => {
  const world = await World.start();
  const { karma } = world;
  for (const name of ["gone", "t"]) {
    world.add(name, 1);
    await world.ask("dump", name);
  }
  world.stateWriter.drop(karma.forest.named("gone")!);
  const original = originalDump(new Map([[1n, new Map([[20260101, 3n]])]]));
  karma.put("5_old_name.tree", original);
  karma.put("6_bad.tree", Uint8Array.of(0x92, 0));
  karma.put("7_%00staged-1.tree", original);
  const info = await world.told("snapshotInfo");
  const latest = info.latest_by_tree as { tree: string; bytes: number; last_lsn: number }[];
  assertEquals(latest.map(({ tree, last_lsn }) => [tree, last_lsn]), [
    ...[["bad", 0], ["gone", 2], ["old_name", 0], ["t", 4]],
  ]);
  assertEquals([latest[0].bytes, latest[2].bytes], [2, original.length]);
  assertEquals([info.dump_count, info.last_snapshot_lsn], [4, 4], "hidden ones are not told of");
  assertEquals(
    await world.ask("verify"),
    "validation_error: Dump 6_bad.tree is damaged: it ends within a frame",
  );
  await karma.disk.remove("/dumps/6_bad.tree");
  const verified = await world.told("verify");
  assertEquals([verified.dump_count, verified.snapshot_missing_metadata], [3, 1]);
});

Deno.test("snapshots: a file is fetched whole, or in chunks of any size", async () => {
  const world = await World.start();
  for (let key = 0; key < 500; key++) world.add("t", key);
  await world.ask("dump", "t");
  const [file] = JSON.parse(await world.ask("dumps")) as string[];
  const bytes = world.karma.bytesOf(file);
  const about = metadata("t", file, bytes.length, 501);
  const whole = await world.told("fetch", file);
  assertEquals(Object.keys(whole), ["metadata", "data_base64"]);
  assertEquals([whole.metadata, whole.data_base64], [about, bytes.toBase64()]);
  for (const limit of [1000, 1001, 4096, bytes.length - 1, bytes.length, 524_288]) {
    const chunks: Uint8Array[] = [];
    for (let offset = 0, done = false; !done;) {
      const chunk = await world.told("fetchChunk", file, { offset, limit });
      const data = Uint8Array.fromBase64(chunk.data_base64 as string);
      const next = Math.min(bytes.length, offset + limit);
      done = next === bytes.length;
      assertEquals(Object.entries(chunk), [
        ...Object.entries({ metadata: about, offset, limit, bytes: data.length }),
        ...Object.entries({ total_bytes: bytes.length, next_offset: next, done }),
        ["data_base64", data.toBase64()],
      ]);
      chunks.push(data);
      offset = next;
    }
    assertEquals(Uint8Array.from(chunks.flatMap((chunk) => [...chunk])), bytes);
  }
  const end = await world.told("fetchChunk", file, { offset: bytes.length });
  assertEquals([end.bytes, end.done, end.data_base64], [0, true, ""]);
  assertEquals(
    await world.ask("fetchChunk", file, { offset: bytes.length + 1 }),
    "validation_error: Field offset exceeds snapshot size",
  );
  assertEquals(world.karma.disk.filesOpen, 1, "the log's");
});

Deno.test("snapshots: what is no dump here is not found", async () => {
  const world = await World.start();
  const { karma } = world;
  world.add("t", 1);
  await world.ask("dump", "t");
  const [file] = JSON.parse(await world.ask("dumps")) as string[];
  const bytes = karma.bytesOf(file);
  for (const other of ["notes.tree", ".5_t.tree", "5_%00staged-1.tree"]) karma.put(other, bytes);
  karma.disk.put("/1_t.tree", bytes);
  const wal = (await karma.disk.list("/dumps")).find((name) => name.endsWith(".wal"))!;
  const names = ["1_t.tree", "../1_t.tree", "/dumps/" + file, "./" + file, "", ".", "/", "\0"];
  names.push(wal, "notes.tree", ".5_t.tree", "5_%00staged-1.tree", "x".repeat(5000));
  for (const name of names) {
    for (const id of ["fetch", "fetchChunk"] as const) {
      const expected = `not_found: Snapshot ${name}`.trimEnd();
      assertEquals(await world.ask(id, name), expected);
    }
  }
  // Named as a dump, and yet none: its bytes are given to nobody.
  karma.put("7_secret.tree", encoder.encode("password=1"));
  karma.put("8_empty.tree", new Uint8Array(0));
  for (const id of ["fetch", "fetchChunk"] as const) {
    assertEquals(
      await world.ask(id, "7_secret.tree"),
      "internal_error: Dump 7_secret.tree is damaged: it does not begin as a dump does",
    );
    assertEquals(
      await world.ask(id, "8_empty.tree"),
      "internal_error: Dump 8_empty.tree is damaged: it is empty",
    );
  }
  assertEquals(await world.ask("load", "5_%00staged-1.tree"), "not_found: Dump \0staged-1");
  assertEquals(await world.ask("load", "9_t.tree"), "not_found: Dump t");
  assertEquals(await world.ask("load", file), '"Tree \\"t\\" loaded"');
});

Deno.test("snapshots: what is too long for a reply is refused before it is read", async () => {
  const probe = await World.start();
  for (let key = 0; key < 500; key++) probe.add("t", key);
  await probe.ask("dump", "t");
  const [file] = JSON.parse(await probe.ask("dumps")) as string[];
  const asks: ["fetch" | "fetchChunk", Asked][] = [
    ["fetch", {}],
    ["fetchChunk", { limit: 2000 }],
    ["fetchChunk", { limit: 2000, offset: 77 }],
  ];
  for (const [id, asked] of asks) {
    const response = await probe.ask(id, file, asked);
    const reply = `{"protocol_version":2,"success":true,"response":${response},"error_code":null}`;
    for (const spare of [0, -1]) {
      const replyBytesMax = reply.length + spare;
      const karma = await LocalKarma.start(probe.karma.disk.clone(), { replyBytesMax });
      const world = new World(karma);
      await world.ask("snapshotInfo"); // the head is known
      let reads = 0;
      karma.disk.latency = (kind) => kind === "read" && reads++;
      const answer = await world.ask(id, file, asked);
      if (spare === 0) assertEquals([answer, reads > 0], [response, true]);
      else {
        const refused = `response_too_large: Response exceeds ${replyBytesMax} bytes`;
        assertEquals([answer, reads], [refused, 0]);
      }
    }
  }
});

Deno.test("snapshots: what can't be dumped or read is told, without paths", async () => {
  const world = await World.start();
  world.add("t", 1);
  await world.ask("dump", "t");
  const [file] = JSON.parse(await world.ask("dumps")) as string[];
  const { disk, log } = world.karma;
  world.add("t", 2);
  disk.failsFrom.create = 0;
  const refused = "internal_error: Not everything could be dumped";
  assertEquals(await world.ask("dumpAll", "", { dialect: "v1" }), '"OK"');
  assertEquals(await world.ask("dumpAll"), refused);
  assertEquals(await world.ask("dump", "t"), 'internal_error: Tree "t" could not be dumped');
  disk.failsFrom = { read: 0 };
  const unread = `internal_error: Dump ${file} could not be read`;
  for (const id of ["fetch", "fetchChunk", "load"] as const) {
    assertEquals(await world.ask(id, file), unread);
  }
  assertEquals(await world.ask("verify"), "internal_error: The data could not be read");
  disk.failsFrom = { changedAt: 0, list: 0 };
  assertEquals(await world.ask("snapshotInfo"), "internal_error: Dumps could not be listed");
  assertEquals(await world.ask("verify"), "internal_error: The data could not be read");
  const { latest_snapshots: known } = await world.told("replication");
  assertEquals((known as unknown[]).length, 1, "as it was known last");
  assertEquals((await world.told("stats")).dump_count, 0, "nobody had asked before");
  disk.failsFrom = {};
  assertEquals((await world.told("stats")).dump_count, 1);
  assertEquals(await world.ask("dumpAll"), '"OK"');
  assertMatch(log.join("\n"), /Simulated failure/);
});

/** All files and their bytes. */
async function everything({ disk }: LocalKarma): Promise<Map<string, string>> {
  const names = (await disk.list("/dumps")).sort();
  return new Map(names.map((name) => [name, disk.bytesOf(`/dumps/${name}`).toHex()]));
}

Deno.test("snapshots: an examination finds what is damaged or missing, and changes nothing", async () => {
  const world = await World.start();
  const { karma } = world;
  for (let key = 0; key < 5; key++) world.add("t", key);
  await world.ask("dumpAll");
  for (let key = 0; key < 5; key++) world.add("t", key);
  assertEquals((await world.told("verify")).keys, 5);
  const whole = await everything(karma);
  const [file] = JSON.parse(await world.ask("dumps")) as string[];
  const wal = [...whole.keys()].find((name) => name.endsWith(".wal"))!;
  const last = karma.wal.segments.at(-1)!.bytes;
  const damages: [file: string, damage: (bytes: Uint8Array) => Uint8Array | null, fault: RegExp][] =
    [
      [file, (bytes) => bytes.with(50, bytes[50] ^ 1), /^Dump \S+ is damaged: the checksum/],
      [file, (bytes) => bytes.subarray(0, 100), /^Dump \S+ is damaged: it ends within a frame$/],
      [file, () => null, /^No dump of tree "t" is there, and the log goes on at 7\b/],
      [wal, (bytes) => bytes.with(50, bytes[50] ^ 1), /^Log \S+ is damaged at byte \d+: /],
      [wal, (bytes) => bytes.fill(0, last - 40, last), /^The log ends at record 6, and 11 were /],
      [wal, (bytes) => bytes.subarray(0, last - 9), /^The log ends at record 6, and 11 were /],
    ];
  for (const [name, damage, fault] of damages) {
    const bytes = Uint8Array.fromHex(whole.get(name)!);
    const damaged = damage(bytes.slice());
    if (damaged === null) await karma.disk.remove(`/dumps/${name}`);
    else karma.put(name, damaged);
    const before = await everything(karma);
    const told = await world.ask("verify");
    assertMatch(told, /^validation_error: /);
    assertMatch(told.slice("validation_error: ".length), fault);
    assert(!told.includes("/dumps"), told);
    assertEquals(karma.log.pop(), told.slice("validation_error: ".length));
    assertEquals(await everything(karma), before, "nothing was changed");
    karma.put(name, bytes);
  }
  assertEquals((await world.told("verify")).wal_last_lsn, 11);
});

Deno.test("snapshots: dumps wait for an examination, and who asks meanwhile shares the next", async () => {
  const world = await World.start();
  world.add("t", 1);
  let listings = 0;
  world.karma.disk.latency = (kind) => {
    if (kind === "list") listings++;
    return nextTurn();
  };
  const order: string[] = [];
  const ask = (id: OperationId, name = "") => world.ask(id, name).then(() => order.push(id));
  const first = [ask("verify"), ask("verify"), ask("verify")];
  await nextTurn();
  world.add("t", 2);
  const then = [ask("dump", "t"), ask("verify"), ask("verify")];
  await Promise.all([...first, ...then]);
  assertEquals(order.slice(0, 4), ["verify", "verify", "verify", "dump"]);
  const verified = await world.told("verify");
  assertEquals([verified.dump_count, verified.keys], [1, 2]);
  assert(listings < 30, `${listings} listings`);
});

/** One more change or operation of a server that does everything at once. */
function happen(world: World, random: Random): Promise<string> | null {
  const { karma, stateWriter } = world;
  const name = random.pick(["a", "b", "c", "\0staged-1"]);
  const tree = karma.forest.named(name);
  switch (random.below(12)) {
    case 0:
      return world.ask("dumpAll");
    case 1:
      return tree === null || name.startsWith("\0") ? null : world.ask("dump", name);
    case 2:
      if (tree !== null) stateWriter.drop(tree);
      return null;
    case 3:
      if (tree !== null && name.startsWith("\0")) stateWriter.adopt(tree, "a");
      return null;
    case 4:
      return world.ask("dumps").then((files) => {
        return world.ask("load", random.pick(["x", ...JSON.parse(files) as string[]]));
      });
    case 5:
      if (tree !== null) stateWriter.sweep(tree, 0, 4294967295);
      return null;
    default:
      for (let count = random.below(50); count > 0; count--) world.add(name, random.below(5000));
      return null;
  }
}

for (const policy of ["always", "everysec", "no"] as const) {
  Deno.test(`snapshots: an examination is right whatever goes on meanwhile, ${policy}`, async () => {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0];
    const random = new Random(seed);
    const world = await World.start({ policy, segmentBytes: 20_000, dumpsKept: 2 });
    const { karma } = world;
    karma.disk.latency = () => random.chance(0.3) ? nextTurn() : null;
    const pending: Promise<unknown>[] = [];
    for (let round = 0; round < 12; round++) {
      let isDone = false;
      const verified = world.ask("verify").then((told) => {
        isDone = true;
        assertMatch(told, /^\{"status":"ok",/, `seed ${seed}, round ${round}`);
      });
      while (!isDone) {
        const happened = happen(world, random);
        if (happened !== null) pending.push(happened);
        await karma.engine.settled();
        if (random.chance(0.5)) await nextTurn();
      }
      await verified;
    }
    await Promise.all(pending);
    const { trees, keys, wal_last_lsn: lsn } = await world.told("verify");
    const visible = karma.forest.visible();
    const counted = visible.reduce((sum, tree) => sum + tree.keys, 0);
    assertEquals([trees, keys, lsn === 0 || lsn === karma.wal.lsn], [
      visible.length,
      counted,
      true,
    ]);
    karma.forest.trees().forEach(checkTree);
    await karma.wal.close();
    assertEquals([karma.lost, karma.disk.filesOpen], [null, 0], `seed ${seed}`);
  });
}

Deno.test("snapshots: lists have pages, and go on where they ended while dumps come and go", async () => {
  const world = await World.start({ dumpsKept: 0 });
  const names = Array.from({ length: 25 }, (_, index) => `t${String(index).padStart(2, "0")}`);
  for (const name of names) world.add(name, 1);
  await world.ask("dumpAll");
  const all = JSON.parse(await world.ask("dumps")) as string[];
  assertEquals(all.length, names.length);
  const pages = async (id: OperationId, member: string, limit: number) => {
    const met: unknown[] = [];
    let after: string | null = null;
    do {
      const page: Record<string, unknown> = await world.told(id, "", { limit, after });
      const items = page[member] as unknown[];
      assert(items.length <= limit && (items.length === limit || page.next_cursor === null));
      met.push(...items);
      after = page.next_cursor as string | null;
      world.add("t07", 1);
      if (met.length < 10) await world.ask("dump", "t07"); // newer than all: nothing is met twice
    } while (after !== null);
    return met;
  };
  for (const limit of [1, 2, 7, 25, 26, 10_000]) {
    const listed = JSON.parse(await world.ask("dumps")) as string[];
    assertEquals(await pages("dumps", "snapshots", limit), listed, `${limit}`);
    const trees = (rows: unknown[]) => rows.map((row) => (row as { tree: string }).tree);
    assertEquals(trees(await pages("snapshotInfo", "latest_by_tree", limit)), names);
    assertEquals(trees(await pages("replication", "latest_snapshots", limit)), names);
  }
  assertEquals((await world.told("dumps", "", { after: "no dump" })).snapshots, []);
  assertEquals((await world.told("snapshotInfo", "", { after: "zzz" })).latest_by_tree, []);
});

Deno.test("snapshots: rows that a reply has no room for come with the next page", async () => {
  const world = await World.start({ replyBytesMax: 3000 });
  const names = Array.from({ length: 150 }, (_, index) => `tree-${100 + index}`);
  for (const name of names) world.add(name, 1);
  await world.ask("dumpAll");
  for (
    const [id, member] of [["snapshotInfo", "latest_by_tree"], [
      "replication",
      "latest_snapshots",
    ]] as const
  ) {
    const met: string[] = [];
    let page = await world.told(id);
    for (;;) {
      assert(JSON.stringify(page).length <= 3000);
      met.push(...(page[member] as { tree: string }[]).map(({ tree }) => tree));
      if (page.next_cursor === null) break;
      page = await world.told(id, "", { after: page.next_cursor as string });
    }
    assertEquals(met, names);
  }
  for (const dialect of ["v1", "v2"] as const) { // what is too long is refused by the protocol
    assertEquals(JSON.parse(await world.ask("dumps", "", { dialect })).length, names.length);
  }
});

Deno.test("snapshots: files that people put there or remove are seen by the next who asks", async () => {
  const world = await World.start();
  world.add("t", 1);
  await world.ask("dumpAll");
  const [file] = JSON.parse(await world.ask("dumps")) as string[];
  let lists = 0;
  world.karma.disk.latency = (kind) => void (kind === "list" && lists++);
  const asked = ["dumps", "snapshotInfo", "replication", "stats"] as const;
  for (const id of asked) await world.ask(id);
  assertEquals(lists, 0, "the directory has not changed");
  world.karma.put("5_u.tree", world.karma.bytesOf(file));
  assertEquals(JSON.parse(await world.ask("dumps")), [file, "5_u.tree"]);
  assertEquals((await world.told("snapshotInfo")).dump_count, 2);
  await world.karma.disk.remove("/dumps/5_u.tree");
  assertEquals((await world.told("stats")).dump_count, 1);
  assertEquals(JSON.parse(await world.ask("dumps")), [file]);
  assert(lists > 0);
});
