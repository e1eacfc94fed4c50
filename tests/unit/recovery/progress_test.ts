import { assertEquals, assertMatch } from "@std/assert";
import { bytesText, Progress, secondsText } from "../../../lib/recovery/progress.ts";

Deno.test("progress: bytes and seconds as people read them", () => {
  assertEquals([0, 999, 1000, 1_250_000, 3e9, 4e15].map(bytesText), [
    "0 bytes",
    "999 bytes",
    "1.0 kB",
    "1.3 MB",
    "3.0 GB",
    "4000.0 TB",
  ]);
  assertMatch(secondsText(performance.now() - 1500), /^1\.[5-9] s$/);
});

Deno.test("progress: what takes little tells nothing, and what takes long tells every few seconds", () => {
  const { now } = performance;
  let ms = 0;
  performance.now = () => ms;
  try {
    const lines: string[] = [];
    const progress = new Progress((line) => lines.push(line));
    for (ms = 0; ms <= 10_000; ms += 100) progress.tell(() => `${ms}`);
    assertEquals(lines, ["3000", "6000", "9000"]);
  } finally {
    performance.now = now;
  }
});
