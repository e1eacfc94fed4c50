// Ingest streams in the log of Karma 1.x.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { beginFingerprint } from "../../../lib/legacy/fingerprint.ts";
import {
  cellsOf,
  diskWith,
  line,
  metadata,
  NOW_SECONDS,
  take,
  takeLog,
} from "../../support/karma1.ts";
import { originalDump } from "../../support/original_dump.ts";

const begin = (id: string, mode: string, granularity?: string) =>
  `"op":"ingest.begin","stream_id":"${id}","mode":"${mode}"` +
  (granularity === undefined ? "" : `,"granularity":"${granularity}"`);
const chunk = (id: string, series: string, sequence: number, items: string) =>
  `"op":"ingest.chunk","stream_id":"${id}","series":"${series}","chunk_seq":${sequence},"items":${items}`;
const commit = (id: string) => `"op":"ingest.commit","stream_id":"${id}"`;
const abort = (id: string) => `"op":"ingest.abort","stream_id":"${id}"`;
const logOf = (...entries: string[]) => {
  return entries.map((entry, index) => line(index + 1, entry)).join("");
};

Deno.test("karma1 ingest: adding, setting and replacing, to the end", async () => {
  const { karma1, contents } = await takeLog(logOf(
    begin("s1", "add", "day"),
    begin("s1", "add", "day"),
    chunk("s1", "a", 1, "[[1,7,10],[2,7,7]]"),
    chunk("s1", "a", 1, "[[1,7,10],[2,7,7]]"),
    chunk("s1", "a", 2, "[[1,7,1]]"),
    chunk("s1", "empty", 3, "[]"), // another series
    chunk("s1", "a", 3, "[]"),
    commit("s1"),
    commit("s1"),
    begin("s1", "add", "day"),
    chunk("s1", "a", 2, "[[1,7,1]]"),
    begin("s2", "set"),
    chunk("s2", "a", 1, "[[1,7,3],[3,7,0]]"),
    commit("s2"),
    begin("s3", "replace_series"),
    chunk("s3", "a", 1, "[[1,7,5],[2,7,0]]"),
    `"op":"counter.increment","series":"a","key":9,"bucket":7,"value":1`,
    chunk("s3", "a", 2, "[[1,7,6],[1,8,6]]"),
    commit("s3"),
    begin("s4", "replace_series"),
    chunk("s4", "brandnew", 1, "[]"),
    commit("s4"),
    begin("s5", "add"),
    commit("s5"),
  ));
  assertEquals(contents, { a: ["1 7 6", "1 8 6", "2"], brandnew: [] });
  assertEquals(karma1.notes, [
    'Log entry 6 Karma 1.x itself refused: chunk of ingest stream "s1", other tree',
  ]);
  const told = karma1.streams.map(({ chunkFingerprints, beginFingerprint: print, ...rest }) => {
    assertEquals(print, beginFingerprint(rest.id, rest.mode, rest.granularity));
    assertEquals(chunkFingerprints.length, rest.lastChunk);
    assert(chunkFingerprints.every((print) => /^[0-9a-f]{64}$/.test(print)));
    return rest;
  });
  const ended = { granularity: null, committed: NOW_SECONDS, staged: null, items: 0 };
  assertEquals(told, [
    { ...ended, id: "s1", mode: "add", granularity: "day", tree: "a", lastChunk: 3 },
    { ...ended, id: "s2", mode: "set", tree: "a", lastChunk: 1 },
    { ...ended, id: "s3", mode: "replace_series", tree: "a", lastChunk: 2 },
    { ...ended, id: "s4", mode: "replace_series", tree: "brandnew", lastChunk: 1 },
    { ...ended, id: "s5", mode: "add", tree: null, lastChunk: 0 },
  ]);
});

