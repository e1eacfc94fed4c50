// What each entry of Karma 1.x's log does, and what is refused or left out instead.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { diskWith, line, metadata, take, takeLog } from "../../support/karma1.ts";
import { originalDump } from "../../support/original_dump.ts";

const MAX = "18446744073709551615";

/** A log of these entries, from LSN 1 on. */
function logOf(...entries: string[]): string {
  return entries.map((entry, index) => line(index + 1, entry)).join("");
}

const increment = (series: string, key: number | string, bucket: number | string, value = "1") => {
  return `"op":"counter.increment","series":"${series}","key":${key},"bucket":${bucket},"value":${value}`;
};

Deno.test("karma1 replay: every operation", async () => {
  const { karma1, contents } = await takeLog(logOf(
    increment("a", 1, 20260101, "5"),
    increment("a", 1, 20260102, "6"),
    `"op":"counter.decrement","series":"a","key":1,"bucket":20260101,"value":2`,
    `"op":"counter.decrement","series":"a","key":1,"bucket":20260102,"value":9`,
    `"op":"counter.decrement","series":"a","key":2,"bucket":20260101,"value":1`,
    `"op":"counter.decrement","series":"new","key":2,"bucket":20260101,"value":1`,
    `"op":"series.batch_add","series":"a","granularity":"day","items":[[3,20260101,1],[3,20260101,2],[4,20260105,7]]`,
    `"op":"series.batch_add","series":"empty","granularity":"day","items":[]`,
    `"op":"series.batch_set","series":"none","granularity":"day","items":[]`,
    `"op":"series.batch_set","series":"a","items":[[4,20260105,9],[4,20260105,8],[5,20260101,0],[3,20260101,0],[3,20260109,1]]`,
    `"op":"tree.create","series":"b"`,
    `"op":"tree.create","series":"b"`,
    `"op":"counter.reset","series":"r","key":9`,
    increment("d", 1, 20260101),
    increment("d", 1, 20260102),
    increment("d", 1, 20260103),
    increment("d", 2, 20260102),
    increment("d", 3, 20260101),
    `"op":"counter.delete_range","series":"d","key":1,"range":{"from":20260102,"to":20260103}`,
    `"op":"counter.batch_delete_range","series":"d","keys":[2,3,4],"range":{"from":20260102,"to":20260102}`,
    `"op":"counter.batch_reset","series":"d","keys":[3,5]`,
    `"op":"tree.delete_range","series":"d2","range":{"from":20260101,"to":20260102}`,
    increment("p", 1, 20260101),
    increment("p", 1, 20260102),
    increment("p", 2, 20260101),
    `"op":"series.delete_before","series":"p","before":20260102`,
    increment("x", 1, 20260101),
    `"op":"tree.reset","series":"x"`,
    increment("x", 2, 20260101),
    `"op":"series.compact","series":"x"`,
    increment("gone", 1, 20260101),
    `"op":"tree.drop","series":"gone"`,
  ));
  assertEquals(contents, {
    a: ["1 20260101 3", "2", "3 20260109 1", "4 20260105 8", "5"],
    new: ["2"],
    empty: [],
    b: [],
    r: [],
    d: ["1 20260101 1", "2", "3"],
    d2: [],
    p: ["1 20260102 1"],
    x: ["2 20260101 1"],
  });
  assertEquals(karma1.notes, []);
  assertStringIncludes(karma1.summary, "(32 replayed, 0 already in snapshots)");
});

Deno.test("karma1 replay: other forms that Karma 1.x reads", async () => {
  const { contents } = await takeLog(
    logOf(
      `"tree":"a","series":"b","value":2,"date":"2026-01-02","bucket":7,"key":1,"op":"series.increment"`,
      `"op":"counter.batch_increment","tree":7,"series":"a","items":[[1,3,4]]`,
      `"op":"counter.increment","series":"a","key":2,"bucket":0`,
      `"op":"tree.compact","tree":"a"`,
      `"op":"tree.delete_before","tree":"a","date":1,"before":3`,
    ) + ` { "entry" : {"op":"tree.create","series":"\\u00e9"} , "lsn" : 6 }\n`,
  );
  assertEquals(contents, { a: ["1 3 4", "1 20260102 2"], "é": [] });
});

