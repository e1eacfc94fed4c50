// `karma top`: rates are differences, and nothing is told that was not measured.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseTool, type ToolLine } from "../../../lib/cli/mod.ts";
import { type Sample, screenOf, top } from "../../../lib/commands/top.ts";
import { done, FakeTerminal, FakeWire, toolHost } from "../../support/tool_host.ts";

const NONE = { ms: 0, figures: {}, totals: new Map(), hasMore: false };

Deno.test("top: what happened between two samples, a second", () => {
  const before: Sample = {
    ...NONE,
    figures: { command_count: 100, latency_ms_avg: 1, wal_current_lsn: 5, error_count: 1 },
    totals: new Map([["slow", 10], ["still", 7], ["fast", 0]]),
  };
  const now: Sample = {
    ms: 2000,
    figures: {
      command_count: 300,
      latency_ms_avg: 0.5,
      wal_current_lsn: 405,
      error_count: 1,
      karma_connections: 3,
      uptime_seconds: 90_061,
      memory_bytes: 1048576,
    },
    totals: new Map([["slow", 30], ["still", 7], ["fast", 4000], ["new", 50]]),
    hasMore: true,
  };
  const screen = screenOf("h:1", before, now);
  assertEquals(screen[0], "Karma at h:1, up 1 d 1 h");
  const cells = screen.map((line) =>
    line.split(/\s{2,}/).map((cell) => cell.trim()).filter((cell) => cell !== "")
  );
  assertEquals(cells[2], ["requests a second", "100", "errors", "0"]);
  assertEquals(cells[3], ["time of a request", "250.0 µs", "timeouts", "0"]); // 150 - 100 ms of 200
  assertEquals(cells[4], ["connections", "3", "changes a second", "200"]);
  const trees = cells.slice(cells.findIndex(([first]) => first === "a second") + 1);
  assertEquals(trees.slice(0, 3), [["2000", "4000", "fast"], ["25", "50", "new"], [
    "10",
    "30",
    "slow",
  ]]);
  assertEquals(screen.at(-1), "Of the trees the first 1000 were looked at");
});

Deno.test("top: once asks twice, and prints once", async () => {
  let asked = 0;
  const wire = new FakeWire((line) => {
    const { op } = JSON.parse(line);
    if (op === "system.stats") {
      return done(`{"command_count":${100 * ++asked},"latency_ms_avg":0.1,"role":"master"}`);
    }
    if (op === "system.metrics") {
      return done('"# TYPE karma_connections gauge\\nkarma_connections 4\\n"');
    }
    if (op === "tree.list") return done('{"trees":["t"],"next_cursor":null}');
    return done(`{"total":${asked}}`);
  });
  const terminal = new FakeTerminal();
  const line = parseTool(["top", "--once", "-i1"], () => undefined);
  assertEquals(await top(line as Extract<ToolLine, { name: "top" }>, toolHost(terminal, wire)), 0);
  assertStringIncludes(terminal.output, "Karma at 127.0.0.1:8080, up 0 min 0 s\n");
  assertStringIncludes(terminal.output, "connections                      4");
  assertEquals([asked, wire.isClosed], [2, true]);
});
