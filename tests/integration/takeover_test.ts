// The migration of a directory of Karma 1.x: the recorded one, as an operator moves it, and killed at
// random moments of the first start. Crashes at every moment of it are in takeover_crash_test.ts.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { budget } from "../support/budget.ts";
import { ClientV2, type Fields } from "../support/client_v2.ts";
import { filesOf } from "../support/files.ts";
import { live } from "../support/life.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const FIXTURE = new URL("../fixtures/karma-1.x-directory/", import.meta.url);
/** Its idempotency records are of 2023. */
const AGED = ["--idempotency-max-age-seconds=0"];
const RANGE = { from: 20260101, to: 20260131 };
const BIG = 9007199254740993n;

const TREES = {
  alpha: { 1: { 20260101: 10, 20260103: 5, 20260104: 7 }, 2: { 20260102: 20 } },
  beta_two: {
    10: { 20260101: 70, 20260104: 4 },
    11: { 20260102: 200 },
    [`${BIG}`]: { 20260103: BIG },
  },
  gamma: { 5: { 20260105: 50 }, 6: {} },
};
const SUMMARY = "Taken over from Karma 1.x: log entries 8 to 11 (4 replayed, 0 already in " +
  "snapshots), 2 idempotency records, 1 committed stream and 0 open, 2 checkpoints";
const MOVED = [
  "karma.idempotency.json",
  "karma.idempotency.json.meta.json",
  "karma.wal",
  "karma.wal.lsn",
  "recovery.json",
];

const INCREMENT = {
  ...{ tree: "alpha", key: 1, bucket: 20260103, value: 5 },
  idempotency_key: "fx-inc-1",
};
const BATCH = {
  tree: "beta_two",
  items: [[10, 20260101, 100], [11, 20260102, 200], [BIG, 20260103, BIG]],
  idempotency_key: "fx-batch-1",
};
const CHUNK = {
  stream_id: "fx-stream",
  tree: "beta_two",
  chunk_seq: 1,
  items: [[10, 20260104, 4]],
};

function fixture(): [name: string, bytes: Uint8Array<ArrayBuffer>][] {
  const names = [...Deno.readDirSync(FIXTURE)].map(({ name }) => name).sort();
  return names.map((name) => [name, Deno.readFileSync(new URL(name, FIXTURE))]);
}

/** A directory as Karma 1.x left it. */
function karma1Directory(): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  for (const [name, bytes] of fixture()) Deno.writeFileSync(directory.join(name), bytes);
  return directory;
}

/** Asserts that everything is there, once. */
async function assertTaken(client: ClientV2): Promise<void> {
  assertEquals((await client.get("tree.list") as string[]).toSorted(), Object.keys(TREES));
  for (const [tree, wanted] of Object.entries(TREES)) {
    assertEquals(await client.get("tree.series", { tree, range: RANGE }), wanted, tree);
  }
  const again = await client.ask("counter.increment", INCREMENT);
  assertEquals([again.response, again.idempotent], [5, true]);
  const batch = await client.ask("series.batch_add", BATCH);
  assertEquals([batch.response, batch.idempotent], [{ applied: 3, total: BIG + 300n }, true]);
  const other = { ...INCREMENT, value: 6 };
  assertMatch(await client.refused("counter.increment", other), /^idempotency_conflict/);
  const chunk = await client.get("ingest.chunk", CHUNK) as Fields;
  assertEquals([chunk.skipped, chunk.committed], [true, true]);
  const begin = { stream_id: "fx-stream", mode: "add", granularity: "day" };
  const stream = await client.get("ingest.begin", begin) as Fields;
  assertEquals([stream.status, stream.series, stream.last_chunk_seq], [
    "already_committed",
    "beta_two",
    1,
  ]);
  const { checkpoints } = await client.get("recovery.status") as { checkpoints: Fields[] };
  assertEquals(checkpoints, [
    { source: "fx-export", offset: "41", event_id: "ev-41", updated_at_unix: 1700000099 },
    { source: "fx-other", offset: null, event_id: "e", updated_at_unix: 1700000098 },
  ]);
  assertEquals((await client.get("snapshot.verify") as Fields).status, "ok");
}

/** What is in `karma-1.x/`. */
function aside(directory: TemporaryDirectory): Record<string, string> {
  const path = directory.join("karma-1.x");
  const names = [...Deno.readDirSync(path)].map(({ name }) => name).sort();
  return Object.fromEntries(
    names.map((name) => [name, Deno.readFileSync(`${path}/${name}`).toBase64()]),
  );
}

