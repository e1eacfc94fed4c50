// Fingerprints as Karma 1.x makes them: recorded ones, and the lines of the others spelled out.

import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { line, takeLog } from "../../support/karma1.ts";

async function fingerprint(entry: string): Promise<string> {
  const create = line(1, `"op":"tree.create","series":"alpha"`);
  const { karma1 } = await takeLog(create + line(2, `${entry},"idempotency_key":"k"`));
  return karma1.answers[0].fingerprintHex;
}

const hash = (lines: string) => createHash("sha256").update(lines).digest("hex");

Deno.test("karma1 fingerprint: recorded ones", async () => {
  assertEquals(
    await fingerprint(
      `"op":"counter.increment","series":"alpha","key":1,"bucket":20260103,"value":5`,
    ),
    "53c0d224b3ebe6ccd295524084e0229d559834af95dae3d9c639ab4e50aeac12",
  );
  assertEquals(
    await fingerprint(
      `"op":"series.increment","tree":"i","key":6,"date":"2026-01-01","value":2`,
    ),
    "aa792b7e6d6feb4ffe94ad45beff8798063f0e4d35d62ddc77ddb575a07c57a6",
  );
  assertEquals(
    await fingerprint(
      `"op":"series.batch_add","series":"beta_two","items":` +
        `[[10,20260101,100],[11,20260102,200],[9007199254740993,20260103,9007199254740993]]`,
    ),
    "8cf81150f08d5ec36bcbf38a9b4e6e5f5eddbc8f5906efe394ee181700f385be",
  );
});

Deno.test("karma1 fingerprint: of every operation", async () => {
  const lists: [entry: string, lines: string][] = [
    [
      `"op":"counter.decrement","series":"é","key":18446744073709551615,"bucket":18446744073709551614`,
      "command:s:9:decrement\nseries:s:2:é\nkey:u:18446744073709551615\n" +
      "bucket:u:18446744073709551614\nvalue:u:1\n",
    ],
    [
      `"op":"series.batch_set","series":"alpha","items":[[1,2,0]]`,
      "command:s:9:batch_set\nseries:s:5:alpha\nitems_count:i:1\n" +
      "item_key:u:1\nitem_bucket:u:2\nitem_value:u:0\n",
    ],
    [
      `"op":"counter.batch_reset","series":"alpha","keys":[4,5]`,
      "command:s:11:batch_reset\nseries:s:5:alpha\nkeys_count:i:2\nkey_value:u:4\nkey_value:u:5\n",
    ],
    [
      `"op":"counter.batch_delete_range","series":"alpha","keys":[],"range":{"to":9,"from":8}`,
      "command:s:18:batch_delete_range\nseries:s:5:alpha\nkeys_count:i:0\n" +
      "range_from:u:8\nrange_to:u:9\n",
    ],
    [
      `"op":"counter.delete_range","series":"alpha","key":3,"range":{"from":8,"to":9}`,
      "command:s:6:delete\nseries:s:5:alpha\nkey:u:3\nrange_from:u:8\nrange_to:u:9\n",
    ],
    [
      `"op":"tree.delete_range","series":"alpha","range":{"from":8,"to":9}`,
      "command:s:6:delete\nseries:s:5:alpha\nkey:n\nrange_from:u:8\nrange_to:u:9\n",
    ],
    [
      `"op":"counter.reset","series":"alpha","key":3`,
      "command:s:5:reset\nseries:s:5:alpha\nkey:u:3\n",
    ],
    [`"op":"tree.reset","series":"alpha"`, "command:s:5:reset\nseries:s:5:alpha\nkey:n\n"],
  ];
  for (const [entry, lines] of lists) assertEquals(await fingerprint(entry), hash(lines), entry);
});
