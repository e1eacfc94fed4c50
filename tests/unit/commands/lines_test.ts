// The lines of an input, however it is cut.

import { assertEquals } from "@std/assert";
import { lines } from "../../../lib/commands/lines.ts";
import { FakeTerminal } from "../../support/tool_host.ts";

async function linesOf(parts: string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines(new FakeTerminal(parts))) {
    found.push(new TextDecoder().decode(line));
  }
  return found;
}

Deno.test("lines: the same lines wherever the input is cut", async () => {
  const text = "a\r\n\nbc\n" + "d".repeat(50) + "\nlast";
  const expected = ["a", "", "bc", "d".repeat(50), "last"];
  for (let at = 0; at <= text.length; at++) {
    assertEquals(await linesOf([text.slice(0, at), text.slice(at)]), expected);
  }
  assertEquals(await linesOf([]), []);
  assertEquals(await linesOf(["a\n"]), ["a"]);
});

Deno.test("lines: one may be longer than what is read at once", async () => {
  const part = "x".repeat(30_000);
  assertEquals(await linesOf([part, part, part, part, "\ny"]), [part.repeat(4), "y"]);
});
