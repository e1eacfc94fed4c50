// `karma ask`: what is sent, what is printed, and what it exits with.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseTool, type ToolLine } from "../../../lib/cli/mod.ts";
import { ask } from "../../../lib/commands/ask.ts";
import { done, FakeTerminal, FakeWire, toolHost } from "../../support/tool_host.ts";

const REFUSAL = '{"protocol_version":2,"success":false,"response":"No","error_code":"not_found"}';

async function run(args: string[], terminal = new FakeTerminal()) {
  const wire = new FakeWire((line) => {
    const { op, key } = JSON.parse(line);
    return op === "refuse" ? REFUSAL : done(op === "text" ? '"a\\nb\\n"' : `[${key}]`);
  });
  const line = parseTool(["ask", ...args], () => undefined) as Extract<ToolLine, { name: "ask" }>;
  const code = await ask(line, toolHost(terminal, wire));
  assertEquals([wire.isClosed, terminal.isRaw], [true, false]);
  return { code, output: terminal.output, errors: terminal.errors, asked: wire.asked };
}

Deno.test("ask: one request, its response or its error, and the exit code", async () => {
  assertEquals(await run(["x", "key=1"]), {
    code: 0,
    output: "[1]\n",
    errors: "",
    asked: ['{"v":2,"op":"x","key":1}'],
  });
  assertEquals((await run(["text"])).output, "a\nb\n");
  const refused = await run(["refuse"]);
  assertEquals([refused.code, refused.output, refused.errors], [1, "", "not_found: No\n"]);
  const raw = await run(["--json", "refuse"]);
  assertEquals([raw.code, raw.output, raw.errors], [1, `${REFUSAL}\n`, ""]);
  const wrong = await run(["x", "key"]);
  assertEquals([wrong.code, wrong.asked], [2, []]);
  const { output, asked } = await run(["--token=t", "x", "key=1", "--json"]);
  assertEquals([output, asked], [done("[1]") + "\n", ['{"v":2,"token":"t","op":"x","key":1}']]);
});

Deno.test("ask: each line of the input is a request; errors name theirs", async () => {
  const many = Array.from({ length: 200 }, (_, key) => `x key=${key}\n`).join("");
  const { code, output } = await run([], new FakeTerminal([many]));
  assertEquals([code, output], [0, Array.from({ length: 200 }, (_, key) => `[${key}]\n`).join("")]);
  const mixed = await run([], new FakeTerminal(['x key=1\n\nrefuse\n{"op":"x","key":2}']));
  const expected = [1, "[1]\n[2]\n", "Line 3: not_found: No\n"];
  assertEquals([mixed.code, mixed.output, mixed.errors], expected);
  const wrong = await run([], new FakeTerminal(["x key=1\ny z\nx key=2\n"]));
  assertEquals([wrong.code, wrong.output], [2, "[1]\n"]);
  assertStringIncludes(wrong.errors, "Line 2: A field is written FIELD=VALUE");
});

Deno.test("ask: at a terminal there is a prompt", async () => {
  const keys = ["x key=1\r", "refuse\r", "help\r", "\x04"];
  const { code, output, errors } = await run([], new FakeTerminal(keys, true));
  assertEquals(code, 0);
  assertStringIncludes(output, "karma> x key=1\n[1]\n");
  assertStringIncludes(output, "\ncounter.increment\n");
  assertStringIncludes(errors, "not_found: No\n");
  for (const word of ["exit\r", "quit\r"]) {
    assertEquals((await run([], new FakeTerminal([word, "x\r"], true))).asked, []);
  }
});
