// `karma bench`: what it asks, that every reply counts, and that it leaves nothing behind.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { parseTool, type ToolLine } from "../../../lib/cli/mod.ts";
import { bench } from "../../../lib/commands/bench.ts";
import { done, FakeTerminal, FakeWire, toolHost } from "../../support/tool_host.ts";

const MISSING = '{"protocol_version":2,"success":false,"response":"No","error_code":"not_found"}';

async function run(args: string[], answer: (op: string, count: number) => string) {
  const asked: Record<string, unknown>[] = [];
  const terminal = new FakeTerminal();
  let now = 0;
  const host = {
    ...toolHost(terminal, new FakeWire(() => null)),
    connect: () =>
      Promise.resolve(
        new FakeWire((line) => {
          const request = JSON.parse(line);
          asked.push(request);
          return answer(request.op, asked.length);
        }),
      ),
    now: () => now += 10,
  };
  const line = parseTool(["bench", "--seconds=1", ...args], () => undefined);
  const code = await bench(line as Extract<ToolLine, { name: "bench" }>, host);
  return { code, output: terminal.output, asked };
}

Deno.test("bench: requests, percentiles, and a tree that is dropped", async () => {
  for (
    const [operation, op] of [["increment", "counter.increment"], ["consume", "limit.consume"]]
  ) {
    const args = [`--operation=${operation}`, "-c2", "-P3", "-k5"];
    const { code, output, asked } = await run(
      args,
      (op) => op === "tree.info" ? MISSING : done("1"),
    );
    assertEquals(code, 0);
    assertMatch(output, new RegExp(`^${operation}: \\d+ requests a second, 0 errors\n`));
    assertMatch(output, /ms for 3 at once on each of 2 connections: p50 [\d.]+, .*max [\d.]+\n/);
    assertEquals([asked.at(1)!.op, asked.at(-1)!.op], ["tree.create", "tree.drop"]);
    const measured = asked.filter((request) => request.op === op);
    assert(measured.length >= 6 && measured.length % 3 === 0, `${measured.length}`);
    assert(measured.every(({ key }) => typeof key === "number" && key >= 0 && key < 5));
  }
});

Deno.test("bench: errors are counted, and the exit code tells", async () => {
  const { code, output } = await run(["-c1", "-P2"], (op, count) => {
    if (op === "tree.create") return done('"OK"');
    return op === "tree.info" || count % 2 === 0 ? MISSING : done("1");
  });
  const [, rate, errors] = /: (\d+) requests a second, (\d+) errors/.exec(output)!;
  assertEquals([code, Number(errors)], [1, Number(rate) / 2]);
});

Deno.test("bench: a tree that is there already is left alone", async () => {
  const sentence = "Tree karma-bench is there already: name another one";
  const asked: string[] = [];
  await assertRejects(
    () =>
      run([], (op) => {
        asked.push(op);
        return done("{}");
      }),
    Error,
    sentence,
  );
  assertEquals(asked, ["tree.info"]);
});
