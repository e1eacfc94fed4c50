// Weaknesses 1 to 5 of Karma 1.x, none of which is ours: requests and
// crashes after which it could not start again.
//
// Each test does what the original got wrong, as its users did: to a process that is killed or
// stopped, and started again on the same directory.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { budget } from "../support/budget.ts";
import { ClientV2, type Fields } from "../support/client_v2.ts";
import { dumpsOf, segmentsOf } from "../support/files.ts";
import { live } from "../support/life.ts";
import { eventually, TemporaryDirectory } from "../support/server.ts";

const MAX = (1n << 64n) - 1n;
const HALF = 1n << 63n;
const DAY = 20260101;
const RANGE = { from: 20260101, to: 20260131 };
const counter = (key: number, value: unknown = 1) => ({ tree: "t", key, date: DAY, value });
const ENDS = ["SIGKILL", "SIGTERM"] as const;

/** All counters of a tree. */
const all = (client: ClientV2, tree = "t") => client.get("tree.series", { tree, range: RANGE });

Deno.test("weakness 1: what was refused is not in the log, and stops no start", async () => {
  const refused: [op: string, fields: Fields, error: RegExp][] = [
    ["tree.drop", { tree: "none" }, /^not_found: Tree "none" not found$/],
    ["series.compact", { tree: "none" }, /^not_found/],
    ["series.delete_before", { tree: "none", before: 20260101 }, /^not_found/],
    ["counter.batch_reset", { tree: "none", keys: [1] }, /^not_found/],
    ["counter.batch_delete_range", { tree: "none", keys: [1], range: RANGE }, /^not_found/],
    ["counter.increment", counter(1, MAX), /^validation_error: Counter overflow key=1 bucket=/],
    [
      "counter.increment",
      { ...counter(1, MAX), date: 20260102 },
      /^validation_error: Counter over/,
    ],
    [
      "series.batch_add",
      { tree: "t", items: [[2, DAY, 1], [1, DAY, MAX - 1n]] },
      /Counter overflow/,
    ],
    [
      "series.batch_add",
      { tree: "t", items: [[3, DAY, MAX], [4, DAY, 1]] },
      /Batch total overflow/,
    ],
    ["series.batch_add", { tree: "new", items: [[3, DAY, MAX], [3, 20260102, 1]] }, /overflow/],
    ["ingest.begin", { stream_id: "s", mode: "set" }, /^idempotency_conflict/],
    [
      "ingest.chunk",
      { stream_id: "s", tree: "t", chunk_seq: 1, items: [[1, DAY, MAX]] },
      /overflow/,
    ],
    [
      "ingest.chunk",
      { stream_id: "s", tree: "t", chunk_seq: 2, items: [[1, DAY, 1]] },
      /next chunk/,
    ],
    ["ingest.commit", { stream_id: "empty" }, /^validation_error: Cannot commit empty/],
    ["ingest.commit", { stream_id: "none" }, /^not_found/],
    ["ingest.abort", { stream_id: "none" }, /^not_found/],
  ];
  for (const token of budget([undefined], [undefined, "secret"])) {
    const args = token === undefined ? [] : [`--auth-token=${token}`];
    using directory = new TemporaryDirectory();
    const before = await live(directory, async (client) => {
      await client.get("counter.increment", counter(1, 5));
      await client.get("ingest.begin", { stream_id: "s", mode: "add" });
      await client.get("ingest.begin", { stream_id: "empty", mode: "replace_series" });
      return await all(client);
    }, { args, token });
    for (const [op, fields, error] of refused) {
      // A life for each: one that can't be replayed must not hide behind another.
      await live(directory, async (client) => {
        assertEquals(await client.get("tree.list"), ["t"], op);
        assertMatch(await client.refused(op, fields), error);
        assertEquals([await all(client), await client.get("tree.list")], [before, ["t"]], op);
      }, { args, token });
    }
    await live(directory, async (client, server) => {
      assertEquals([await all(client), server.stderr], [before, ""]);
      const chunk = { stream_id: "s", tree: "t", chunk_seq: 1, items: [[1, DAY, 1]] };
      await client.get("ingest.chunk", chunk);
      assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), 6);
    }, { args, token });
  }
});