Deno.test("karma1 replay: compacting all series", async () => {
  const { contents } = await takeLog(logOf(
    increment("a", 1, 20260101),
    `"op":"counter.reset","series":"a","key":1`,
    `"op":"counter.decrement","series":"b","key":7,"bucket":20260101,"value":1`,
    increment("b", 8, 20260101),
    `"op":"system.compact"`,
    `"op":"counter.decrement","series":"a","key":3,"bucket":20260101,"value":1`,
  ));
  assertEquals(contents, { a: ["3"], b: ["8 20260101 1"] });
});

Deno.test("karma1 replay: 64 bits, exactly", async () => {
  const { contents } = await takeLog(logOf(
    increment("a", MAX, 20260101, "9007199254740993"),
    increment("a", 9007199254740992, 4294967295, MAX),
    `"op":"series.batch_set","series":"b","items":[[18446744073709551614,0,18446744073709551613]]`,
    `"op":"series.delete_before","series":"b","before":0`,
    increment("c", 1, 4294967295),
    increment("c", 1, 5),
    `"op":"tree.delete_range","series":"c","range":{"from":6,"to":${MAX.slice(0, 15)}}`,
    `"op":"tree.delete_range","series":"c","range":{"from":4294967296,"to":4294967297}`,
    `"op":"series.delete_before","series":"d","before":1`,
    increment("e", 1, 4294967295),
    `"op":"series.delete_before","series":"e","before":${MAX}`,
  ));
  assertEquals(contents, {
    a: [`9007199254740992 4294967295 ${MAX}`, `${MAX} 20260101 9007199254740993`],
    b: ["18446744073709551614 0 18446744073709551613"],
    c: ["1 5 1"],
    e: [],
  });
});

Deno.test("karma1 replay: what Karma 1.x refused changes nothing", async () => {
  const refused: [before: string[], entry: string, why: string][] = [
    [[], `"op":"tree.drop","series":"none"`, "drop, no such series"],
    [[], `"op":"series.compact","series":"none"`, "compact, no such series"],
    [[], `"op":"series.delete_before","series":"none","before":1`, "delete_before, no such series"],
    [[], `"op":"counter.batch_reset","series":"none","keys":[1]`, "batch_reset, no such series"],
    [
      [],
      `"op":"counter.batch_delete_range","series":"none","keys":[],"range":{"from":1,"to":2}`,
      "batch_delete_range, no such series",
    ],
    [[], increment("a", 2, 1, "0"), "increment, its value is zero"],
    [[], `"op":"series.batch_add","series":"new","items":[[1,2,0]]`, "is zero"],
    [[increment("a", 1, 1, MAX)], increment("a", 1, 1), `increment, a sum would pass ${MAX}`],
    [[increment("a", 1, 1, MAX)], increment("a", 1, 2), `increment, a sum would pass ${MAX}`],
    [
      [increment("a", 1, 1, MAX), increment("a", 2, 1)],
      `"op":"series.batch_add","series":"a","items":[[2,1,1],[3,1,1],[2,2,1],[1,2,1]]`,
      `batch_add, a sum would pass ${MAX}`,
    ],
    [[], `"op":"series.batch_add","series":"new","items":[[1,2,${MAX}],[2,2,1]]`, "a sum would"],
    [[], `"op":"series.batch_set","series":"new","items":[[1,2,${MAX}],[2,2,1]]`, "a sum would"],
    [
      [increment("a", 1, 1, MAX)],
      `"op":"series.batch_set","series":"a","items":[[2,1,1],[1,1,0]]`,
      `batch_set, a sum would pass ${MAX}`,
    ],
  ];
  for (const [before, entry, why] of refused) {
    const { contents } = await takeLog(logOf(...before));
    const after = await takeLog(logOf(...before, entry, increment("last", 1, 1)));
    assertEquals(after.contents, { ...contents, last: ["1 1 1"] }, entry);
    assertEquals(after.karma1.notes.length, 1);
    assertStringIncludes(after.karma1.notes[0], `entry ${before.length + 1} Karma 1.x itself`);
    assertStringIncludes(after.karma1.notes[0], why);
    assertStringIncludes(after.karma1.summary, "1 that 1.x itself refused");
  }
});

