// Weaknesses 10 to 18 of Karma 1.x, none of which is ours: names that
// led out of the directory, half batches, forgotten idempotency keys, and files without a promise.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname } from "@std/path";
import { success } from "../support/client.ts";
import { ClientV2, type Fields } from "../support/client_v2.ts";
import { live } from "../support/life.ts";
import { LocalKarma } from "../support/local_karma.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const MAX = (1n << 64n) - 1n;
const HALF = 1n << 63n;
const DAY = 20260101;
const RANGE = { from: 20260101, to: 20260131 };
const counter = (key: number, value: unknown = 1) => ({ tree: "t", key, date: DAY, value });

/** All counters of a tree. */
const all = (client: ClientV2, tree = "t") => client.get("tree.series", { tree, range: RANGE });

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

Deno.test("weakness 10: any name of a tree is safe, and none is a path", async () => {
  using outside = new TemporaryDirectory();
  const inner = { path: outside.join("data/inner") };
  const names = [
    "a/b",
    "../up",
    "../../../../tmp/karma-weakness-10",
    "/etc/passwd",
    "..",
    ".",
    "x".repeat(255),
    "ü".repeat(127),
    "%2e%2e%2f",
    ".hidden",
    "a\\b:*?",
    "karma.wal",
    "1_t.tree",
  ];
  for (const end of ["SIGKILL", "SIGINT", "SIGTERM"] as const) {
    await live(inner, async (client) => {
      for (const tree of names) await client.get("counter.increment", { tree, key: 1, date: DAY });
      await client.get("snapshot.create_all");
      for (const tree of names) await client.get("snapshot.create", { tree });
      for (const name of ["a\u0000b", "\u0000staged-1", "a\nb", "x".repeat(256)]) {
        const error = await client.refused("tree.create", { tree: name });
        assertMatch(error, /^validation_error: Field tree_name must be 1 to 255 bytes/);
      }
    }, { end });
  }
  await live(inner, async (client) => {
    assertEquals((await client.get("tree.list") as string[]).toSorted(), names.toSorted());
    for (const tree of names) {
      assertEquals(await client.get("counter.sum", { tree, key: 1 }), 3, tree);
    }
    for (const file of ["../x_t.tree", "/etc/passwd", "a/1_t.tree", "../.tree", "./1_t.tree"]) {
      for (const op of ["snapshot.load", "snapshot.fetch", "snapshot.fetch_chunk"]) {
        const error = await client.refused(op, { file });
        assertEquals(error, "validation_error: Field file must be a snapshot basename", file);
      }
    }
  });
  // Nothing beside the directory, and no directory in it.
  assertEquals([...Deno.readDirSync(outside.path)].map(({ name }) => name), ["data"]);
  assertEquals([...Deno.readDirSync(dirname(inner.path))].map(({ name }) => name), ["inner"]);
  assert([...Deno.readDirSync(inner.path)].every(({ isFile }) => isFile));
});

Deno.test("weakness 11: a batch that overflows applies nothing", async () => {
  using directory = new TemporaryDirectory();
  const wanted = { 1: { [DAY]: MAX - 5n }, 2: { [DAY]: 1, 20260102: 7 } };
  const check = async (client: ClientV2) => {
    assertEquals(await all(client), wanted);
    const range = { from: 20260102, to: 20260102 };
    assertEquals(await client.get("counter.sum", { tree: "t", key: 2, range }), 7);
    assertEquals(await client.get("counter.sum", { tree: "t", key: 2 }), 8);
    assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), MAX - 5n);
    assertEquals((await client.get("tree.info", { tree: "t" }) as Fields).total, MAX + 3n);
    assertEquals(await client.get("tree.list"), ["t"]);
  };
  const refused: [op: string, items: unknown[]][] = [
    ["series.batch_add", [[2, DAY, 1], [3, DAY, 1], [1, DAY, 6]]],
    ["series.batch_add", [[2, DAY, 1], [1, 20260102, 6]]], // only the key's total overflows
    ["series.batch_add", [[2, DAY, 1], [1, DAY, 3], [1, 20260102, 3]]],
    ["series.batch_add", [[3, DAY, HALF], [4, DAY, HALF]]], // only the answer's total
    ["series.batch_set", [[2, DAY, 9], [1, 20260102, 6]]],
  ];
  await live(directory, async (client) => {
    await client.get("counter.increment", counter(1, MAX - 5n));
    await client.get("series.batch_add", { tree: "t", items: [[2, DAY, 1], [2, 20260102, 7]] });
    for (const [op, items] of refused) {
      for (const extra of [{}, { idempotency_key: "k" }]) {
        const error = await client.refused(op, { tree: "t", items, ...extra });
        assertMatch(error, /^validation_error: (Counter overflow in batch item key=1|Batch total)/);
        await check(client);
      }
    }
    const items = [[1, DAY, MAX], [1, 20260102, 1]];
    await client.refused("series.batch_add", { tree: "new", items });
    await check(client);
  });
  await live(directory, check);
});

