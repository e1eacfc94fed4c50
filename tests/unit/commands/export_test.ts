// `karma export`: cells become lines, and a file is whole or not there.

import { assertEquals, assertRejects } from "@std/assert";
import { parseTool, type ToolLine } from "../../../lib/cli/mod.ts";
import { exportTree } from "../../../lib/commands/export.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { done, FakeTerminal, FakeWire, toolHost } from "../../support/tool_host.ts";

const CELLS =
  '{"success":true,"response":{"42":{"20260105":7,"20260106":2},"a\\",b":{"20260105":1}}}\r';

async function run(args: string[], disk = new MemoryDisk(), reply: string | null = CELLS) {
  const asked: string[] = [];
  const terminal = new FakeTerminal();
  const line = parseTool(["export", "-t", "t", ...args], () => undefined);
  const host = {
    ...toolHost(terminal, new FakeWire(() => null), disk),
    connect: () =>
      Promise.resolve(
        new FakeWire((line) => {
          asked.push(line);
          return line.includes("tree.info") ? done("{}") : reply;
        }),
      ),
  };
  const code = await exportTree(line as Extract<ToolLine, { name: "export" }>, host);
  return { code, output: terminal.output, asked };
}

Deno.test("export: lines of CSV and of JSON", async () => {
  const { code, output, asked } = await run(["--from=20260101", "--to=20260131"]);
  assertEquals(code, 0);
  assertEquals(output, 'key,day,value\n42,20260105,7\n42,20260106,2\n"a"",b",20260105,1\n');
  assertEquals(asked, [
    '{"v":2,"op":"tree.info","series":"t"}',
    '{"command":"find","tree_name":"t","time_from":20260101,"time_to":20260131}',
  ]);
  const json = await run(["--format=jsonl", "--token=s"]);
  assertEquals(
    json.output,
    '{"key":42,"day":20260105,"value":7}\n{"key":42,"day":20260106,"value":2}\n' +
      '{"key":"a\\",b","day":20260105,"value":1}\n',
  );
  assertEquals(JSON.parse(json.asked[1]).token, "s");
});

Deno.test("export: a file appears when it is whole", async () => {
  const disk = new MemoryDisk("/d");
  await run(["/d/t.csv"], disk);
  assertEquals(await disk.list("/d"), ["t.csv"]);
  const broken = '{"success":true,"response":{"42":7}}';
  await assertRejects(() => run(["/d/u.csv"], disk, broken), Error, "The tree could not be read");
  const sentence = "/nowhere/u.csv could not be written";
  await assertRejects(() => run(["/nowhere/u.csv"], disk), Error, sentence);
  assertEquals(await disk.list("/d"), ["t.csv"]);
});
