// A directory of Karma 1.x as a whole: the recorded one, and what is missing or damaged in others.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DamagedError, HostError } from "../../../lib/errors.ts";
import { LegacyDirectory } from "../../../lib/legacy/directory.ts";
import { diskWith, line, take, takeLog } from "../../support/karma1.ts";
import { originalDump } from "../../support/original_dump.ts";
import { Random } from "../../support/random.ts";

const FIXTURE = new URL("../../fixtures/karma-1.x-directory/", import.meta.url);
const decoder = new TextDecoder();

function fixture(): Record<string, Uint8Array> {
  const names = [...Deno.readDirSync(FIXTURE)].map(({ name }) => name).sort();
  return Object.fromEntries(
    names.map((name) => [name, Deno.readFileSync(new URL(name, FIXTURE))]),
  );
}

const INCREMENT = `"op":"counter.increment","series":"a","key":1,"bucket":20260101`;

Deno.test("karma1 directory: the recorded one, exactly", async () => {
  const { karma1, contents } = await take(diskWith(fixture()));
  assertEquals(contents, {
    alpha: ["1 20260101 10", "1 20260103 5", "1 20260104 7", "2 20260102 20"],
    beta_two: [
      "10 20260101 70",
      "10 20260104 4",
      "11 20260102 200",
      "9007199254740993 20260103 9007199254740993",
    ],
    gamma: ["5 20260105 50", "6"],
  });
  const answers = karma1.answers.map(({ key, ...rest }) => ({ key: decoder.decode(key), ...rest }));
  assertEquals(answers, [
    {
      key: "fx-inc-1",
      created: 1700000010,
      fingerprintHex: "53c0d224b3ebe6ccd295524084e0229d559834af95dae3d9c639ab4e50aeac12",
      response: "5",
    },
    {
      key: "fx-batch-1",
      created: 1700000011,
      fingerprintHex: "8cf81150f08d5ec36bcbf38a9b4e6e5f5eddbc8f5906efe394ee181700f385be",
      response: `{"applied":3,"total":9007199254741293}`,
    },
  ]);
  assertEquals(karma1.streams, [{
    id: "fx-stream",
    mode: "add",
    granularity: "day",
    tree: "beta_two",
    lastChunk: 1,
    beginFingerprint: "55b8732343b9294517688310e9c208531488ba4aeae51d0891c40461f0f15a9f",
    chunkFingerprints: ["2df64349da272c5ee379acc4a404b59aaf14ed193754a1051e2a728072eb7f11"],
    committed: 1700000090,
    staged: null,
    items: 0,
  }]);
  assertEquals(karma1.checkpoints, [
    { source: "fx-export", offset: "41", event: "ev-41", updated: 1700000099 },
    { source: "fx-other", offset: null, event: "e", updated: 1700000098 },
  ]);
  assertEquals(karma1.files, [
    "karma.wal",
    "karma.idempotency.json",
    "karma.idempotency.json.meta.json",
    "karma.wal.lsn",
    "recovery.json",
  ]);
  assertEquals(karma1.notes, []);
  assertEquals(
    karma1.summary,
    "log entries 8 to 11 (4 replayed, 0 already in snapshots), 2 idempotency records, " +
      "1 committed stream and 0 open, 2 checkpoints",
  );
});

Deno.test("karma1 directory: nothing of Karma 1.x but snapshots is null", async () => {
  const open = (files: Record<string, string>) => LegacyDirectory.open("/data", diskWith(files));
  assertEquals(await open({}), null);
  const snapshots = { "1_a.tree": "", "1_a.tree.meta.json": "{}", "karma.wal.lsn": "7\n" };
  assertEquals(await open({ ...snapshots, "00000000000000000001.wal": "" }), null);
  const some = [
    "karma.wal",
    "karma.wal.00000000000000000001.segment",
    "karma.idempotency.json",
    "recovery.json",
  ];
  for (const file of some) {
    const karma1 = await open({ ...snapshots, [file]: "" });
    assertEquals(karma1?.files, [file, "karma.wal.lsn"].sort());
  }
});

Deno.test("karma1 directory: an empty log after a stop in good order", async () => {
  const files = { ...fixture(), "karma.wal": new Uint8Array(0) };
  const { karma1, contents } = await take(diskWith(files));
  assertEquals(Object.keys(contents), ["alpha", "beta_two"]);
  assertStringIncludes(karma1.summary, "no log entries, 2 idempotency records");
  assertEquals(karma1.notes, []);
});