Deno.test("weakness 2: totals and days beyond 2^63 stop no start", async () => {
  using directory = new TemporaryDirectory();
  const batch = { tree: "t", items: [[1, DAY, HALF], [2, DAY, HALF - 1n]], idempotency_key: "b" };
  const chunk = { stream_id: "s", tree: "u", chunk_seq: 1, items: [[1, DAY, MAX]] };
  const before = await live(directory, async (client) => {
    assertEquals(await client.get("series.batch_add", batch), { applied: 2, total: MAX });
    await client.get("ingest.begin", { stream_id: "s", mode: "add" });
    const done = { stream_id: "s", chunk_seq: 1, skipped: false, applied: 1, total: MAX };
    assertEquals(await client.get("ingest.chunk", chunk), done);
    const day = { tree: "t", key: 1, bucket: `${HALF}`, value: 1 };
    assertEquals(
      await client.refused("counter.increment", day),
      "validation_error: Invalid bucket date",
    );
    return [await all(client), await all(client, "u")];
  });
  assertEquals(before, [{ 1: { [DAY]: HALF }, 2: { [DAY]: HALF - 1n } }, { 1: { [DAY]: MAX } }]);
  await live(directory, async (client) => {
    assertEquals([await all(client), await all(client, "u")], before);
    const { response, idempotent } = await client.ask("series.batch_add", batch);
    assertEquals([response, idempotent], [{ applied: 2, total: MAX }, true]);
    assertEquals((await client.get("ingest.chunk", chunk) as Fields).skipped, true);
    assertEquals([await all(client), await all(client, "u")], before);
  });
});

Deno.test("weakness 3: dumps of everything keep open streams", async () => {
  const modes = ["add", "set", "replace_series"];
  using directory = new TemporaryDirectory();
  const send = async (client: ClientV2, sequence: number) => {
    for (const mode of modes) {
      const items = [[sequence, DAY, sequence]];
      const fields = { stream_id: mode, tree: `t-${mode}`, chunk_seq: sequence, items };
      await client.get("ingest.chunk", fields);
    }
  };
  await live(directory, async (client) => {
    for (const mode of modes) await client.get("ingest.begin", { stream_id: mode, mode });
    await client.get("snapshot.create_all"); // before their first chunks
    await send(client, 1);
    await client.get("snapshot.create_all");
    await send(client, 2);
  });
  await live(directory, async (client, server) => {
    await send(client, 3);
    const dumps = dumpsOf(directory).length;
    server.signal("SIGUSR1");
    await eventually("All is dumped", () => dumpsOf(directory).length >= dumps + modes.length);
    await send(client, 4);
  }, { end: "SIGTERM" });
  await live(directory, async (client) => {
    await send(client, 5);
    for (const mode of modes) await client.get("ingest.commit", { stream_id: mode });
  });
  await live(directory, async (client) => {
    const wanted = { 1: 1, 2: 2, 3: 3, 4: 4, 5: 5 };
    const days = Object.entries(wanted).map(([key, value]) => [key, { [DAY]: value }]);
    for (const mode of modes) {
      assertEquals(await all(client, `t-${mode}`), Object.fromEntries(days), mode);
    }
    assertEquals(await client.figure("ingest_active_streams"), 0);
  });
});

