// Keys that are names, from the request to the disk and back: what is counted under a name is found under it, whatever
// comes in between, and a name goes with its last counter.

import { assertEquals } from "@std/assert";
import { LocalKarma } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";
import { V2Client } from "../../support/v2_client.ts";

const UUID = "0189c5f2-7d3e-7b1a-8c4d-0123456789ab";
/** Names of every form, and what looks like a number and is none. */
const NAMES = [
  "user:1",
  UUID,
  "cafe01",
  "007",
  "1e3",
  "-1",
  "18446744073709551616",
  "день",
  'a"\\/',
  "2001:db8::1",
];
/** Readings take as long as the machine needs. */
const UNTIMED = { queryTimeoutMs: 0 };
const RANGE = ',"range":{"from":20261122,"to":20261122}';
const BAD =
  "validation_error: Field key must be 1 to 255 bytes of UTF-8 without control characters";

function members(key: string | number, rest = ""): string {
  return `"series":"t","key":${JSON.stringify(key)}${rest}`;
}

/** Starts anew from what is on the disk: from the log, or from dumps. */
async function again(karma: LocalKarma, from: "log" | "dumps"): Promise<LocalKarma> {
  if (from === "dumps") assertEquals(await karma.checkpointer.dumpAll("a test"), 0);
  await karma.wal.sync();
  karma.forest.check();
  const restarted = await LocalKarma.start(karma.disk, UNTIMED);
  restarted.forest.check();
  return restarted;
}

Deno.test("named counters: canonical decimals are numbers, all other strings names", async () => {
  const karma = await LocalKarma.start(undefined, UNTIMED);
  const client = new V2Client(karma);
  assertEquals(await client.ask("counter.increment", members(42)), "1");
  assertEquals(await client.ask("counter.increment", members("42")), "1");
  assertEquals(await client.ask("counter.sum", members(42)), "2");
  for (const [index, name] of NAMES.entries()) {
    const value = `,"value":${index + 1}`;
    assertEquals(await client.ask("counter.increment", members(name, value)), `${index + 1}`);
  }
  for (const [index, name] of NAMES.entries()) {
    assertEquals(await client.ask("counter.sum", members(name)), `${index + 1}`);
  }
  assertEquals(await client.ask("counter.sum", members(7)), "0");
  assertEquals(await client.ask("counter.sum", members("nobody")), "0");
  assertEquals(await client.ask("counter.series", members("nobody", RANGE)), "{}");
  assertEquals(await client.ask("counter.reset", members("nobody")), '"OK"');
  for (const bad of ["", "a\nb", "\u0085", "x".repeat(256), "é".repeat(128)]) {
    assertEquals(await client.ask("counter.increment", members(bad)), BAD);
  }
  assertEquals(await client.ask("counter.sum", members("x".repeat(255))), "0");
  assertEquals(karma.forest.names.count, NAMES.length);
  karma.forest.check();
});

Deno.test("named counters: protocol v1", async () => {
  const karma = await LocalKarma.start(undefined, UNTIMED);
  const client = karma.connect();
  const ask = (command: string, key?: string | number) =>
    client.ask({
      command,
      tree_name: "t",
      ...(key === undefined ? { time_from: 20261122, time_to: 20261122 } : { key }),
    });
  await ask("create");
  await ask("increment", "user:1");
  await ask("increment", "007");
  await ask("increment", "7");
  assertEquals(await ask("sum", "user:1"), '{"success":true,"response":1}');
  assertEquals(
    await ask("find"),
    '{"success":true,"response":{"7":{"20261122":1},"user:1":{"20261122":1},"007":{"20261122":1}}}',
  );
  await ask("reset", "user:1");
  await ask("reset", "new");
  assertEquals(
    await ask("find"),
    '{"success":true,"response":{"7":{"20261122":1},"user:1":{},"007":{"20261122":1},"new":{}}}',
  );
  assertEquals(await ask("decrement", "007"), '{"success":true,"response":1}');
  assertEquals(await ask("sum", "007"), '{"success":true,"response":0}');
  await client.end();
  karma.forest.check();
});

