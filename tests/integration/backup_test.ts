// `karma backup` of a server that is written to, and `karma restore`, as processes: what is restored is one moment's state.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ClientV2, type Fields } from "../support/client_v2.ts";
import { eventually, Server, TemporaryDirectory } from "../support/server.ts";

const DAY = 20260105;

/** Counts 1 on `a`, then 1 on `b`, over and over, in long pipelines. */
async function write(port: number, isOver: () => boolean): Promise<void> {
  using client = await ClientV2.connect(port);
  while (!isOver()) {
    const requests: [string, Fields][] = [];
    for (let i = 0; i < 200; i++) {
      for (const series of ["a", "b"]) {
        requests.push(["counter.increment", { series, key: i % 10, bucket: DAY }]);
      }
    }
    await client.all(requests);
  }
}

async function totals(port: number): Promise<number[]> {
  using client = await ClientV2.connect(port);
  const total = async (series: string) => {
    return (await client.get("tree.info", { series }) as { total: number }).total;
  };
  return [await total("a"), await total("b"), await total("still")];
}

Deno.test("backup: of a server under load it is one moment's state, and the server goes on", async () => {
  using place = new TemporaryDirectory();
  await using server = await Server.start();
  const address = `--server=127.0.0.1:${server.port}`;
  using client = await ClientV2.connect(server.port);
  const items = Array.from({ length: 10_000 }, (_, key) => [key, DAY, 1]);
  await client.get("series.batch_add", { series: "still", items });
  let isOver = false;
  const writing = write(server.port, () => isOver);
  for (const file of ["first", "second"]) {
    const { code, stdout, stderr } = await Server.run(["backup", address, place.join(file)]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^Backup of \d{4}-\d\d-\d\dT[\d:.]+Z: \d+ files, \d+ bytes\n$/);
    await client.get("snapshot.create_all"); // nothing is held any more
  }
  isOver = true;
  await writing;
  const sums: number[] = [];
  for (const file of ["first", "second"]) {
    const directory = place.join(`${file}-data`);
    const { code, stderr } = await Server.run(["restore", "-d", directory, place.join(file)]);
    assertEquals([code, stderr], [0, ""]);
    assertEquals((await Server.run(["check", "--directory", directory])).code, 0);
    await using restored = await Server.start({ directory });
    const [a, b, still] = await totals(restored.port);
    assert(a === b || a === b + 1, `${a} and ${b} were never there together`);
    assertEquals([still, restored.stderr], [10_000, ""]);
    sums.push(a);
  }
  assert(sums[0] > 0 && sums[0] < sums[1], `${sums}`);
});

Deno.test("backup: a token that allows everything is needed, and a stop does not wait", async () => {
  using place = new TemporaryDirectory();
  const args = ["--auth-token=all", "--read-auth-token=some"];
  await using server = await Server.start({ args });
  const address = `--server=127.0.0.1:${server.port}`;
  const refused = await Server.run(["backup", address, "--token=some", place.join("b")]);
  assertEquals([refused.code, refused.stdout], [1, ""]);
  assertMatch(refused.stderr, /^forbidden: /);
  using client = await ClientV2.connect(server.port, "all");
  await client.get("counter.increment", { series: "t", key: 1 });
  await client.get("backup.begin");
  client.close();
  assertEquals(await server.stop(), 0);
});

Deno.test("backup: one whose server is killed leaves no file behind", async () => {
  using place = new TemporaryDirectory();
  await using server = await Server.start();
  using client = await ClientV2.connect(server.port);
  await client.get("tree.create", { series: "t" });
  await client.get("backup.begin"); // the command has to wait for this one
  const address = `--server=127.0.0.1:${server.port}`;
  const waiting = await Server.run(["backup", address, place.join("b")]);
  assertEquals([waiting.code, waiting.stderr], [1, "validation_error: A backup is under way\n"]);
  await client.get("backup.end");
  await server.kill();
  const gone = await Server.run(["backup", address, place.join("b")]);
  assertEquals(gone.code, 1);
  assertStringIncludes(gone.stderr, "No connection");
  assertEquals(place.files(), []);
});

Deno.test("backup: of a directory, through the standard streams, and refused while it is used", async () => {
  using place = new TemporaryDirectory();
  const directory = place.join("data");
  {
    await using server = await Server.start({ directory });
    using client = await ClientV2.connect(server.port);
    await client.get("counter.increment", { series: "t", key: 1, value: 5 });
    const used = await Server.run(["backup", "-d", directory, place.join("b")]);
    assertEquals(used.code, 2);
    assertStringIncludes(used.stderr, `Directory ${directory} is in use by process ${server.pid}`);
    const into = await Server.run(["restore", "-d", directory, place.join("b")]);
    assertEquals(into.code, 1); // there is no such file
    await server.kill();
  }
  await eventually("the directory is free", async () => {
    return (await Server.run(["backup", "-d", directory, place.join("b")])).code === 0;
  });
  const whole = Deno.readFileSync(place.join("b"));
  Deno.writeFileSync(place.join("damaged"), whole.map((byte, at) => at === 300 ? byte ^ 1 : byte));
  const damaged = await Server.run(["restore", "-d", place.join("copy"), place.join("damaged")]);
  assertEquals([damaged.code, damaged.stdout], [3, ""]);
  const full = await Server.run(["restore", "-d", directory, place.join("b")]);
  assertEquals(full.code, 2);
  assertStringIncludes(full.stderr, `Directory ${directory} is not empty`);
  assertEquals((await Server.run(["restore", "-d", place.join("copy"), place.join("b")])).code, 0);
  await using server = await Server.start({ directory: place.join("copy") });
  using client = await ClientV2.connect(server.port);
  assertEquals(await client.get("counter.sum", { series: "t", key: 1 }), 5);
});
