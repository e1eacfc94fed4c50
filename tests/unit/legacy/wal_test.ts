// The log of Karma 1.x as files: segments, cuts at every byte, what a crash and a full disk leave.

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DamagedError } from "../../../lib/errors.ts";
import { Random } from "../../support/random.ts";
import { diskWith, line, take, takeLog } from "../../support/karma1.ts";

const add = (lsn: number, series = "a", value = 1) => {
  return line(
    lsn,
    `"op":"counter.increment","series":${
      JSON.stringify(series)
    },"key":1,"bucket":20260101,"value":${value}`,
  );
};

const segment = (lsn: number) => `karma.wal.${`${lsn}`.padStart(20, "0")}.segment`;

Deno.test("karma1 wal: segments ascend, and the active file comes last", async () => {
  const { karma1, contents } = await take(diskWith({
    "karma.wal": add(5) + line(6, `"op":"tree.reset","series":"b"`),
    [segment(3)]: add(3, "b") + add(4),
    [segment(1)]: line(1, `"op":"tree.create","series":"z"`) + add(2, "b", 3),
    [segment(1).replace("segment", "idx")]: "KARMA_WAL_INDEX_V1 size=1\n",
  }));
  assertEquals(contents, { z: [], b: ["1"], a: ["1 20260101 2"] });
  assertEquals(karma1.notes, []);
  assertEquals(karma1.files, [
    segment(1),
    segment(3),
    "karma.wal",
    segment(1).replace("segment", "idx"),
  ]);
  assertStringIncludes(karma1.summary, "log entries 1 to 6 (6 replayed");
});

Deno.test("karma1 wal: a log whose active file was just renamed", async () => {
  const { contents } = await take(diskWith({ [segment(1)]: add(1) + add(2) }));
  assertEquals(contents, { a: ["1 20260101 2"] });
});

Deno.test("karma1 wal: the last line may be cut at every byte", async () => {
  const last = add(3, 'b"\\é', 7).trimEnd();
  const bytes = new TextEncoder().encode(last);
  for (let length = 0; length <= bytes.length; length++) {
    const log = new Uint8Array([
      ...new TextEncoder().encode(add(1) + add(2)),
      ...bytes.subarray(0, length),
    ]);
    const { karma1, contents } = await take(diskWith({ "karma.wal": log }));
    const isWhole = length === bytes.length;
    assertEquals(contents.a, ["1 20260101 2"]);
    assertEquals(contents['b"\\é'], isWhole ? ["1 20260101 7"] : undefined);
    const note = "Log of Karma 1.x, line 3 of karma.wal: a crash tore its last line, " +
      `${length} bytes of it were left out`;
    assertEquals(karma1.notes, isWhole || length === 0 ? [] : [note]);
  }
});

Deno.test("karma1 wal: zeros behind the last line are cut", async () => {
  const { karma1, contents } = await takeLog(add(1) + "\0".repeat(4096));
  assertEquals(contents, { a: ["1 20260101 1"] });
  assertEquals(karma1.notes.length, 1);
});

Deno.test("karma1 wal: blank lines and carriage returns are passed over", async () => {
  const { karma1, contents } = await takeLog(`\n \t\n${add(1).trimEnd()}\r\n\r\n${add(2)}  `);
  assertEquals(contents, { a: ["1 20260101 2"] });
  assertEquals(karma1.notes, []);
});

Deno.test("karma1 wal: what was written behind a torn entry is found, at every cut", async () => {
  const torn = add(2, 'x"{"v":2,"lsn":', 5).trimEnd();
  for (let length = 1; length <= torn.length; length++) {
    const { karma1, contents } = await takeLog(add(1) + torn.slice(0, length) + add(3) + add(4));
    const isWhole = length === torn.length;
    assertEquals(contents.a, ["1 20260101 3"]);
    assertEquals(contents['x"{"v":2,"lsn":'], isWhole ? ["1 20260101 5"] : undefined);
    const note = `line 2 of karma.wal: ${length} bytes of an entry that was torn were left out`;
    assertEquals(
      karma1.notes,
      isWhole ? [] : [
        `Log of Karma 1.x, ${note}`,
        "Log of Karma 1.x, line 2 of karma.wal: log entry 2 is missing before it",
      ],
    );
  }
});

Deno.test("karma1 wal: three entries on a line, the last torn too", async () => {
  const { karma1, contents } = await takeLog(
    add(1).slice(0, -9) + add(2).trimEnd() + add(3).slice(0, -4),
  );
  assertEquals(contents, { a: ["1 20260101 1"] });
  assertEquals(karma1.notes.length, 3); // the log begins at 2, too
});

