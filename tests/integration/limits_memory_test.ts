// Limits of what is remembered: idempotency keys by number and age, ingest streams and what they
// stage.

import { assertEquals } from "@std/assert";
import { ClientV2, type Fields } from "../support/client_v2.ts";
import { live } from "../support/life.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const DAY = 20260101;
const counter = (key: number, extra = {}) => ({ tree: "t", key, date: DAY, value: 1, ...extra });

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Starts Karma with an option and connects. */
async function limited(...args: string[]): Promise<{ server: Server; client: ClientV2 }> {
  const server = await Server.start({ args });
  return { server, client: await ClientV2.connect(server.port) };
}

Deno.test("limits: --idempotency-max-records forgets the oldest", async () => {
  const once = (n: number) => counter(1, { idempotency_key: `k${n}` });
  using directory = new TemporaryDirectory();
  const args = ["--idempotency-max-records=3"];
  await live(directory, async (client) => {
    for (let n = 0; n < 5; n++) await client.get("counter.increment", once(n));
    assertEquals(await client.figure("idempotency_record_count"), 3);
    for (let n = 2; n < 5; n++) {
      assertEquals((await client.ask("counter.increment", once(n))).idempotent, true, `${n}`);
    }
    assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), 5);
    assertEquals((await client.ask("counter.increment", once(0))).idempotent, false);
  }, { args });
  await live(directory, async (client) => {
    const told = await client.all([3, 4, 0].map((n) => ["counter.increment", once(n)]));
    assertEquals(told.map(({ idempotent }) => idempotent), [true, true, true]);
    assertEquals((await client.ask("counter.increment", once(2))).idempotent, false);
  }, { args });
  // A restart with less room keeps the newest.
  await live(directory, async (client) => {
    assertEquals(await client.figure("idempotency_record_count"), 1);
    assertEquals((await client.ask("counter.increment", once(2))).idempotent, true);
    assertEquals((await client.ask("counter.increment", once(4))).idempotent, false);
  }, { args: ["--idempotency-max-records=1"] });
});

Deno.test("limits: --idempotency-max-age-seconds, 0 being for ever", async () => {
  const once = counter(1, { idempotency_key: "k" });
  const repeated = async (age: number, wait: number) => {
    const { server, client } = await limited(`--idempotency-max-age-seconds=${age}`);
    await using _server = server;
    using _client = client;
    await client.get("counter.increment", once);
    await sleep(wait);
    const { idempotent } = await client.ask("counter.increment", once);
    assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), idempotent ? 1 : 2);
    return idempotent;
  };
  const told = await Promise.all([repeated(1, 0), repeated(1, 2200), repeated(0, 2200)]);
  assertEquals(told, [true, false, true]);
});

Deno.test("limits: --ingest-max-streams and --ingest-max-staged-items", async () => {
  const args = ["--ingest-max-streams=2", "--ingest-max-staged-items=4"];
  const { server, client } = await limited(...args);
  await using _server = server;
  using _client = client;
  const begin = (stream_id: string, mode = "replace_series") => ({ stream_id, mode });
  const chunk = (stream_id: string, chunk_seq: number, items: number) => {
    const of = Array.from({ length: items }, (_, key) => [key, DAY, 1]);
    return { stream_id, tree: stream_id, chunk_seq, items: of };
  };
  await client.get("ingest.begin", begin("a"));
  await client.get("ingest.begin", begin("add", "add"));
  const many = "validation_error: There are 2 open ingest streams: commit or abort one first";
  assertEquals(await client.refused("ingest.begin", begin("b")), many);
  await client.get("ingest.begin", begin("a")); // is no new one
  // What is added at once stages nothing.
  await client.get("ingest.chunk", chunk("add", 1, 10));
  await client.get("ingest.chunk", chunk("a", 1, 4));
  const full = "validation_error: Staged items would exceed 4";
  assertEquals(await client.refused("ingest.chunk", chunk("a", 2, 1)), `${full}: commit or abort`);
  assertEquals((await client.get("ingest.chunk", chunk("a", 1, 4)) as Fields).skipped, true);
  await client.get("ingest.abort", { stream_id: "a" });
  await client.get("ingest.begin", begin("b"));
  assertEquals(await client.refused("ingest.chunk", chunk("b", 1, 5)), full);
  await client.get("ingest.chunk", chunk("b", 1, 4));
  await client.get("ingest.commit", { stream_id: "b" });
  assertEquals(await client.get("counter.sum", { tree: "b", key: 3 }), 1);
});
