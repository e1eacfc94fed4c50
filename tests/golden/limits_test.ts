// The transcript of limits (limits.jsonl), replayed: at the moment that it is of, in this process,
// byte for byte, and again by a process that was killed between each request and the next.
//
// RECEIPT stands for the receipt that was told last.

import { assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { assertNone, mismatch, readTranscript } from "../support/transcript.ts";
import { World } from "../fuzz/limits_world.ts";

const TRANSCRIPT = readTranscript(new URL(".", import.meta.url), "limits");
const MOMENT = Date.UTC(2026, 10, 23, 12);

async function replay(between: (world: World) => Promise<void>): Promise<void> {
  const world = new World("UTC", MOMENT, 0);
  await world.start();
  const found: (string | null)[] = [];
  let receipt = "none yet";
  for (const row of TRANSCRIPT.cases) {
    const reply = await world.ask(row.send.replace("RECEIPT", receipt));
    receipt = /"receipt":"([^"]+)"/.exec(reply)?.[1] ?? receipt;
    found.push(mismatch(TRANSCRIPT, row, reply.replace(/\n$/, "")));
    await between(world);
  }
  assertNone(found);
  world.check();
}

Deno.test("golden limits: every answer is the recorded one", async () => {
  assertEquals(TRANSCRIPT.cases.length > 25, true);
  await replay(async () => {});
});

Deno.test("golden limits: also of a process that is killed after each", async () => {
  const random = new Random(1);
  await replay((world) => world.restart(random, "UTC"));
});