Deno.test("karma1 replay: a batch_set is held to the sum of its series, step by step", async () => {
  const { contents, karma1 } = await takeLog(logOf(
    increment("a", 1, 1, MAX),
    `"op":"series.batch_set","series":"a","items":[[1,1,0],[2,1,${MAX}]]`,
    `"op":"series.batch_set","series":"a","items":[[2,1,5],[2,1,7],[3,1,3]]`,
    increment("a", 4, 1, "18446744073709551605"),
    `"op":"series.batch_set","series":"a","items":[[5,1,1]]`,
    `"op":"series.batch_add","series":"a","items":[[5,1,1]]`,
  ));
  assertEquals(contents, {
    a: ["1", "2 1 7", "3 1 3", "4 1 18446744073709551605", "5 1 1"],
  });
  assertEquals(karma1.notes, [
    `Log entry 5 Karma 1.x itself refused: batch_set, a sum would pass ${MAX}`,
  ]);
});

Deno.test("karma1 replay: what no tree can hold is left out, and nothing else", async () => {
  const { contents, karma1 } = await takeLog(logOf(
    increment("a", 1, 4294967296),
    increment("a", 1, `"9999-9999-9999"`),
    `"op":"series.batch_add","series":"a","items":[[1,7,1],[1,4294967296,2],[2,18446744073709551615,3]]`,
    `"op":"series.batch_set","series":"a","items":[[3,4294967296,2],[4,1,1]]`,
    increment("", 1, 1),
    increment("\\u0000", 1, 1),
    increment("x".repeat(256), 1, 1),
    `"op":"tree.create"`,
    increment("x".repeat(255), 1, 1),
  ));
  assertEquals(contents, { a: ["1 7 1", "4 1 1"], ["x".repeat(255)]: ["1 1 1"] });
  assertEquals(karma1.notes, [
    "Log entry 1 had to be left out: its bucket is beyond 4294967295",
    "Log entry 2 had to be left out: its bucket is beyond 4294967295",
    "Log entry 5 had to be left out: no tree can have its series' name",
    "Log entry 6 had to be left out: no tree can have its series' name",
    "Log entry 7 had to be left out: no tree can have its series' name",
    "Log entry 8 had to be left out: no tree can have its series' name",
    "3 items left out whose bucket is beyond 4294967295, the first in entry 3",
  ]);
  assertStringIncludes(karma1.summary, "3 replayed, 0 already in snapshots, 6 left out");
});

const SNAPSHOT = originalDump([[1n, new Map([[20260101, 3n]])]]);

Deno.test("karma1 replay: what a snapshot holds is not counted twice", async () => {
  for (let lsn = 1; lsn <= 4; lsn++) {
    const days = new Map([[20260101, BigInt(lsn)]]);
    const { contents, karma1 } = await take(diskWith({
      "10_a.tree": originalDump([[1n, days]]),
      "10_a.tree.meta.json": metadata("a", "10_a.tree", 10, lsn),
      "karma.wal": logOf(
        increment("a", 1, 20260101),
        increment("a", 1, 20260101),
        increment("a", 1, 20260101),
        increment("a", 1, 20260101),
        `"op":"system.compact"`,
        increment("b", 1, 20260101),
      ),
    }));
    assertEquals(contents, { a: ["1 20260101 4"], b: ["1 20260101 1"] });
    assertStringIncludes(karma1.summary, `(${6 - lsn} replayed, ${lsn} already in snapshots)`);
  }
});

Deno.test("karma1 replay: a dropped series stays dropped if the log says so", async () => {
  const files = (lsn: number) => ({
    "10_a.tree": SNAPSHOT,
    "10_a.tree.meta.json": metadata("a", "10_a.tree", 10, lsn),
    "karma.wal": logOf(
      increment("a", 1, 20260101, "3"),
      `"op":"tree.drop","series":"a"`,
      increment("b", 1, 20260101),
    ),
  });
  assertEquals((await take(diskWith(files(1)))).contents, { b: ["1 20260101 1"] });
  // It was created anew, by what the log does not have, before this snapshot.
  assertEquals((await take(diskWith(files(2)))).contents, {
    a: ["1 20260101 3"],
    b: ["1 20260101 1"],
  });
});