Deno.test("weakness 12: a batch with a total beyond 2^63 is remembered, and done once", async () => {
  using directory = new TemporaryDirectory();
  const items = [[1, DAY, HALF], [2, DAY, 1]];
  const batch = { tree: "t", items, idempotency_key: "k" };
  const wanted = { applied: 2, total: HALF + 1n };
  await live(directory, async (client) => {
    for (const idempotent of [false, true, true]) {
      assertEquals(await client.ask("series.batch_add", batch), {
        success: true,
        response: wanted,
        idempotent,
        error_code: null,
      });
    }
  });
  await live(directory, async (client) => {
    assertEquals((await client.ask("series.batch_add", batch)).response, wanted);
    assertEquals(await all(client), { 1: { [DAY]: HALF }, 2: { [DAY]: 1 } });
  });
});

Deno.test("weakness 13: an overflow is the fault of one increment, and of no other's", async () => {
  await using server = await Server.start();
  using first = await ClientV2.connect(server.port);
  await first.get("counter.increment", counter(0, MAX));
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => ClientV2.connect(server.port)),
  );
  using _all = { [Symbol.dispose]: () => clients.forEach((client) => client.close()) };
  const rounds = 50;
  // All at once, and in each pipeline one that overflows among others of the same tree.
  const answers = await Promise.all(clients.map((client, n) => {
    const requests = Array.from({ length: rounds }, (_, round): [string, Fields] => {
      return ["counter.increment", counter(round % 5 === 2 ? 0 : n + 1)];
    });
    return client.all(requests);
  }));
  for (const told of answers) {
    told.forEach(({ success, response, error_code }, round) => {
      const isOver = round % 5 === 2;
      const overflow = `Counter overflow key=0 bucket=${DAY}`;
      assertEquals(success, !isOver);
      assertEquals(response, isOver ? overflow : 1);
      assertEquals(error_code, isOver ? "validation_error" : null);
    });
  }
  const keys = clients.map((_, n) => n + 1);
  assertEquals(
    await first.get("counter.batch_sum", { tree: "t", keys: [0, ...keys] }),
    [{ key: 0, value: MAX }, ...keys.map((key) => ({ key, value: rounds * 4 / 5 }))],
  );
});

Deno.test("weakness 14: to verify changes nothing, least of all what is remembered", async () => {
  for (const args of [["--wal=false"], []]) {
    using directory = new TemporaryDirectory();
    await live(directory, async (client) => {
      const once = (n: number) => ({ ...counter(1), idempotency_key: `k${n}` });
      for (let n = 0; n < 100; n++) await client.get("counter.increment", once(n));
      for (let round = 0; round < 3; round++) {
        assertEquals((await client.get("snapshot.verify") as Fields).status, "ok");
        assertEquals(await client.figure("idempotency_record_count"), 100);
        for (let n = 0; n < 100; n++) {
          assertEquals((await client.ask("counter.increment", once(n))).idempotent, true);
        }
        assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), 100);
        await client.get("snapshot.create_all");
      }
    }, { args });
  }
});

