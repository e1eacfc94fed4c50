// Lines of progress, at a clock that the test moves.

import { assertEquals } from "@std/assert";
import { Progress } from "../../../lib/commands/progress.ts";
import { FakeTerminal, FakeWire, toolHost } from "../../support/tool_host.ts";

Deno.test("progress: told now and then, where somebody sees it, and summed up", () => {
  for (const showsProgress of [true, false]) {
    const terminal = Object.assign(new FakeTerminal(), { showsProgress });
    let now = 0;
    const host = { ...toolHost(terminal, new FakeWire(() => null)), now: () => now };
    const progress = new Progress(host);
    progress.tell(1); // too early
    now = 1000;
    progress.tell(500);
    progress.tell(501);
    now = 2000;
    progress.tell(1000, 4000);
    assertEquals(progress.end(3000), "2.0 s, 1500 lines a second");
    const told = ["500 lines, 500 lines a second", "25 %, 1000 lines, 500 lines a second", ""];
    assertEquals(
      terminal.errors,
      showsProgress ? told.map((text) => `\r\x1b[K${text}`).join("") : "",
    );
  }
});
