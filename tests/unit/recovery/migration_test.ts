// The migration of a directory of Karma 1.x: the state is exactly what it was, once, wherever a crash
// comes between the first start and the last file that is moved.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { budget, positions } from "../../support/budget.ts";
import { DedupStore } from "../../../lib/dump/dedup_store.ts";
import { DumpStore } from "../../../lib/dump/store.ts";
import { encodeCatalog } from "../../../lib/state/catalog.ts";
import { StateWriter } from "../../../lib/state/state_writer.ts";
import { Recovery } from "../../../lib/recovery/recovery.ts";
import { DamagedError, HostError } from "../../../lib/errors.ts";
import { Wal } from "../../../lib/wal/wal.ts";
import { DedupState, IDEMPOTENCY_RECORD } from "../../../lib/idempotency/dedup_state.ts";
import { Forest } from "../../../lib/tree/forest.ts";
import { isHidden } from "../../../lib/tree/tree_name.ts";
import { cellsOf, line } from "../../support/karma1.ts";
import { LocalKarma } from "../../support/local_karma.ts";
import { MemoryDisk, type Survivors } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";
import { V2Client } from "../../support/v2_client.ts";

const DIRECTORY = "/dumps";
const FIXTURE = new URL("../../fixtures/karma-1.x-directory/", import.meta.url);
const NOW_SECONDS = 1_700_000_200; // answers of the fixture are some minutes old
const LIMITS = { idempotencyRecordsMax: 1000, ageMaxSeconds: 604_800, streamsKeptMax: 1000 };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What is there when Karma starts for the first time. */
function fixture(): MemoryDisk {
  const disk = new MemoryDisk(DIRECTORY);
  for (const { name } of [...Deno.readDirSync(FIXTURE)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    disk.put(`${DIRECTORY}/${name}`, Deno.readFileSync(new URL(name, FIXTURE)));
  }
  return disk;
}

/** The fixture with streams that are open: one that adds, and one that replaces a tree. */
function withStreams(): MemoryDisk {
  const disk = fixture();
  const log = decoder.decode(disk.bytesOf(`${DIRECTORY}/karma.wal`));
  const begin = (id: string, mode: string) =>
    `"op":"ingest.begin","stream_id":"${id}","mode":"${mode}"`;
  const chunk = (id: string, sequence: number, items: string) => {
    const rest = `"series":"alpha","chunk_seq":${sequence},"items":${items}`;
    return `"op":"ingest.chunk","stream_id":"${id}",${rest}`;
  };
  const entries = [
    begin("adding", "add"),
    chunk("adding", 1, "[[1,20260104,3]]"),
    begin("replacing", "replace_series"),
    chunk("replacing", 1, "[[7,20260106,70]]"),
    chunk("replacing", 2, "[[8,20260106,80]]"),
  ];
  const more = entries.map((entry, index) => line(12 + index, entry)).join("");
  disk.put(`${DIRECTORY}/karma.wal`, encoder.encode(log + more));
  return disk;
}

/** A process from its start to where it would serve, as main.ts has it. */
class Process {
  readonly disk: MemoryDisk;
  readonly forest = new Forest();
  readonly dedup = new DedupState(LIMITS);
  readonly told: string[] = [];
  wal: Wal | null = null;

  constructor(disk: MemoryDisk) {
    this.disk = disk;
  }

  async start(): Promise<this> {
    const { disk, forest, dedup, told } = this;
    const clock = { now: () => 1000 * NOW_SECONDS, today: () => 20231114 };
    const tell = (line: string) => told.push(line);
    const dumps = new DumpStore(DIRECTORY, disk, clock, 5, tell);
    const dedupStore = new DedupStore(DIRECTORY, disk, clock);
    const recovery = new Recovery(DIRECTORY, disk, dumps, forest, dedupStore, dedup, clock);
    await recovery.read();
    const position = await recovery.settle(tell);
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    const options = { policy: "no", segmentBytes: 0, bytesMax: Infinity } as const;
    this.wal = new Wal(DIRECTORY, options, position, disk, {
      catalog: (lsn) => encodeCatalog(forest, dedup, lsn),
      onLarge: () => {},
      lost: (error) => lost.reject(error), // nobody is answered any more
      tell,
    });
    const begun = this.wal.begin();
    await Promise.race([this.wal.sync(), lost.promise]);
    if (begun !== null) await recovery.finish(tell);
    return this;
  }

  /** All of the state. Hidden trees have names that depend on what happened before. */
  state(): unknown {
    const { forest, dedup } = this;
    dedup.check();
    const trees = forest.visible().map((tree) => [tree.name, cellsOf(tree)]);
    const answers = [...dedup.records.all()].map(([words, at]) => words.slice(at, at + words[at]));
    const streams = [...dedup.streams.all()].map(({ prints, staged, ...stream }) => {
      const held = staged === null ? null : cellsOf(forest.named(staged)!);
      return { ...stream, staged: held, prints: prints.slice(0, 4 * stream.lastChunk) };
    });
    const hidden = forest.trees().filter(({ name }) => isHidden(name)).length;
    return { trees, answers, streams, checkpoints: dedup.checkpoints.all(), hidden };
  }
}

async function started(disk: MemoryDisk): Promise<Process> {
  return await new Process(disk).start();
}

const KARMA1 = [
  "karma.idempotency.json",
  "karma.idempotency.json.meta.json",
  "karma.wal",
  "karma.wal.lsn",
  "recovery.json",
];

Deno.test("takeover: the fixture's state is ours, and stays so", async () => {
  const disk = fixture();
  const bytes = KARMA1.map((file) => disk.bytesOf(`${DIRECTORY}/${file}`));
  const first = await started(disk);
  const { trees, streams, checkpoints } = first.state() as Record<string, unknown[]>;
  assertEquals(trees, [
    ["alpha", ["1 20260101 10", "1 20260103 5", "1 20260104 7", "2 20260102 20"]],
    [
      "beta_two",
      [
        "10 20260101 70",
        "10 20260104 4",
        "11 20260102 200",
        "9007199254740993 20260103 9007199254740993",
      ],
    ],
    ["gamma", ["5 20260105 50", "6"]],
  ]);
  assertEquals(checkpoints, [
    { source: "fx-export", offset: "41", event: "ev-41", updated: 1700000099 },
    { source: "fx-other", offset: null, event: "e", updated: 1700000098 },
  ]);
  assertEquals(streams.length, 1);
  assertMatch(first.told[0], /^Taken over from Karma 1\.x: log entries 8 to 11 \(4 replayed, /);
  assertMatch(first.told.at(-1)!, /^Files of Karma 1\.x are kept in \/dumps\/karma-1\.x: /);
  // What it left is aside as it was; its snapshots stay where they are.
  assertEquals(
    KARMA1.map((file) => disk.bytesOf(`${DIRECTORY}/karma-1.x/${file}`)),
    bytes,
  );
  const files = await disk.list(DIRECTORY);
  assertEquals(files.filter((file) => file.startsWith("karma.") || file === "recovery.json"), []);
  assertEquals(files.filter((file) => /^17000001\d\d_.*\.tree$/.test(file)).length, 2);
  for (let start = 0; start < 3; start++) {
    disk.kill();
    const next = await started(disk);
    assertEquals(next.state(), first.state());
    assertEquals(next.told, [], "that is over");
  }
});

Deno.test("takeover: clients go on where they were with Karma 1.x", async () => {
  const karma = new LocalKarma(withStreams());
  karma.now = 1000 * NOW_SECONDS;
  await karma.start();
  const client = new V2Client(karma);
  const increment =
    '"series":"alpha","key":1,"bucket":20260103,"value":5,"idempotency_key":"fx-inc-1"';
  assertEquals(await client.ask("counter.increment", increment), "again: 5");
  const items =
    "[[10,20260101,100],[11,20260102,200],[9007199254740993,20260103,9007199254740993]]";
  const batch = `"series":"beta_two","items":${items},"idempotency_key":"fx-batch-1"`;
  const answer = '{"applied":3,"total":9007199254741293}';
  assertEquals(await client.ask("series.batch_add", batch), `again: ${answer}`);
  assertEquals(
    await client.ask("ingest.commit", '"stream_id":"fx-stream"'),
    '{"stream_id":"fx-stream","mode":"add","series":"beta_two","granularity":"day",' +
      '"status":"already_committed","last_chunk_seq":1}',
  );
  const chunk = (id: string, sequence: number, items: string) => {
    const rest = `"series":"alpha","chunk_seq":${sequence},"items":${items}`;
    return client.ask("ingest.chunk", `"stream_id":"${id}",${rest}`);
  };
  const skipped = (id: string, sequence: number) =>
    `{"stream_id":"${id}","chunk_seq":${sequence},"skipped":true,"committed":false,"applied":0,"total":0}`;
  assertEquals(await chunk("adding", 1, "[[1,20260104,3]]"), skipped("adding", 1));
  assertEquals(await chunk("replacing", 1, "[[7,20260106,70]]"), skipped("replacing", 1));
  assertMatch(await chunk("replacing", 3, "[[9,20260106,90]]"), /"applied":1,"total":90/);
  assertEquals(karma.dedup.streams.stagedItems, 3);
  await client.ask("ingest.commit", '"stream_id":"replacing"');
  assertEquals(cellsOf(karma.forest.named("alpha")!), [
    "7 20260106 70",
    "8 20260106 80",
    "9 20260106 90",
  ]);
  assertEquals(await client.ask("tree.list"), '["beta_two","gamma","alpha"]');
  const status = JSON.parse(await client.ask("recovery.status", '"source":"fx-export"'));
  assertEquals(status.checkpoints[0].offset, "41");
});

const SURVIVORS: Survivors[] = [
  { names: false, bytes: false },
  { names: false, bytes: true },
  { names: true, bytes: false },
  { names: true, bytes: true },
];

/** How many operations a first start takes. */
async function operationsOf(disk: MemoryDisk): Promise<number> {
  const before = disk.operations;
  await started(disk);
  return disk.operations - before;
}

/** What the first start makes of it. */
async function stateOf(disk: MemoryDisk): Promise<unknown> {
  return (await started(disk)).state();
}

for (const [what, make] of [["the fixture", fixture], ["open streams", withStreams]] as const) {
  Deno.test(`takeover: a crash at an operation, and the next start has the same: ${what}`, async () => {
    const operations = await operationsOf(make());
    const expected = await stateOf(make());
    assert(operations > 50, `${operations} operations`);
    for (const operation of positions(1, operations, 15)) {
      const stopped = make();
      stopped.stopsAt = stopped.operations + operation;
      const process = new Process(stopped);
      await process.start().catch((error) => assert(error instanceof HostError, error));
      for (const survivors of SURVIVORS) {
        const disk = stopped.clone();
        disk.crash(survivors);
        const where = `operation ${operation}, ${JSON.stringify(survivors)}`;
        assertEquals((await started(disk)).state(), expected, where);
        disk.crash(survivors);
        assertEquals((await started(disk)).state(), expected, `${where}, once more`);
        const left = (await disk.list(DIRECTORY)).filter((file) => KARMA1.includes(file));
        assertEquals(left, [], `${where}: all of its files are aside`);
      }
    }
  });
}

Deno.test("takeover: crash after crash, each leaving what chance leaves", async () => {
  const expected = await stateOf(withStreams());
  const operations = await operationsOf(withStreams());
  const first = crypto.getRandomValues(new Uint32Array(1))[0];
  for (let seed = first; seed < first + budget(15, 60); seed++) {
    const random = new Random(seed);
    const disk = withStreams();
    for (let crashes = 1 + random.below(4); crashes > 0; crashes--) {
      disk.stopsAt = disk.operations + 1 + random.below(operations);
      await new Process(disk).start().catch((error) => assert(error instanceof HostError, error));
      disk.crashAt(random, { holes: random.chance(0.5) });
    }
    assertEquals((await started(disk)).state(), expected, `seed ${seed}`);
  }
});

Deno.test("takeover: what is counted after it lasts, and nothing is counted twice", async () => {
  const disk = fixture();
  const process = await started(disk);
  const stateWriter = new StateWriter(process.forest, process.dedup, process.wal!, true);
  stateWriter.add(process.forest.named("alpha")!, 1, 0, 20260104, 1, 0);
  await process.wal!.sync();
  disk.crash({ names: false, bytes: false });
  const after = await started(disk);
  assertEquals(cellsOf(after.forest.named("alpha")!)[2], "1 20260104 8");
});

Deno.test("takeover: a disk that fails at any operation loses nothing", async () => {
  const operations = await operationsOf(withStreams());
  const expected = await stateOf(withStreams());
  for (const operation of positions(1, operations, 15)) {
    const disk = withStreams();
    disk.failsAt = disk.operations + operation;
    const process = new Process(disk);
    await process.start().catch((error) => assert(error instanceof HostError, error));
    disk.kill();
    assertEquals((await started(disk)).state(), expected, `operation ${operation}`);
  }
});

Deno.test("takeover: without space for all of it nothing is moved, and the next start begins anew", async () => {
  const expected = await stateOf(withStreams());
  let moved = 0;
  const full = withStreams().bytes;
  for (let more = 0; more < 6000; more += 50) {
    const disk = withStreams();
    disk.bytesMax = full + more;
    const process = new Process(disk);
    const isStarted = await process.start().then(() => true, (error) => {
      assert(error instanceof HostError, error);
      return false;
    });
    const files = await disk.list(DIRECTORY);
    const isMoved = !files.includes("karma.wal");
    const hasLog = files.some((file) => file.endsWith(".wal") && file !== "karma.wal");
    assert(!isMoved || isStarted && hasLog, `${more} bytes: moved without a log`);
    if (isMoved) moved++;
    disk.kill();
    disk.bytesMax = Infinity;
    assertEquals((await started(disk)).state(), expected, `${more} bytes`);
  }
  assert(moved > 0 && moved < 120, `${moved}`);
});

Deno.test("takeover: dumps of ours are no part of what Karma 1.x left", async () => {
  // A migration was ended by a crash, and something was dumped under another log's name.
  const disk = fixture();
  const operations = await operationsOf(fixture());
  disk.stopsAt = disk.operations + operations - 20;
  await new Process(disk).start().catch(() => {});
  disk.crash({ names: true, bytes: true });
  const ours = (await disk.list(DIRECTORY)).filter((file) => /^1700000200_/.test(file));
  assert(ours.length > 0, "some were dumped");
  assertEquals((await started(disk)).state(), await stateOf(fixture()));
});

Deno.test("takeover: what can't be read stops the start and changes nothing", async () => {
  const damages: [file: string, bytes: Uint8Array, sentence: RegExp][] = [
    ["karma.idempotency.json", encoder.encode("{"), /karma\.idempotency\.json/],
    ["recovery.json", encoder.encode('{"checkpoints":[{}]}'), /recovery\.json/],
    ["karma.wal", encoder.encode("{}\n{}\n"), /karma\.wal/],
    ["1700000100_beta_two.tree", Uint8Array.of(0x82, 1), /1700000100_beta_two\.tree/],
  ];
  for (const [file, bytes, sentence] of damages) {
    const disk = fixture();
    disk.put(`${DIRECTORY}/${file}`, bytes);
    const before = await disk.list(DIRECTORY);
    const error = await assertRejects(() => started(disk), DamagedError, undefined, file);
    assertMatch(error.message, sentence);
    assertEquals([await disk.list(DIRECTORY), disk.filesOpen], [before, 0]);
  }
});

Deno.test("takeover: answers that ours have no room for are left out, the rest is kept", async () => {
  const disk = fixture();
  const print = "53c0d224b3ebe6ccd295524084e0229d559834af95dae3d9c639ab4e50aeac12";
  const record = (key: string, response: string) => {
    const rest = `"fingerprint":"${print}","response":${response},"created_at_unix":1700000010`;
    return `{"key":"${key}","operation":"increment",${rest}}`;
  };
  const records = [
    record("k".repeat(256), "5"),
    record("k".repeat(257), "5"),
    record("long", `"${"r".repeat(65_534)}"`),
    record("last", "6"),
  ];
  const text = `{"records":[${records}],"committed_streams":[]}\n`;
  disk.put(`${DIRECTORY}/karma.idempotency.json`, encoder.encode(text));
  const { dedup } = await started(disk);
  const find = (key: string) => {
    const bytes = encoder.encode(key);
    return dedup.records.find(bytes, 0, bytes.length, NOW_SECONDS);
  };
  const found = ["k".repeat(256), "k".repeat(257), "long", "last"].map(find);
  assertEquals(found, [true, false, false, true]);
  assertEquals([dedup.records.size, IDEMPOTENCY_RECORD], [2, 1]);
});

Deno.test("takeover: of checkpoints the last are kept, as many as there is room for", async () => {
  const disk = fixture();
  const many = Array.from({ length: 10_005 }, (_, n) => {
    return `{"source":"s${n}","offset":"${n}","event_id":null,"updated_at_unix":${n}}`;
  });
  disk.put(`${DIRECTORY}/recovery.json`, encoder.encode(`{"checkpoints":[${many}]}`));
  const { dedup } = await started(disk);
  const { checkpoints } = dedup;
  assertEquals(checkpoints.count, 10_000);
  assertEquals([checkpoints.find("s4"), checkpoints.find("s5")?.offset], [null, "5"]);
  dedup.check();
});
