// A client: operations with their fields, and what they were answered.

import { assertEquals, assertRejects } from "@std/assert";
import { Client } from "../../../lib/client/client.ts";
import { RefusedError } from "../../../lib/client/reply.ts";
import { done, FakeWire } from "../../support/tool_host.ts";

Deno.test("client: it shows its token, and gives data or the error", async () => {
  const refusal = '{"protocol_version":2,"success":false,"response":"No","error_code":"forbidden"}';
  const wire = new FakeWire((line) => line.includes("drop") ? refusal : done("[7]"));
  const options = { host: "h", port: 1, token: "t", timeoutMs: 60_000 };
  const asked: unknown[] = [];
  const client = await Client.connect(options, (...where) => {
    asked.push(where);
    return Promise.resolve(wire);
  });
  assertEquals(asked, [["h", 1, 60_000]]);
  assertEquals(await client.get("tree.list", { limit: 1 }), [7]);
  await assertRejects(() => client.get("tree.drop"), RefusedError, "forbidden: No");
  assertEquals((await client.ask("tree.drop")).code, "forbidden");
  assertEquals(wire.asked[0], '{"v":2,"op":"tree.list","token":"t","limit":1}');
  client.close();
  assertEquals(wire.isClosed, true);
});
