// `karma import` against a server of ingest streams that the test has in its hand: what is sent, how it goes on, what is told.

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parseTool, type ToolLine, UsageError } from "../../../lib/cli/mod.ts";
import { importFile } from "../../../lib/commands/import.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { done, FakeTerminal, FakeWire, toolHost } from "../../support/tool_host.ts";

type Item = [key: number, day: number, value: number];

/** A server of ingest streams; `cutAt`: it vanishes when that chunk comes. */
class Streams {
  readonly chunks = new Map<string, Item[][]>();
  readonly modes = new Map<string, string>();
  readonly committed = new Set<string>();
  cutAt = Infinity;

  answer(line: string): string | null {
    const { op, stream_id: id, chunk_seq: seq, items, mode, series } = JSON.parse(line);
    const chunks = this.chunks.get(id) ?? [];
    if (op === "ingest.begin") {
      this.chunks.set(id, chunks);
      this.modes.set(id, mode);
      const status = this.committed.has(id) ? "already_committed" : "active";
      return done(JSON.stringify({ status, last_chunk_seq: chunks.length }));
    }
    if (op === "ingest.commit") {
      this.committed.add(id);
      return done("{}");
    }
    assertEquals([op, series], ["ingest.chunk", "t"]);
    if (seq === this.cutAt) return null;
    if (seq <= chunks.length) {
      if (JSON.stringify(chunks[seq - 1]) === JSON.stringify(items)) return done("{}");
      return '{"protocol_version":2,"success":false,"response":"Other","error_code":"idempotency_conflict"}';
    }
    assertEquals(seq, chunks.length + 1);
    chunks.push(items);
    return done("{}");
  }
}

async function run(streams: Streams, text: string, args: string[] = [], file = "a.csv") {
  const terminal = new FakeTerminal(file === "-" ? [text] : []);
  const disk = new MemoryDisk("/d");
  const writing = await disk.create(`/d/${file}`);
  await writing.write(new TextEncoder().encode(text));
  const line = parseTool(
    ["import", "-t", "t", ...args, file === "-" ? "-" : `/d/${file}`],
    () => undefined,
  );
  const wire = new FakeWire((line) => streams.answer(line));
  const host = toolHost(terminal, wire, disk);
  const code = await importFile(line as Extract<ToolLine, { name: "import" }>, host);
  return { code, asked: wire.asked, output: terminal.output, errors: terminal.errors };
}

const LINES = Array.from({ length: 25 }, (_, i) => `${i},20260105,${i + 1}`);
const ITEMS = LINES.map((line): Item => line.split(",").map(Number) as Item);

Deno.test("import: all lines arrive, in chunks, and the stream is committed", async () => {
  for (const end of ["", "\n", "\r\n"]) {
    const streams = new Streams();
    const { code, output } = await run(streams, LINES.join("\n") + end, ["--chunk-items=10"]);
    assertEquals(code, 0);
    assertStringIncludes(output, "25 lines imported, 0 bad ones left out; ");
    const [[id, chunks]] = [...streams.chunks];
    assertEquals(chunks.map((items) => items.length), [10, 10, 5]);
    assertEquals(chunks.flat(), ITEMS);
    assertEquals([...streams.committed], [id]);
  }
});

Deno.test("import: one that was interrupted anywhere goes on, and counts nothing twice", async () => {
  for (const cutAt of [1, 2, 3]) {
    const streams = new Streams();
    streams.cutAt = cutAt;
    await assertRejects(
      () => run(streams, LINES.join("\n"), ["--chunk-items=10"]),
      Error,
      "The connection ended",
    );
    streams.cutAt = Infinity;
    const { code } = await run(streams, LINES.join("\n"), ["--chunk-items=10"]);
    assertEquals([code, [...streams.chunks.values()][0].flat()], [0, ITEMS]);
  }
});

Deno.test("import: the same file again is told, another one is counted", async () => {
  const streams = new Streams();
  await run(streams, LINES.join("\n"));
  const { code, output, asked } = await run(streams, LINES.join("\n"), [], "other-name.csv");
  assertEquals([code, asked.length], [0, 1]);
  assertStringIncludes(output, "It was imported before, as ingest stream import-");
  await run(streams, LINES.join("\n") + "\n1,20260105,1");
  await run(streams, LINES.join("\n"), ["--mode=set"]);
  assertEquals(streams.committed.size, 3);
  assertEquals([...streams.modes.values()], ["add", "add", "set"]);
});

Deno.test("import: bad lines are told and counted, the others imported", async () => {
  const streams = new Streams();
  const bad = Array.from({ length: 12 }, () => "x");
  const text = ["key,day,value", LINES[0], "1,20260230,5", LINES[1], ...bad].join("\n");
  const { code, output, errors } = await run(streams, text);
  assertEquals([code, [...streams.chunks.values()][0]], [1, [ITEMS.slice(0, 2)]]);
  assertStringIncludes(output, "2 lines imported, 13 bad ones left out");
  assertStringIncludes(errors, 'Line 3: "20260230" is no day\nLine 5: there are 1 columns\n');
  assertEquals(errors.trimEnd().split("\n").length, 11);
  assertStringIncludes(errors, "Further bad lines are only counted");
});

Deno.test("import: an input that is another one than before is refused", async () => {
  const streams = new Streams();
  streams.cutAt = 3;
  const args = ["--chunk-items=10", "--stream=s", "--format=csv"];
  await assertRejects(() => run(streams, LINES.join("\n"), args, "-"));
  streams.cutAt = Infinity;
  const other = await run(
    streams,
    LINES.map((line) => line.replace(/\d$/, "9")).join("\n"),
    args,
    "-",
  );
  assertEquals(other.code, 1);
  assertStringIncludes(other.errors, "idempotency_conflict: Other\nIngest stream s goes on");
  const shorter = await run(streams, LINES.slice(0, 5).join("\n"), args, "-");
  assertStringIncludes(shorter.errors, "The input is shorter than it was");
  assertEquals((await run(streams, LINES.join("\n"), args, "-")).code, 0);
  assertEquals(streams.chunks.get("s")!.flat(), ITEMS);
});

Deno.test("import: a format that cannot be known is asked for", async () => {
  await assertRejects(
    () => run(new Streams(), "", [], "-"),
    UsageError,
    "Option --format is needed",
  );
  const { code } = await run(
    new Streams(),
    '{"key":1,"day":20260105,"value":1}\n',
    ["-f", "jsonl"],
    "-",
  );
  assertEquals(code, 0);
  const replaced = new Streams();
  await run(replaced, "1,20260105,1", ["--mode=replace"]);
  assertEquals([...replaced.modes.values()], ["replace_series"]);
});