for (const end of ["SIGKILL", "SIGTERM"] as const) {
  Deno.test(`takeover: a recorded directory, ended by ${end}, and started again`, async () => {
    using directory = karma1Directory();
    const before = Object.fromEntries(fixture().map(([name, bytes]) => [name, bytes.toBase64()]));
    await live(directory, async (client, server) => {
      const kept = `Files of Karma 1.x are kept in ${directory.join("karma-1.x")}: `;
      const lines = server.stderr.trimEnd().split("\n");
      assertEquals(lines[0], SUMMARY);
      assert(lines.at(-1)!.startsWith(kept), server.stderr);
      assertEquals(lines.at(-1)!.slice(kept.length).split(", ").toSorted(), MOVED);
      await assertTaken(client);
    }, { args: AGED, end });
    // Its files are byte for byte what they were, where they were or aside.
    const moved = aside(directory);
    assertEquals(Object.keys(moved), MOVED);
    for (const [name, bytes] of Object.entries(before)) {
      if (MOVED.includes(name)) assertEquals(moved[name], bytes, name);
      else assertEquals(Deno.readFileSync(directory.join(name)).toBase64(), bytes, name);
    }
    for (const next of ["SIGKILL", "SIGTERM", "SIGKILL"] as const) {
      await live(directory, async (client, server) => {
        assertEquals(server.stderr, "");
        await assertTaken(client);
      }, { args: AGED, end: next });
    }
    assertEquals(aside(directory), moved);
  });
}

Deno.test("takeover: what is counted after it goes on from there", async () => {
  using directory = karma1Directory();
  await live(directory, async (client) => {
    await client.get("counter.increment", { ...INCREMENT, idempotency_key: "new" });
    await client.get("ingest.begin", { stream_id: "s", mode: "replace_series" });
    await client.get("ingest.chunk", { ...CHUNK, stream_id: "s", tree: "gamma" });
    await client.get("recovery.checkpoint", { source: "fx-export", offset: 42 });
  }, { args: AGED });
  await live(directory, async (client) => {
    assertEquals((await client.ask("counter.increment", INCREMENT)).idempotent, true);
    assertEquals(await client.get("counter.sum", { tree: "alpha", key: 1 }), 27);
    await client.get("ingest.commit", { stream_id: "s" });
    assertEquals(await client.get("tree.series", { tree: "gamma", range: RANGE }), {
      10: { 20260104: 4 },
    });
    const { checkpoints } = await client.get("recovery.status", { source: "fx-export" }) as {
      checkpoints: Fields[];
    };
    assertEquals(checkpoints[0].offset, "42");
  }, { args: AGED });
});

Deno.test("takeover: records that are too old by the usual limit are forgotten", async () => {
  using directory = karma1Directory();
  await live(directory, async (client) => {
    assertEquals((await client.ask("counter.increment", INCREMENT)).idempotent, false);
    assertEquals(await client.get("counter.sum", { tree: "alpha", key: 1 }), 27);
  });
});

Deno.test("takeover: karma check tells what a start would do, and changes nothing", async () => {
  using directory = karma1Directory();
  const args = ["check", `--directory=${directory.path}`];
  const before = filesOf(directory);
  const first = await Server.run(args);
  assertEquals([first.code, first.stderr], [0, ""]);
  const lines = first.stdout.trimEnd().split("\n");
  assert(lines.includes(SUMMARY), first.stdout);
  assertEquals(lines.slice(-2), ["A start would find 3 trees with 7 counters", "No damage"]);
  assertEquals(filesOf(directory), before);
  await live(directory, assertTaken, { args: AGED });
  const moved = aside(directory);
  const names = directory.files().filter((name) => name !== "karma-1.x");
  const bytes = () => names.map((name) => Deno.readFileSync(directory.join(name)).toBase64());
  const held = bytes();
  const second = await Server.run(args);
  assertEquals([second.code, second.stderr], [0, ""]);
  assert(!second.stdout.includes("Karma 1.x"), second.stdout);
  assertMatch(second.stdout, /^A start would find 3 trees with 7 counters\nNo damage\n$/m);
  assertEquals([bytes(), aside(directory)], [held, moved]);
});

Deno.test("takeover: a damaged log of Karma 1.x stops the start, and nothing is changed", async () => {
  using directory = karma1Directory();
  const path = directory.join("karma.wal");
  const text = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, text.replace('"lsn":9,', '"lsn":x,'));
  const before = filesOf(directory);
  for (const args of [["--bind=127.0.0.1", "--port=0"], ["check"]]) {
    const { code, stdout, stderr } = await Server.run([...args, `--directory=${directory.path}`]);
    assertEquals(code, 3, stderr);
    assertMatch(stdout + stderr, /karma\.wal/);
    assertEquals(filesOf(directory), before);
  }
});

Deno.test("takeover: killed at random moments of the first start", async () => {
  const rounds = budget(3, 12);
  const usual = await (async () => {
    using directory = karma1Directory();
    const began = performance.now();
    await live(directory, assertTaken, { args: AGED });
    return performance.now() - began;
  })();
  for (let round = 0; round < rounds; round++) {
    using directory = karma1Directory();
    const place = ["--bind=127.0.0.1", "--port=0", `--directory=${directory.path}`, ...AGED];
    // Twice, at moments that lie over all of the start.
    for (let kill = 0; kill < 2; kill++) {
      const ms = usual * (0.2 + 0.8 * (round + kill * Math.random()) / rounds);
      const limits = `(sleep ${(ms / 1000).toFixed(3)}; kill -9 $$) > /dev/null 2>&1 & :`;
      assertEquals((await Server.run(place, { limits })).code, 137);
    }
    await live(directory, assertTaken, { args: AGED, end: "SIGTERM" });
    await live(directory, assertTaken, { args: AGED });
    assertEquals(Object.keys(aside(directory)), MOVED);
  }
});