Deno.test("named counters: batches take numbers and names, and nothing of one that is refused", async () => {
  const karma = await LocalKarma.start(undefined, UNTIMED);
  const client = new V2Client(karma);
  const items = '[["a",20260101,3],[7,20260101,4],["a",20260102,5],["b",20260101,1]]';
  assertEquals(
    await client.ask("series.batch_add", `"series":"t","items":${items}`),
    '{"applied":4,"total":13}',
  );
  const sums = '[{"key":"a","value":8},{"key":"7","value":0},{"key":"none","value":0}]';
  assertEquals(
    await client.ask("counter.batch_sum", '"series":"t","keys":["a",7,"none"]'),
    sums.replace('"7","value":0', '7,"value":4'),
  );
  const most = "18446744073709551615";
  const beyond = `[["c",20260101,1],["a",20260101,18446744073709551610]]`;
  assertEquals(
    await client.ask("series.batch_add", `"series":"t","items":${beyond}`),
    'validation_error: Counter overflow in batch item key="a" bucket=20260101',
  );
  const twice = `[["d",20260101,${most}],["d",20260102,1]]`;
  assertEquals(
    await client.ask("series.batch_set", `"series":"fresh","items":${twice}`),
    "validation_error: Batch total overflow",
  );
  assertEquals(karma.forest.names.count, 2);
  assertEquals(await client.ask("tree.list"), '["t"]');
  assertEquals(
    await client.ask(
      "counter.multi_sum",
      '"items":[{"series":"t","key":"a"},{"series":"t","key":7}]',
    ),
    '[{"series":"t","key":"a","value":8},{"series":"t","key":7,"value":4}]',
  );
  assertEquals(
    await client.ask("counter.batch_reset", '"series":"t","keys":["a","none",7]'),
    '{"reset":2,"missing":1}',
  );
  assertEquals(await client.ask("counter.sum", members("a")), "0");
  const restarted = await again(karma, "log");
  assertEquals(await new V2Client(restarted).ask("counter.sum", members("b")), "1");
});