Deno.test("karma1 directory: entries that are missing are told, and no reason to stop", async () => {
  const log = line(5, INCREMENT) + line(9, INCREMENT);
  const { karma1, contents } = await take(diskWith({
    "karma.wal": log,
    "karma.wal.lsn": "3\n",
    "karma.replication.lsn": "3\n",
  }));
  assertEquals(contents, { a: ["1 20260101 2"] });
  assertEquals(karma1.notes, [
    "Log of Karma 1.x, line 2 of karma.wal: log entries 6 to 8 are missing before it",
    "Log of Karma 1.x: it begins at entry 5, and karma.wal.lsn says 3; what came between is missing",
    "Karma 1.x was a slave here: what it got since its snapshots it kept in memory only",
  ]);
});

Deno.test("karma1 directory: a series that Karma 1.x would bring back is told", async () => {
  const { karma1, contents } = await take(diskWith({
    "10_a.tree": originalDump([[1n, new Map([[20260101, 4n]])]]),
    "10_a.tree.meta.json": `{"file":"10_a.tree","timestamp":10,"last_lsn":2}`,
    "karma.wal": line(8, INCREMENT),
    "karma.wal.lsn": "7\n",
  }));
  assertEquals(contents, { a: ["1 20260101 5"] });
  assertEquals(karma1.notes, [
    'Tree "a": its snapshot ends at log entry 2, and the log begins at 8; ' +
    "Karma 1.x had dropped it, or a newer snapshot is missing",
  ]);
});

Deno.test("karma1 directory: damaged files are refused by name", async () => {
  const refusals: [file: string, content: string, sentence: string][] = [
    ["karma.idempotency.json", "", "unexpected end, at byte 0"],
    ["karma.idempotency.json", `{"records":[{"key":"k"}]}`, "lacks its key, fingerprint"],
    ["karma.idempotency.json", `{"records":[{"key":7}]}`, "a string is missing, at byte 20"],
    ["karma.idempotency.json", `{"committed_streams":[{"stream_id":"s"}]}`, `stream "s" has no`],
    [
      "karma.idempotency.json",
      `{"committed_streams":[{"stream_id":"s","mode":"add","last_chunk_seq":4000000000}]}`,
      `stream "s" lacks the fingerprint of a chunk`,
    ],
    ["recovery.json", `{"checkpoints":[{}]}`, "a checkpoint has no source"],
    ["recovery.json", `{"checkpoints":[`, "unexpected end"],
    ["recovery.json", `{"checkpoints":[]} x`, "unexpected character, at byte 19"],
  ];
  for (const [file, content, sentence] of refusals) {
    const error = await assertRejects(() => take(diskWith({ [file]: content })), DamagedError);
    assertStringIncludes(error.message, `File ${file} of Karma 1.x is damaged: `);
    assertStringIncludes(error.message, sentence);
  }
});

Deno.test("karma1 directory: any byte may be another, and nothing breaks", async () => {
  const random = new Random(11);
  let refused = 0;
  const files = fixture();
  for (const [file, bytes] of Object.entries(files)) {
    if (file.endsWith(".tree")) continue;
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = random.chance(0.5) ? random.below(256) : random.pick([...'"\\[]{},:0-9'])
        .charCodeAt(0);
      try {
        await take(diskWith({ ...files, [file]: changed }));
      } catch (error) {
        if (!(error instanceof DamagedError)) throw error;
        assertStringIncludes(error.message, `File ${file} of Karma 1.x is damaged: `);
        refused++;
      }
    }
  }
  assert(refused > 100);
});

Deno.test("karma1 directory: what the disk says names the file", async () => {
  const disk = diskWith(fixture());
  await take(disk);
  const operations = disk.operations;
  for (let failsAt = 1; failsAt <= operations; failsAt++) {
    const failing = diskWith(fixture());
    failing.failsAt = failsAt;
    const error = await assertRejects(() => take(failing), HostError);
    assertStringIncludes(error.message, "Simulated failure");
    assertEquals(failing.filesOpen, 0);
  }
});

Deno.test("karma1 directory: checkpoints with numbers, without times", async () => {
  const { karma1 } = await take(diskWith({
    "recovery.json": `{"x":[1],"checkpoints":[{"source":"s","offset":18446744073709551615}]}`,
  }));
  assertEquals(karma1.checkpoints, [
    { source: "s", offset: "18446744073709551615", event: null, updated: 0 },
  ]);
});

Deno.test("karma1 directory: only so many sentences are told", async () => {
  const drop = `"op":"tree.drop","series":"none"`;
  const log = Array.from({ length: 25 }, (_, index) => line(index + 1, drop)).join("");
  const { karma1 } = await takeLog(log);
  assertEquals(karma1.notes.length, 11);
  assertEquals(
    karma1.notes[0],
    "Log entry 1 Karma 1.x itself refused: drop, no such series",
  );
  assertEquals(
    karma1.notes[10],
    "Log entries that Karma 1.x refused: 15 more than are told here",
  );
  assertStringIncludes(karma1.summary, "25 that 1.x itself refused");
});
