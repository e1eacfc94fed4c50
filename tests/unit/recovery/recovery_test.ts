import { assertEquals } from "@std/assert";
import { DedupStore } from "../../../lib/dump/dedup_store.ts";
import { DumpStore } from "../../../lib/dump/store.ts";
import { Recovery } from "../../../lib/recovery/recovery.ts";
import { DedupState } from "../../../lib/idempotency/dedup_state.ts";
import { Forest } from "../../../lib/tree/forest.ts";
import { LocalKarma } from "../../support/local_karma.ts";

Deno.test("recovery: what never got a segment's name is gone before the next segment begins", async () => {
  const karma = await LocalKarma.start();
  const path = "/dumps/.karma-log.tmp";
  karma.disk.put(path, new Uint8Array(100));
  await karma.wal.close();
  karma.disk.kill();
  const clock = { now: () => 0, today: () => 20260101 };
  const forest = new Forest();
  const dumps = new DumpStore("/dumps", karma.disk, clock, 5, () => {});
  const dedupStore = new DedupStore("/dumps", karma.disk, clock);
  const dedup = new DedupState({ idempotencyRecordsMax: 10, ageMaxSeconds: 0, streamsKeptMax: 10 });
  const { disk } = karma;
  const recovery = new Recovery("/dumps", disk, dumps, forest, dedupStore, dedup, clock);
  await recovery.read();
  assertEquals(await karma.disk.exists(path), true, "reading changes nothing");
  await recovery.settle(() => {});
  karma.disk.crash({ names: false, bytes: false });
  assertEquals(await karma.disk.exists(path), false);
});