Deno.test("weakness 4: trees without a name, and files that are no dumps, stop no start", async () => {
  using directory = new TemporaryDirectory();
  const files = { "9999999999_.tree": "", "9999999999_ghost.tree": "no dump", "notes.tree": "a" };
  await live(directory, async (client) => {
    for (const name of ["tree", "series"]) {
      const error = await client.refused("counter.increment", { [name]: "", key: 1 });
      assertEquals(error, "validation_error: Field tree_name is required");
    }
    const line = await client.connection.ask('{"command":"increment","tree_name":"","key":1}');
    assertMatch(line, /^\{"success":false,/);
    await client.get("counter.increment", counter(1, 3));
    await client.get("snapshot.create_all");
    assertEquals(dumpsOf(directory).map((file) => file.replace(/^\d+/, "")), ["_t.tree"]);
    for (const [file, text] of Object.entries(files)) {
      Deno.writeTextFileSync(directory.join(file), text);
    }
    await lookAround(client);
    assertMatch(
      await client.refused("snapshot.load", { file: "9999999999_ghost.tree" }),
      /^internal_error: Dump 9999999999_ghost\.tree is damaged: /,
    );
  });
  for (const end of ENDS) {
    await live(directory, async (client) => {
      assertEquals([await client.get("tree.list"), await all(client)], [["t"], {
        1: { [DAY]: 3 },
      }]);
      await lookAround(client);
    }, { end });
  }
  for (const [file, text] of Object.entries(files)) {
    assertEquals(Deno.readTextFileSync(directory.join(file)), text);
  }
});

/** What stray files broke in Karma 1.x. */
async function lookAround(client: ClientV2): Promise<void> {
  const { trees } = await client.get("system.stats") as Fields;
  assertEquals(trees, 1);
  assertMatch(await client.get("system.metrics") as string, /^karma_trees 1$/m);
  assertEquals((await client.get("tree.info", { tree: "t" }) as Fields).total, 3);
  await client.get("snapshot.list");
}

Deno.test("weakness 5: a torn last write stops no start, and nothing is written behind it", async () => {
  const increments = 20;
  for (const lost of [1, 7, 30]) {
    using directory = new TemporaryDirectory();
    await live(directory, async (client) => {
      for (let n = 0; n < increments; n++) await client.get("counter.increment", counter(1));
    });
    tear(directory, lost);
    const left = await live(directory, async (client, server) => {
      assertMatch(server.stderr, /^Log \d{20}\.wal: after record \d+ a crash left \d+ bytes unf/);
      const sum = await client.get("counter.sum", { tree: "t", key: 1 }) as number;
      assertEquals(sum, increments - 1, `${lost} bytes were lost`);
      for (let n = 0; n < increments; n++) await client.get("counter.increment", counter(1));
      return sum;
    });
    await live(directory, async (client, server) => {
      assertEquals(server.stderr, "");
      assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), left + increments);
    });
  }
});

/** Takes the last bytes away that were written to the log, as if they had not come so far. */
function tear(directory: TemporaryDirectory, lost: number): void {
  const path = directory.join(segmentsOf(directory).at(-1)!);
  const bytes = Deno.readFileSync(path);
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
  bytes.fill(0, end - lost, end);
  Deno.writeFileSync(path, bytes);
}

Deno.test("weakness 5: a full disk leaves no half of a record, and new writes go on behind", async () => {
  using directory = new TemporaryDirectory();
  // Files of at most 2 MiB, which is what a full disk is like; the signal would be the shell's way.
  const limits = "trap '' XFSZ; ulimit -f 4096";
  const batch = { tree: "t", items: Array.from({ length: 500 }, (_, key) => [key, DAY, 1]) };
  let batches = 0;
  await live(directory, async (client, server) => {
    let error = "";
    while (error === "") {
      const { success, response, error_code } = await client.ask("series.batch_add", batch);
      if (success) batches++;
      else error = `${error_code}: ${response}`;
      assert(batches < 10_000, "The disk is never full");
    }
    assertMatch(error, /^storage_full: /);
    assertEquals(await client.get("counter.sum", { tree: "t", key: 7 }), batches);
    assertMatch(server.stderr, /full|too large/i);
  }, { limits });
  await live(directory, async (client, server) => {
    assertEquals(server.stderr, "");
    assertEquals(await client.get("counter.sum", { tree: "t", key: 7 }), batches);
    await client.get("series.batch_add", batch);
  });
  await live(directory, async (client) => {
    const { total } = await client.get("tree.info", { tree: "t" }) as Fields;
    assertEquals(total, 500 * (batches + 1));
  });
});