Deno.test("karma1 ingest: open streams stay open, with what they staged", async () => {
  const { karma1, contents } = await takeLog(logOf(
    begin("add", "add"),
    chunk("add", "a", 1, "[[1,7,10]]"),
    begin("replace", "replace_series"),
    chunk("replace", "a", 1, "[[1,7,5],[1,4294967296,5]]"),
    chunk("replace", "a", 2, "[[2,7,5]]"),
    begin("none", "replace_series"),
    begin("again", "set"),
    chunk("again", "b", 1, "[[1,7,1]]"),
    abort("again"),
    begin("again", "add"),
  ));
  assertEquals(contents, { a: ["1 7 10"], b: ["1 7 1"] });
  const streams = Object.fromEntries(karma1.streams.map((stream) => [stream.id, stream]));
  assertEquals(Object.keys(streams), ["add", "replace", "none", "again"]);
  assert(karma1.streams.every(({ committed }) => committed === null));
  assertEquals(cellsOf(streams.replace.staged!), ["1 7 5", "2 7 5"]);
  assertEquals([streams.replace.items, streams.replace.tree], [3, "a"]);
  assertEquals([streams.add.lastChunk, streams.add.staged, streams.add.items], [1, null, 0]);
  assertEquals([streams.none.tree, streams.none.staged], [null, null]);
  assertEquals([streams.again.mode, streams.again.lastChunk], ["add", 0]);
  assertStringIncludes(karma1.summary, "0 committed streams and 4 open");
  assertEquals(karma1.notes, [
    "1 item left out whose bucket is beyond 4294967295, the first in entry 4",
  ]);
});

Deno.test("karma1 ingest: what Karma 1.x refused changes nothing", async () => {
  const MAX = "18446744073709551615";
  const open = [begin("s", "add"), chunk("s", "a", 1, "[[1,7,1]]")];
  const done = [...open, commit("s")];
  const refused: [before: string[], entry: string, why: string][] = [
    [open, begin("s", "set"), `ingest stream "s" is there with other parameters`],
    [open, begin("s", "add", "day"), `ingest stream "s" is there with other parameters`],
    [done, begin("s", "set"), `ingest stream "s" is there with other parameters`],
    [open, begin("t", "merge"), "there is no ingest mode merge"],
    [open, chunk("s", "a", 1, "[[1,7,2]]"), "was there with other items"],
    [open, chunk("s", "a", 3, "[[1,7,2]]"), "not the next"],
    [open, chunk("s", "a", 0, "[[1,7,2]]"), "was there with other items"],
    [open, chunk("s", "b", 2, "[[1,7,2]]"), "other tree"],
    [open, chunk("s", "a", 2, "[[1,7,0]]"), "is zero"],
    [open, chunk("s", "a", 2, `[[2,7,1],[1,7,${MAX}]]`), "a sum would pass"],
    [done, chunk("s", "a", 1, "[[1,7,2]]"), "was committed with other chunks"],
    [done, chunk("s", "a", 2, "[[1,7,2]]"), "was committed with other chunks"],
    [done, abort("s"), `ingest stream "s" is committed`],
    [[begin("r", "replace_series")], commit("r"), `ingest stream "r" has no chunk`],
    [
      [begin("r", "replace_series"), chunk("r", "a", 1, `[[1,7,${MAX}]]`)],
      chunk("r", "a", 2, `[[1,8,1]]`),
      `chunk of ingest stream "r", overflow`,
    ],
    [[], chunk("t", "a", 2, "[[1,7,1]]"), `has no beginning of ingest stream "t"`],
    [[], commit("t"), `the log has no beginning of ingest stream "t"; it has to be sent anew`],
    [[], abort("t"), `has no beginning of ingest stream "t"`],
  ];
  for (const [before, entry, why] of refused) {
    const one = await takeLog(logOf(...before));
    const two = await takeLog(logOf(...before, entry));
    assertEquals(two.contents, one.contents, entry);
    const plain = ({ karma1 }: typeof one) =>
      karma1.streams.map(({ staged, ...rest }) => ({ ...rest, cells: staged && cellsOf(staged) }));
    assertEquals(plain(two), plain(one), entry);
    assertEquals(two.karma1.notes.length, 1, entry);
    assertStringIncludes(two.karma1.notes[0], why);
  }
});