Deno.test("weakness 15: idempotency keys age by our clock, and restarts don't make them younger", async () => {
  using directory = new TemporaryDirectory();
  const once = (key: string, extra = {}) => ({ ...counter(1), idempotency_key: key, ...extra });
  const args = ["--idempotency-max-age-seconds=1000"];
  const seconds = () => Math.floor(Date.now() / 1000);
  const began = seconds();
  await live(directory, async (client) => {
    await client.get("counter.increment", once("old"));
    // What a client says of the time is not believed, now or at the restart.
    const claims = { idempotency_created_at_unix: 1 };
    await client.get("counter.increment", once("claimed", claims));
  }, { args });
  const ended = seconds();
  await sleep(2100);
  for (const end of ["SIGKILL", "SIGTERM", "SIGKILL"] as const) {
    await live(directory, async (client) => {
      assertEquals(await client.get("idempotency.prune", { before: began }), { deleted: 0 });
      assertEquals((await client.ask("counter.increment", once("claimed"))).idempotent, true);
    }, { args, end });
  }
  // They are as old as they were: a restart with a shorter age forgets both.
  await live(directory, async (client) => {
    assertEquals((await client.ask("counter.increment", once("old"))).idempotent, false);
    assertEquals(await client.get("idempotency.prune", { before: ended + 1 }), { deleted: 0 });
    assertEquals(await client.figure("idempotency_record_count"), 1);
  }, { args: ["--idempotency-max-age-seconds=1"] });
  await live(directory, async (client) => {
    assertEquals(await client.get("idempotency.prune", { before: ended + 1 }), { deleted: 0 });
    assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), 3);
  }, { args });
});

Deno.test("weakness 16: there are no slaves, and what was theirs is refused", async () => {
  for (const option of ["--role=slave", "--replication-source-host=h", "--replication-token=t"]) {
    const { code, stdout, stderr } = await Server.run([option]);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, `Unknown option: "${option}"\n`);
  }
  await using server = await Server.start();
  using client = await ClientV2.connect(server.port);
  const { role, recovery_checkpoint_count } = await client.get("replication.status") as Fields;
  assertEquals([role, recovery_checkpoint_count], ["master", 0]);
  assertEquals((await client.get("system.health") as Fields).role, "master");
  const op = "idempotency.snapshot_fetch_chunk";
  assertEquals(await client.refused(op), `unknown_command: Unknown op ${op}`);
});

Deno.test("weakness 17: a directory has one server", async () => {
  using directory = new TemporaryDirectory();
  await live(directory, async (client, server) => {
    await client.get("counter.increment", counter(1));
    const args = ["--bind=127.0.0.1", "--port=0", `--directory=${directory.path}`];
    const { code, stdout, stderr } = await Server.run(args);
    assertEquals([code, stdout], [2, ""]);
    assertEquals(stderr, `Directory ${directory.path} is in use by process ${server.pid}\n`);
    await client.get("counter.increment", counter(1));
  });
  await live(directory, async (client, server) => {
    assertEquals(server.stderr, "");
    assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), 2);
  });
});

Deno.test("weakness 18: new names of files are on the disk before anything relies on them", async () => {
  const increment = { command: "increment", tree_name: "t", key: 1 };
  const all = { command: "dump_all" };
  const steps = [increment, all, increment, { ...increment, tree_name: "u" }, all, increment];
  steps.push({ command: "drop", tree_name: "u" } as typeof increment, all, increment);
  // A power cut after each step, that takes every name and byte that was not synced.
  for (let count = 1; count <= steps.length; count++) {
    const options = { policy: "always", segmentBytes: 200 } as const;
    const karma = await LocalKarma.start(undefined, options);
    const client = karma.connect();
    for (const step of steps.slice(0, count)) await client.ask(step);
    await karma.checkpointer.dumpAll("a test");
    await client.ask(increment);
    const disk = karma.disk.clone();
    disk.crash({ names: false, bytes: false });
    const next = await LocalKarma.start(disk, options);
    const witness = next.connect();
    const wanted = steps.slice(0, count).filter((step) => step === increment).length + 1;
    const sum = { command: "sum", tree_name: "t", key: 1 };
    assertEquals(await witness.ask(sum), success(wanted), `after step ${count}`);
    const isDropped = steps.slice(0, count).some(({ command }) => command === "drop");
    const hasOther = !isDropped && count > 3;
    assertEquals(await witness.ask({ ...sum, tree_name: "u" }), success(hasOther ? 1 : 0));
    await Promise.all([client.end(), witness.end()]);
  }
});