Deno.test("karma1 wal: damage elsewhere is refused with file and line", async () => {
  const cases: [log: Record<string, string>, sentence: string][] = [
    [
      { "karma.wal": add(1) + add(2).slice(0, -9) + "\n" },
      "karma.wal of Karma 1.x is damaged: line 2: unexpected end",
    ],
    [{ "karma.wal": add(1).slice(0, -9) + "\n" + add(2) }, "line 1: unexpected end"],
    [{ "karma.wal": add(1) + "garbage\n" + add(2) }, "line 2: unexpected character"],
    [{ "karma.wal": "garb" + add(2) }, "line 1: unexpected character"],
    [
      { [segment(1)]: add(1) + add(2).slice(0, -9), "karma.wal": add(3) },
      `${segment(1)} of Karma 1.x is damaged: line 2: unexpected end`,
    ],
    [{ "karma.wal": `{"v":2,"lsn":1}\n` }, "line 1: it is no entry of a log"],
    [{ "karma.wal": `{"v":2,"lsn":-1,"entry":{}}\n` }, "line 1: it is no entry of a log"],
    [{ "karma.wal": `{"v":2,"lsn":9007199254740992,"entry":{"op":"x"}}\n` }, "no entry"],
    [{ "karma.wal": `{"v":2,"lsn":1,"entry":[]}\n` }, "line 1: it is no entry of a log"],
    [{ "karma.wal": line(1, `"op":"tree.paint"`) }, "line 1: its operation tree.paint is unknown"],
    [{ "karma.wal": line(1, `"series":"a"`) }, "line 1: its operation  is unknown"],
    [
      { "karma.wal": line(1, `"op":"counter.increment","series":"a","bucket":1`) },
      "line 1: its increment lacks a number as key",
    ],
    [
      { "karma.wal": line(1, `"op":"counter.increment","series":"a","key":1,"bucket":"x"`) },
      "line 1: its increment lacks a day as bucket",
    ],
    [
      { "karma.wal": line(1, `"op":"series.batch_add","series":"a","items":[[1,2]]`) },
      "line 1: an item in it is too short",
    ],
    [
      { "karma.wal": line(1, `"op":"series.batch_add","series":"a","items":[[1,2,3,4]]`) },
      "line 1: an item in it is too long",
    ],
    [
      { "karma.wal": line(1, `"op":"series.batch_add","series":"a","items":[7]`) },
      "line 1: an item in it is no list",
    ],
    [
      { "karma.wal": line(1, `"op":"series.batch_add","series":"a","items":[[1,2,-3]]`) },
      "line 1: a list in it lacks a number",
    ],
    [
      { "karma.wal": line(1, `"op":"series.batch_add","series":"a"`) },
      "line 1: its batch_add lacks a list as items",
    ],
  ];
  for (const [files, sentence] of cases) {
    const error = await assertRejects(() => take(diskWith(files)), DamagedError);
    assertStringIncludes(error.message, sentence);
  }
});

Deno.test("karma1 wal: entries out of order are replayed as they come, and told", async () => {
  const { karma1, contents } = await takeLog(add(1) + add(2) + add(2) + add(1) + add(3));
  assertEquals(contents, { a: ["1 20260101 5"] });
  assertEquals(karma1.notes, [
    "Log of Karma 1.x: 2 of its entries out of order; were there two servers?",
  ]);
});

Deno.test("karma1 wal: reads of any size give the same", async () => {
  const random = new Random(7);
  const log = Array.from({ length: 300 }, (_, index) => {
    return add(index + 1, random.pick(["a", "b", "\u0001".repeat(3), "ä\\"]), random.below(99) + 1);
  }).join("");
  const whole = await takeLog(log);
  for (const most of [1, 7, 64, 1000]) {
    const disk = diskWith({ "karma.wal": log });
    disk.readBytesMax = most;
    const { contents, karma1 } = await take(disk);
    assertEquals(contents, whole.contents);
    assertEquals(karma1.summary, whole.karma1.summary);
  }
});

Deno.test("karma1 wal: an entry longer than the window", async () => {
  const items = Array.from({ length: 40_000 }, (_, index) => `[${index},20260101,${index + 1}]`);
  const batch = line(1, `"op":"series.batch_add","series":"a","items":[${items.join()}]`);
  const { contents } = await takeLog(batch + add(2));
  assertEquals(contents.a.length, 40_000);
  assertEquals(contents.a[39_999], "39999 20260101 40000");
  assertEquals(contents.a[1], "1 20260101 3");
});