Deno.test("named counters: pages, tops and sums of a tree have numbers first, and then names", async () => {
  const karma = await LocalKarma.start(undefined, UNTIMED);
  const client = new V2Client(karma);
  const most = "18446744073709551615";
  for (const key of [3, most, "z", "a", UUID]) await client.ask("counter.increment", members(key));
  await client.ask("counter.increment", members("a", ',"value":4'));
  const keys = ["3", most, '"z"', '"a"', `"${UUID}"`];
  for (const limit of [1, 2, 3, 4, 5, 6]) {
    const met: string[] = [];
    for (let cursor: string | null = "null"; cursor !== null;) {
      const page = await client.ask("tree.keys", `"tree":"t","limit":${limit},"cursor":${cursor}`);
      met.push(...[...page.matchAll(/"key":(\d+|"[^"]+"),/g)].map((match) => match[1]));
      const next = page.match(/"next_cursor":(null|\d+|"[^"]+")/)![1];
      cursor = next === "null" ? null : next;
    }
    assertEquals(met, keys, `pages of ${limit}`);
  }
  assertEquals(
    await client.ask("tree.top", '"tree":"t","limit":4'),
    `{"tree":"t","limit":4,"items":[{"key":"a","value":5},{"key":3,"value":1},{"key":${most},"value":1},{"key":"z","value":1}]}`,
  );
  assertEquals(
    await client.ask("tree.info", '"tree":"t"'),
    '{"tree":"t","key_count":5,"bucket_count":5,"total":9,"branches":9}',
  );
  assertEquals(
    await client.ask("tree.summary", `"tree":"t"${RANGE}`),
    '{"tree":"t","range_from":20261122,"range_to":20261122,"total":9,"active_keys":5,"bucket_count":5}',
  );
  const day = '{"20261122":1}';
  assertEquals(
    await client.ask("tree.series", `"tree":"t"${RANGE}`),
    `{"3":${day},"${most}":${day},"z":${day},"a":{"20261122":5},"${UUID}":${day}}`,
  );
  // What is emptied and compacted is gone, its name too.
  await client.ask("counter.reset", members("z"));
  await client.ask("tree.compact", '"tree":"t"');
  assertEquals([karma.forest.names.count, karma.forest.keys], [2, 4]);
  await client.ask("tree.reset", '"tree":"t"');
  assertEquals(await client.ask("counter.sum", members("a")), "0");
  await client.ask("system.compact");
  assertEquals([karma.forest.names.count, karma.forest.keys], [0, 0]);
  karma.forest.check();
});

Deno.test("named counters: an idempotency key is of one name", async () => {
  const karma = await LocalKarma.start(undefined, UNTIMED);
  const client = new V2Client(karma);
  const once = ',"idempotency_key":"k"';
  assertEquals(await client.ask("counter.increment", members("a", once)), "first: 1");
  assertEquals(await client.ask("counter.increment", members("a", once)), "again: 1");
  const conflict =
    "idempotency_conflict: Idempotency key was already used with a different request";
  assertEquals(await client.ask("counter.increment", members("b", once)), conflict);
  assertEquals(await client.ask("counter.increment", members(1, once)), conflict);
  assertEquals(await client.ask("counter.sum", members("a")), "1");
});

Deno.test("named counters: a dump has its names, whatever has become of them since", async () => {
  const karma = await LocalKarma.start(undefined, UNTIMED);
  const client = new V2Client(karma);
  for (const name of NAMES) await client.ask("counter.increment", members(name));
  await client.ask("counter.increment", members(5));
  await client.ask("snapshot.create", '"tree":"t"');
  const file = (await karma.files()).find((name) => name.endsWith(".tree"))!;
  const before = await client.ask("tree.series", `"tree":"t"${RANGE}`);
  await client.ask("tree.drop", '"tree":"t"');
  await client.ask("counter.increment", '"series":"other","key":"new"');
  await client.ask("counter.increment", '"series":"other","key":"007"');
  // Here, with ids that other names have by now, and elsewhere, where nothing is known of them.
  const elsewhere = await LocalKarma.start(new MemoryDisk("/dumps"), UNTIMED);
  elsewhere.put(file, karma.bytesOf(file));
  for (const place of [karma, elsewhere]) {
    const there = new V2Client(place);
    assertEquals(await there.ask("snapshot.load", `"file":"${file}"`), '"Tree \\"t\\" loaded"');
    assertEquals(
      JSON.parse(await there.ask("tree.series", `"tree":"t"${RANGE}`)),
      JSON.parse(before),
    );
    for (const name of NAMES) assertEquals(await there.ask("counter.sum", members(name)), "1");
    place.forest.check();
    const report = await place.examine();
    assertEquals(report.faults, []);
    for (const from of ["log", "dumps"] as const) {
      const restarted = new V2Client(await again(place, from));
      assertEquals(
        JSON.parse(await restarted.ask("tree.series", `"tree":"t"${RANGE}`)),
        JSON.parse(before),
      );
    }
  }
  // A directory with nothing but the dump.
  const disk = new MemoryDisk("/dumps");
  disk.put(`/dumps/${file}`, karma.bytesOf(file));
  const alone = await LocalKarma.start(disk, UNTIMED);
  alone.forest.check();
  const told = await new V2Client(alone).ask("tree.series", `"tree":"t"${RANGE}`);
  assertEquals(JSON.parse(told), JSON.parse(before));
});

Deno.test("named counters: an ingest that replaces a tree brings its names", async () => {
  const karma = await LocalKarma.start(undefined, UNTIMED);
  const client = new V2Client(karma);
  await client.ask("counter.increment", members("old"));
  const stream = '"stream_id":"s"';
  await client.ask("ingest.begin", `${stream},"mode":"replace_series","granularity":"day"`);
  const chunk = '"series":"t","chunk_seq":1,"items":[["new",20260101,2],[5,20260101,1]]';
  assertEquals(JSON.parse(await client.ask("ingest.chunk", `${stream},${chunk}`)).applied, 2);
  let place = await again(karma, "dumps");
  await new V2Client(place).ask("ingest.commit", stream);
  for (const from of ["log", "dumps", "log"] as const) {
    place = await again(place, from);
    assertEquals(await new V2Client(place).ask("counter.sum", members("new")), "2");
    assertEquals(await new V2Client(place).ask("counter.sum", members("old")), "0");
    assertEquals(place.forest.names.count, 1);
  }
});

Deno.test("named counters: a random history with restarts, beside a model", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  let karma = await LocalKarma.start(undefined, UNTIMED);
  const model = new Map<string, Map<string, bigint>>();
  const keyOf = () =>
    random.pick([
      String(random.below(30)),
      `user:${random.below(30)}`,
      `0${random.below(30)}`,
      `${UUID.slice(0, -2)}${10 + random.below(30)}`,
    ]);
  const files: { file: string; series: string; counters: Map<string, bigint> }[] = [];
  for (let step = 0; step < 600; step++) {
    const client = new V2Client(karma);
    const series = random.pick(["a", "b", "c"]);
    const key = keyOf();
    const tree = model.get(series) ?? new Map<string, bigint>();
    const of = `"series":"${series}"`;
    const act = random.below(100);
    if (act < 45) {
      await client.ask("counter.increment", `${of},"key":"${key}"`);
      model.set(series, tree.set(key, (tree.get(key) ?? 0n) + 1n));
    } else if (act < 60) {
      const keys = Array.from({ length: 5 }, keyOf);
      const items = keys.map((key) => `["${key}",20261122,2]`).join();
      await client.ask("series.batch_add", `${of},"items":[${items}]`);
      for (const key of keys) tree.set(key, (tree.get(key) ?? 0n) + 2n);
      model.set(series, tree);
    } else if (act < 75 && model.has(series)) {
      await client.ask("counter.reset", `${of},"key":"${key}"`);
      tree.delete(key);
    } else if (act < 80 && model.has(series)) {
      await client.ask("tree.compact", of);
    } else if (act < 82 && model.has(series)) {
      await client.ask("tree.reset", of);
      tree.clear();
    } else if (act < 84 && model.has(series)) {
      await client.ask("tree.drop", of);
      model.delete(series);
    } else if (act < 87 && model.has(series)) {
      const before = new Set(await karma.files());
      await client.ask("snapshot.create", of);
      const file = (await karma.files()).find((file) =>
        file.endsWith(".tree") && !before.has(file)
      )!;
      files.push({ file, series, counters: new Map(tree) });
    } else if (act < 90 && files.length > 0) {
      const { file, series, counters } = random.pick(files);
      if ((await karma.files()).includes(file)) {
        await client.ask("snapshot.load", `"file":"${file}"`);
        model.set(series, new Map(counters));
      }
    } else if (act < 93) {
      karma = await again(karma, random.pick(["log", "dumps"]));
    }
    karma.now += 1000;
  }
  karma = await again(karma, "log");
  karma = await again(karma, "dumps");
  const client = new V2Client(karma);
  for (const [series, counters] of model) {
    const told: Record<string, Record<string, number>> = JSON.parse(
      await client.ask("tree.series", `"series":"${series}"${RANGE}`),
    );
    const found = Object.entries(told).map(([key, days]) => [key, BigInt(days["20261122"] ?? 0)]);
    const expected = [...counters].sort();
    assertEquals(found.filter(([, sum]) => sum !== 0n).sort(), expected, `seed ${seed}`);
  }
  await client.ask("system.compact");
  karma.forest.check();
  const names = [...model.values()].flatMap((tree) => [...tree.keys()]).filter((key) =>
    !/^(0|[1-9]\d*)$/.test(key)
  );
  assertEquals(karma.forest.names.count, new Set(names).size, `seed ${seed}`);
  assertEquals((await karma.examine()).faults, []);
});
