// Weaknesses 22 to 24 of Karma 1.x, none of which is ours: answers that
// told too much, or were refused when all was done.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { OPERATIONS } from "../../lib/command/operation.ts";
import { Client, failureV2 } from "../support/client.ts";
import { type Answer, ClientV2, type Fields } from "../support/client_v2.ts";
import { live } from "../support/life.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

Deno.test("weakness 22: without a token nothing about operations is told", async () => {
  await using server = await Server.start({ args: ["--auth-token=secret", "--read-auth-token=r"] });
  using client = await Client.connect(server.port);
  const unauthorized = failureV2("Unauthorized", "unauthorized");
  const ops = OPERATIONS.flatMap(({ v2 }) => v2?.ops ?? []);
  for (const op of [...ops, "no.such", "", "replication.entries"]) {
    for (const rest of ["", ',"tree":7', ',"range":{"from":9,"to":1}', ',"token":"Secret"']) {
      assertEquals(await client.ask(`{"v":2,"op":"${op}"${rest}}`), unauthorized, op);
    }
  }
  const commands = OPERATIONS.flatMap(({ v1 }) => v1 === undefined ? [] : [v1.command]);
  for (const command of [...commands, "none", ""]) {
    const reply = await client.ask({ command, tree_name: 7 });
    assertEquals(reply, '{"success":false,"response":"Unauthorized"}', command);
  }
});

Deno.test("weakness 22: no error and no list tells where the files are", async () => {
  using directory = new TemporaryDirectory();
  const file = "9999999999_ghost.tree";
  const told = await live(directory, async (client) => {
    await client.get("counter.increment", { tree: "t", key: 1 });
    await client.get("snapshot.create_all");
    Deno.writeTextFileSync(directory.join(file), "no dump");
    Deno.mkdirSync(directory.join("1_directory.tree"));
    const answers: Answer[] = [];
    for (const name of [file, "1_directory.tree", "1_none.tree", "none.tree", "../1_t.tree"]) {
      for (const op of ["snapshot.load", "snapshot.fetch", "snapshot.fetch_chunk"]) {
        answers.push(await client.ask(op, { file: name }));
      }
    }
    for (const op of ["snapshot.verify", "snapshot.info", "snapshot.list", "system.stats"]) {
      answers.push(await client.ask(op));
    }
    for (const op of ["replication.status", "recovery.status", "system.metrics"]) {
      answers.push(await client.ask(op));
    }
    // Dumps are removed by hand, and cannot be made where they are written first.
    for (const dump of directory.dumps()) {
      Deno.removeSync(directory.join(dump), { recursive: true });
    }
    Deno.mkdirSync(directory.join(".karma-dump.tmp"));
    answers.push(await client.ask("snapshot.create", { tree: "t" }));
    for (const op of ["snapshot.create_all", "snapshot.list", "snapshot.info", "snapshot.verify"]) {
      answers.push(await client.ask(op));
    }
    answers.push(await client.ask("snapshot.fetch", { file }));
    return answers;
  });
  assert(told.some(({ success }) => !success));
  for (const answer of told) {
    const text = JSON.stringify(
      answer,
      (_, value) => typeof value === "bigint" ? `${value}` : value,
    );
    assert(!text.includes(directory.path) && !/(^|[\s"'(])\/[a-z]/i.test(text), text);
  }
});

Deno.test("weakness 23: what can't be answered is not done", async () => {
  using directory = new TemporaryDirectory();
  const args = ["--max-response-bytes=4000"];
  const long = "\u0001".repeat(1000); // as JSON, six times as long
  const tooLong = "response_too_large: Response exceeds 4000 bytes";
  const limits = Array.from({ length: 16 }, (_, n) => {
    return { series: `${"s".repeat(250)}${n}`, window: "day", max: 10 };
  });
  const sources = async (client: ClientV2) => {
    return (await client.get("recovery.status") as Fields).checkpoint_count;
  };
  await live(directory, async (client) => {
    await client.get("tree.create", { tree: "t" });
    const begin = { stream_id: long, mode: "add", granularity: "day" };
    assertEquals(await client.refused("ingest.begin", begin), tooLong);
    assertMatch(await client.refused("ingest.abort", { stream_id: long }), /^not_found/);
    assertEquals(await client.figure("ingest_active_streams"), 0);
    const checkpoint = { source: long, offset: "1" };
    assertEquals(await client.refused("recovery.checkpoint", checkpoint), tooLong);
    assertEquals(await sources(client), 0);
    for (const extra of [{}, { idempotency_key: "k" }, { receipt: true }]) {
      const consume = { key: 1, limits, ...extra };
      assertEquals(await client.refused("limit.consume", consume), tooLong);
      assertEquals(await client.get("tree.list"), ["t"]);
    }
    assertEquals(await client.figure("idempotency_record_count"), 0);
  }, { args });
  const receipt = await live(directory, async (client) => {
    assertEquals([await client.get("tree.list"), await sources(client)], [["t"], 0]);
    const consume = { key: 1, limits, receipt: true };
    return (await client.get("limit.consume", consume) as Fields).receipt;
  });
  const sum = { tree: limits[0].series, key: 1 };
  await live(directory, async (client) => {
    assertEquals(await client.refused("limit.refund", { receipt }), tooLong);
    assertEquals(await client.get("counter.sum", sum), 1);
  }, { args });
  await live(directory, async (client) => {
    assertEquals((await client.get("limit.refund", { receipt }) as Fields).refunded, true);
    assertEquals(await client.get("counter.sum", sum), 0);
  });
});

Deno.test("weakness 24: there are no replication entries to ask for", async () => {
  await using server = await Server.start();
  using client = await ClientV2.connect(server.port);
  await client.get("counter.increment", { tree: "t", key: 1 });
  const ask = () => client.refused("replication.entries", { after_lsn: 0 });
  assertEquals(await ask(), "unknown_command: Unknown op replication.entries");
  await client.get("snapshot.create", { tree: "t" });
  assertEquals(await ask(), "unknown_command: Unknown op replication.entries");
});