Deno.test("karma1 ingest: a refused first chunk binds its stream", async () => {
  const { karma1, contents } = await takeLog(logOf(
    begin("s", "add"),
    chunk("s", "a", 1, "[[1,7,0]]"),
    chunk("s", "b", 1, "[[1,7,1]]"),
    chunk("s", "a", 1, "[[1,7,1]]"),
  ));
  assertEquals(contents, { a: ["1 7 1"] });
  assertEquals(karma1.streams[0].lastChunk, 1);
  assertStringIncludes(karma1.summary, "2 that 1.x itself refused");
});

Deno.test("karma1 ingest: streams go on though a snapshot holds their chunks", async () => {
  const log = logOf(
    begin("s", "add"),
    chunk("s", "a", 1, "[[1,7,1]]"),
    begin("r", "replace_series"),
    chunk("r", "a", 1, "[[1,9,9]]"),
    chunk("s", "a", 2, "[[1,7,2]]"),
    commit("s"),
    commit("r"),
    `"op":"counter.increment","series":"a","key":1,"bucket":9,"value":1`,
  );
  const states: [lsn: number, days: [number, bigint][]][] = [
    [1, []],
    [2, [[7, 1n]]],
    [4, [[7, 1n]]],
    [5, [[7, 3n]]],
    [6, [[7, 3n]]],
    [7, [[9, 9n]]],
    [8, [[9, 10n]]],
  ];
  for (const [lsn, days] of states) {
    const { karma1, contents } = await take(diskWith({
      "10_a.tree": originalDump([[1n, new Map(days)]]),
      "10_a.tree.meta.json": metadata("a", "10_a.tree", 10, lsn),
      "karma.wal": log,
    }));
    assertEquals(contents, { a: ["1 9 10"] });
    const ended = karma1.streams.map(({ id, lastChunk, committed }) => [id, lastChunk, committed]);
    assertEquals(ended, [["s", 2, NOW_SECONDS], ["r", 1, NOW_SECONDS]]);
    assertEquals(karma1.notes, []);
  }
});

Deno.test("karma1 ingest: what the idempotency file remembers is not begun again", async () => {
  // Its id was used before, for a stream that was aborted; the log still has all of it.
  const log = logOf(
    begin("s", "set"),
    abort("s"),
    begin("s", "add"),
    chunk("s", "a", 1, "[[1,7,1]]"),
    commit("s"),
    chunk("s", "a", 1, "[[1,7,1]]"),
  );
  const whole = (await takeLog(log)).karma1.streams[0];
  const stream = {
    stream_id: "s",
    mode: "add",
    series_name: "a",
    last_chunk_seq: 1,
    begin_fingerprint: whole.beginFingerprint,
    chunk_fingerprints: { 1: whole.chunkFingerprints[0] },
    committed_at_unix: 9,
  };
  const { karma1, contents } = await take(diskWith({
    "10_a.tree": originalDump([[1n, new Map([[7, 1n]])]]),
    "10_a.tree.meta.json": metadata("a", "10_a.tree", 10, 5),
    "karma.idempotency.json": JSON.stringify({ records: [], committed_streams: [stream] }),
    "karma.idempotency.json.meta.json":
      `{"file":"karma.idempotency.json","timestamp":10,"last_lsn":5}`,
    "karma.wal": log,
  }));
  assertEquals(contents, { a: ["1 7 1"] });
  assertEquals(karma1.streams, [{ ...whole, committed: 9 }]);
  assertStringIncludes(karma1.summary, "(1 replayed, 5 already in snapshots)");
});

Deno.test("karma1 ingest: names that no tree can have, ids that are no text", async () => {
  const log = logOf(
    begin("s", "add"),
    chunk("s", "\\u0001", 1, "[[1,7,1]]"),
    chunk("s", "a", 2, "[[1,7,1]]"),
  );
  const { karma1, contents } = await takeLog(log + line(4, begin("s", "add").replace('"s"', "7")));
  assertEquals(contents, {});
  assertEquals(karma1.streams, []);
  assertEquals(karma1.notes.length, 3);
  assertStringIncludes(
    karma1.notes[0],
    'no tree can have the name in a chunk of ingest stream "s"',
  );
});
