// `karma bench` and `karma top` as processes, against a server.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ClientV2 } from "../support/client_v2.ts";
import { Server } from "../support/server.ts";

Deno.test("bench and top: beside each other, they agree that something is done", async () => {
  await using server = await Server.start();
  const address = `--server=127.0.0.1:${server.port}`;
  const benching = Server.run(["bench", address, "--seconds=4", "--connections=3", "--pipeline=2"]);
  using client = await ClientV2.connect(server.port);
  while ((await client.get("tree.list") as string[]).length === 0) await client.get("system.ping");
  const watched = await Server.run(["top", address, "--once", "--interval=1"]);
  assertEquals([watched.code, watched.stderr], [0, ""]);
  assertMatch(watched.stdout, /^ +[1-9]\d* +\d+ {2}karma-bench$/m);
  const { code, stdout, stderr } = await benching;
  assertEquals([code, stderr], [0, ""]);
  const [, rate] = /^increment: (\d+) requests a second, 0 errors$/m.exec(stdout)!;
  assert(Number(rate) > 0, stdout);
  assertStringIncludes(stdout, "ms for 2 at once on each of 3 connections: p50 ");
  assertMatch(stdout, /itself took \d+ % of a processor/);
  assertEquals(await client.get("tree.list"), []);
  await client.get("tree.create", { series: "karma-bench" });
  const refused = await Server.run(["bench", address]);
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "Tree karma-bench is there already: name another one");
  assertEquals(await client.get("tree.list"), ["karma-bench"]);
});
