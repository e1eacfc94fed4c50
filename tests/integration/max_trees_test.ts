// How many trees there may be (--max-trees).

import { assert, assertEquals } from "@std/assert";
import { LocalKarma } from "../support/local_karma.ts";
import { V2Client } from "../support/v2_client.ts";

const CROWDED = "too_many_trees: There are too many trees";

Deno.test("max trees: beyond --max-trees none is created, by whatever operation, and nothing changes", async () => {
  const karma = await LocalKarma.start(undefined, { treesMax: 3 });
  const client = new V2Client(karma);
  const on = (series: string) => `"series":"${series}","key":1`;
  const limits = (...names: string[]) => {
    const limit = (name: string) => `{"series":"${name}","max":9,"window":"total"}`;
    return `"key":1,"limits":[${names.map(limit)}]`;
  };
  const stream = (id: string) => `"stream_id":"${id}"`;
  const replace = async (id: string, series: string) => {
    await client.ask("ingest.begin", `${stream(id)},"mode":"replace_series"`);
    const items = `"chunk_seq":1,"series":"${series}","items":[[7,20260101,5]]`;
    await client.ask("ingest.chunk", `${stream(id)},${items}`);
    return await client.ask("ingest.commit", stream(id));
  };
  assertEquals(await client.ask("counter.increment", on("a")), "1");
  assertEquals(await client.ask("tree.create", `"series":"b"`), `"OK"`);
  // One more may come, so two at once may not; but two counters of one tree may.
  assertEquals(await client.ask("limit.consume", limits("c", "d")), CROWDED);
  assertEquals(await client.ask("tree.list"), `["a","b"]`);
  const consumed = await client.ask(
    "limit.consume",
    `"limits":[{"series":"c","max":9,"window":"total","key":1},{"series":"c","max":9,"window":"total","key":2}]`,
  );
  assert(consumed.startsWith(`{"allowed":true`), consumed);
  const { lsn } = karma.wal;
  assertEquals(await client.ask("tree.create", `"series":"d"`), CROWDED);
  assertEquals(await client.ask("counter.increment", on("d")), CROWDED);
  assertEquals(await client.ask("counter.decrement", on("d")), CROWDED);
  const batch = `"series":"d","items":[[7,20260101,5]]`;
  assertEquals(await client.ask("series.batch_add", batch), CROWDED);
  assertEquals(await client.ask("limit.consume", limits("a", "d")), CROWDED);
  assertEquals([karma.wal.lsn, await client.ask("tree.list")], [lsn, `["a","b","c"]`]);
  assertEquals(await replace("new", "d"), CROWDED);
  assertEquals(await client.ask("tree.list"), `["a","b","c"]`);
  // What there is goes on, and may be replaced.
  assertEquals(await client.ask("counter.increment", on("a")), "1");
  assertEquals(
    await replace("old", "b"),
    `{"stream_id":"old","status":"committed","last_chunk_seq":1}`,
  );
  assertEquals(await client.ask("tree.create", `"series":"a"`), `"OK"`);
  assertEquals(await client.ask("tree.drop", `"series":"c"`), `"OK"`);
  assertEquals(
    await client.ask("ingest.commit", stream("new")),
    `{"stream_id":"new","status":"committed","last_chunk_seq":1}`,
  );
  karma.forest.check();
  // A start with fewer finds all.
  const again = await LocalKarma.start(karma.disk.clone(), { treesMax: 1 });
  const other = new V2Client(again);
  assertEquals(await other.ask("tree.list"), await client.ask("tree.list"));
  assertEquals(await other.ask("tree.create", `"series":"e"`), CROWDED);
  assertEquals(await other.ask("counter.increment", on("a")), "1");
});
