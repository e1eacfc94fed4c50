// Idempotency records, from the file and from the log.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { diskWith, line, metadata, NOW_SECONDS, take, takeLog } from "../../support/karma1.ts";
import { originalDump } from "../../support/original_dump.ts";
import type { LegacyDirectory } from "../../../lib/legacy/directory.ts";

const decoder = new TextDecoder();

function told({ answers }: LegacyDirectory): string[] {
  return answers.map(({ key, created, response }) =>
    `${decoder.decode(key)} ${created} ${response}`
  );
}

const keyed = (lsn: number, key: string, entry: string) => {
  return line(lsn, `${entry},"idempotency_key":${JSON.stringify(key)}`);
};

const FINGERPRINT = "0123456789abcdef".repeat(4);
const record = (key: string, created: number) =>
  `{"key":"${key}","operation":"reset","fingerprint":"${FINGERPRINT}","response":"OK","created_at_unix":${created}}`;
const FILE = (...records: string[]) => `{"records":[${records.join()}],"committed_streams":[]}\n`;
const METADATA = `{"file":"karma.idempotency.json","timestamp":60,"last_lsn":2}\n`;

const ADD =
  `"op":"counter.increment","series":"a","key":1,"bucket":20260101,"value":18446744073709551615`;

Deno.test("karma1 answers: of every operation, as Karma 1.x gave them", async () => {
  const { karma1 } = await takeLog(
    keyed(1, "inc", ADD) +
      keyed(2, "dec", `"op":"counter.decrement","series":"a","key":1,"bucket":20260101,"value":7`) +
      keyed(
        3,
        "add",
        `"op":"series.batch_add","series":"b","items":[[1,2,9223372036854775807],[2,2,4]]`,
      ) +
      keyed(4, "set", `"op":"series.batch_set","series":"b","items":[[3,2,3]]`) +
      keyed(
        5,
        "del",
        `"op":"counter.batch_delete_range","series":"b","keys":[1,3,9,3],"range":{"from":1,"to":2}`,
      ) +
      keyed(6, "res", `"op":"counter.batch_reset","series":"b","keys":[2,3,9,2]`) +
      keyed(7, "reset", `"op":"tree.reset","series":"b"`) +
      keyed(8, "one", `"op":"counter.reset","series":"b","key":1`) +
      keyed(9, "range", `"op":"tree.delete_range","series":"b","range":{"from":1,"to":2}`) +
      keyed(10, "create", `"op":"tree.create","series":"c"`) +
      keyed(11, "refused", ADD) +
      line(12, `"op":"counter.increment","series":"a","key":5,"bucket":1,"idempotency_key":77`) +
      keyed(13, 'é"', ADD.replace('"a"', '"n"')),
  );
  assertEquals(told(karma1), [
    `inc ${NOW_SECONDS} 18446744073709551615`,
    `dec ${NOW_SECONDS} 7`,
    `add ${NOW_SECONDS} {"applied":2,"total":9223372036854775811}`,
    `set ${NOW_SECONDS} {"applied":1}`,
    `del ${NOW_SECONDS} {"deleted":2,"missing":2}`,
    `res ${NOW_SECONDS} {"reset":1,"missing":3}`,
    `reset ${NOW_SECONDS} "OK"`,
    `one ${NOW_SECONDS} "OK"`,
    `range ${NOW_SECONDS} true`,
    `77 ${NOW_SECONDS} 1`,
    `é" ${NOW_SECONDS} 18446744073709551615`,
  ]);
});

Deno.test("karma1 answers: a key that is written again was carried out again", async () => {
  const { karma1, contents } = await takeLog(
    keyed(1, "k", `"op":"counter.increment","series":"a","key":1,"bucket":1,"value":1`) +
      keyed(2, "l", `"op":"counter.increment","series":"a","key":1,"bucket":1,"value":2`) +
      keyed(3, "k", `"op":"counter.increment","series":"a","key":1,"bucket":1,"value":4`),
  );
  assertEquals(contents, { a: ["1 1 7"] });
  assertEquals(told(karma1), [`l ${NOW_SECONDS} 2`, `k ${NOW_SECONDS} 4`]);
});

