// Many small trees: what dumping and restoring them costs is bounded, and told to the operator.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client, success } from "../support/client.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

/** `KARMA_TREES=50000` measures as many as people may have. */
const TREES = Number(Deno.env.get("KARMA_TREES") ?? 300);

async function fill(client: Client): Promise<void> {
  const lines = Array.from({ length: TREES }, (_, index) => {
    return JSON.stringify({ command: "increment", tree_name: `tree-${index}`, key: index });
  });
  for (let at = 0; at < TREES; at += 1000) await client.pipeline(lines.slice(at, at + 1000));
}

Deno.test("many trees: they are dumped once, and the operator is told for whom and how many", async () => {
  using directory = new TemporaryDirectory();
  const sum = (index: number) => ({ command: "sum", tree_name: `tree-${index}`, key: index });
  {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    await fill(client);
    server.signal("SIGUSR1");
    await server.says(/SIGUSR1/);
    const pattern = /^Dumped (\d+) trees for SIGUSR1, [\d.]+ \w+ in [\d.]+ s$/;
    assertMatch(server.dumped[0], pattern);
    assertEquals(pattern.exec(server.dumped[0])![1], String(TREES));
    await client.ask({ command: "increment", tree_name: "tree-7", key: 7 });
    assertEquals(await server.stop(), 0);
    const last = server.dumped.at(-1)!;
    assertMatch(last, /^Dumped 1 tree for SIGTERM, \d+ bytes in [\d.]+ s, \d+ were unchanged$/);
    assert(last.includes(`${TREES - 1} were`), last);
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(sum(7)), success(2));
    assertEquals(await client.ask(sum(TREES - 1)), success(1));
    assertEquals(await server.stop(signal), 0);
    const [line] = server.dumped;
    assert(line.startsWith(`Dumped 0 trees for ${signal}, `), line);
    assert(line.endsWith(`${TREES} were unchanged`), line);
  }
  const files = [...Deno.readDirSync(directory.path)].filter(({ name }) => name.endsWith(".tree"));
  assertEquals(files.length, TREES + 1);
});
