// One reply record, which is used again.

import { assertEquals } from "@std/assert";
import { Reply } from "../../../lib/command/reply.ts";

Deno.test("reply: a long list has its own deadline, not that of the reply before", () => {
  const reply = new Reply();
  reply.list([], 5);
  assertEquals([reply.isWalked, reply.deadline], [true, 5]);
  reply.clear();
  assertEquals(reply.isWalked, false);
  reply.list([]);
  assertEquals([reply.isWalked, reply.deadline], [true, Infinity]);
});