Deno.test("karma1 answers: the file comes first, the log from where it ends", async () => {
  const { karma1, contents } = await take(diskWith({
    "karma.idempotency.json": FILE(record("old", 50), record("again", 51)),
    "karma.idempotency.json.meta.json": METADATA,
    "karma.wal": keyed(1, "forgotten", ADD) + keyed(2, "old", ADD.replace('key":1', 'key":2')) +
      keyed(3, "again", ADD.replace('key":1', 'key":3')) +
      keyed(4, "new", `"op":"tree.reset","series":"b"`),
  }));
  assertEquals(contents.a.length, 3);
  assertEquals(told(karma1), [
    `old 50 "OK"`,
    `again ${NOW_SECONDS} 18446744073709551615`,
    `new ${NOW_SECONDS} "OK"`,
  ]);
});

Deno.test("karma1 answers: of what a snapshot holds are remembered as well", async () => {
  const { karma1, contents } = await take(diskWith({
    "10_a.tree": originalDump([[1n, new Map([[20260101, 3n]])]]),
    "10_a.tree.meta.json": metadata("a", "10_a.tree", 10, 4),
    "karma.wal": keyed(1, "k1", ADD) +
      keyed(2, "k2", `"op":"counter.batch_reset","series":"a","keys":[1,2]`) +
      keyed(
        3,
        "k3",
        `"op":"counter.batch_delete_range","series":"a","keys":[1],"range":{"from":1,"to":2}`,
      ) +
      keyed(4, "k4", `"op":"series.batch_add","series":"a","items":[[1,20260101,3]]`),
  }));
  assertEquals(contents, { a: ["1 20260101 3"] });
  assertEquals(told(karma1), [
    `k1 ${NOW_SECONDS} 18446744073709551615`,
    `k2 ${NOW_SECONDS} {"reset":2,"missing":0}`,
    `k3 ${NOW_SECONDS} {"deleted":1,"missing":0}`,
    `k4 ${NOW_SECONDS} {"applied":1,"total":3}`,
  ]);
  assertStringIncludes(karma1.summary, "4 already in snapshots");
});

Deno.test("karma1 answers: pruned by age and number, the oldest first", async () => {
  const files = {
    "karma.idempotency.json": FILE(record("a", 50), record("b", 52), record("c", 51)),
    "karma.idempotency.json.meta.json": METADATA,
  };
  const pruned = async (entry: string, lsn = 4) => {
    const log = keyed(3, "new", `"op":"tree.reset","series":"b"`) +
      line(lsn, `"op":"idempotency.prune",${entry}`);
    const { karma1 } = await take(diskWith({ ...files, "karma.wal": log }));
    return karma1.answers.map(({ key }) => decoder.decode(key)).join("");
  };
  assertEquals(await pruned(`"before":0`), "abcnew");
  assertEquals(await pruned(`"before":52`), "bnew");
  assertEquals(await pruned(`"before":52,"limit":1`), "bcnew");
  assertEquals(await pruned(`"before":4000000000,"limit":2`), "cnew");
  assertEquals(await pruned(`"before":4000000000`), "");
  assertEquals(await pruned(`"before":4000000000`, 2), "abcnew"); // the file was written after it
});

Deno.test("karma1 answers: responses and keys of any form", async () => {
  const odd = record("x", 1).replace('"OK"', '{"a" : [1, 18446744073709551615, "\\u0041"]}')
    .replace('"x"', '"\\u00e9\\n"').replace("{", '{"more":[{}],');
  const { karma1 } = await take(diskWith({ "karma.idempotency.json": FILE(odd) }));
  const [{ key, response }] = karma1.answers;
  assertEquals(decoder.decode(key), "é\n");
  assertEquals(response, '{"a" : [1, 18446744073709551615, "\\u0041"]}');
});
