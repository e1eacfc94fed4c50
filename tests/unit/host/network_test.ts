// Connections to a server: made in time, or not at all.

import { assertEquals, assertRejects } from "@std/assert";
import { HostError } from "../../../lib/errors.ts";
import { connectTo } from "../../../lib/host/network.ts";

Deno.test("network: bytes go both ways", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [wire, other] = await Promise.all([
    connectTo("127.0.0.1", listener.addr.port, 20_000),
    listener.accept(),
  ]);
  await wire.write(new Uint8Array([1, 2]));
  const into = new Uint8Array(9);
  assertEquals([await other.read(into), into[0], into[1]], [2, 1, 2]);
  other.close();
  assertEquals(await wire.read(into), null);
  wire.close();
  listener.close();
});

Deno.test("network: where nobody listens, that is told", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const sentence = `No connection to 127.0.0.1:${port}: `;
  await assertRejects(() => connectTo("127.0.0.1", port, 20_000), HostError, sentence);
});
