// A backup of a Karma that goes on counting: what is read of it later is the state of the moment at which it began.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readBackup } from "../../../lib/commands/backup_file.ts";
import { LocalKarma } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";
import { V2Client } from "../../support/v2_client.ts";

type Ask = (op: string, fields?: Record<string, unknown>) => Promise<string>;

async function start(disk = new MemoryDisk("/dumps"), options: { replyBytesMax?: number } = {}) {
  const karma = await LocalKarma.start(disk, options);
  const client = new V2Client(karma, options.replyBytesMax);
  const ask: Ask = (op, fields = {}) => client.ask(op, JSON.stringify(fields).slice(1, -1));
  return { karma, ask };
}

async function get(ask: Ask, op: string, fields?: Record<string, unknown>) {
  const answer = await ask(op, fields);
  try {
    return JSON.parse(answer.replace(/^(first|again): /, ""));
  } catch {
    throw new Error(answer);
  }
}

/** All of a backup, in parts of odd sizes, `between` each of which something happens. */
async function readAll(ask: Ask, between: () => Promise<unknown>): Promise<Uint8Array> {
  const random = new Random(3);
  const bytes: number[] = [];
  for (let isDone = false; !isDone;) {
    const fields = { offset: bytes.length, limit: 1 + random.below(30_000) };
    const part = await get(ask, "backup.read", fields);
    bytes.push(...Uint8Array.fromBase64(part.data_base64));
    assertEquals(part.next_offset, bytes.length);
    isDone = part.done;
    await between();
  }
  return Uint8Array.from(bytes);
}

/** A disk with the files of an archive. */
async function restored(entries: Uint8Array, head: object): Promise<MemoryDisk> {
  const disk = new MemoryDisk("/dumps");
  const first = new TextEncoder().encode(
    JSON.stringify({ format: "karma-backup", version: 1, ...head }) + "\n",
  );
  const whole = [...first, ...entries];
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(whole)));
  const { files } = head as { files: number };
  whole.push(...new TextEncoder().encode(JSON.stringify({ sha256: digest.toHex(), files }) + "\n"));
  let [at, name, bytes] = [0, "", [] as number[]];
  await readBackup((into) => {
    const part = whole.slice(at, at + into.length);
    into.set(part);
    at += part.length;
    return Promise.resolve(part.length === 0 ? null : part.length);
  }, {
    begin: (file) => Promise.resolve(void ([name, bytes] = [file, []])),
    write: (part) => Promise.resolve(void bytes.push(...part)),
    end: () => Promise.resolve(disk.put(`/dumps/${name}`, Uint8Array.from(bytes))),
  });
  return disk;
}

Deno.test("backup: it holds one moment's state, whatever happens while it is read", async () => {
  for (const dumped of [false, true]) {
    const { karma, ask } = await start();
    const day = 20260105;
    const items = Array.from({ length: 3000 }, (_, key) => [key, day, key + 1]);
    await get(ask, "series.batch_add", { series: "a", items });
    await get(ask, "series.batch_add", { series: "gone", items: [[1, day, 1]] });
    if (dumped) await get(ask, "snapshot.create_all");
    const once = { series: "b", key: 1, bucket: day, idempotency_key: "once" };
    await get(ask, "counter.increment", once);
    await get(ask, "tree.drop", { series: "gone" });
    const head = await get(ask, "backup.begin");
    assertEquals(head.lsn, karma.wal.lsn);
    let dumps: Promise<number> | null = null;
    const entries = await readAll(ask, async () => {
      await get(ask, "series.batch_add", { series: "a", items: [[1, day, 1], [9999, day, 1]] });
      await get(ask, "tree.create", { series: "later" });
      dumps ??= karma.checkpointer.dumpAll("the test"); // it waits
    });
    assertEquals(entries.length, head.bytes);
    await get(ask, "backup.end");
    assertEquals(await dumps!, 0);
    const copy = await start(await restored(entries, head));
    assertEquals(copy.karma.log, []);
    assertEquals(await get(copy.ask, "tree.list"), ["a", "b"]);
    const info = await get(copy.ask, "tree.info", { series: "a" });
    assertEquals([info.key_count, info.total], [3000, 3000 * 3001 / 2]);
    assertEquals(await copy.ask("counter.increment", once), "again: 1");
  }
});

Deno.test("backup: one at a time; what it is not is told", async () => {
  const { karma, ask } = await start();
  assertStringIncludes(await ask("backup.read"), "No backup is under way");
  assertStringIncludes(await ask("backup.end"), "No backup is under way");
  const { bytes } = await get(ask, "backup.begin");
  assertStringIncludes(await ask("backup.begin"), "A backup is under way");
  assertStringIncludes(
    await ask("backup.read", { offset: bytes + 1 }),
    "Field offset exceeds backup size",
  );
  assertEquals((await get(ask, "backup.read", { offset: bytes })).done, true);
  assertEquals(await ask("backup.end"), '"OK"');
  await get(ask, "backup.begin");
  karma.engine.backup.end(); // as a stop does
  assertEquals(await karma.checkpointer.dumpAll("the test"), 0);
  assertStringIncludes(await ask("backup.read"), "No backup is under way");
});

Deno.test("backup: a part that has no room in a reply is refused, and another size is not", async () => {
  const { ask } = await start(undefined, { replyBytesMax: 2048 });
  await get(ask, "backup.begin");
  assertStringIncludes(await ask("backup.read", { limit: 4096 }), "response_too_large");
  assertEquals((await get(ask, "backup.read", { limit: 512 })).bytes, 512);
  await get(ask, "backup.end");
});
