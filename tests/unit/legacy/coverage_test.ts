// Snapshots without metadata: what they hold at least is not replayed, the rest is, and told.

import { assertEquals } from "@std/assert";
import { diskWith, line, metadata, take } from "../../support/karma1.ts";
import { originalDump } from "../../support/original_dump.ts";

const snapshot = (value: bigint) => originalDump([[1n, new Map([[20260101, value]])]]);

/** Entries 1 to 10 add 1 to `a`, and so do 11 to 20 to `b`. */
const LOG = Array.from({ length: 20 }, (_, index) => {
  const series = index < 10 ? "a" : "b";
  return line(
    index + 1,
    `"op":"counter.increment","series":"${series}","key":1,"bucket":20260101,"value":1`,
  );
}).join("");

/** The value of `a` and what is told, of a snapshot of `a` made at 100 that holds 100. */
async function taken(files: Record<string, string | Uint8Array>) {
  const disk = diskWith({ "100_a.tree": snapshot(100n), "karma.wal": LOG, ...files });
  const { contents, karma1 } = await take(disk);
  return { a: contents.a, notes: karma1.notes };
}

const doubt = (lsn: number) =>
  `Snapshot 100_a.tree has no metadata: entries of the log after ${lsn} were ` +
  "replayed onto it; if it held some of them already, these count twice";

Deno.test("karma1 coverage: without any metadata all is replayed, and told", async () => {
  assertEquals(await taken({}), { a: ["1 20260101 110"], notes: [doubt(0)] });
});

Deno.test("karma1 coverage: an older snapshot tells what is held at least", async () => {
  const b = { "90_b.tree": snapshot(1n), "90_b.tree.meta.json": metadata("b", "90_b.tree", 90, 4) };
  assertEquals(await taken(b), { a: ["1 20260101 106"], notes: [doubt(4)] });
});

Deno.test("karma1 coverage: one of the same second tells all", async () => {
  const meta = metadata("b", "100_b.tree", 100, 4);
  const b = { "100_b.tree": snapshot(1n), "100_b.tree.meta.json": meta };
  assertEquals(await taken(b), { a: ["1 20260101 106"], notes: [] });
});

Deno.test("karma1 coverage: a later one tells what is held at most", async () => {
  const b = { "110_b.tree": snapshot(1n) };
  const first = { ...b, "110_b.tree.meta.json": metadata("b", "110_b.tree", 110, 4) };
  assertEquals(await taken(first), { a: ["1 20260101 110"], notes: [doubt(0)] });
  const gone = LOG.split("\n").slice(4).join("\n");
  const cut = { ...first, "karma.wal": gone, "karma.wal.lsn": "4\n" };
  assertEquals(await taken(cut), { a: ["1 20260101 106"], notes: [] });
});

Deno.test("karma1 coverage: so do the idempotency records", async () => {
  const files = {
    "karma.idempotency.json": `{"records":[],"committed_streams":[]}\n`,
    "karma.idempotency.json.meta.json":
      `{"file":"karma.idempotency.json","timestamp":95,"last_lsn":7}`,
  };
  assertEquals(await taken(files), { a: ["1 20260101 103"], notes: [doubt(7)] });
});

Deno.test("karma1 coverage: metadata with LSN zero tell nothing, as without a log", async () => {
  const files = { "100_a.tree.meta.json": metadata("a", "100_a.tree", 100, 0) };
  assertEquals(await taken(files), { a: ["1 20260101 110"], notes: [doubt(0)] });
});

Deno.test("karma1 coverage: metadata that are damaged or another's are as none", async () => {
  const empty = await taken({ "100_a.tree.meta.json": "" });
  assertEquals(empty.notes, [
    "File 100_a.tree.meta.json of Karma 1.x is damaged: unexpected end, at byte 0",
    doubt(0),
  ]);
  const other = await taken({ "100_a.tree.meta.json": metadata("b", "9_b.tree", 9, 3) });
  assertEquals(other.notes, [
    'File 100_a.tree.meta.json is about "9_b.tree" and was ignored',
    doubt(0),
  ]);
});

Deno.test("karma1 coverage: no doubt where no entry is of the series", async () => {
  const disk = diskWith({ "100_c.tree": snapshot(1n), "karma.wal": LOG });
  const { contents, karma1 } = await take(disk);
  assertEquals(contents.c, ["1 20260101 1"]);
  assertEquals(karma1.notes, []);
});
